"""Tools on an open session: moves, breakpoints, looking, evaluating, setting variables."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, Literal

from opencwm.core.errors import ConfigError
from opencwm.debugger.cancellation import Watch
from opencwm.debugger.session import Session
from opencwm.debugger.stops import Stop
from opencwm.frontends.mcp.answers import (
    BreakpointsAnswer,
    InspectAnswer,
    StopAnswer,
    ValueAnswer,
    breakpoint_answer,
    cut,
    stop_answer,
    value_answer,
)
from opencwm.frontends.mcp.service import OpenSession, Service
from opencwm.traces import StepKind

Move = Literal[
    "into", "over", "out", "continue", "run_to", "until", "goto",
    "back", "back_over", "back_out", "continue_back", "restart", "restart_frame", "first_divergence",
    "steer_call", "steer_line", "steer_return", "steer_exception",
]  # fmt: skip
"""What a session can be told; see :data:`opencwm.debugger.verbs.VERBS` for other words."""

MOVES: dict[str, str] = {
    "into": "step_into",
    "over": "step_over",
    "out": "step_out",
    "continue": "continue_",
    "back": "step_back",
    "back_over": "back_over",
    "back_out": "back_out",
    "continue_back": "continue_back",
    "restart": "restart",
    "first_divergence": "goto_divergence",
}
"""Those that need nothing more."""


_STEERING = "steer_"


class BreakpointKind(enum.StrEnum):
    """What a breakpoint stops at."""

    LINE = "line"
    FUNCTION = "function"
    EXCEPTION = "exception"
    DATA = "data"


def move(
    held: OpenSession,
    watch: Watch,
    what: Move,
    *,
    line: int | None,
    position: int | None,
    level: int,
    count: int,
    max_chars: int,
) -> StopAnswer:
    """Make a move ``count`` times, until one of them ends elsewhere than a step further.

    Raises:
        ConfigError: the move needs a line or a position that is not given, or makes no sense here.
    """
    session = held.session
    one = _move(session, what, line, position, level)
    with session.watched(watch.cancellation, watch.progress):
        stop = one()
        for _ in range(count - 1):
            if str(stop.kind) != "step":
                break
            stop = one()
    return stop_answer(held, stop, max_chars)


def _move(
    session: Session, what: Move, line: int | None, position: int | None, level: int
) -> Callable[[], Stop]:
    match what:
        case "run_to":
            return lambda: session.run_to(_needed(line, "line", what))
        case "until":
            return lambda: session.until(line)
        case "goto":
            return lambda: session.goto(_needed(position, "position", what))
        case "restart_frame":
            return lambda: session.restart_frame(_checked_level(session, level))
    if what.startswith(_STEERING):
        return lambda: session.steer(StepKind(what.removeprefix(_STEERING)))
    method: Callable[[], Stop] = getattr(session, MOVES[what])
    return method


def _needed(number: int | None, name: str, what: str) -> int:
    if number is None:
        raise ConfigError(f"{what} needs {name}")
    return number


def _checked_level(session: Session, level: int) -> int:
    height = len(session.stack)
    if not -height <= level < height:
        raise ConfigError(
            f"there is no level {level}", hint=f"0 to {height - 1}, outermost first; -1 is the innermost"
        )
    return level


def set_breakpoints(
    held: OpenSession, wanted: Sequence[dict[str, Any]], *, is_added: bool
) -> BreakpointsAnswer:
    """Set breakpoints; all or none of them.

    Raises:
        ConfigError: one makes no sense.
    """
    breakpoints = held.session.breakpoints
    before = [item.number for item in breakpoints]
    added: list[int] = []
    try:
        added += [_add(held.session, item) for item in wanted]
    except ConfigError:
        for number in {item.number for item in breakpoints} - set(before):
            breakpoints.remove(number)
        raise
    if not is_added:
        for number in before:
            breakpoints.remove(number)
    return {"breakpoints": [breakpoint_answer(item) for item in breakpoints]}


_OPTIONS = ("condition", "hit_condition", "log_message")


def _add(session: Session, item: dict[str, Any]) -> int:
    options: dict[str, Any] = {name: item.get(name) for name in _OPTIONS}
    match item["kind"]:
        case BreakpointKind.LINE:
            return session.breakpoints.add_line(_needed(item.get("line"), "line", "a line"), **options).number
        case BreakpointKind.FUNCTION:
            return session.breakpoints.add_function(_named(item, "function"), **options).number
        case BreakpointKind.DATA:
            function = item.get("function") or ""
            return session.breakpoints.add_data(_named(item, "variable"), function, **options).number
    types = tuple(item.get("exceptions") or ())
    return session.breakpoints.add_exception(item.get("mode") or "raised", types, **options).number


def _named(item: dict[str, Any], key: str) -> str:
    name = item.get(key)
    if not name:
        raise ConfigError(f"a {item['kind']} breakpoint needs {key}")
    return str(name)


def inspect(
    held: OpenSession, what: str, *, name: str | None, level: int, offset: int, limit: int, max_chars: int
) -> InspectAnswer:
    """Return a part of what there is to look at.

    Raises:
        ConfigError: the level or the name is wrong.
    """
    looks: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "locals": lambda: _locals(held.session, level, max_chars),
        "stack": lambda: _stack(held.session),
        "history": lambda: _history(held.session, name, max_chars),
        "source": lambda: _source(held.session),
        "steps": lambda: _steps(held.session, max_chars),
        "timelines": lambda: [
            {"number": item.number, "is_current": item is held.session.timeline, "text": str(item)}
            for item in held.session.timelines
        ],
        "breakpoints": lambda: [breakpoint_answer(item) for item in held.session.breakpoints],
    }
    items = looks[what]()
    end = offset + limit
    return {
        "what": what,
        "items": items[offset:end],
        "num_items": len(items),
        "next_offset": end if end < len(items) else None,
    }


def _locals(session: Session, level: int, max_chars: int) -> list[dict[str, Any]]:
    frame = session.stack[_checked_level(session, level)]
    return [{"name": name, **value_answer(value, max_chars)} for name, value in frame.locals.items()]


def _stack(session: Session) -> list[dict[str, Any]]:
    return [
        {"level": level, "function": frame.function, "line": frame.lineno, "num_locals": len(frame.locals)}
        for level, frame in enumerate(session.stack)
    ]


def _history(session: Session, name: str | None, max_chars: int) -> list[dict[str, Any]]:
    if not name:
        raise ConfigError("history needs name", hint="of a variable of the current function")
    return [
        {
            "position": change.position,
            "line": change.lineno,
            "value": None if change.value is None else value_answer(change.value, max_chars),
        }
        for change in session.history(name)
    ]


def _source(session: Session) -> list[dict[str, Any]]:
    return [{"line": number, "code": text} for number, text in enumerate(session.program.lines, 1)]


def _steps(session: Session, max_chars: int) -> list[dict[str, Any]]:
    return [
        {
            "position": record.position,
            "kind": str(record.kind),
            "function": record.function,
            "line": record.lineno,
            "changed": list(record.changed),
            "value": None if record.value is None else cut(record.value, max_chars)[0],
            "probability": record.probability,
        }
        for record in session.records()
    ]


def evaluate(
    held: OpenSession, watch: Watch, expression: str, *, level: int, ask_model: bool, max_chars: int
) -> ValueAnswer:
    """Return the value of an expression; unless the model may be asked, only a pure one.

    Raises:
        ConfigError: the level is wrong.
        Undecided: it depends on what is not known.
        ExpressionError: it is not valid, not allowed, or raises.
        CancelledError: the model took too long.
    """
    session = held.session
    level = _checked_level(session, level)
    if not ask_model:
        result = session.evaluate(expression, level)
        shown = session.stack[level].locals
        known = [shown[name].probability for name in result.names if name in shown]
        sure = min((item for item in known if item is not None), default=None)
        text, num_cut = cut(result.text, max_chars)
        return {"text": text, "origin": "computed", "probability": sure, "num_cut": num_cut}
    with session.watched(watch.cancellation, watch.progress):
        answer = session.ask(expression, level)
    text, num_cut = cut(answer.text, max_chars)
    origin = "predicted" if answer.is_predicted else "computed"
    if answer.has_raised:
        origin += ", raised"
    return {"text": text, "origin": origin, "probability": answer.probability, "num_cut": num_cut}


def set_variable(held: OpenSession, name: str, value: str, max_chars: int) -> StopAnswer:
    """Set a variable; what follows is predicted anew, on a timeline of its own.

    Raises:
        ConfigError: it cannot be set here, or to this.
    """
    return stop_answer(held, held.session.set_variable(name, value), max_chars)


def select_timeline(held: OpenSession, number: int, max_chars: int) -> StopAnswer:
    """Go back to another timeline.

    Raises:
        ConfigError: there is none of that number.
    """
    return stop_answer(held, held.session.select_timeline(number), max_chars)


def listed(service: Service) -> list[dict[str, Any]]:
    """Return the open sessions."""
    return [
        {
            "session": held.name,
            "program": held.session.program.filename,
            "call": held.session.program.call,
            "position": held.session.position,
            "is_ended": held.session.is_ended,
        }
        for held in service.sessions
    ]
