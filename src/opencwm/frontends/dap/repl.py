"""The debug console: expressions go to the session, what begins with a dot is a command of ours.

Timelines and histories have no request in the protocol; here is where a client reaches them.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from opencwm.core.errors import ConfigError
from opencwm.debugger import display
from opencwm.debugger.stops import Stop
from opencwm.frontends.dap import presentation
from opencwm.frontends.dap.debuggee import Debuggee
from opencwm.frontends.dap.messages import RequestError
from opencwm.traces import StepKind


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a command says, and where it went when it moved the session."""

    text: str
    stop: Stop | None = None


def answer(debuggee: Debuggee, line: str) -> Reply | None:
    """Carry out a command or an assignment; None for an expression.

    Raises:
        RequestError: no such command, or not in this form.
        ConfigError: it cannot be done.
    """
    line = line.strip()
    if line.startswith("."):
        name, _, rest = line[1:].partition(" ")
        if name not in COMMANDS:
            raise RequestError(f"no command .{name[:40]}", hint="one of: ." + ", .".join(COMMANDS))
        return COMMANDS[name](debuggee, rest.strip())
    assigned = _assignment(line)
    if assigned is None:
        return None
    debuggee.session.set_variable(*assigned)
    stop = debuggee.session.last_stop
    return Reply(stop.reason, stop)


def _assignment(line: str) -> tuple[str, str] | None:
    """Return name and expression of ``name = expression``; None for anything else."""
    try:
        body = ast.parse(line).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match body:
        case [ast.Assign(targets=[ast.Name(id=name)], value=value)]:
            return name, ast.unparse(value)
        case [ast.Assign() | ast.AugAssign() | ast.AnnAssign()]:
            raise RequestError("only name = value is understood here")
    return None


def _history(debuggee: Debuggee, rest: str) -> Reply:
    changes = debuggee.session.history(rest)
    if not rest.isidentifier() or not changes:
        raise RequestError("usage: .history NAME, of a variable that has changed in this function")
    lines = []
    for change in changes:
        text = "deleted" if change.value is None else presentation.shown(change.value)
        source = display.source_line(debuggee.session.program, change.lineno)
        lines.append(f"step {change.position}, line {change.lineno}: {text}    {source}")
    return Reply("\n".join(lines))


def _timelines(debuggee: Debuggee, _: str) -> Reply:
    current = debuggee.session.timeline
    return Reply(
        "\n".join(
            f"{'>' if item is current else ' '} {item.number}: {item}" for item in debuggee.session.timelines
        )
    )


def _timeline(debuggee: Debuggee, rest: str) -> Reply:
    if not rest.isdecimal() or len(rest) > 9:
        raise RequestError("usage: .timeline NUMBER", hint=".timelines lists them")
    stop = debuggee.session.select_timeline(int(rest))
    return Reply(stop.reason, stop)


def _steer(debuggee: Debuggee, rest: str) -> Reply:
    if rest not in tuple(StepKind):
        raise RequestError(f"usage: .steer {'|'.join(StepKind)}")
    stop = debuggee.session.steer(StepKind(rest))
    return Reply(stop.reason, stop)


def _confidence(debuggee: Debuggee, _: str) -> Reply:
    session = debuggee.session
    said = presentation.details(session.view, debuggee.inspection.row) or "observed, not predicted"
    sure = [item for item in session.records(0, session.position + 1) if item.probability is not None]
    if sure:
        least = min(sure, key=lambda item: item.probability or 0.0)
        said += f"\nleast sure up to here: step {least.position}, line {least.lineno},"
        said += f" {display.percent(least.probability or 0.0)}"
    return Reply(said)


def _divergence(debuggee: Debuggee, _: str) -> Reply:
    if debuggee.session.real is None:
        raise ConfigError("there is no real run to compare with", hint='launch with "mode": "compare"')
    stop = debuggee.session.goto_divergence()
    return Reply(stop.reason, stop)


def _help(_: Debuggee, __: str) -> Reply:
    return Reply(
        "\n".join((*_HELP.values(), "anything else is an expression, or name = value to set a variable"))
    )


COMMANDS: Final[Mapping[str, Callable[[Debuggee, str], Reply]]] = {
    "confidence": _confidence,
    "divergence": _divergence,
    "help": _help,
    "history": _history,
    "steer": _steer,
    "timeline": _timeline,
    "timelines": _timelines,
}
_HELP: Final = {
    "confidence": ".confidence      how sure each part of this step is, and the least sure step up to here",
    "divergence": ".divergence      go to the first step that differs from the real run",
    "history": ".history NAME    how a variable of this function changed, and by which lines",
    "steer": ".steer KIND      have the next step be a call, line, return or exception (cwm models)",
    "timeline": ".timeline N      go to another timeline, to where it was left",
    "timelines": ".timelines       the ways the program may go: one more for each variable that was set",
}
