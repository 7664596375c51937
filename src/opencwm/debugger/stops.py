"""Why and where a move of a session ended, for programs and in words."""

from __future__ import annotations

import dataclasses
import enum


class StopKind(enum.StrEnum):
    """Why a move ended. The values are the Debug Adapter Protocol's reasons where it has one.

    Source: https://microsoft.github.io/debug-adapter-protocol/specification#Events_Stopped.
    """

    ENTRY = "entry"  # at the first step
    STEP = "step"  # where the move was to go
    BREAKPOINT = "breakpoint"
    FUNCTION_BREAKPOINT = "function breakpoint"
    DATA_BREAKPOINT = "data breakpoint"
    EXCEPTION = "exception"  # an exception breakpoint
    GOAL = "goto"  # what was asked for: a line, a step, the call of an activation, the first divergence
    ENDED = "ended"  # the program returned, raised, or its record ends
    MALFORMED = "malformed"  # the model wrote something that is no step
    LIMIT = "limit"  # the move took too many steps
    CANCELLED = "cancelled"  # the move was cancelled; the session is where it got
    START = "start"  # going back, the first step was reached


ENDS = frozenset({StopKind.ENDED, StopKind.MALFORMED})
"""Kinds of stops past the last step."""


@dataclasses.dataclass(frozen=True, slots=True)
class LogEntry:
    """What a breakpoint with a log message wrote.

    Attributes:
        breakpoint: its number.
        position: the step at which it wrote.
        lineno: the line of that step.
        text: the message, its expressions filled in.
    """

    breakpoint: int
    position: int
    lineno: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """Where a move ended.

    Attributes:
        kind: why, for programs.
        reason: why, in words, for example ``breakpoint 2, line 7``.
        position: the step the session is at now.
        breakpoints: numbers of those that stop here, lowest first; a temporary one is gone by now.
        logs: what was logged on the way, in the order of the move.
    """

    kind: StopKind
    reason: str
    position: int
    breakpoints: tuple[int, ...] = ()
    logs: tuple[LogEntry, ...] = ()

    @property
    def is_end(self) -> bool:
        """Whether the session is past its last step; ``position`` is then that of the last step."""
        return self.kind in ENDS
