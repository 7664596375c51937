"""What every report shares: where its numbers come from, how they become JSON, and tables as rows of text.

Nothing is printed here; whoever prints may draw the tables as they like, or take :func:`format_table`.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from opencwm.core.version import __version__
from opencwm.evals.metrics import Calibration, Score
from opencwm.evals.published import PublishedFigure

SCHEMA_VERSION = 1
"""Of the JSON reports: raised when a key changes its meaning or goes away."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a report's numbers come from.

    Attributes:
        model: name and, where known, revision of the weights.
        data: what was evaluated on.
        command: what reproduces the report; empty when it was made from Python.
        settings: everything the results depend on, as JSON.
        opencwm_version: of the package that measured.
        python: ``major.minor.micro`` of the interpreter that measured.

    """

    model: str
    data: str
    command: str
    settings: Mapping[str, Any]
    opencwm_version: str = __version__
    python: str = dataclasses.field(default_factory=platform.python_version)

    def to_json(self, kind: str) -> dict[str, Any]:
        """Return the keys every report starts with."""
        return {
            "kind": kind,
            "schema_version": SCHEMA_VERSION,
            "opencwm_version": self.opencwm_version,
            "python": self.python,
            "model": self.model,
            "data": self.data,
            "command": self.command,
            "settings": dict(self.settings),
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A title, column names, and rows of as many cells, all text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Report(Protocol):
    """What can be printed."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""

    def tables(self) -> list[Table]:
        """Return it as tables."""


def score_json(score: Score) -> dict[str, Any]:
    """Return a score as JSON: the fraction (null without a case), the counts and the 95 % interval."""
    return {
        "fraction": score.fraction,
        "num_right": score.num_right,
        "num_total": score.num_total,
        "interval_95": [score.low, score.high],
    }


def calibration_json(calibration: Calibration) -> dict[str, Any]:
    """Return calibration error, Brier score and the reliability table as JSON."""
    return {
        "ece": calibration.ece,
        "brier": calibration.brier,
        "accuracy_at_90": calibration.accuracy_at_90,
        "num_predictions": sum(item.count for item in calibration.bins),
        "reliability": [dataclasses.asdict(item) for item in calibration.bins],
    }


def published_json(figures: Sequence[PublishedFigure]) -> list[dict[str, Any]]:
    """Return published figures as JSON."""
    return [dataclasses.asdict(figure) for figure in figures]


SCORE_COLUMNS = ("percent", "95 % interval", "right", "of")


def score_cells(score: Score) -> tuple[str, str, str, str]:
    """Return percent, interval and counts, the cells of :data:`SCORE_COLUMNS`."""
    if score.fraction is None:
        return "-", "-", "0", "0"
    interval = f"{_percent(score.low)} - {_percent(score.high)}"
    return _percent(score.fraction), interval, str(score.num_right), str(score.num_total)


def _percent(fraction: float) -> str:
    """Round to two decimals, but never up to 100 or down to 0 what is neither."""
    text = f"{100 * fraction:.2f}"
    if text == "100.00" and fraction < 1:
        return "99.99"
    if text == "0.00" and fraction > 0:
        return "0.01"
    return text


def ratio(total: float, count: int) -> float | None:
    """Return ``total`` per case, or None without a case."""
    return total / count if count else None


def passes_ratio(records: Sequence[Mapping[str, Any]], num_steps: int) -> float | None:
    """Return forward passes a step; None without a step, or where a record does not know its passes."""
    if not all("num_passes" in record for record in records):
        return None
    return ratio(sum(record["num_passes"] for record in records), num_steps)


def cost_rows(
    sampled_tokens: float | None, tokens: float | None, ms: float | None, *, passes: float | None = None
) -> tuple[tuple[str, str], ...]:
    """Return the rows of a table of what one step costs; None is a dash, and of passes no row."""
    costs = {"tokens, sampled": sampled_tokens, "tokens, in all": tokens, "ms": ms}
    if passes is not None:
        costs["forward passes"] = passes
    return tuple((name, "-" if value is None else f"{value:.2f}") for name, value in costs.items())


def calibration_table(title: str, calibration: Calibration) -> Table:
    """Return the reliability table; its title says the calibration error and how right the surest are."""
    error = "no predictions"
    if calibration.ece is not None and calibration.accuracy_at_90 is not None:
        error = (
            f"ECE {calibration.ece:.4f}; of the surest 90 % right: {_percent(calibration.accuracy_at_90)} %"
        )
    rows = tuple(
        (
            f"{item.low:.1f} - {item.high:.1f}",
            str(item.count),
            f"{item.confidence:.3f}",
            f"{item.accuracy:.3f}",
        )
        for item in calibration.bins
        if item.count
    )
    return Table(f"{title} ({error})", ("confidence", "count", "mean", "right"), rows)


def published_table(figures: Sequence[PublishedFigure]) -> Table:
    """Return published figures as a table; of a source it gives the identifier, its last part."""
    rows = tuple(
        (figure.model, figure.metric, f"{figure.percent:.1f}", figure.source.rpartition(", ")[2])
        for figure in figures
    )
    return Table("Published by others, on their data", ("model", "metric", "percent", "source"), rows)


def format_table(table: Table) -> str:
    """Return a table as plain text: the title, then columns of equal width; numbers stand to the right."""
    lines = [table.columns, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    is_number = [
        bool(table.rows) and all(row[column][:1].isdigit() or row[column] == "-" for row in table.rows)
        for column in range(len(table.columns))
    ]
    text = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([table.title, *(f"  {line}" for line in text)])


def markdown_table(table: Table) -> list[str]:
    """Return the lines of a table in Markdown, without its title, and an empty one."""
    rows = [table.columns, ("---",) * len(table.columns), *table.rows]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows] + [""]
