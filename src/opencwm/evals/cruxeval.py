"""Output prediction in the format of CRUXEval: what does ``f(INPUT)`` return.

Each item is predicted in up to two ways: ``trace`` rolls out the whole predicted run and takes what it
returns, ``direct`` asks for the outcome alone. The code of an item is never run, except by :func:`validate`,
which checks the grader against what really happens. No item comes with this package.

Source of the format: Gu et al., "CRUXEval: a benchmark for code reasoning, understanding and execution",
arXiv 2401.03065.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from opencwm.core.errors import CodecError, ConfigError, TaskError
from opencwm.evals.cruxeval_items import Item
from opencwm.evals.cruxeval_report import CruxEvalReport
from opencwm.evals.evaluation import digest_of_lines, evaluate_cases
from opencwm.evals.grading import is_right
from opencwm.evals.journal import Progress, Record
from opencwm.evals.predictor import Predictor, RunPredictor
from opencwm.evals.published import CRUXEVAL
from opencwm.evals.rollout import RolloutBounds, rolled_out
from opencwm.evals.validation import Validation, validated
from opencwm.model.together import Worker, one_by_one
from opencwm.traces import Outcome, Program, StepFlags, Trace, observed_outcome


class Method(enum.StrEnum):
    """How an output is predicted."""

    TRACE = "trace"
    DIRECT = "direct"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CruxEvalConfig:
    """How outputs are predicted, and bounds.

    Attributes:
        methods: the first one gives ``output_pass_at_1``.
        num_items: the first so many items, None for all.
        max_steps: most steps of a rollout.
        max_seconds: most wall-clock seconds of a rollout; it guards against one that crawls.

    Raises:
        ConfigError: a number below 1, no method, or one named twice.

    """

    methods: tuple[Method, ...] = (Method.TRACE, Method.DIRECT)
    num_items: int | None = None
    max_steps: int = 1024
    max_seconds: float = 300.0

    def __post_init__(self) -> None:
        for name in ("num_items", "max_steps", "max_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} must be positive, not {value}", where="eval benchmark")
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise ConfigError(
                "methods must be named, each once", where="eval benchmark", hint=", ".join(Method)
            )


def evaluate_cruxeval(
    items: Sequence[Item],
    predictor: RunPredictor,
    config: CruxEvalConfig | None = None,
    *,
    suite: str = CRUXEVAL,
    data: str = "",
    folder: Path | None = None,
    command: str = "",
    validation: Validation | None = None,
    progress: Progress | None = None,
    worker: Worker = one_by_one,
) -> CruxEvalReport:
    """Predict the output of every item and grade it.

    Items without a gold output are predicted and not graded. An item the model cannot be shown counts as
    wrong.

    Args:
        items: for example of :func:`opencwm.evals.cruxeval_items.load_items`.
        predictor: what is evaluated; a whole :class:`Predictor` for the method ``direct``.
        config: methods and bounds.
        suite: of :data:`opencwm.evals.published.BENCHMARKS`, what the items are of.
        data: what the items are, for the report.
        folder: where results are kept while they come; evaluating into the same folder again goes on where it
            stopped.
        command: what reproduces this, for the report.
        validation: what :func:`validate` found, for the report.
        progress: told before the first and after every item.
        worker: does the items, one after the other or several together.

    Raises:
        ConfigError: no item, or ``folder`` holds results of other settings.
        TaskError: the grader does not accept a gold output as the answer to its own item.
        EngineError: the engine broke; results so far are kept.

    """
    config = config or CruxEvalConfig()
    items = items[: config.num_items]
    if not items:
        raise ConfigError("no item to evaluate", where=data or "items")
    check_grader(items)
    asked = (f"{item.id!r} {item.program.text!r} {item.output!r}" for item in items)
    provenance, records = evaluate_cases(
        {item.id: item for item in items},
        functools.partial(_evaluate, predictor=predictor, config=config),
        predictor,
        {
            "benchmark": suite,
            "config": dataclasses.asdict(config),
            "items_sha256": digest_of_lines(asked),
        },
        data=data,
        folder=folder,
        command=command,
        progress=progress,
        worker=worker,
    )
    return CruxEvalReport.of(provenance, records, validation)


def check_grader(items: Sequence[Item]) -> None:
    """Check that the grader scores every gold output 1.0.

    Raises:
        TaskError: it does not.

    """
    for item in items:
        if item.gold is not None and not is_right(item.gold, item.output or ""):
            raise TaskError("the grader rejects the gold output", where=f"item {item.id}")


def validate(
    items: Sequence[Item], record: Callable[[Program], Trace], *, progress: Progress | None = None
) -> Validation:
    """Run every item and grade what really happens against its gold output: the score must be 1.0.

    Args:
        items: their code is run.
        record: runs and records a program; use one that confines it.
        progress: told before the first and after every item.

    """

    def check(item: Item) -> list[tuple[str, bool | None]]:
        trace = record(item.program)
        outcome = observed_outcome(trace)
        is_cut = bool(trace.steps) and bool(trace.steps[-1].flags & StepFlags.TRUNCATED)
        if item.output is not None and is_right(outcome, item.output):
            return [(item.id, True)]
        return [(item.id, None if item.output is None or outcome is None or is_cut else False)]

    return validated(items, check, progress)


def _evaluate(item: Item, predictor: RunPredictor, config: CruxEvalConfig) -> Record:
    record: Record = {"gold": item.output}
    for method in config.methods:
        try:
            if method is Method.TRACE:
                found, outcome = _by_trace(item, predictor, config)
            else:
                found, outcome = _direct(item, cast(Predictor, predictor))
        except (CodecError, ConfigError) as error:
            found, outcome = {"end": "skipped", "reason": error.what}, None
        found["predicted"] = None if outcome is None else [str(outcome.kind), outcome.value]
        found["right"] = None if item.output is None else is_right(outcome, item.output)
        record[str(method)] = found
    return record


def _by_trace(
    item: Item, predictor: RunPredictor, config: CruxEvalConfig
) -> tuple[dict[str, Any], Outcome | None]:
    bounds = RolloutBounds(max_steps=config.max_steps, max_seconds=config.max_seconds)
    found, rollout = rolled_out(predictor.execution(item.program), bounds)
    return found, rollout.outcome


def _direct(item: Item, predictor: Predictor) -> tuple[dict[str, Any], Outcome | None]:
    start = time.perf_counter()
    prediction = predictor.outcome(item.program)
    found = {
        "end": "malformed" if prediction.outcome is None else "ended",
        "reason": prediction.reason,
        "num_sampled": prediction.num_sampled,
        "probability": prediction.probability,
        "seconds": time.perf_counter() - start,
    }
    return found, prediction.outcome
