"""Numbers for what a client may ask about while the session stands still: frames, scopes, parts of values.

The one idea: a number is never used twice, so one that is kept past its stop is recognised as stale.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools

from opencwm.debugger.execution import Value
from opencwm.frontends.dap.messages import RequestError


class ScopeKind(enum.StrEnum):
    """What a scope holds; its value is what the user reads."""

    LOCALS = "Locals"
    VALUE = "Value"  # what is returned, yielded or raised at this step
    EVALUATED = "Worked out"  # sub-expressions on the way here
    REAL = "Real run"  # the locals of the same step of the real run


@dataclasses.dataclass(frozen=True, slots=True)
class FrameHandle:
    """An activation: ``level`` indexes the stack, outermost first."""

    level: int


@dataclasses.dataclass(frozen=True, slots=True)
class ScopeHandle:
    """The variables of an activation."""

    level: int
    kind: ScopeKind


@dataclasses.dataclass(frozen=True, slots=True)
class PartHandle:
    """A value with parts.

    Attributes:
        scope: where its variable lives; None for the value of an expression.
        path: name of the variable, then of each part below it.
        access: what to write to reach it; empty when nothing does.
        value: the value itself.
    """

    scope: ScopeHandle | None
    path: tuple[str, ...]
    access: str
    value: Value


Handle = FrameHandle | ScopeHandle | PartHandle


class Handles:
    """The numbers given out since the session last moved."""

    def __init__(self) -> None:
        self._items: dict[int, Handle] = {}
        self._numbers = itertools.count(1)

    def add(self, item: Handle) -> int:
        """Return a new number for something."""
        number = next(self._numbers)
        self._items[number] = item
        return number

    def level(self, number: int) -> int:
        """Return the level of a frame.

        Raises:
            RequestError: there is no such frame since the session last moved.
        """
        found = self._items.get(number)
        if not isinstance(found, FrameHandle):
            raise _stale(number, "frame")
        return found.level

    def holder(self, number: int) -> ScopeHandle | PartHandle:
        """Return the scope or value that holds variables.

        Raises:
            RequestError: there is none since the session last moved.
        """
        found = self._items.get(number)
        if found is None or isinstance(found, FrameHandle):
            raise _stale(number, "scope or value")
        return found

    def clear(self) -> None:
        """Forget all: the session has moved."""
        self._items.clear()


def _stale(number: int, what: str) -> RequestError:
    return RequestError(f"no {what} {number} here", hint="numbers end when the session moves")
