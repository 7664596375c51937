"""The report of ``eval benchmark``: pass@1 by method and by length of the run, as JSON and as tables.

A pure function of the records that :mod:`opencwm.evals.cruxeval` writes down. One greedy answer per item:
pass@1 is the fraction of graded items that is right, and whatever is no answer is wrong.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from opencwm.evals.journal import Record
from opencwm.evals.metrics import Score, bucket_name, count_case
from opencwm.evals.published import published
from opencwm.evals.report import (
    SCORE_COLUMNS,
    Provenance,
    Table,
    published_json,
    published_table,
    score_cells,
    score_json,
)
from opencwm.evals.validation import Validation


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodReport:
    """One way of predicting outputs, or one question about runs.

    Attributes:
        score: right items of those with a gold output; its interval counts groups where records have one.
        by_num_steps: the same by steps of the *predicted* run, (bucket, score), short runs first; empty for
            ``direct``.
        num_malformed: items for which the model wrote something that is no step or no value.
        num_timeouts: items over a bound on steps or seconds, or past the engine's context.
        ends: why predictions were over -> how many.
        tokens_per_item: mean tokens the model decided for an item.
        seconds_per_item: mean wall-clock seconds.

    """

    score: Score
    by_num_steps: tuple[tuple[str, Score], ...]
    num_malformed: int
    num_timeouts: int
    ends: Mapping[str, int]
    tokens_per_item: float
    seconds_per_item: float

    @classmethod
    def of(cls, records: Sequence[Record]) -> MethodReport:
        """Sum up the records of one method, at least one."""
        ends = collections.Counter(record["end"] for record in records)
        buckets: dict[str, list[Record]] = {}
        for record in sorted(
            (r for r in records if "num_steps" in r), key=lambda record: int(record["num_steps"])
        ):
            buckets.setdefault(bucket_name(record["num_steps"]), []).append(record)
        return cls(
            score=_score(records),
            by_num_steps=tuple((name, _score(members)) for name, members in buckets.items()),
            num_malformed=ends["malformed"] + ends["stopped"],
            num_timeouts=ends["timeout"] + ends["step_limit"] + ends["context"],
            ends=dict(sorted(ends.items(), key=lambda item: (-item[1], item[0]))),
            tokens_per_item=sum(record.get("num_sampled", 0) for record in records) / len(records),
            seconds_per_item=sum(record.get("seconds", 0.0) for record in records) / len(records),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "output_pass_at_1": self.score.fraction,
            **score_json(self.score),
            "by_num_steps": [{"num_steps": name, **score_json(score)} for name, score in self.by_num_steps],
            "num_malformed": self.num_malformed,
            "num_timeouts": self.num_timeouts,
            "ends": dict(self.ends),
            "tokens_per_item": self.tokens_per_item,
            "seconds_per_item": self.seconds_per_item,
        }


def _score(records: Sequence[Record]) -> Score:
    graded = [record["right"] for record in records if record["right"] is not None]
    if not any("group" in record for record in records):
        return Score.of(sum(graded), len(graded))
    clusters: dict[str, list[int]] = {}
    for record in records:
        if record["right"] is not None:
            count_case(clusters, record["group"], record["right"])
    return Score.of_clusters((right, total) for right, total in clusters.values())


@dataclasses.dataclass(frozen=True, kw_only=True)
class CruxEvalReport:
    """What ``eval benchmark`` found of outputs.

    Attributes:
        provenance: model, data, settings, versions.
        num_programs: items predicted.
        num_graded: those with a gold output.
        by_method: method -> its report; the first one is the headline.
        validation: of the grader, when it was asked for.

    """

    provenance: Provenance
    num_programs: int
    num_graded: int
    by_method: Mapping[str, MethodReport]
    validation: Validation | None = None

    @classmethod
    def of(
        cls, provenance: Provenance, records: Sequence[Record], validation: Validation | None
    ) -> CruxEvalReport:
        """Sum up the records of all items, at least one."""
        methods = [str(method) for method in provenance.settings["config"]["methods"]]
        return cls(
            provenance=provenance,
            num_programs=len(records),
            num_graded=sum(record["gold"] is not None for record in records),
            by_method={method: MethodReport.of([record[method] for record in records]) for method in methods},
            validation=validation,
        )

    @property
    def suite(self) -> str:
        """Which benchmark the items are of."""
        return str(self.provenance.settings["benchmark"])

    @property
    def output_pass_at_1(self) -> float | None:
        """Fraction of graded items the first method gets right; None when none could be graded."""
        return next(iter(self.by_method.values())).score.fraction

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object; keys are only ever added within a schema version."""
        headline = next(iter(self.by_method.values()))
        return {
            **self.provenance.to_json(self.suite),
            "num_programs": self.num_programs,
            "num_graded": self.num_graded,
            "output_pass_at_1": self.output_pass_at_1,
            "interval_95": [headline.score.low, headline.score.high],
            "num_malformed": headline.num_malformed,
            "num_timeouts": headline.num_timeouts,
            "by_method": {method: report.to_json() for method, report in self.by_method.items()},
            "validation": self.validation.to_json() if self.validation else None,
            "published": published_json(published(self.suite)),
        }

    def tables(self) -> list[Table]:
        """Return the report as tables to print."""
        rows = tuple(
            (
                name,
                *score_cells(report.score),
                str(report.num_malformed),
                str(report.num_timeouts),
                f"{report.tokens_per_item:.0f}",
                f"{report.seconds_per_item:.2f}",
            )
            for name, report in self.by_method.items()
        )
        columns = ("method", *SCORE_COLUMNS, "malformed", "timeouts", "tokens", "seconds")
        tables = [Table(f"Output prediction, pass@1 ({self.num_programs} programs)", columns, rows)]
        tables += length_tables(self.by_method)
        return [*tables, *closing_tables(self.validation, self.suite)]


def length_tables(reports: Mapping[str, MethodReport]) -> list[Table]:
    """Return tables of scores by predicted steps, of the reports that tell them."""
    return [
        Table(
            f"{name}: by predicted steps",
            ("steps", *SCORE_COLUMNS),
            tuple((bucket, *score_cells(score)) for bucket, score in report.by_num_steps),
        )
        for name, report in reports.items()
        if report.by_num_steps
    ]


def closing_tables(validation: Validation | None, suite: str) -> list[Table]:
    """Return what a report of a suite ends with: how the grader did, and published figures, if any."""
    tables = [validation.table()] if validation is not None else []
    others = published_table(published(suite))
    return [*tables, others] if others.rows else tables
