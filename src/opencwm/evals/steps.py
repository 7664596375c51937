"""Held-out evaluation on recorded traces: steps given the true run so far, and runs of the model's own.

The one idea: a result belongs to one program and is written down before the next one starts; the report is a
pure function of the written results. Per-step scores hide compounding error, so all parts are measured on
the same programs: one step ahead as the debugger predicts it, teacher forcing, and free running.
"""

from __future__ import annotations

import dataclasses
import hashlib
import heapq
import json
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from opencwm.core.errors import CodecError, ConfigError
from opencwm.core.seeds import derive_seed
from opencwm.debugger.legality import Legality
from opencwm.evals.evaluation import evaluate_cases
from opencwm.evals.free_running import NEVER, compare
from opencwm.evals.journal import Progress, Record
from opencwm.evals.one_step import score_one_step
from opencwm.evals.predictor import Predictor, RunPredictor
from opencwm.evals.rollout import roll_out
from opencwm.evals.steps_report import StepsReport
from opencwm.evals.teacher_forced import score_trace
from opencwm.evals.values import is_same_value
from opencwm.model.together import Worker, one_by_one
from opencwm.source.cfg import ControlFlow
from opencwm.traces import Trace, observed_outcome
from opencwm.traces.jsonl import trace_to_json

_NUMBER = re.compile(r"\d+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepsConfig:
    """What is evaluated, and its bounds.

    Attributes:
        num_programs: evaluate so many programs, drawn with ``seed``; None for all.
        seed: of the draw; prediction itself is greedy.
        one_step: predict every step as the debugger does, given the true ones before it.
        teacher_forced: score every token of every step, given the true ones before it.
        free_running: roll every program out.
        direct: ask for every outcome without steps.
        max_document_tokens: longest document of teacher forcing, in ids; the engine's context bounds it too.
        max_steps: most steps of a rollout, and of a recorded run in ``one_step``. A rollout is also over
            after twice as many steps as were recorded, and 16.
        expressions: teacher forcing is on documents with expression detail; the predictor decides for the
            other parts.
        max_seconds: most wall-clock seconds of a rollout. A rollout that meets it depends on the machine; it
            guards against one that crawls.

    Raises:
        ConfigError: a number below 1, or nothing to do.

    """

    num_programs: int | None = None
    seed: int = 0
    one_step: bool = True
    teacher_forced: bool = True
    free_running: bool = True
    direct: bool = True
    max_document_tokens: int = 1024
    max_steps: int = 1024
    max_seconds: float = 300.0
    expressions: bool = False

    def __post_init__(self) -> None:
        for name in ("num_programs", "max_document_tokens", "max_steps", "max_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} must be positive, not {value}", where="eval steps")
        if not (self.one_step or self.teacher_forced or self.free_running or self.direct):
            raise ConfigError("none of the four parts is asked for", where="eval steps")


def evaluate_steps(
    traces: Iterable[Trace],
    predictor: RunPredictor,
    config: StepsConfig | None = None,
    *,
    data: str = "",
    folder: Path | None = None,
    command: str = "",
    progress: Progress | None = None,
    worker: Worker = one_by_one,
) -> StepsReport:
    """Evaluate ``predictor`` on recorded traces.

    Equal programs count once and traces without steps not at all. Programs the model cannot be shown are
    counted as wrong in free running, are in no score per step, and are reported as skipped.

    Args:
        traces: recorded runs, for example of a corpus.
        predictor: what is evaluated; a whole :class:`Predictor` for teacher forcing and direct outcomes.
        config: bounds and choice of programs.
        data: what the traces are, for the report.
        folder: where results are kept while they come; evaluating into the same folder again goes on where it
            stopped.
        command: what reproduces this, for the report.
        progress: told before the first and after every program.
        worker: does the programs, one after the other or several together; it changes nothing but how long
            a step takes.

    Raises:
        ConfigError: no trace to evaluate, or ``folder`` holds results of other settings.
        EngineError: the engine broke; results so far are kept.

    """
    config = config or StepsConfig()
    chosen = choose_traces(traces, config.num_programs, config.seed)
    if not chosen:
        raise ConfigError("no trace with a step in it", where=data or "traces")
    provenance, records = evaluate_cases(
        chosen,
        StepsEvaluator(predictor, config).evaluate,
        predictor,
        {
            "benchmark": "steps",
            "config": dataclasses.asdict(config),
            "programs_sha256": digest_of(chosen),
        },
        data=data,
        folder=folder,
        command=command,
        progress=progress,
        worker=worker,
    )
    return StepsReport.of(provenance, records)


def choose_traces(traces: Iterable[Trace], num_programs: int | None, seed: int) -> dict[str, Trace]:
    """Return the programs to evaluate by id, in the order given; the draw depends on ids, not on order.

    Args:
        traces: recorded runs; equal programs count once, those without a step not at all.
        num_programs: so many, drawn with ``seed``; None for all.
        seed: of the draw.
    """
    unique = _unique(trace for trace in traces if trace.steps)
    if num_programs is None:
        return dict(unique)
    lot = (
        (derive_seed(seed, "eval steps", key), index, key, trace) for index, (key, trace) in enumerate(unique)
    )
    drawn = heapq.nsmallest(num_programs, lot, key=lambda item: item[0])
    return {key: trace for _, _, key, trace in sorted(drawn, key=lambda item: item[1])}


def _unique(traces: Iterable[Trace]) -> Iterator[tuple[str, Trace]]:
    seen: set[str] = set()
    for trace in traces:
        key = trace.program.id
        if key not in seen:
            seen.add(key)
            yield key, trace


def digest_of(chosen: dict[str, Trace]) -> str:
    """Return the SHA-256 of the programs and of what was recorded of them."""
    digest = hashlib.sha256()
    for key, trace in chosen.items():
        digest.update(f"{key} {json.dumps(trace_to_json(trace))}\n".encode())
    return digest.hexdigest()


class StepsEvaluator:
    """Measures one program after the other, by a config whose choice of programs it does not look at."""

    def __init__(self, predictor: RunPredictor, config: StepsConfig) -> None:
        self.predictor = predictor
        self.config = config

    def evaluate(self, trace: Trace) -> Record:
        """Return the record of one program; a part that was not asked for, or cannot be had, is None."""
        outcome = observed_outcome(trace)
        ending = NEVER if outcome is None else str(outcome.kind)
        record: Record = {"num_steps": len(trace.steps), "ending": ending, "skipped": []}
        parts = {
            "one_step": self._one_step,
            "teacher_forced": self._teacher_forced,
            "free_running": self._free_running,
            "direct": self._direct,
        }
        for name, measure in parts.items():
            record[name] = None
            if getattr(self.config, name):
                try:
                    record[name] = measure(trace)
                except (CodecError, ConfigError) as error:
                    # too long to be shown, or a step on a line that is not
                    record["skipped"].append(f"{name}: {_NUMBER.sub('N', error.what)}")
        return record

    @property
    def _whole(self) -> Predictor:
        if not isinstance(self.predictor, Predictor):
            raise ConfigError("only runs and steps of this model can be evaluated", where=self.predictor.name)
        return self.predictor

    def _one_step(self, trace: Trace) -> dict[str, Any]:
        predictor = self.predictor.step_predictor(trace.program)
        start = time.perf_counter()
        result = score_one_step(trace, predictor, max_steps=self.config.max_steps)
        return {**dataclasses.asdict(result), "seconds": time.perf_counter() - start}

    def _teacher_forced(self, trace: Trace) -> dict[str, Any]:
        view = self._whole.view(trace.program)
        legality = Legality(view, ControlFlow(trace.program.text, trace.program.filename))
        start = time.perf_counter()
        result = score_trace(
            trace,
            view,
            self._whole.scoring_engine(),
            self._whole.codec,
            max_document_tokens=self.config.max_document_tokens,
            legality=legality,
            expressions=self.config.expressions,
        )
        return {**dataclasses.asdict(result), "seconds": time.perf_counter() - start}

    def _direct(self, trace: Trace) -> dict[str, Any] | None:
        expected = observed_outcome(trace)
        if expected is None:
            return None
        found = self._whole.outcome(trace.program)
        is_kind_right = found.outcome is not None and found.outcome.kind is expected.kind
        is_right = found.outcome is not None and is_same_value(found.outcome.value, expected.value)
        return {
            "ending": str(expected.kind),
            "is_ending_right": is_kind_right,
            "is_right": is_kind_right and is_right,
            "probability": min(found.probability, 1.0),
            "num_sampled": found.num_sampled,
        }

    def _free_running(self, trace: Trace) -> dict[str, Any]:
        bound = min(self.config.max_steps, 2 * len(trace.steps) + 16)
        execution = self.predictor.execution(trace.program)
        rollout = roll_out(execution, max_steps=bound, max_seconds=self.config.max_seconds)
        return {
            **dataclasses.asdict(compare(rollout, trace)),
            "num_sampled": sum(prediction.num_sampled for prediction in execution.predictions),
            "num_tokens": sum(prediction.num_tokens for prediction in execution.predictions),
            "num_passes": sum(prediction.num_passes for prediction in execution.predictions),
        }
