"""What an activation did, read from the steps of an execution: its own steps, and how its variables changed.

Nothing here predicts: only steps up to the one asked about are read.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Mapping

from opencwm.debugger.execution import Execution, Value
from opencwm.debugger.value_parts import CUT, reached
from opencwm.traces import Step, StepFlags, StepKind


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A value that a variable got.

    Attributes:
        position: the step at which it was first seen.
        lineno: the line that ran before that step in the same activation: the one that changed it.
        value: the new value; None when the variable was deleted.
        previous: rendered value it had before; None when it had none.
        made_at: the step whose line changed it; the CALL for what a call passed, and the step itself for what
            was set by hand.
        is_argument: whether a call passed it.
        is_set: whether it was set by hand, not by a line.
    """

    position: int
    lineno: int
    value: Value | None
    previous: str | None
    made_at: int
    is_argument: bool = False
    is_set: bool = False

    def describe(self, name: str) -> str:
        """Say in words what happened to the variable ``name``."""
        if self.value is None:
            return f"{name} deleted by line {self.lineno}"
        if self.is_set:
            return f"{name} set to {self.value.text} by hand"
        if self.is_argument:
            return f"{name} passed as {self.value.text}"
        was = "" if self.previous is None else f" from {self.previous}"
        return f"{name} changed{was} to {self.value.text} by line {self.lineno}"


def step_at(execution: Execution, index: int) -> Step | None:
    """Return step ``index``; None past the end and where it is malformed."""
    view = execution.get(index)
    return None if view is None or view.malformed is not None else view.step


def texts_at(execution: Execution, index: int) -> dict[str, str]:
    """Return the rendered locals of the innermost activation at step ``index``."""
    return {name: value.text for name, value in execution.stack_at(index)[-1].locals.items()}


def function_at(execution: Execution, index: int) -> str:
    """Return the qualified name of the function that step ``index`` belongs to; ``?`` when not known."""
    step = step_at(execution, index)
    if step is None or not 0 <= step.code < len(execution.codes):
        return "?"
    return execution.codes[step.code].qualname


def is_named(qualname: str, name: str) -> bool:
    """Whether a user who says ``name`` means the function ``qualname``: all of it, or its last parts."""
    return qualname == name or qualname.endswith(f".{name}")


def own_previous(execution: Execution, index: int) -> int | None:
    """Return the step of the same activation before step ``index``; None at its CALL."""
    step = step_at(execution, index)
    if step is None or step.kind is StepKind.CALL:
        return None
    for earlier in range(index - 1, -1, -1):
        before = step_at(execution, earlier)
        if before is None or before.depth < step.depth:
            return None
        if before.depth == step.depth:
            return earlier
    return None


def own_steps(execution: Execution, index: int) -> list[int]:
    """Return the steps of the activation of step ``index``, from its CALL up to that step."""
    own: list[int] = []
    place: int | None = index
    while place is not None:
        own.append(place)
        place = own_previous(execution, place)
    return own[::-1]


def call_of(execution: Execution, index: int, depth: int) -> int | None:
    """Return the CALL, at or before step ``index``, of the activation that is live there at ``depth``."""
    for earlier in range(index, -1, -1):
        step = step_at(execution, earlier)
        if step is not None and step.kind is StepKind.CALL and step.depth == depth:
            return earlier
    return None


def last_step_at(execution: Execution, index: int, depth: int) -> int:
    """Return the last step, up to step ``index``, of the activation that is live there at ``depth``."""
    for earlier in range(index, -1, -1):
        step = step_at(execution, earlier)
        if step is not None and step.depth == depth:
            return earlier
    raise IndexError(f"no activation at depth {depth} is live at step {index}")


def change_at(execution: Execution, index: int, name: str) -> Change | None:
    """Return how a variable of the innermost activation changed at step ``index``; None when it did not.

    What a call passes is a change; what a suspended activation still has when it resumes is none. A part of a
    variable, such as ``self.total`` or ``row['a']``, changes where the variable is seen changed and the part
    is not what it was; one that is not shown, before or after, is not known to change.
    """
    if name.isidentifier():
        return _variable_change(execution, index, name)
    change = _variable_change(execution, index, root_of(name))
    if change is None:
        return None
    root = root_of(name)
    texts = {} if change.value is None else {root: change.value.text}
    text = reached(name, texts)
    previous = None if change.previous is None else reached(name, {root: change.previous})
    if text == previous or (text is None and change.value is not None and CUT in change.value.text):
        return None
    if previous is None and change.previous is not None and CUT in change.previous:
        return None
    value = None if text is None or change.value is None else dataclasses.replace(change.value, text=text)
    return dataclasses.replace(change, value=value, previous=previous)


def root_of(name: str) -> str:
    """Return the variable that a name, or a part such as ``self.total``, begins with; empty for none."""
    found = re.match(r"[^\W\d]\w*", name)
    return found[0] if found else ""


def is_part(name: str) -> bool:
    """Whether a text is a name, with attributes and constant keys behind it."""
    try:
        node = ast.parse(name, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    while isinstance(node, ast.Attribute) or (
        isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
    ):
        node = node.value
    return isinstance(node, ast.Name)


def _variable_change(execution: Execution, index: int, name: str) -> Change | None:
    view = execution.get(index)
    if view is None or view.malformed is not None:
        return None
    step = view.step
    if name not in step.deleted and all(name != changed for changed, _ in step.changed):
        return None
    if step.kind is StepKind.CALL:
        if step.flags & StepFlags.RESUME:
            return None
        return Change(index, step.lineno, view.changes[name], None, index, is_argument=True)
    before = own_previous(execution, index)
    if before is None:
        return None
    previous = _text_before(execution, index, step.depth, name)
    lineno = _lineno(execution, before)
    if name in step.deleted:
        return Change(index, lineno, None, previous, before)
    value = view.changes[name]
    if value.text == previous:
        return None
    if name in view.supplied:
        return Change(index, step.lineno, value, previous, index, is_set=True)
    return Change(index, lineno, value, previous, before)


def changes_of(execution: Execution, index: int, name: str) -> Iterator[Change]:
    """Yield how a variable of the activation of step ``index`` changed up to there, oldest first.

    Of an activation that resumed, it begins with what it had then.
    """
    for place in own_steps(execution, index):
        step, view = step_at(execution, place), execution.get(place)
        if step is not None and view is not None and step.flags & StepFlags.RESUME and name in view.changes:
            yield Change(place, step.lineno, view.changes[name], None, place, is_argument=True)
            continue
        change = change_at(execution, place, name)
        if change is not None:
            yield change


def _text_before(execution: Execution, index: int, depth: int, name: str) -> str | None:
    stack = execution.stack_at(index - 1)
    locals_: Mapping[str, Value] = stack[depth].locals if depth < len(stack) else {}
    return locals_[name].text if name in locals_ else None


def _lineno(execution: Execution, index: int) -> int:
    step = step_at(execution, index)
    return 0 if step is None else step.lineno
