"""Iterators that are followed item by item: what each gives next, and what is entered for that.

The one idea: an iterator is told as what it is made of. ``zip(map(f, xs), ys)`` is a list, a function that is
applied to its items, another list, and pairs of both; asked for an item it asks its parts, in the order in
which Python does. So functions of the program, and generators, are entered when they would be, and an
iterator that is kept in a local is known by how far it has come.

Nothing is run here: what a function is worth is asked of whoever follows the line.
"""

from __future__ import annotations

import abc
import ast
import copy
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Protocol

from opencwm.debugger.foreseeing.arguments import CallSite
from opencwm.debugger.foreseeing.expectations import Entered, Memory, UnforeseenError
from opencwm.debugger.foreseeing.rendered import is_atom

Item = tuple["str | None", int]
"""How an item reads, None where that is not known, and the moment at which it did."""


@dataclasses.dataclass(frozen=True, slots=True)
class Called:
    """A function that an iterator calls.

    Attributes:
        text: how it reads.
        python: the function, where it is one of Python that only works something out.
        first: first line of its definition, where it is one of the program.
    """

    text: str
    python: Any = None
    first: int = 0


class Following(Protocol):
    """Who follows the line on which an iterator is asked for an item."""

    @property
    def moment(self) -> int:
        """How many changes there have been on the line."""

    @property
    def epoch(self) -> tuple[object, int]:
        """The line, and the moment at which it began or went on: before, anything may have happened."""

    @property
    def locals_now(self) -> Mapping[str, str]:
        """How the locals read."""

    def applied(self, function: Called, args: Sequence[Item]) -> Item:
        """Follow the call of a function."""

    def is_true(self, item: Item) -> bool:
        """Return the truth of an item; raise UnforeseenError where that is not known."""

    def summed(self, left: Item, right: Item) -> Item:
        """Return ``left + right``."""

    def resumed(self, stream: Generated) -> str | None:
        """Return what a generator of the program hands out next, None at its end."""

    def next_round(self, rounds: Rounds) -> Sequence[Item] | None:
        """Follow the next round of a comprehension; return what its parts are worth, None at its end."""

    def has_changed(self, text: str, since: int) -> bool:
        """Whether what read so at a moment may read otherwise now."""

    def joined(self, items: Sequence[Item]) -> Item:
        """Return the tuple of some items."""

    def spread(self, item: Item) -> Sequence[Item]:
        """Return the items of an item."""


class Stream(abc.ABC):
    """An iterator.

    Attributes:
        is_lost: something else may have asked it, or what it asks, for items.
    """

    is_lost = False

    @abc.abstractmethod
    def pull(self, by: Following) -> Item | None:
        """Return its next item, None at its end.

        Raises:
            EnteringError, ResumingError: a function is entered for it, or a generator goes on.
            UnforeseenError: it is not known.
        """

    def lose(self) -> None:
        """Note that something else may ask for its items from now on, and those of its parts."""
        for part in self.all_parts():
            part.is_lost = True

    def all_parts(self) -> list[Stream]:
        """Return it and what it asks for items, and those in turn."""
        found: list[Stream] = [self]
        for stream in found:  # grows
            found += [part for part in stream._own_parts() if not any(part is other for other in found)]
        return found

    def _own_parts(self) -> list[Stream]:
        """Return what it asks for items itself."""
        values = (value if isinstance(value, list) else [value] for value in vars(self).values())
        return [part for several in values for part in several if isinstance(part, Stream)]

    def disturb(self) -> None:
        """Note that something may have changed what it goes through unseen."""
        for value in vars(self).values():
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, Stream):
                    part.disturb()

    def is_free(self) -> bool:
        """Whether what it gives does not depend on the locals around it."""
        functions = [value for value in vars(self).values() if isinstance(value, Called)]
        parts = self._own_parts()
        is_closed = all(called.python is not None or "<locals>" not in called.text for called in functions)
        return not self.is_lost and is_closed and all(part.is_free() for part in parts)

    def copy(self, known: dict[int, Stream]) -> Stream:
        """Return an independent copy; ``known`` has those made already, by identity."""
        if id(self) not in known:
            made = known[id(self)] = copy.copy(self)
            for name, value in vars(self).items():
                if isinstance(value, Stream):
                    setattr(made, name, value.copy(known))
                elif isinstance(value, list):
                    setattr(made, name, [_copied(item, known) for item in value])
        return known[id(self)]


