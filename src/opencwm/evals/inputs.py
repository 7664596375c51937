"""Input prediction: a call that gives this result. A prediction is right when running it does.

Many calls may give one result, so none is compared with the one that was recorded: each proposed call is run,
by whatever confines it, and the outcome is compared. The first call of a question is the model's best guess;
further ones are drawn.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from opencwm.core.errors import CodecError, ConfigError
from opencwm.core.seeds import derive_seed
from opencwm.evals.cruxeval_items import Item
from opencwm.evals.evaluation import digest_of_lines, evaluate_cases
from opencwm.evals.grading import is_right
from opencwm.evals.inputs_report import InputsReport
from opencwm.evals.journal import Progress, Record
from opencwm.evals.predictor import Predictor
from opencwm.model.together import Worker, one_by_one
from opencwm.traces import Outcome, OutcomeKind, Program, StepFlags, Trace, observed_outcome


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """Which call of the function that a program calls ends so.

    Attributes:
        key: unique among the questions of an evaluation.
        program: with a call, which is not shown to the model.
        wanted: what the call is to come to.
    """

    key: str
    program: Program
    wanted: Outcome


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputsConfig:
    """What is asked, and how often.

    Attributes:
        num_questions: so many, drawn with ``seed``; None for all.
        num_draws: most calls proposed for a question; the first one is pass@1.
        seed: of the draw of questions, and of calls after the first.

    Raises:
        ConfigError: a number below 1.
    """

    num_questions: int | None = None
    num_draws: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_questions", "num_draws"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be positive, not {value}", where="eval inputs")


def questions_of_traces(traces: Iterable[Trace]) -> Iterator[Question]:
    """Yield a question for each recorded run of a call that came to its end and was recorded in full."""
    for trace in traces:
        outcome = observed_outcome(trace)
        if outcome is None or trace.program.call is None or trace.steps[-1].flags & StepFlags.TRUNCATED:
            continue
        yield Question(trace.program.id, trace.program, outcome)


def questions_of_items(items: Iterable[Item]) -> Iterator[Question]:
    """Yield a question for each item of an output-prediction benchmark whose output is known."""
    for item in items:
        if item.gold is not None:
            yield Question(item.id, item.program, item.gold)


def evaluate_inputs(
    questions: Iterable[Question],
    predictor: Predictor,
    record: Callable[[Program], Trace],
    config: InputsConfig | None = None,
    *,
    data: str = "",
    folder: Path | None = None,
    command: str = "",
    progress: Progress | None = None,
    worker: Worker = one_by_one,
) -> InputsReport:
    """Have calls proposed for every question, and run them.

    Args:
        questions: equal keys count once.
        predictor: what is evaluated.
        record: runs and records a program; use one that confines it.
        config: choice of questions, number of calls.
        data: what the questions are of, for the report.
        folder: where results are kept while they come; evaluating into the same folder again goes on where it
            stopped.
        command: what reproduces this, for the report.
        progress: told before the first and after every question.
        worker: does the questions, one after the other or several together.

    Raises:
        ConfigError: no question, or ``folder`` holds results of other settings.
        EngineError: the engine broke; results so far are kept.
    """
    config = config or InputsConfig()
    chosen = _choose(questions, config)
    if not chosen:
        raise ConfigError("no call with a result to ask for", where=data or "questions")
    asked = (f"{question.key!r} {question.program.text!r} {question.wanted!r}" for question in chosen)
    provenance, records = evaluate_cases(
        {question.key: question for question in chosen},
        functools.partial(_ask, predictor=predictor, record=record, config=config),
        predictor,
        {
            "benchmark": "inputs",
            "config": dataclasses.asdict(config),
            "questions_sha256": digest_of_lines(asked),
        },
        data=data,
        folder=folder,
        command=command,
        progress=progress,
        worker=worker,
    )
    return InputsReport.of(provenance, records)


def _choose(questions: Iterable[Question], config: InputsConfig) -> list[Question]:
    unique = list({question.key: question for question in questions}.values())
    if config.num_questions is None or config.num_questions >= len(unique):
        return unique
    lot = sorted(unique, key=lambda question: derive_seed(config.seed, "eval inputs", question.key))
    drawn = {question.key for question in lot[: config.num_questions]}
    return [question for question in unique if question.key in drawn]


def _ask(
    question: Question, predictor: Predictor, record: Callable[[Program], Trace], config: InputsConfig
) -> Record:
    start = time.perf_counter()
    calls: list[dict[str, Any]] = []
    problem = ""
    try:
        proposed = predictor.calls(
            question.program, question.wanted, num_draws=config.num_draws, seed=config.seed
        )
        for found in proposed:
            ran = record(dataclasses.replace(question.program, call=found.call))
            calls.append({**dataclasses.asdict(found), "is_right": comes_to(ran, question.wanted)})
    except CodecError as error:
        problem = error.what
    return {
        "kind": str(question.wanted.kind),
        "calls": calls,
        "problem": problem,
        "seconds": time.perf_counter() - start,
    }


def comes_to(trace: Trace, wanted: Outcome) -> bool:
    """Whether a run ended as wanted; an exception whose text is wanted in full must have its message too."""
    outcome = observed_outcome(trace)
    if outcome is None or outcome.kind is not wanted.kind:
        return False
    if outcome.kind is OutcomeKind.RETURNED and trace.steps[-1].flags & StepFlags.TRUNCATED:
        return False  # what was cut may differ
    return is_right(outcome, wanted.value)
