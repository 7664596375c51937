"""Predicted steps as a table for people, alone or beside what really happened.

The idea: one row a step; what the model decided stands with its probability, what was not its decision
without one. A row that differs from the real run says how.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from opencwm.frontends.cli.output import visible
from opencwm.frontends.cli.trace_table import (
    STYLES,
    event_name,
    leading_columns,
    news,
    shortened,
    source_cell,
    step_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table
    from rich.text import Text

    from opencwm.debugger.compare import Comparison, Row
    from opencwm.debugger.execution import Execution, StepView
    from opencwm.traces import Program, Step


_VALUE_WIDTH: Final = 14
_SURE_WIDTH: Final = 8


def confidence(view: StepView) -> float | None:
    """Return the probability of all the model decided in a step; None when nothing was its decision."""
    parts = [view.control_probability, view.value_probability]
    parts += [p for name, p in view.probabilities.items() if name not in view.supplied]
    decided = [p for p in parts if p is not None and p < 1.0]
    return math.prod(decided) if decided else None


def comparison_table(comparison: Comparison, program: Program, *, width: int) -> Table:
    """Return the table of predicted and real steps side by side, for a screen of ``width`` columns."""
    from rich.text import Text

    leading = leading_columns(width, 2 * _VALUE_WIDTH + _SURE_WIDTH)
    table = _empty_table(leading, int((width - 36) * 0.45))
    table.add_column("real run", overflow="fold", min_width=_VALUE_WIDTH - 2)
    for index, row in enumerate(comparison.rows):
        view = row.predicted or row.real
        if view is None:
            continue
        is_first = index == comparison.first_divergence
        verdict = (
            Text("same", style="green")
            if row.agrees
            else Text(shortened(_difference(row)), style="bold red" if is_first else "red")
        )
        cells = _cells(row.predicted_index, view, program, is_predicted=row.predicted is not None)
        table.add_row(*(cells[name] for name in (*leading, "predicted", "sure")), verdict)
    return table


def prediction_table(views: Iterable[StepView], program: Program, *, width: int) -> Table:
    """Return the table of predicted steps alone, for a screen of ``width`` columns."""
    leading = leading_columns(width, _VALUE_WIDTH + _SURE_WIDTH)
    table = _empty_table(leading, int((width - 36) * 0.6))
    for index, view in enumerate(views):
        cells = _cells(index, view, program, is_predicted=True)
        table.add_row(*(cells[name] for name in (*leading, "predicted", "sure")))
    return table


def _empty_table(leading: Sequence[str], source_width: int) -> Table:
    table = step_columns(leading, source_width)
    table.add_column("predicted", overflow="fold", min_width=_VALUE_WIDTH - 2)
    table.add_column("sure", justify="right", no_wrap=True)
    return table


def _cells(index: int | None, view: StepView, program: Program, *, is_predicted: bool) -> dict[str, Any]:
    """Return the cells of a step by column, but for the real run's."""
    from rich.text import Text

    step = view.step
    style = STYLES[step.kind]
    number = "" if index is None else str(index)
    if view.malformed is not None:
        reason = Text(f"no step: {visible(view.malformed)}", style="red")
        event = Text("malformed", style="red")
        return {"step": number, "line": "", "event": event, "source": "", "predicted": reason, "sure": ""}
    return {
        "step": number,
        "line": str(step.lineno),
        "event": Text(event_name(step), style=style),
        "source": Text(source_cell(program, step), style="" if is_predicted else "dim"),
        "predicted": _news(view, style) if is_predicted else Text("no such step", style="red"),
        "sure": _percent(confidence(view)) if is_predicted else "",
    }


def _news(view: StepView, style: str) -> Text:
    from rich.text import Text

    said = Text(visible(shortened(news(view.step))), style=style)
    if view.objection is not None:
        said.append(f"{' ' if said.plain else ''}not possible: {visible(view.objection)}", style="red")
    return said


def _percent(probability: float | None) -> str:
    from opencwm.debugger.display import percent

    return "" if probability is None else percent(probability)


def _difference(row: Row) -> str:
    """Say what the real run has instead, in as few words as tell it."""
    if row.real is None:
        return "no such step"
    real = row.real.step
    if row.predicted is None:
        return visible(news(real))
    if row.predicted.malformed is not None:
        return visible(", ".join(part for part in (_place(real), news(real)) if part))
    parts = [] if row.line_agrees and row.kind_agrees else [_place(real)]
    parts += [
        f"{name} = {was}" if was is not None else f"no {name}" for name, (_, was) in row.differences.items()
    ]
    if not row.value_agrees and real.value is not None:
        parts.append(news(real))
    return visible(", ".join(parts))


def _place(step: Step) -> str:
    name = event_name(step)
    return f"line {step.lineno}" if name == "line" else f"{name} at line {step.lineno}"


def comparison_verdict(comparison: Comparison, predicted: Execution, real: Execution) -> list[str]:
    """Return how both ended, and where they part, as lines."""
    rows = comparison.rows
    unfinished = f"not over after {sum(row.predicted is not None for row in rows)} steps"
    lines = [f"predicted: {predicted.status or unfinished}", f"really:    {real.status}"]
    num_agreeing = sum(row.agrees for row in rows)
    if comparison.first_divergence is None:
        return [*lines, f"all {len(rows)} steps agree"]
    row = rows[comparison.first_divergence]
    index = row.predicted_index if row.predicted_index is not None else row.real_index
    lines.append(f"{num_agreeing} of {len(rows)} steps agree; they part at step {index}: {row.describe()}")
    return lines