def _copied(item: Any, known: dict[int, Stream]) -> Any:
    return item.copy(known) if isinstance(item, Stream) else item


UNCHANGING: Final = "None"
"""Stands for what an iterator goes through that cannot change."""


class Fixed(Stream):
    """The items of a value that is known, as long as it reads as it did.

    Args:
        items: those.
        text: how what they are the items of reads.
        by: who follows the line on which it is made.
        holders: locals that may hold it, with those parts of their text; None where it may change unseen.
    """

    def __init__(
        self,
        items: Sequence[str | None],
        text: str,
        by: Following,
        holders: Mapping[str, frozenset[str]] | None,
    ) -> None:
        self._items = tuple(items)
        self._text = text
        self._epoch, self._since = by.epoch, by.moment
        self._holders = holders
        self._is_bare = False  # a local that held it does so no more
        self._place = 0

    def leave(self, names: Collection[str]) -> None:
        """Note that locals that may have held what it goes through get another value."""
        if self._holders is not None and not self._holders.keys().isdisjoint(names):
            self._holders = {name: shown for name, shown in self._holders.items() if name not in names}
            self._is_bare = True

    def disturb(self) -> None:
        """Note that something may have changed what it goes through; no local would show it."""
        self.is_lost = self.is_lost or self._is_bare

    def is_free(self) -> bool:
        """Whether it is known that nothing changes what it goes through."""
        return not self.is_lost and self._text == UNCHANGING

    def pull(self, by: Following) -> Item | None:
        """Return the next item."""
        if self.is_lost:
            raise UnforeseenError
        if by.epoch != self._epoch:  # what it holds reads as it did then, or has changed meanwhile
            if self._holders is None or (self._is_bare and by.epoch[1]):
                raise UnforeseenError
            state = by.locals_now
            held = [(state.get(name, ""), shown) for name, shown in self._holders.items()]
            if any(piece not in text for text, shown in held for piece in shown):
                raise UnforeseenError
            self._epoch = by.epoch
            self._since = self._epoch[1]
        if by.has_changed(self._text, self._since):
            raise UnforeseenError
        if self._place == len(self._items):
            return None
        self._place += 1
        return self._items[self._place - 1], by.moment


class Generated(Stream):
    """A generator of the program.

    Attributes:
        first: first line of its function.
        call: that made it.
        made_at: the line on which that was, and the moment.
        given: how the objects read that it was given.
        handed_out: how those read that it has handed out.
        is_closed: its function has no free variables.
        returned: what it has returned at its end, as it reads; None where that is not known.
        suspended: its activation, once it has handed out something.
        left: who followed the line on which it did, and what that line had done until then.
    """

    def __init__(self, first: int, call: CallSite, by: Following, *, is_closed: bool) -> None:
        self.first, self.call, self.is_closed = first, call, is_closed
        self.made_at = by.epoch, by.moment
        self.given = [*call.args, *call.keywords.values(), *([call.receiver] if call.is_method else [])]
        self.handed_out: list[str | None] = []
        self.returned: str | None = None
        self.suspended: Memory | None = None
        self.left: tuple[Any, ...] = ()
        self._is_over = False

    def is_free(self) -> bool:
        """Whether nothing but its arguments has a part in it."""
        return not self.is_lost and self.is_closed

    def is_fixed(self, entered: Entered) -> bool:
        """Whether nothing that it reaches has changed while it ran: what it was given, and has handed out."""
        is_given_fixed = all(text is not None and is_atom(text) for text in self.given)
        is_handed_fixed = all(text is not None and is_atom(text) for text in self.handed_out)
        return is_handed_fixed and (is_given_fixed or entered.is_reading)

    def pull(self, by: Following) -> Item | None:
        """Return what it hands out."""
        if self.is_lost:
            raise UnforeseenError
        text = None if self._is_over else by.resumed(self)
        self._is_over = text is None
        return None if text is None else (text, by.moment)


