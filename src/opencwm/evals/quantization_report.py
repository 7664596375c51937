"""The report of ``eval quantization``: one row a precision, and differences paired by program.

A pure function of the records that :mod:`opencwm.evals.quantization` writes down.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opencwm.evals.journal import Record
from opencwm.evals.metrics import Difference, Score, paired_difference
from opencwm.evals.page import heading, html_page
from opencwm.evals.per_step_report import OneStepReport, TeacherForcedReport
from opencwm.evals.report import Provenance, Table, markdown_table, score_json
from opencwm.evals.steps_report import Runs

QUANTIZATION = "quantization"

METRICS: Mapping[str, tuple[str, str]] = {
    "next line": ("one_step", "next_line"),
    "state": ("one_step", "state"),
    "whole step": ("one_step", "step"),
    "whole run": ("free_running", "is_exact"),
    "outcome": ("free_running", "is_outcome_right"),
    "steps to the first wrong": ("free_running", "num_right"),
    "next line, by token": ("teacher_forced", "next_line"),
    "state, by token": ("teacher_forced", "state"),
    "whole step, by token": ("teacher_forced", "step"),
}
"""What is compared -> the part of a program's record and the name there.

The first three are one step ahead, as the debugger predicts it given the true run so far. A whole run is left
to itself. ``by token`` is the most likely token at every position, given the true ones before it.
"""

_PROMISED = ("next line", "state", "whole run", "outcome")


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured of one candidate; programs that the model cannot be shown are left out."""

    one_step: OneStepReport
    teacher_forced: TeacherForcedReport
    runs: Runs

    @classmethod
    def of(cls, records: Sequence[Record]) -> Measured:
        """Sum up records of ``eval steps``."""

        def parts(name: str) -> list[Record]:
            return [record[name] for record in records if record[name] is not None]

        return cls(
            OneStepReport.of(parts("one_step")),
            TeacherForcedReport.of(parts("teacher_forced")),
            Runs.of(parts("free_running")),
        )

    def score(self, part: str, metric: str) -> Score:
        """Return one score of :data:`METRICS`."""
        if part == "free_running":
            runs = self.runs
            return {"is_exact": runs.exact, "num_right": runs.right_steps}.get(metric, runs.outcome)
        scores = self.one_step.scores if part == "one_step" else self.teacher_forced.scores
        return scores[metric]


