"""Steps as the page reads them: each with its whole stack, frames told once however many steps share them.

The other end is ``web/src/types.ts``. Everything here is text for a page that shows text: nothing is escaped
here, and nothing there is parsed as HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from opencwm.debugger.activations import Change
from opencwm.debugger.breakpoints import Breakpoint, DataBreakpoint, LineBreakpoint
from opencwm.debugger.compare import Row
from opencwm.debugger.execution import Execution, FrameView, Origin, StepView, Value
from opencwm.frontends.web.subexpressions import Known, SubExpressions


class Frames:
    """The distinct frames of a batch of steps, by index."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self._indices: dict[Any, int] = {}

    def index(self, frame: FrameView) -> int:
        """Return the index of a frame, kept when it is new."""
        key = (frame.function, frame.lineno, tuple(frame.locals.items()))
        if key not in self._indices:
            self._indices[key] = len(self.items)
            self.items.append(frame_json(frame))
        return self._indices[key]


def frame_json(frame: FrameView) -> dict[str, Any]:
    """Return an activation."""
    return {
        "function": frame.function,
        "line": frame.lineno,
        "locals": [[name, value_json(value)] for name, value in frame.locals.items()],
    }


def value_json(value: Value) -> dict[str, Any]:
    """Return a value with its origin and, unless it was given, its probability."""
    given = value.origin is Origin.SUPPLIED
    return {"text": value.text, "origin": str(value.origin), "p": None if given else value.probability}


def stack_of(execution: Execution, index: int, row: Row | None) -> list[FrameView]:
    """Return the stack at a step, what the real run confirms in it marked as verified."""
    stack = execution.stack_at(index)
    if row is not None and row.locals:
        top = stack[-1]
        stack[-1] = FrameView(top.function, top.lineno, row.locals, top.code)
    return stack


def step_json(
    execution: Execution,
    index: int,
    *,
    row: Row | None = None,
    expressions: SubExpressions | None = None,
) -> dict[str, Any]:
    """Return a step without its stack.

    Args:
        execution: whose step it is; not malformed.
        index: of the step.
        row: the same step compared with the real run.
        expressions: of the program; None to leave out the values of sub-expressions.
    """
    view = execution.get(index)
    if view is None or view.malformed is not None:
        raise IndexError(f"no step {index}")
    step = view.step
    codes = execution.codes
    value = view.value if row is None else row.value
    known: Iterable[Known] = () if expressions is None else expressions.at(execution, index)
    return {
        "index": index,
        "kind": str(step.kind),
        "flags": [
            flag.name.lower() for flag in type(step.flags) if flag in step.flags and flag and flag.name
        ],
        "line": step.lineno,
        "depth": step.depth,
        "function": codes[step.code].qualname if 0 <= step.code < len(codes) else "?",
        "changed": [name for name, _ in step.changed],
        "deleted": list(step.deleted),
        "value": None if value is None else value_json(value),
        "control": view.control_probability,
        "objection": view.objection,
        "evaluations": [{"text": item.text, "value": item.value} for item in step.evaluations],
        "expressions": [
            {"line": item.lineno, "from": item.col, "to": item.end_col, "value": item.value, "how": item.how}
            for item in known
        ],
        "real": None if row is None else _real(row),
    }


def _real(row: Row) -> dict[str, Any]:
    return {
        "agrees": row.agrees,
        "note": row.describe(),
        "differences": {name: list(pair) for name, pair in row.differences.items()},
        "value": None if row.real is None else row.real.step.value,
    }


def steps_json(
    execution: Execution,
    rows: Sequence[Row | None],
    start: int,
    *,
    frames: Frames,
    expressions: SubExpressions | None = None,
) -> list[dict[str, Any]]:
    """Return the steps from ``start`` on, one for each of ``rows``; stacks are indices into ``frames``."""
    return [
        step_json(execution, start + offset, row=row, expressions=expressions)
        | {"stack": [frames.index(frame) for frame in stack_of(execution, start + offset, row)]}
        for offset, row in enumerate(rows)
    ]


def whole_step_json(
    execution: Execution, index: int, *, row: Row | None, expressions: SubExpressions
) -> dict[str, Any]:
    """Return one step with its stack."""
    stack = [frame_json(frame) for frame in stack_of(execution, index, row)]
    return step_json(execution, index, row=row, expressions=expressions) | {"stack": stack}


def overview_json(views: Sequence[StepView], rows: Sequence[Row | None], start: int = 0) -> dict[str, Any]:
    """Return a few numbers about each of some steps that follow each other."""
    return {
        "start": start,
        "lines": [view.step.lineno for view in views],
        "depths": [view.step.depth for view in views],
        "kinds": [str(view.step.kind) for view in views],
        "sureness": [_sureness(view) for view in views],
        "agrees": [None if row is None else row.agrees for row in rows],
    }


def _sureness(view: StepView) -> float | None:
    """Return the least probability of anything the model decided in a step."""
    said = [view.control_probability, view.value_probability, *view.probabilities.values()]
    return min((p for p in said if p is not None), default=None)


def change_json(change: Change) -> dict[str, Any]:
    """Return a value that a variable got: ``position`` is where it is seen first, ``made_at`` who made it."""
    return {
        "position": change.position,
        "made_at": change.made_at,
        "line": change.lineno,
        "how": "set" if change.is_set else "argument" if change.is_argument else "line",
        "value": None if change.value is None else value_json(change.value),
    }


def breakpoint_json(item: Breakpoint, num_hits: int) -> dict[str, Any]:
    """Return a breakpoint of any kind."""
    return {
        "number": item.number,
        "kind": item.kind,
        "place": item.place,
        "line": item.lineno if isinstance(item, LineBreakpoint) else None,
        "variable": item.variable if isinstance(item, DataBreakpoint) else None,
        "condition": item.condition,
        "hit_condition": None if item.hit_condition is None else str(item.hit_condition),
        "log_message": None if item.log_message is None else str(item.log_message),
        "is_enabled": item.is_enabled,
        "num_hits": num_hits,
    }