class Mapped(Stream):
    """``map``, or with ``is_spread`` ``itertools.starmap``."""

    def __init__(self, function: Called, parts: list[Stream], *, is_spread: bool = False) -> None:
        self._function, self._parts, self._is_spread = function, parts, is_spread

    def pull(self, by: Following) -> Item | None:
        """Return what the function gives for the next items."""
        items = _pulled(self._parts, by)
        if items is None:
            return None
        return by.applied(self._function, by.spread(items[0]) if self._is_spread else items)


class Filtered(Stream):
    """``filter``, or ``itertools.filterfalse`` where those are kept for which the function does not hold."""

    def __init__(self, function: Called | None, part: Stream, *, keeps: bool = True) -> None:
        self._function, self._part, self._keeps = function, part, keeps

    def pull(self, by: Following) -> Item | None:
        """Return the next item that is kept."""
        while (item := self._part.pull(by)) is not None:
            since = by.moment
            tested = item if self._function is None else by.applied(self._function, [item])
            if by.is_true(tested) is self._keeps:
                return item[0], min(item[1], since)
        return None


class While(Stream):
    """``itertools.takewhile`` and ``itertools.dropwhile``."""

    def __init__(self, function: Called, part: Stream, *, takes: bool) -> None:
        self._function, self._part, self._takes = function, part, takes
        self._is_past = False

    def pull(self, by: Following) -> Item | None:
        """Return the next item that is let through."""
        if self._is_past:
            return None if self._takes else self._part.pull(by)
        while (item := self._part.pull(by)) is not None:
            holds = by.is_true(by.applied(self._function, [item]))
            self._is_past = not holds
            if self._is_past:
                return None if self._takes else item
            if self._takes:
                return item
        return None


class Zipped(Stream):
    """``zip``; with ``is_strict`` all parts have to come to their end together."""

    def __init__(self, parts: list[Stream], *, is_strict: bool = False) -> None:
        self._parts, self._is_strict = parts, is_strict

    def pull(self, by: Following) -> Item | None:
        """Return the next items of all parts."""
        items = _pulled(self._parts, by) if self._parts else None
        if items is None and self._is_strict:
            self.lose()  # one of them may have been asked that has more, and it raises
        return None if items is None else by.joined(items)


class Trunk(Stream):
    """What the iterators of ``itertools.tee`` share.

    Args:
        part: the iterator that they ask.
    """

    def __init__(self, part: Stream) -> None:
        self._part = part
        self._items: list[tuple[Item | None, tuple[object, int]]] = []

    def pull(self, by: Following) -> Item | None:
        """Return its next item."""
        return self.at(len(self._items), by)

    def at(self, place: int, by: Following) -> Item | None:
        """Return the item at a place, or that behind the last one."""
        if place == len(self._items):
            self._items.append((self._part.pull(by), by.epoch))
        item, epoch = self._items[place]
        if item is not None and epoch != by.epoch and not is_atom(item[0] or ""):
            raise UnforeseenError  # perhaps changed since
        return item if item is None or epoch == by.epoch else (item[0], by.moment)


class Branch(Stream):
    """An iterator of ``itertools.tee``."""

    def __init__(self, trunk: Trunk) -> None:
        self._trunk, self._place = trunk, 0

    def pull(self, by: Following) -> Item | None:
        """Return the item that it has not handed out yet."""
        if self.is_lost:
            raise UnforeseenError
        item = self._trunk.at(self._place, by)
        self._place += item is not None
        return item


class Enumerated(Stream):
    """``enumerate``."""

    def __init__(self, part: Stream, start: int) -> None:
        self._part, self._number = part, start

    def pull(self, by: Following) -> Item | None:
        """Return the next item with its number."""
        item = self._part.pull(by)
        if item is None:
            return None
        self._number += 1
        return by.joined([(repr(self._number - 1), by.moment), item])


