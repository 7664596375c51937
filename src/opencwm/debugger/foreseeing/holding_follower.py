"""Follow who has the iterators that locals are: a call that is given one, or what else the line makes of it.

An iterator that something else may have as well is not known any more once that may have asked it for items.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

from opencwm.debugger.foreseeing.arguments import CallSite
from opencwm.debugger.foreseeing.comprehension_follower import ComprehensionFollower
from opencwm.debugger.foreseeing.expectations import Iterating, UnforeseenError


class HoldingFollower(ComprehensionFollower):
    """What is known of who has iterators.

    Attributes:
        loose: iterators of locals that the line has done more with than ask them for items.
        loose_before: those that it has come by again since.
    """

    loose: dict[str, Iterating]
    loose_before: list[Iterating]
    calls: list[CallSite]
    _loose_since: dict[str, tuple[int, int]]
    """When a local was come by that is one of those, by changes and calls."""

    def _kept_iterator(self, name: str, made: Iterating) -> str:
        """Return the iterator that a local is."""
        if made.stream is None:
            try:
                made.stream = self._stream(made)
            except UnforeseenError:
                return str(made)
        if name in self.loose:
            self.loose_before.append(self.loose.pop(name))
        now = self.moment, len(self.calls)
        is_loose = any(other.stream is made.stream for other in self.loose_before)
        if is_loose and self._loose_since.get(name) != now:
            made.stream.lose()  # what has it may have been given to what has run since
        iterator = self.loose[name] = Iterating(made, stream=made.stream)
        self._loose_since[name] = now
        iterator.is_held = True
        return iterator

    def _uses(self, iterator: Iterating) -> None:
        self.loose_before = [other for other in self.loose_before if other is not iterator]
        for name in [name for name, other in self.loose.items() if other is iterator]:
            del self.loose[name]

    def _use(self, *texts: str | None) -> None:
        """Note that iterators among some values are looked at, and no more."""
        for text in texts:
            if isinstance(text, Iterating):
                self._uses(text)

    def _is_had_twice(self, iterator: Iterating) -> bool:
        """Whether something else on the line may have an iterator, or what that asks for items."""
        others = [
            other.stream for other in (*self.loose.values(), *self.loose_before) if other is not iterator
        ]
        own = set(map(id, iterator.stream.all_parts())) if iterator.stream is not None else set()
        return any(id(part) in own for other in others if other is not None for part in other.all_parts())

    def _hands_on(self, texts: Sequence[str | None]) -> None:
        """Note that a call may ask iterators for items that it is given, or keep them."""
        given = [text for text in texts if isinstance(text, Iterating) and text.stream is not None]
        for text in given if len(given) == 1 or self._are_apart(given) else ():
            if text.stream is not None and text.stream.is_free() and not self._is_had_twice(text):
                text.handed = text.stream.copy({})
        for text in given:
            if text.stream is not None:
                text.stream.lose()

    @abc.abstractmethod
    def _are_apart(self, given: Sequence[Iterating]) -> bool:
        """Whether none of several iterators is a part of another."""
