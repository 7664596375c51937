"""Numbers for what a client may ask about while the session stands still: frames, scopes, parts of values.

The one idea: a number is never used twice, so one that is kept past its stop is recognised as stale.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
from typing import TypeVar

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
_H = TypeVar("_H", FrameHandle, ScopeHandle, PartHandle)


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

    def get(self, number: int, *kinds: type[_H]) -> _H:
        """Return what a number stands for.

        Raises:
            RequestError: nothing, or nothing of these kinds, since the session last moved.
        """
        found = self._items.get(number)
        if found is None or not isinstance(found, kinds):
            raise RequestError(f"{number} stands for nothing here", hint="references end when the session moves")
        return found

    def clear(self) -> None:
        """Forget all: the session has moved."""
        self._items.clear()
