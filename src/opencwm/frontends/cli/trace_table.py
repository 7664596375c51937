"""A trace as a table for people: one row a step, calls indented, beside it what changed.

The idea: the row of a line shows the state *before* it runs, as the record does; what a line did stands in
the next row of its function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from opencwm.frontends.cli.output import visible
from opencwm.traces import Program, Step, StepFlags, StepKind, Trace

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

NEWS_WIDTH: Final = 20
"""What the column of what is new needs."""
MAX_CELL_CHARS: Final = 400
"""More of a cell is left out: files hold all of it."""
_SOURCE_WIDTH: Final = 16
_EVENT_WIDTH: Final = 11
_LEADING_WIDTH: Final = 12 + _EVENT_WIDTH + _SOURCE_WIDTH + 2
STYLES = {StepKind.CALL: "cyan", StepKind.LINE: "", StepKind.RETURN: "green", StepKind.EXCEPTION: "red"}


def trace_table(trace: Trace, *, width: int, max_rows: int = 0) -> Table:
    """Return the table: step, line, event, source, and what is new (new or changed locals, or the value).

    ``width`` is that of the screen in columns; ``max_rows`` 0 means all.
    """
    from rich.text import Text

    leading = leading_columns(width, NEWS_WIDTH)
    table = step_columns(leading, int((width - 28) * 0.55))
    table.add_column("new since the last step of the call", overflow="fold")
    for index, step in enumerate(trace.steps[: max_rows or None]):
        style = STYLES[step.kind]
        cells: dict[str, str | Text] = {
            "step": str(index),
            "line": str(step.lineno),
            "event": Text(event_name(step), style=style),
            "source": Text(source_cell(trace.program, step)),
        }
        table.add_row(*(cells[name] for name in leading), _news_cell(step, style))
    return table


def _news_cell(step: Step, style: str) -> Text:
    """Return what was evaluated on the way to a step, one line each, and then what the step tells."""
    from rich.text import Text

    lines = [Text(visible(shortened(line)), style="dim") for line in evaluated(step)]
    text = shortened(news(step))
    return Text("\n").join([*lines, Text(visible(text), style=style)] if text or not lines else lines)


def leading_columns(width: int, others: int) -> tuple[str, ...]:
    """Return the columns that a table of steps begins with, as many as a screen has room for.

    Args:
        width: of the screen in columns.
        others: what the columns need that follow, which say what the table is there to say.
    """
    room = width - others
    if room >= _LEADING_WIDTH:
        return "step", "line", "event", "source"
    return ("step", "line", "source") if room >= _LEADING_WIDTH - _EVENT_WIDTH else ("step", "line")


def step_columns(leading: Sequence[str], source_width: int) -> Table:
    """Return a table with the columns that all tables of steps begin with: step, line, event, source.

    A line longer than ``source_width`` columns is cut; its number is there to look it up.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, expand=False)
    for name in leading:
        if name == "source":
            table.add_column(
                name, no_wrap=True, overflow="ellipsis", max_width=max(_SOURCE_WIDTH, source_width)
            )
        elif name == "event":
            table.add_column(name, no_wrap=True)
        else:
            table.add_column(name, justify="right", style="dim", no_wrap=True)
    return table


def shortened(text: str) -> str:
    """Return a text as a cell holds it: values may have thousands of characters."""
    return text if len(text) <= MAX_CELL_CHARS else f"{text[:MAX_CELL_CHARS]}... ({len(text)} characters)"


def source_cell(program: Program, step: Step) -> str:
    """Return the line of a step, indented by its depth; the line's own indentation is halved to save room."""
    lines = program.lines
    text = visible(lines[step.lineno - 1]) if 0 < step.lineno <= len(lines) else ""
    code = text.lstrip(" ")
    return "  " * step.depth + " " * ((len(text) - len(code)) // 2) + code


def event_name(step: Step) -> str:
    """Name a step's event in one word: its kind, or yield, resume or unwind."""
    for flag, name in (
        (StepFlags.YIELD, "yield"),
        (StepFlags.RESUME, "resume"),
        (StepFlags.UNWIND, "unwind"),
    ):
        if step.flags & flag:
            return name
    return str(step.kind)


def evaluated(step: Step) -> list[str]:
    """Say what was evaluated since the step before: ``3 + 2 -> 5`` for each."""
    return [f"{item.text} -> {item.value}" for item in step.evaluations]


def news(step: Step) -> str:
    """Say what a step tells beyond its line: ``a = 1, b = 'x', del c`` or a returned or raised value."""
    parts = [f"{name} = {text}" for name, text in step.changed] + [f"del {name}" for name in step.deleted]
    if step.value is not None:
        parts.append(f"-> {step.value}" if step.kind is StepKind.RETURN else step.value)
    return ", ".join(parts)
