"""The report of suites that ask about runs: accuracy by question, measures of the suite, JSON and tables.

A pure function of the records that :mod:`opencwm.evals.probes` writes down. Whatever is no answer is wrong.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opencwm.evals.cruxeval_report import MethodReport, closing_tables, length_tables
from opencwm.evals.journal import Record
from opencwm.evals.published import published
from opencwm.evals.report import (
    SCORE_COLUMNS,
    Provenance,
    Table,
    published_json,
    score_cells,
)
from opencwm.evals.validation import Validation

CONSISTENCY: tuple[tuple[tuple[bool, ...], float], ...] = (
    ((True, True, True, True), 1.0),
    ((True, True, True, False), 0.5),
    ((True, True, False, False), 0.25),
    ((True, False, False, False), 0.125),
)
"""What REval gives for coverage, state, path and output, by which of them are right."""

PLACE = ("coverage", "state", "path")
"""Questions about one place of a program, in the order in which REval's items ask them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProbesReport:
    """What ``eval benchmark`` found of a suite that asks about runs.

    Attributes:
        provenance: model, data, settings, versions.
        num_programs: items predicted.
        by_question: kind of question -> its report; intervals count groups of items, not questions.
        items: items all of whose graded questions are right, with what the runs took.
        measures: the suite's own, name -> value, None where there was no case.
        left_out: what of the file was not asked -> how often.
        validation: of the grader, when it was asked for.
    """

    provenance: Provenance
    num_programs: int
    by_question: Mapping[str, MethodReport]
    items: MethodReport
    measures: Mapping[str, float | None]
    left_out: Mapping[str, int]
    validation: Validation | None = None

    @classmethod
    def of(
        cls, provenance: Provenance, records: Sequence[Record], validation: Validation | None
    ) -> ProbesReport:
        """Sum up the records of all items, at least one."""
        asked: dict[str, list[Record]] = {}
        items = []
        for record in records:
            run = {key: value for key, value in record.items() if key != "answers"}
            graded = [answer["right"] for answer in record["answers"] if answer["right"] is not None]
            items.append({**run, "right": all(graded) if graded else None})
            for answer in record["answers"]:
                asked.setdefault(answer["kind"], []).append({**run, **answer})
        return cls(
            provenance=provenance,
            num_programs=len(records),
            by_question={kind: MethodReport.of(answers) for kind, answers in asked.items()},
            items=MethodReport.of(items),
            measures={**_coverage(asked), **_consistency(records), **_traces(asked)},
            left_out=provenance.settings["left_out"],
            validation=validation,
        )

    @property
    def suite(self) -> str:
        """Which benchmark the items are of."""
        return str(self.provenance.settings["benchmark"])

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object; keys are only ever added within a schema version."""
        return {
            **self.provenance.to_json(self.suite),
            "num_programs": self.num_programs,
            "by_question": {
                kind: {"accuracy": report.score.fraction, **_accuracy_json(report)}
                for kind, report in self.by_question.items()
            },
            "items": {"accuracy": self.items.score.fraction, **_accuracy_json(self.items)},
            "measures": dict(self.measures),
            "left_out": dict(self.left_out),
            "validation": self.validation.to_json() if self.validation else None,
            "published": published_json(published(self.suite)),
        }

    def tables(self) -> list[Table]:
        """Return the report as tables to print."""
        scores = {**self.by_question, "whole item": self.items}
        rows = tuple((kind, *score_cells(report.score)) for kind, report in scores.items())
        title = f"Questions about predicted runs ({self.num_programs} runs)"
        tables = [Table(title, ("question", *SCORE_COLUMNS), rows)]
        if self.measures:
            cells = tuple((name, _shown(value)) for name, value in self.measures.items())
            tables.append(Table("Measures of the suite", ("measure", "value"), cells))
        tables += length_tables(self.by_question)
        cost = (
            ("malformed", str(self.items.num_malformed)),
            ("timeouts", str(self.items.num_timeouts)),
            ("tokens", f"{self.items.tokens_per_item:.0f}"),
            ("seconds", f"{self.items.seconds_per_item:.2f}"),
        )
        tables.append(Table("Predicted runs", ("runs", "number"), cost))
        if self.left_out:
            reasons = tuple((reason, str(count)) for reason, count in self.left_out.items())
            tables.append(Table("Not asked", ("what", "number"), reasons))
        return [*tables, *closing_tables(self.validation, self.suite)]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _accuracy_json(report: MethodReport) -> dict[str, Any]:
    found = report.to_json()
    del found["output_pass_at_1"]
    return found


def _coverage(asked: Mapping[str, Sequence[Record]]) -> dict[str, float | None]:
    """Return precision, recall and F1 of "is executed"."""
    if "coverage" not in asked:
        return {}
    graded = [(bool(one["answer"]), one["gold"]) for one in asked["coverage"] if one["gold"] is not None]
    hits = sum(answer and gold for answer, gold in graded)
    answered, executed = sum(answer for answer, _ in graded), sum(gold for _, gold in graded)
    return {
        "coverage precision": hits / answered if answered else None,
        "coverage recall": hits / executed if executed else None,
        "coverage F1": 2 * hits / (answered + executed) if answered + executed else None,
    }


def _consistency(records: Sequence[Record]) -> dict[str, float | None]:
    """Return REval's incremental consistency, in percent: a mean over places where all four are graded."""
    places = [place for record in records for place in _places(record["answers"])]
    if not places:
        return {}
    scores = dict(CONSISTENCY)
    return {"incremental consistency": 100 * statistics.fmean(scores.get(place, 0.0) for place in places)}


def _places(answers: Sequence[Record]) -> Iterator[tuple[bool, ...]]:
    output = [answer["right"] for answer in answers if answer["kind"] == "output"]
    right = [answer["right"] for answer in answers if answer["kind"] in PLACE]
    for start in range(0, len(right), len(PLACE)):
        place = (*right[start : start + len(PLACE)], *output)
        if len(place) == len(PLACE) + 1 and None not in place:
            yield place


def _traces(asked: Mapping[str, Sequence[Record]]) -> dict[str, float | None]:
    """Return CoCoNUT's measures: tasks all of whose traces are right, similarity, that of wrong traces."""
    graded = [one for one in asked.get("trace", ()) if one["right"] is not None]
    if not graded:
        return {}
    tasks: dict[str, bool] = {}
    for one in graded:
        tasks[one["group"]] = tasks.get(one["group"], True) and one["right"]
    similar = [one.get("similarity", 0.0) for one in graded]
    wrong = [one.get("similarity", 0.0) for one in graded if not one["right"]]
    return {
        "tasks with all traces right": sum(tasks.values()) / len(tasks),
        "similarity": statistics.fmean(similar),
        "similarity of wrong traces": statistics.fmean(wrong) if wrong else None,
    }
