"""A trace as a table for people: one row a step, calls indented, beside it what changed.

The idea: the row of a line shows the state *before* it runs, as the record does; what a line did stands in
the next row of its function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opencwm.frontends.cli.output import visible
from opencwm.traces import Step, StepFlags, StepKind, Trace

if TYPE_CHECKING:
    from rich.table import Table

STYLES = {StepKind.CALL: "cyan", StepKind.LINE: "", StepKind.RETURN: "green", StepKind.EXCEPTION: "red"}


def trace_table(trace: Trace, *, max_rows: int = 0) -> Table:
    """Return the table: step, line, event, source, and what is new (new or changed locals, or the value).

    ``max_rows`` 0 means all.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("step", justify="right", style="dim")
    table.add_column("line", justify="right", style="dim")
    table.add_column("event", no_wrap=True)
    table.add_column("source", overflow="fold", ratio=1)
    table.add_column("new since the last step of the call", overflow="fold", ratio=1)
    lines = trace.program.lines
    for index, step in enumerate(trace.steps[: max_rows or None]):
        source = lines[step.lineno - 1] if 0 < step.lineno <= len(lines) else ""
        style = STYLES[step.kind]
        table.add_row(
            str(index),
            str(step.lineno),
            Text(event_name(step), style=style),
            Text("  " * step.depth + visible(source)),
            Text(visible(news(step)), style=style),
        )
    return table


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


def news(step: Step) -> str:
    """Say what a step tells beyond its line: ``a = 1, b = 'x', del c`` or a returned or raised value."""
    parts = [f"{name} = {text}" for name, text in step.changed] + [f"del {name}" for name in step.deleted]
    if step.value is not None:
        parts.append(f"-> {step.value}" if step.kind is StepKind.RETURN else step.value)
    return ", ".join(parts)