class Sliced(Stream):
    """``itertools.islice``; without a stop it goes on to the end."""

    def __init__(self, part: Stream, start: int, stop: int | None, step: int) -> None:
        self._part, self._next, self._stop, self._step = part, start, stop, step
        self._number = 0  # how many it has asked for

    def pull(self, by: Following) -> Item | None:
        """Return the next item that is among the places."""
        while self._number < self._next:
            if self._part.pull(by) is None:
                return None
            self._number += 1
        if self._stop is not None and self._number >= self._stop:
            return None
        item = self._part.pull(by)
        self._number += 1
        self._next += self._step
        if self._stop is not None:
            self._next = min(self._next, self._stop)
        return item


class Chained(Stream):
    """``itertools.chain``."""

    def __init__(self, parts: list[Stream]) -> None:
        self._parts = parts

    def pull(self, by: Following) -> Item | None:
        """Return the next item of the first part that has one."""
        while self._parts:
            item = self._parts[0].pull(by)
            if item is not None:
                return item
            self._parts = self._parts[1:]
        return None


class Counted(Stream):
    """``itertools.count``; with a step of None ``itertools.repeat``, which does not end."""

    def __init__(self, start: Item, step: Item | None) -> None:
        self._item, self._step = start, step

    def is_free(self) -> bool:
        """Whether nothing changes what it hands out."""
        return not self.is_lost and self._item[0] is not None and is_atom(self._item[0])

    def pull(self, by: Following) -> Item | None:
        """Return the next number."""
        if self.is_lost:
            raise UnforeseenError
        item = self._item
        if self._step is not None:
            self._item = by.summed(item, self._step)
        return item


class Compressed(Stream):
    """``itertools.compress``."""

    def __init__(self, part: Stream, selectors: Stream) -> None:
        self._part, self._selectors = part, selectors

    def pull(self, by: Following) -> Item | None:
        """Return the next item that is selected."""
        while (items := _pulled([self._part, self._selectors], by)) is not None:
            if by.is_true(items[1]):
                return items[0]
        return None


class Accumulated(Stream):
    """``itertools.accumulate``."""

    def __init__(self, part: Stream, function: Called | None) -> None:
        self._part, self._function = part, function
        self._total: Item | None = None

    def pull(self, by: Following) -> Item | None:
        """Return the next total."""
        item = self._part.pull(by)
        if item is None:
            return None
        if self._total is not None and not is_atom(self._total[0] or ""):
            raise UnforeseenError  # perhaps changed since
        if self._total is None:
            self._total = item
        elif self._function is None:
            self._total = by.summed(self._total, item)
        else:
            self._total = by.applied(self._function, [self._total, item])
        return self._total


class Rounds(Stream):
    """The rounds of a comprehension, or the items of a generator expression.

    Attributes:
        generators: its loops.
        parts: what is evaluated in each round.
        levels: what the loops go through that are under way, the outermost first.
        own: its variables.
        bound: how those read, and since when.
        epoch: of the line that followed the last round.
    """

    def __init__(
        self, generators: Sequence[ast.comprehension], parts: Sequence[ast.expr], outermost: Stream
    ) -> None:
        self.generators, self.parts, self.levels = generators, parts, [outermost]
        targets = [node for part in generators for node in ast.walk(part.target)]
        self.own = frozenset(node.id for node in targets if isinstance(node, ast.Name))
        self.bound: dict[str, tuple[str, int]] = {}
        self.epoch: tuple[object, int] | None = None

    def is_free(self) -> bool:
        """Whether its expressions mean the same elsewhere: they do not."""
        return False

    def pull(self, by: Following) -> Item | None:
        """Return what the next round makes; its expressions are those of the line around it."""
        if self.is_lost:
            raise UnforeseenError
        made = by.next_round(self)
        return None if made is None else made[0]


def _pulled(parts: Sequence[Stream], by: Following) -> list[Item] | None:
    """Return the next items of some parts, None where one has come to its end."""
    items = []
    for part in parts:
        item = part.pull(by)
        if item is None:
            return None
        items.append(item)
    return items