@dataclasses.dataclass(frozen=True)
class QuantizationReport:
    """What ``eval quantization`` found.

    Attributes:
        provenance: where the numbers come from.
        measured: by name of a candidate.
        differences: name -> what is compared -> the candidate less the reference; the reference has none.
        num_differing: name -> what is compared -> programs in which the counts differ.
        size_bytes: name -> of the weights on disk.
        costs: name -> what :class:`opencwm.evals.decode_cost.Cost` holds, the least disturbed; None where
            nothing was measured.
    """

    provenance: Provenance
    measured: Mapping[str, Measured]
    differences: Mapping[str, Mapping[str, Difference]]
    num_differing: Mapping[str, Mapping[str, int]]
    size_bytes: Mapping[str, int]
    costs: Mapping[str, Mapping[str, float] | None]

    @classmethod
    def of(
        cls,
        provenance: Provenance,
        records: Sequence[Mapping[str, Record]],
        size_bytes: Mapping[str, int],
        costs: Mapping[str, Mapping[str, float] | None],
    ) -> QuantizationReport:
        """Sum up the records of programs, each name of a candidate -> a record of ``eval steps``.

        Args:
            provenance: where the numbers come from.
            records: at least one.
            size_bytes: by name; the first is what the others are compared with.
            costs: by name.
        """
        reference, *others = size_bytes
        differences: dict[str, dict[str, Difference]] = {}
        num_differing: dict[str, dict[str, int]] = {}
        for name in others:
            pairs = {what: list(_paired(records, reference, name, what)) for what in METRICS}
            present = {what: found for what, found in pairs.items() if found}
            differences[name] = {what: paired_difference(found) for what, found in present.items()}
            num_differing[name] = {
                what: sum(first != second for first, second, _ in found) for what, found in present.items()
            }
        measured = {name: Measured.of([record[name] for record in records]) for name in size_bytes}
        return cls(provenance, measured, differences, num_differing, size_bytes, costs)

    @property
    def reference(self) -> str:
        """The candidate that the others are compared with."""
        return next(iter(self.size_bytes))

    def scores(self, name: str) -> dict[str, Score]:
        """Return what is compared -> its score, of one candidate."""
        found = {what: self.measured[name].score(*place) for what, place in METRICS.items()}
        return {what: score for what, score in found.items() if score.num_total}

    def calibration_errors(self, name: str) -> dict[str, float | None]:
        """Return the ECE of the next line and of values, one step ahead, of one candidate; in [0, 1]."""
        ahead = self.measured[name].one_step
        return {"next line": ahead.line_calibration.ece, "values": ahead.value_calibration.ece}

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object; keys are only ever added within a schema version."""
        return {
            **self.provenance.to_json(QUANTIZATION),
            "reference": self.reference,
            "precisions": {name: self._candidate_json(name) for name in self.size_bytes},
        }

    def _candidate_json(self, name: str) -> dict[str, Any]:
        differences = {
            what: {
                **dataclasses.asdict(found),
                "num_programs_differing": self.num_differing[name][what],
            }
            for what, found in self.differences.get(name, {}).items()
        }
        cost = self.costs[name]
        return {
            "size_bytes": self.size_bytes[name],
            "cost": None if cost is None else dict(cost),
            "scores": {what: score_json(score) for what, score in self.scores(name).items()},
            "ece": self.calibration_errors(name),
            "difference": differences,
        }

    def tables(self) -> list[Table]:
        """Return the table that matters, that of token by token scores, and that of differences."""
        by_token = [what for what in METRICS if what.endswith("by token")]
        tables = [self.headline(), self._differences()]
        rows = tuple(
            (name, *(_percent(scores.get(what)) for what in by_token))
            for name, scores in ((name, self.scores(name)) for name in self.size_bytes)
        )
        tables.append(Table("Most likely tokens, given the true ones before", ("weights", *by_token), rows))
        return [table for table in tables if table.rows]

    @property
    def title(self) -> str:
        """What it is."""
        return f"What quantization costs {self.provenance.model}"

    def markdown(self, pictures: Mapping[str, str]) -> str:
        """Return the report as Markdown.

        Args:
            pictures: what a picture shows -> its file name.
        """
        lines = heading(self.title, self.provenance)
        first, *others = self.tables()
        lines += [f"{first.title}; {self._cases()}.", "", *markdown_table(first)]
        lines += [line for what, name in pictures.items() for line in (f"![{what}]({name})", "")]
        for table in others:
            lines += [f"## {table.title}", "", *markdown_table(table)]
        return "\n".join(lines)

    def html(self, pictures: Mapping[str, str], folder: Path) -> str:
        """Return the report as one page with its pictures inside.

        Args:
            pictures: what a picture shows -> its file name.
            folder: where the pictures are.
        """
        return html_page(self.title, self.markdown(pictures), pictures, folder)

    def _cases(self) -> str:
        measured = self.measured[self.reference]
        ahead, forced = measured.one_step, measured.teacher_forced.scores["step"]
        return (
            f"{ahead.num_steps:,} steps of {ahead.num_programs:,} programs one ahead, "
            f"{measured.runs.exact.num_total:,} whole runs, {forced.num_total:,} steps token by token"
        )

    def headline(self) -> Table:
        """Return the one table that matters: a row for each precision."""
        columns = (
            "weights",
            *_PROMISED,
            "ECE line",
            "ECE values",
            "MiB",
            "tokens/s",
            "CPU ms/token",
            "peak MiB",
        )
        rows = []
        for name, size in self.size_bytes.items():
            scores, cost = self.scores(name), self.costs[name] or {}
            errors = self.calibration_errors(name)
            rows.append(
                (
                    name,
                    *(_percent(scores.get(what)) for what in _PROMISED),
                    *("-" if error is None else f"{100 * error:.2f}" for error in errors.values()),
                    f"{size / 2**20:.1f}",
                    *(
                        f"{cost[key]:.{digits}f}" if key in cost else "-"
                        for key, digits in (("tokens_per_s", 0), ("cpu_ms_per_token", 2), ("peak_mib", 0))
                    ),
                )
            )
        return Table("Percent exact, calibration error in points, and cost", columns, tuple(rows))

    def _differences(self) -> Table:
        rows = [
            (
                name,
                what,
                f"{100 * found.value:+.2f}",
                f"{100 * found.low:+.2f} to {100 * found.high:+.2f}",
                f"{found.num_total:,}",
                str(self.num_differing[name][what]),
            )
            for name, differences in self.differences.items()
            for what, found in differences.items()
        ]
        columns = ("weights", "exact", "points", "95 % interval", "cases", "programs that differ")
        return Table(f"Less {self.reference}, paired by program", columns, tuple(rows))


def _paired(
    records: Sequence[Mapping[str, Record]], first: str, second: str, what: str
) -> Iterator[tuple[int, int, int]]:
    """Yield (right of the first, right of the second, total) of each program in which both were measured."""
    part, metric = METRICS[what]
    for record in records:
        one, other = (record[name][part] for name in (first, second))
        if one is None or other is None:
            continue
        if part == "free_running":
            if metric == "num_right":
                yield one[metric], other[metric], one["num_steps"]
            elif one[metric] is not None:
                yield int(one[metric]), int(other[metric]), 1
        elif metric in one["counts"]:
            right, total = one["counts"][metric]
            yield right, other["counts"][metric][0], total


def _percent(score: Score | None) -> str:
    return "-" if score is None or score.fraction is None else f"{100 * score.fraction:.2f}"
