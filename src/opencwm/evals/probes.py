"""Suites that ask about a run: every question of an item is answered from one predicted run of its program.

The program of an item is never run here, except by :func:`validate`; where a suite's file carries no gold,
its loader records the run. Loaders: :mod:`opencwm.evals.reval_items`, :mod:`opencwm.evals.coconut_items`,
:mod:`opencwm.evals.codesense_items`.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opencwm.core.errors import CodecError, ConfigError
from opencwm.evals.cruxeval_report import Validation
from opencwm.evals.journal import Journal, Progress, Record
from opencwm.evals.predictor import Predictor
from opencwm.evals.probes_report import ProbesReport
from opencwm.evals.questions import Question
from opencwm.evals.report import Provenance
from opencwm.evals.rollout import RolloutBounds, rolled_out
from opencwm.evals.runs import Run
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
    predictor: Predictor,
    bounds: RolloutBounds | None = None,
    *,
    suite: str,
    num_items: int | None = None,
    data: str = "",
    folder: Path | None = None,
    command: str = "",
    validation: Validation | None = None,
    progress: Progress | None = None,
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

    Raises:
        ConfigError: no item, or ``folder`` holds results of other settings.
        EngineError: the engine broke; results so far are kept.
    """
    bounds = bounds or RolloutBounds()
    items = probes.items[:num_items]
    if not items:
        reasons = "; ".join(f"{count} of {reason}" for reason, count in probes.left_out.items())
        raise ConfigError("no item to evaluate", where=data or "items", hint=reasons)
    settings = {
        "benchmark": suite,
        "model": predictor.name,
        "predictor": dict(predictor.settings),
        "config": {**dataclasses.asdict(bounds), "num_items": num_items},
        "items_sha256": _digest(items),
        "left_out": dict(probes.left_out),
    }
    with Journal(folder, settings) as journal:
        cases = {item.id: item for item in items}
        records = journal.complete(cases, lambda item: _evaluate(item, predictor, bounds), progress)
    provenance = Provenance(model=predictor.name, data=data, command=command, settings=journal.settings)
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
    right, wrong, unknown = 0, [], []
    if progress is not None:
        progress(0, len(items))
    for number, item in enumerate(items, 1):
        run = Run.of(record(item.program))
        for place, (question, gold) in enumerate(zip(item.questions, item.golds, strict=True)):
            answer = question.answer(run)
            name = f"{item.id}/{question.kind}{place}" if len(item.questions) > 1 else item.id
            if gold is None or not run.is_whole or question.gold(run) is None:
                unknown.append(name)
            elif answer is not None and question.is_right(answer, gold, item.program):
                right += 1
            else:
                wrong.append(name)
        if progress is not None:
            progress(number, len(items))
    return Validation(num_right=right, wrong=tuple(wrong), unknown=tuple(unknown))


def _digest(items: Sequence[Probe]) -> str:
    digest = hashlib.sha256()
    for item in items:
        asked = (
            f"{item.id!r} {item.program.text!r} {item.program.entry!r} {item.questions!r} {item.golds!r}\n"
        )
        digest.update(asked.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _evaluate(item: Probe, predictor: Predictor, bounds: RolloutBounds) -> Record:
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
