"""The moves a client asks for, as moves of the session.

The one idea: the session stops at every recorded step; a client that steps by lines is not shown the calls
themselves, whose arguments the first line of the function shows, nor activations that an exception merely
leaves, nor the wrapper around the call. It is shown returns, with the value that is returned. A client that
asks for the granularity ``instruction`` is shown every step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from opencwm.debugger.session import Session
from opencwm.debugger.stops import Stop, StopKind
from opencwm.debugger.verbs import VERBS
from opencwm.traces import Step, StepFlags, StepKind

FORWARD: Final = frozenset({"next", "stepIn", "stepOut", "continue"})
BACKWARD: Final = frozenset({"stepBack", "reverseContinue"})
EVERY_STEP: Final = "instruction"


def go(session: Session, request: str, granularity: str, is_wrapper: Callable[[int], bool]) -> Stop:
    """Make the move that a request asks for and return where it ended.

    Args:
        session: what moves.
        request: one of :data:`FORWARD` and :data:`BACKWARD`.
        granularity: the protocol's.
        is_wrapper: whether a line belongs to the wrapper around the call.
    """
    method = next(verb.method for verb in VERBS if verb.dap == request)
    stop: Stop = getattr(session, method)()
    if granularity == EVERY_STEP:
        return stop
    if request in FORWARD:
        return _skip(session, stop, session.step_over, is_wrapper)

    def back() -> Stop:
        """Go back over calls, but from the end of the wrapper into what it has called."""
        return session.step_back() if session.step.kind is StepKind.RETURN else session.back_over()

    return _skip(session, stop, back, is_wrapper)


def _skip(
    session: Session, stop: Stop, follow: Callable[[], Stop], is_wrapper: Callable[[int], bool]
) -> Stop:
    """Go on with ``follow`` while a move has ended where a client that steps by lines is shown nothing."""
    logs = stop.logs
    while stop.kind is StopKind.STEP and not _is_shown(session.step, is_wrapper):
        stop = follow()
        logs += stop.logs
    return Stop(stop.kind, stop.reason, stop.position, stop.breakpoints, logs)


def _is_shown(step: Step, is_wrapper: Callable[[int], bool]) -> bool:
    if step.kind is StepKind.CALL or (step.kind is StepKind.RETURN and step.flags & StepFlags.UNWIND):
        return False
    return not is_wrapper(step.lineno)


def enter(session: Session, is_wrapper: Callable[[int], bool]) -> Stop:
    """Go from the first step to the first line of the program itself, past the wrapper around the call."""
    stop = session.last_stop
    while not session.is_ended and not _is_shown(session.step, is_wrapper):
        stop = session.step_into()
        if stop.kind is not StopKind.STEP:
            return stop
    return stop
