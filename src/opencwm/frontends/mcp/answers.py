"""What the tools answer: small objects, with long texts cut and marked, that say how to get more.

Keys are only ever added. ``probability`` is null for what was not the model's decision.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from opencwm.debugger.breakpoints import Breakpoint
from opencwm.debugger.display import source_line
from opencwm.debugger.execution import Execution, StepView, Value
from opencwm.debugger.session import Session
from opencwm.debugger.stops import Stop
from opencwm.frontends.mcp.service import OpenSession
from opencwm.frontends.step_json import step_json


class ValueAnswer(TypedDict):
    """A value: its text, where it comes from, and how sure it is."""

    text: str
    origin: str
    probability: float | None
    num_cut: int


class OutcomeAnswer(TypedDict):
    """What a run comes to: it ``returned`` or ``raised`` a value, or neither (null)."""

    kind: str | None
    value: str | None
    status: str
    probability: float | None
    num_steps: int
    votes: int
    rollouts: int
    notices: list[str]


class ExecutionAnswer(TypedDict):
    """A part of the steps of an execution; ``next_offset`` is null when there are no more."""

    status: str
    is_ended: bool
    steps: list[dict[str, Any]]
    next_offset: int | None
    first_divergence: str | None
    notices: list[str]


class CallAnswer(TypedDict):
    """A call that may give the result; ``holds`` is null where it was not run."""

    call: str
    probability: float
    holds: bool | None


class InputAnswer(TypedDict):
    """Calls that may give a result, the model's best guess first."""

    calls: list[CallAnswer]


class StatesAnswer(TypedDict):
    """States that may have come before."""

    states: list[dict[str, Any]]


class CheckAnswer(TypedDict):
    """What could go wrong in a function."""

    function: str
    num_inputs: int
    inputs: list[str]
    findings: list[dict[str, Any]]
    problem: str


class StopAnswer(TypedDict):
    """Where a session is, and why its last move ended there."""

    session: str
    position: int
    kind: str
    function: str
    line: int
    code: str
    changes: dict[str, ValueAnswer]
    deleted: list[str]
    value: ValueAnswer | None
    probability: float | None
    stop: str
    reason: str
    is_ended: bool
    logs: list[str]
    breakpoints: list[int]
    real_run: str | None
    notices: list[str]


class BreakpointsAnswer(TypedDict):
    """The breakpoints of a session."""

    breakpoints: list[dict[str, Any]]


class InspectAnswer(TypedDict):
    """What was looked at, as a list; ``next_offset`` is null when there are no more items."""

    what: str
    items: list[dict[str, Any]]
    num_items: int
    next_offset: int | None


class SessionsAnswer(TypedDict):
    """The open sessions."""

    sessions: list[dict[str, Any]]


def cut(text: str, max_chars: int) -> tuple[str, int]:
    """Return a text of at most ``max_chars`` characters, and how many more there are."""
    return (text, 0) if len(text) <= max_chars else (text[:max_chars], len(text) - max_chars)


def rounded(answer: Any) -> Any:
    """Return an answer with its probabilities in five digits; none becomes certain by that."""
    if isinstance(answer, float):
        shorter = float(f"{answer:.5g}")
        return 0.99999 if shorter == 1.0 > answer else shorter
    if isinstance(answer, dict):
        return {key: rounded(value) for key, value in answer.items()}
    return [rounded(item) for item in answer] if isinstance(answer, list) else answer


def value_answer(value: Value, max_chars: int) -> ValueAnswer:
    """Return a value; ``num_cut`` characters of it are left out."""
    text, num_cut = cut(value.text, max_chars)
    return {"text": text, "origin": str(value.origin), "probability": value.probability, "num_cut": num_cut}


def short_step(execution: Execution, index: int, view: StepView, max_chars: int) -> dict[str, Any]:
    """Return a step in short: where it is, and what changed."""
    step = view.step
    found: dict[str, Any] = {
        "step": index,
        "kind": str(step.kind),
        "line": step.lineno,
        "depth": step.depth,
        "code": cut(source_line(execution.program, step.lineno), max_chars)[0],
    }
    if step.changed:
        found["changes"] = {name: cut(text, max_chars)[0] for name, text in step.changed}
    if step.value is not None:
        found["value"] = cut(step.value, max_chars)[0]
    if view.supplied or view.is_value_supplied:
        found["supplied"] = sorted(view.supplied) or ["value"]
    if view.probability is not None:
        found["probability"] = view.probability
    if view.objection is not None:
        found["objection"] = view.objection
    return found


def full_step(execution: Execution, index: int, view: StepView) -> dict[str, Any]:
    """Return all of a step."""
    return step_json(execution, index, view)


def stop_answer(held: OpenSession, stop: Stop, max_chars: int) -> StopAnswer:
    """Return where a session is."""
    session = held.session
    view, frame = session.view, session.stack[-1]
    return {
        "session": held.name,
        "position": session.position,
        "kind": str(view.step.kind),
        "function": frame.function,
        "line": view.step.lineno,
        "code": cut(source_line(session.program, view.step.lineno), max_chars)[0],
        "changes": {name: value_answer(value, max_chars) for name, value in view.changes.items()},
        "deleted": list(view.step.deleted),
        "value": None if view.value is None else value_answer(view.value, max_chars),
        "probability": view.probability,
        "stop": str(stop.kind),
        "reason": stop.reason,
        "is_ended": session.is_ended,
        "logs": [cut(entry.text, max_chars)[0] for entry in stop.logs],
        "breakpoints": list(stop.breakpoints),
        "real_run": _beside(session),
        "notices": [],
    }


def _beside(session: Session) -> str | None:
    """Say what the real run says of this step; None when there is none beside it."""
    row = session.row
    if row is None:
        return None
    return "agrees" if row.agrees else row.describe()


def breakpoint_answer(item: Breakpoint) -> dict[str, Any]:
    """Return one breakpoint."""
    return {
        "number": item.number,
        "kind": item.kind,
        "place": item.place,
        "condition": item.condition,
        "is_enabled": item.is_enabled,
        "num_hits": item.num_hits,
    }
