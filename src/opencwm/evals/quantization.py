"""What quantization costs: the same programs predicted by one model, its weights stored in several ways.

The one idea: what is compared is paired. Every program is predicted by all candidates before the next one
starts, each time beginning with another, so that a slow minute of the machine falls on all of them, a
stopped evaluation compares what it has, and differences are taken program by program. What a candidate takes
in time and memory is measured in processes of its own, several times in turn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from opencwm.core.errors import ConfigError
from opencwm.evals.decode_cost import Cost
from opencwm.evals.journal import Journal, Progress, Record
from opencwm.evals.predictor import RunPredictor
from opencwm.evals.quantization_report import QuantizationReport
from opencwm.evals.report import Provenance
from opencwm.evals.steps import StepsConfig, StepsEvaluator, choose_traces, digest_of
from opencwm.traces import Trace


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A model with its weights stored in one way.

    Attributes:
        name: of the way, for example ``int8:128``.
        predictor: predicts with these weights.
        size_bytes: of the weights on disk.
        cost: measures once what decoding takes.
    """

    name: str
    predictor: RunPredictor
    size_bytes: int
    cost: Callable[[], Cost]


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantizationConfig:
    """What is measured.

    Attributes:
        num_programs: predicted one step ahead and as whole runs.
        num_documents: further programs that are only scored token by token, which is a hundred times as fast.
        seed: of the draw of programs.
        max_steps: programs whose recorded run has more steps are left out, so that a whole run is never wrong
            only because it was cut off.
        expressions: steps are predicted with expression detail.
        num_costs: how often time and memory are measured.
    """

    num_programs: int = 40
    num_documents: int = 0
    seed: int = 0
    max_steps: int = 64
    expressions: bool = True
    num_costs: int = 3


def evaluate_quantization(
    traces: Iterable[Trace],
    candidates: Sequence[Candidate],
    config: QuantizationConfig,
    *,
    model: str,
    data: str = "",
    folder: Path | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> QuantizationReport:
    """Measure every candidate on the same programs.

    Args:
        traces: recorded runs.
        candidates: the first is what the others are compared with.
        config: bounds and choice of programs.
        model: what the candidates are made of, for the report.
        data: what the traces are, for the report.
        folder: where results are kept while they come; evaluating into the same folder again goes on where it
            stopped.
        command: what reproduces this, for the report.
        progress: told before the first and after every case.

    Raises:
        ConfigError: nothing to compare, no trace to evaluate, or ``folder`` holds results of other settings.
        EngineError: an engine broke; results so far are kept.
    """
    names = [candidate.name for candidate in candidates]
    if len(set(names)) != len(names) or len(names) < 2:
        raise ConfigError("needs two different precisions or more", where=", ".join(names))
    short = (trace for trace in traces if len(trace.steps) <= config.max_steps)
    chosen = choose_traces(short, config.num_programs + config.num_documents, config.seed)
    if not chosen:
        raise ConfigError(f"no trace of 1 to {config.max_steps} steps", where=data or "traces")
    settings = {
        "benchmark": "quantization",
        "config": dataclasses.asdict(config),
        "programs_sha256": digest_of(chosen),
        "model": model,
        "candidates": {item.name: dict(item.predictor.settings) for item in candidates},
        "size_bytes": {item.name: item.size_bytes for item in candidates},
    }
    with Journal(folder, settings) as journal:
        cases = {**_costs(candidates, config), **_programs(chosen, candidates, config)}
        journal.complete(cases, lambda case: case(), progress)
        records = {key: journal.records[key] for key in chosen}
        costs = {
            name: [Cost(**journal.records[_cost_key(name, turn)]) for turn in range(config.num_costs)]
            for name in names
        }
    provenance = Provenance(model=model, data=data, command=command, settings=journal.settings)
    sizes = {item.name: item.size_bytes for item in candidates}
    return QuantizationReport.of(
        provenance, list(records.values()), sizes, {name: _best(found) for name, found in costs.items()}
    )


Case = Callable[[], Record]


def _costs(candidates: Sequence[Candidate], config: QuantizationConfig) -> dict[str, Case]:
    """Return the cases that measure time and memory: all candidates once, then all once more."""

    def measured(candidate: Candidate) -> Case:
        return lambda: dataclasses.asdict(candidate.cost())

    return {
        _cost_key(candidate.name, turn): measured(candidate)
        for turn in range(config.num_costs)
        for candidate in candidates
    }


def _cost_key(name: str, turn: int) -> str:
    return f"cost {turn} {name}"


def _best(costs: Sequence[Cost]) -> Mapping[str, float] | None:
    """Return the least disturbed of several measurements, and the most memory."""
    if not costs:
        return None
    return dataclasses.asdict(
        Cost(
            tokens_per_s=max(cost.tokens_per_s for cost in costs),
            cpu_ms_per_token=min(cost.cpu_ms_per_token for cost in costs),
            prompt_tokens_per_s=max(cost.prompt_tokens_per_s for cost in costs),
            peak_mib=max(cost.peak_mib for cost in costs),
        )
    )


def _programs(
    chosen: Mapping[str, Trace], candidates: Sequence[Candidate], config: QuantizationConfig
) -> dict[str, Case]:
    """Return the cases that predict a program with every candidate."""

    def steps(*, whole: bool) -> StepsConfig:
        return StepsConfig(
            one_step=whole,
            free_running=whole,
            direct=False,
            max_steps=config.max_steps,
            expressions=config.expressions,
        )

    def evaluated(index: int, trace: Trace) -> Case:
        bounds = steps(whole=index < config.num_programs)
        turn = index % len(candidates)
        order = [*candidates[turn:], *candidates[:turn]]
        return lambda: {item.name: StepsEvaluator(item.predictor, bounds).evaluate(trace) for item in order}

    return {key: evaluated(index, trace) for index, (key, trace) in enumerate(chosen.items())}
