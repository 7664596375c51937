"""Breakpoints: where a session stops, under which condition, and how often it was there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from opencwm.core.errors import ConfigError
from opencwm.debugger.expressions import ExpressionError, Undecided, evaluate


@dataclasses.dataclass
class Breakpoint:
    """A stop before a line runs.

    Attributes:
        number: from 1, never used again in a session.
        lineno: 1-based line in ``Program.text``.
        condition: expression over the locals of the activation; None for always.
        is_temporary: removed when it stops.
        is_enabled: whether it stops at all.
        ignore_count: how many more times it lets pass.
        num_hits: how often the line was reached with the condition met, or not decided.
    """

    number: int
    lineno: int
    condition: str | None = None
    is_temporary: bool = False
    is_enabled: bool = True
    ignore_count: int = 0
    num_hits: int = 0

    def set_condition(self, condition: str | None) -> None:
        """Change the condition; None removes it.

        Raises:
            ConfigError: it is not an expression.
        """
        check_condition(condition)
        self.condition = condition


class Breakpoints:
    """The breakpoints of one session, by number."""

    def __init__(self) -> None:
        self._items: dict[int, Breakpoint] = {}
        self._last_number = 0

    def __iter__(self) -> Iterator[Breakpoint]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Breakpoint:
        """Return breakpoint ``number``.

        Raises:
            ConfigError: there is none.
        """
        if number not in self._items:
            raise ConfigError(f"no breakpoint numbered {number}")
        return self._items[number]

    def add(self, lineno: int, condition: str | None = None, *, is_temporary: bool = False) -> Breakpoint:
        """Add one; whether the line can be reached is for the caller to know.

        Raises:
            ConfigError: the condition is not an expression.
        """
        check_condition(condition)
        self._last_number += 1
        added = Breakpoint(self._last_number, lineno, condition, is_temporary)
        self._items[added.number] = added
        return added

    def remove(self, number: int) -> Breakpoint:
        """Remove and return breakpoint ``number``.

        Raises:
            ConfigError: there is none.
        """
        found = self[number]
        del self._items[number]
        return found

    def clear(self) -> None:
        """Remove all."""
        self._items.clear()

    def at(self, lineno: int) -> list[Breakpoint]:
        """Return the enabled breakpoints of a line."""
        return [item for item in self._items.values() if item.lineno == lineno and item.is_enabled]

    def reach(self, lineno: int, texts: Mapping[str, str]) -> str | None:
        """Count that a line is reached going forward; say which breakpoint stops there, or None.

        Args:
            lineno: the line about to run.
            texts: locals of its activation, rendered.
        """
        for item in self.at(lineno):
            doubt = ""
            if item.condition is not None:
                try:
                    if not evaluate(item.condition, texts).value:
                        continue
                except Undecided as error:
                    doubt = f", its condition cannot be decided: {error}"
                except ExpressionError as error:
                    doubt = f", its condition fails: {error}"
            item.num_hits += 1
            if item.ignore_count > 0:
                item.ignore_count -= 1
                continue
            if item.is_temporary:
                del self._items[item.number]
            return f"breakpoint {item.number}, line {lineno}{doubt}"
        return None


def check_condition(condition: str | None) -> None:
    """Check that a condition is an expression.

    Raises:
        ConfigError: it is not.
    """
    if condition is None:
        return
    try:
        compile(condition.strip(), "<condition>", "eval", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"not an expression: {condition!r}", hint=str(error)) from None
