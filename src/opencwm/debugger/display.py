"""A session as plain text, in the shapes pdb's users know: where we are, what changed, how sure it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from opencwm.debugger.compare import Row
from opencwm.debugger.execution import Execution, FrameView, Origin, StepView, Value
from opencwm.debugger.records import StepRecord
from opencwm.traces import Program, StepFlags, StepKind

_NUM_AROUND = 5


def percent(probability: float) -> str:
    """Write a probability, never surer than it is: ``97%``, ``99.4%``, ``>99.9%``, ``<1%``."""
    if probability >= 1.0:
        return "100%"
    if probability > 0.999:
        return ">99.9%"
    if probability >= 0.99:
        return f"{int(probability * 1000) / 10}%"
    return f"{int(probability * 100)}%" if probability >= 0.01 else "<1%"


def mark(value: Value) -> str:
    """Say where a value comes from, in parentheses; empty for a plainly observed one."""
    predicted = "predicted" if value.probability is None else f"predicted {percent(value.probability)}"
    if value.origin is Origin.VERIFIED:
        return "" if value.probability is None else f"({predicted}, verified)"
    if value.origin is Origin.SUPPLIED:
        return "(supplied)"
    if value.origin is Origin.CARRIED:
        return "(carried)" if value.probability is None else f"(carried, {predicted})"
    return f"({predicted})"


def assignment(name: str, value: Value, real: str | None = None) -> str:
    """Write ``name = value  (mark)``; ``real`` is what it really is, when that is known to differ."""
    suffix = mark(value)
    if real is not None:
        suffix = f"{suffix[:-1]}, really {real})" if suffix else f"(really {real})"
    return f"{name} = {value.text}" + (f"  {suffix}" if suffix else "")


def source_line(program: Program, lineno: int) -> str:
    """Return a line of the program without indentation; empty past its end."""
    return program.lines[lineno - 1].strip() if 1 <= lineno <= len(program.lines) else ""


def frame_lines(
    program: Program, frame: FrameView, *, is_current: bool = True, suffix: str = ""
) -> list[str]:
    """Return the two lines pdb shows for an activation."""
    start = ">" if is_current else " "
    return [
        f"{start} {program.filename}({frame.lineno}){frame.function}(){suffix}",
        f"-> {source_line(program, frame.lineno)}",
    ]


def step_lines(execution: Execution, index: int, row: Row | None = None) -> Iterator[str]:
    """Show one step: what kind, where, what was evaluated on the way there, and what changed.

    Args:
        execution: whose step it is.
        index: of the step.
        row: the same step compared with a real run, when there is one.
    """
    view = execution.get(index)
    if view is None:
        raise IndexError(f"no step {index}")
    step = view.step
    frame = execution.stack_at(index)[-1]
    suffix = ""
    if step.kind is StepKind.CALL:
        yield "--Resume--" if step.flags & StepFlags.RESUME else "--Call--"
    elif step.kind is StepKind.RETURN:
        if step.flags & StepFlags.UNWIND:
            yield "--Unwind--"
        else:
            yield "--Yield--" if step.flags & StepFlags.YIELD else "--Return--"
            suffix = f"->{step.value}"
    elif step.kind is StepKind.EXCEPTION:
        yield f"{step.value}{_value_mark(view, row)}"
    if suffix:
        suffix += _value_mark(view, row)
    yield from frame_lines(execution.program, frame, suffix=suffix)
    for item in step.evaluations:
        yield f"    {item.text} -> {item.value}"
    yield from _changed_lines(view, row)
    if view.objection is not None:
        yield f"    *** not possible: {view.objection}"
    if row is not None and not (row.line_agrees and row.kind_agrees):
        yield f"    *** {row.describe()}"


def record_line(item: StepRecord, *, is_current: bool = False) -> str:
    """Write a step in short: ``>   12  line     4  count  n``; indented by depth, its changed names last."""
    changed = " ".join([*item.changed, *(f"-{name}" for name in item.deleted)])
    value = "" if item.value is None else f"-> {item.value}"
    place = f"{'  ' * item.depth}{item.function}"
    sure = "" if item.probability is None else percent(item.probability)
    start = ">" if is_current else " "
    text = (
        f"{start}{item.position:>5}  {item.kind:<9} {item.lineno:>4}  {sure:>6}  {place}  {changed}  {value}"
    )
    return text.rstrip()


def _value_mark(view: StepView, row: Row | None) -> str:
    value = view.value if row is None else row.value
    if value is None:
        return ""
    suffix = mark(value)
    if row is not None and row.real is not None and row.kind_agrees and not row.value_agrees:
        suffix = f"{suffix[:-1]}, really {row.real.step.value})"
    return f"  {suffix}" if suffix else ""


def _changed_lines(view: StepView, row: Row | None) -> Iterator[str]:
    for name, value in view.changes.items():
        if row is None:
            yield f"    {assignment(name, value)}"
        elif name in row.differences:
            yield f"    {assignment(name, value, row.differences[name][1] or 'unbound')}"
        else:
            yield f"    {assignment(name, row.locals.get(name, value))}"
    for name in view.step.deleted:
        yield f"    {name} deleted"
    if row is not None and row.line_agrees:
        for name, (said, was) in row.differences.items():
            if name not in view.changes:
                yield f"    *** {name}: predicted {said or 'unbound'}, really {was or 'unbound'}"


def listing(
    program: Program, numbers: Iterable[int], *, current: int | None = None, breakpoints: Collection[int] = ()
) -> Iterator[str]:
    """List lines with their numbers; ``->`` marks the current one, ``B`` one with a breakpoint."""
    for lineno in numbers:
        if 1 <= lineno <= len(program.lines):
            marks = ("B" if lineno in breakpoints else "") + ("->" if lineno == current else "")
            yield f"{lineno:>4} {marks:<4}{program.lines[lineno - 1]}".rstrip()


def lines_around(lineno: int) -> range:
    """Return the line numbers ``list`` shows around a line."""
    first = max(1, lineno - _NUM_AROUND)
    return range(first, first + 2 * _NUM_AROUND + 1)
