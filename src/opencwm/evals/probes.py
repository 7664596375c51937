"""Suites that ask about a run: every question of an item is answered from one predicted run of its program.

The program of an item is never run here, except by :func:`validate`; where a suite's file carries no gold,
its loader records the run. Loaders: :mod:`opencwm.evals.reval_items`, :mod:`opencwm.evals.coconut_items`,
:mod:`opencwm.evals.codesense_items`.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from opencwm.core.errors import CodecError, ConfigError
from opencwm.evals.evaluation import digest_of_lines, evaluate_cases
from opencwm.evals.journal import Progress, Record
from opencwm.evals.predictor import RunPredictor
from opencwm.evals.probes_report import ProbesReport
from opencwm.evals.questions import Question
from opencwm.evals.rollout import RolloutBounds, rolled_out
from opencwm.evals.runs import Run
from opencwm.evals.validation import Validation, validated
from opencwm.model.together import Worker, one_by_one
from opencwm.traces import Program, Trace


@dataclasses.dataclass(frozen=True)
class Probe:
    """One program and what is asked about its run.

    Attributes:
        id: unique among the items.
        group: what belongs together: items of one are one cluster for intervals, one task for CoCoNUT.
        program: what runs.
        questions: in the order in which answers are kept.
        golds: of each question, None where it is not known; empty before :meth:`recorded`.
    """

    id: str
    group: str
    program: Program
    questions: tuple[Question, ...]
    golds: tuple[Any, ...] = ()

    def recorded(self, record: Callable[[Program], Trace]) -> Probe:
        """Return the item with the golds that its recorded run gives."""
        run = Run.of(record(self.program))
        return dataclasses.replace(self, golds=tuple(question.gold(run) for question in self.questions))

    def named(self, name: str) -> Probe:
        """Return the item under another id."""
        return dataclasses.replace(self, id=name)


@dataclasses.dataclass
class Probes:
    """The items of a file.

    Attributes:
        items: in order.
        left_out: what of the file is not asked, in words -> how often.
    """

    items: list[Probe] = dataclasses.field(default_factory=list)
    left_out: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


def evaluate_probes(
    probes: Probes,
    predictor: RunPredictor,
    bounds: RolloutBounds | None = None,
    *,
    suite: str,
    num_items: int | None = None,
    data: str = "",
    folder: Path | None = None,
    command: str = "",
    validation: Validation | None = None,
    progress: Progress | None = None,
    worker: Worker = one_by_one,
) -> ProbesReport:
    """Predict the run of every item, answer its questions from it and grade them.

    Questions without a gold are not graded. An item the model cannot be shown gets no answer.

    Args:
        probes: of a loader.
        predictor: what is evaluated.
        bounds: of a predicted run.
        suite: of :data:`opencwm.evals.published.PROBED`, what the items are of.
        num_items: the first so many, None for all.
        data: what the items are, for the report.
        folder: where results are kept while they come; evaluating into the same folder again goes on where it
            stopped.
        command: what reproduces this, for the report.
        validation: what :func:`validate` found, for the report.
        progress: told before the first and after every item.
        worker: does the items, one after the other or several together.

    Raises:
        ConfigError: no item, or ``folder`` holds results of other settings.
        EngineError: the engine broke; results so far are kept.
    """
    bounds = bounds or RolloutBounds()
    items = probes.items[:num_items]
    if not items:
        reasons = "; ".join(f"{count} of {reason}" for reason, count in probes.left_out.items())
        raise ConfigError("no item to evaluate", where=data or "items", hint=reasons)
    asked = (
        f"{item.id!r} {item.program.text!r} {item.program.entry!r} {item.questions!r} {item.golds!r}"
        for item in items
    )
    provenance, records = evaluate_cases(
        {item.id: item for item in items},
        functools.partial(_evaluate, predictor=predictor, bounds=bounds),
        predictor,
        {
            "benchmark": suite,
            "config": {**dataclasses.asdict(bounds), "num_items": num_items},
            "items_sha256": digest_of_lines(asked),
            "left_out": dict(probes.left_out),
        },
        data=data,
        folder=folder,
        command=command,
        progress=progress,
        worker=worker,
    )
    return ProbesReport.of(provenance, records, validation)


def validate(
    items: Sequence[Probe], record: Callable[[Program], Trace], *, progress: Progress | None = None
) -> Validation:
    """Run every item and grade what really happens against its golds.

    Args:
        items: their code is run.
        record: runs and records a program; use one that confines it.
        progress: told before the first and after every item.
    """

    def check(item: Probe) -> Iterator[tuple[str, bool | None]]:
        run = Run.of(record(item.program))
        for place, (question, gold) in enumerate(zip(item.questions, item.golds, strict=True)):
            answer = question.answer(run)
            name = f"{item.id}/{question.kind}{place}" if len(item.questions) > 1 else item.id
            if gold is None or not run.is_whole or question.gold(run) is None:
                yield name, None
            else:
                yield name, answer is not None and question.is_right(answer, gold, item.program)

    return validated(items, check, progress)


def _evaluate(item: Probe, predictor: RunPredictor, bounds: RolloutBounds) -> Record:
    run = None
    try:
        execution = predictor.execution(item.program)
        found, rollout = rolled_out(execution, bounds)
        steps = tuple(view.step for view in rollout.steps)
        run = Run(item.program, tuple(execution.codes), steps, rollout.outcome)
    except (CodecError, ConfigError) as error:
        found = {"end": "skipped", "reason": error.what}
    answers = []
    for question, gold in zip(item.questions, item.golds, strict=True):
        answer = None if run is None else question.answer(run)
        right = None
        if gold is not None:
            right = answer is not None and question.is_right(answer, gold, item.program)
        details = question.details(answer, gold) if answer is not None and gold is not None else {}
        answers.append({"kind": question.kind, "answer": answer, "gold": gold, "right": right, **details})
    return {"group": item.group, **found, "answers": answers}
