"""The parts of the report of ``eval steps`` that score single steps, given the true run so far.

:class:`OneStepReport` says how the debugger's predictions do, :class:`TeacherForcedReport` how the model's
most likely tokens do. Pure functions of the records that :mod:`opencwm.evals.steps` writes down.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opencwm.evals import one_step, teacher_forced
from opencwm.evals.failures import surest
from opencwm.evals.journal import Record
from opencwm.evals.metrics import Calibration, Score, calibration
from opencwm.evals.report import (
    SCORE_COLUMNS,
    Table,
    calibration_json,
    calibration_table,
    cost_rows,
    passes_ratio,
    ratio,
    score_cells,
    score_json,
)

LABELS = {
    "step": "whole step",
    "next_line": "next line",
    "next_line_constrained": "next line, constrained",
    "state": "state (changed locals)",
    "arguments": "call arguments",
    "value_string": "values: strings",
    "value_number": "values: numbers",
    "value_container": "values: containers",
    "value_other": "values: others",
    "return_value": "returned values",
    "yield_value": "yielded values",
    "exception": "exceptions",
    "end": "end of the run",
    "evaluation": "sub-expressions",
}
"""What the metrics of a step are called in tables."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneStepReport:
    """Steps predicted as in the debugger, each from the true run so far. Arguments are predicted too.

    Attributes:
        scores: metric of :data:`opencwm.evals.one_step.METRICS` -> score over steps (values, calls, ...);
            intervals allow for the steps of one program going together.
        line_calibration: of the probability given to the kind and line of a step.
        value_calibration: of predicted values.
        num_programs: programs scored.
        num_steps: steps scored.
        num_left_out: recorded steps beyond the bound on steps.
        sampled_tokens_per_step: tokens of a predicted step the model decided. None, as the next two, without
            a step.
        tokens_per_step: tokens of a predicted step in all.
        ms_per_step: wall-clock milliseconds of a step, going back after a wrong one included.
        passes_per_step: forward passes of a predicted step, those that read the prompt included; None too for
            results of a version that did not count them.
        divergences: what was wrong first in wrong steps -> how many, most frequent first.
        failures: the wrong steps the model was surest of, one of each program, see
            :class:`opencwm.evals.failures.Failure`.

    """

    scores: Mapping[str, Score]
    line_calibration: Calibration
    value_calibration: Calibration
    num_programs: int
    num_steps: int
    num_left_out: int
    sampled_tokens_per_step: float | None
    tokens_per_step: float | None
    ms_per_step: float | None
    passes_per_step: float | None
    divergences: Mapping[str, int]
    failures: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, records: Sequence[Record]) -> OneStepReport:
        """Sum up the ``one_step`` parts of records."""
        num_steps = sum(r["num_steps"] for r in records)
        return cls(
            scores=_scores(records, one_step.METRICS),
            line_calibration=calibration((p, right) for r in records for p, right in r["line_confidences"]),
            value_calibration=calibration((p, right) for r in records for p, right in r["value_confidences"]),
            num_programs=len(records),
            num_steps=num_steps,
            num_left_out=sum(r["num_left_out"] for r in records),
            sampled_tokens_per_step=ratio(sum(r["num_sampled"] for r in records), num_steps),
            tokens_per_step=ratio(sum(r["num_tokens"] for r in records), num_steps),
            ms_per_step=ratio(1000 * sum(r["seconds"] for r in records), num_steps),
            passes_per_step=passes_ratio(records, num_steps),
            divergences=_summed(r.get("divergences", {}) for r in records),
            failures=surest(r["failure"] for r in records if r.get("failure") is not None),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            **{name: score_json(score) for name, score in self.scores.items()},
            "line_calibration": calibration_json(self.line_calibration),
            "value_calibration": calibration_json(self.value_calibration),
            "num_programs": self.num_programs,
            "num_steps": self.num_steps,
            "num_left_out": self.num_left_out,
            "sampled_tokens_per_step": self.sampled_tokens_per_step,
            "tokens_per_step": self.tokens_per_step,
            "ms_per_step": self.ms_per_step,
            "passes_per_step": self.passes_per_step,
            "divergences": dict(self.divergences),
            "failures": [dict(failure) for failure in self.failures],
        }

    def tables(self) -> list[Table]:
        """Return the report as tables to print."""
        costs = (
            *cost_rows(
                self.sampled_tokens_per_step,
                self.tokens_per_step,
                self.ms_per_step,
                passes=self.passes_per_step,
            ),
            ("steps beyond the bound", str(self.num_left_out)),
        )
        return [
            _score_table("One step ahead, as the debugger predicts it", self.scores),
            Table("Cost of a step ahead", ("", "value"), costs),
            Table(
                "What is wrong in wrong steps ahead",
                ("first difference", "steps"),
                tuple((name, str(count)) for name, count in self.divergences.items()),
            ),
            failure_table(self.failures),
            calibration_table("Confidence in the next line, one step ahead", self.line_calibration),
            calibration_table("Confidence in values, one step ahead", self.value_calibration),
        ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherForcedReport:
    """The most likely token at each position, given the true run and the true part of the step before it.

    Attributes:
        scores: metric of :data:`opencwm.evals.teacher_forced.METRICS` -> score over steps (values, calls,
            ...); intervals allow for the steps of one program going together.
        line_calibration: of the most likely token where kind and line are decided.
        num_steps: steps scored.
        num_left_out: steps no document can hold.
        num_illegal: steps that constrained decoding cannot predict, because the control-flow graph forbids
            them.
        sampled_tokens_per_step: tokens a step makes the model decide.
        tokens_per_step: tokens of a step, those the engine appends included.
        ms_per_step: wall-clock milliseconds of scoring, in whole-document forward passes.

    """

    scores: Mapping[str, Score]
    line_calibration: Calibration
    num_steps: int
    num_left_out: int
    num_illegal: int
    sampled_tokens_per_step: float | None
    tokens_per_step: float | None
    ms_per_step: float | None

    @classmethod
    def of(cls, records: Sequence[Record]) -> TeacherForcedReport:
        """Sum up the ``teacher_forced`` parts of records."""
        num_steps = sum(r["num_steps"] for r in records)
        return cls(
            scores=_scores(records, teacher_forced.METRICS),
            line_calibration=calibration((p, right) for r in records for p, right in r["line_confidences"]),
            num_steps=num_steps,
            num_left_out=sum(r["num_left_out"] for r in records),
            num_illegal=sum(r["num_illegal"] for r in records),
            sampled_tokens_per_step=ratio(sum(r["num_sampled"] for r in records), num_steps),
            tokens_per_step=ratio(sum(r["num_tokens"] for r in records), num_steps),
            ms_per_step=ratio(1000 * sum(r["seconds"] for r in records), num_steps),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            **{name: score_json(score) for name, score in self.scores.items()},
            "line_calibration": calibration_json(self.line_calibration),
            **{name: getattr(self, name) for name in _TEACHER_NUMBERS},
        }

    def tables(self) -> list[Table]:
        """Return the report as tables to print."""
        costs = (
            *cost_rows(self.sampled_tokens_per_step, self.tokens_per_step, self.ms_per_step),
            ("steps too long to score", str(self.num_left_out)),
            ("steps constraints forbid", str(self.num_illegal)),
        )
        return [
            _score_table("Teacher-forced: the most likely tokens, given the true ones before", self.scores),
            Table("Cost of a scored step", ("", "value"), costs),
            calibration_table("Confidence in the next line, teacher-forced", self.line_calibration),
        ]


_TEACHER_NUMBERS = (
    "num_steps",
    "num_left_out",
    "num_illegal",
    "sampled_tokens_per_step",
    "tokens_per_step",
    "ms_per_step",
)


def _scores(records: Sequence[Record], metrics: Sequence[str]) -> dict[str, Score]:
    return {name: Score.of_clusters(r["counts"].get(name, (0, 0)) for r in records) for name in metrics}


def _score_table(title: str, scores: Mapping[str, Score]) -> Table:
    rows = tuple(
        (LABELS[name], *score_cells(score))
        for name, score in scores.items()
        if score.num_total or name != "evaluation"  # there are none without expression detail
    )
    return Table(title, ("exact match", *SCORE_COLUMNS), rows)


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: collections.Counter[str] = collections.Counter()
    for found in counts:
        total.update(found)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def failure_table(failures: Sequence[Mapping[str, Any]]) -> Table:
    """Return wrong steps as a table."""
    rows = tuple(
        (f"{100 * failure['probability']:.0f}", failure["line"], failure["expected"], failure["predicted"])
        for failure in failures
    )
    head = ("sure, percent", "line", "what happened", "what was predicted")
    return Table("Wrong steps it was surest of, one of each program", head, rows)
