"""What a line leaves behind for those to come: locals whose text does not tell what they are."""

from __future__ import annotations

import ast

from opencwm.debugger.foreseeing.buffers import Buffer, is_used_later
from opencwm.debugger.foreseeing.expectations import (
    COUNTER,
    Iterating,
    Made,
    Outcome,
    Several,
    UnforeseenError,
)
from opencwm.debugger.foreseeing.hooks import holders
from opencwm.debugger.foreseeing.streams import Fixed, Stream
from opencwm.debugger.foreseeing.with_follower import WithFollower


class KeepingFollower(WithFollower):
    """Follows a line and remembers what locals have become."""

    _bound: set[str]
    """Names that the line binds."""
    _subject: str | None = None
    """Of the ``match`` that the line is in."""

    def keep(self, outcome: Outcome) -> None:
        """Remember what locals are now whose text does not tell."""
        self._memory.subject = self._subject
        kept = {
            name: text
            for name, text in outcome.values.items()
            if isinstance(text, Made) and self._may_keep(name, text)
        }
        for before in self.loose_before:
            if before.stream is not None and not any(before is text for text in kept.values()):
                before.stream.lose()
        made = self._memory.made
        for name in {*self._bound, *self.loose}:
            other = self.loose.get(name)
            is_part = other is not None and any(other is text for text in kept.values())
            if other is not None and other.stream is not None and not is_part:
                other.stream.lose()
            if name in self._bound or not is_part:
                made.pop(name, None)
        is_elsewhere = bool(self._memory.entered) or (
            self._memory.num_yields > 0 and not self._memory.is_at_once
        )
        for name in [name for name, text in made.items() if text.startswith(COUNTER)]:
            if is_elsewhere or name not in outcome.untouched:
                del made[name]
        if is_elsewhere or not outcome.is_pure:
            for stream in self._streams():
                stream.disturb()
        for text in kept.values():
            if isinstance(text, Iterating) and isinstance(text.stream, Fixed):
                text.stream.leave(self._bound)
        made.update(kept)

    def _streams(self) -> list[Stream]:
        """Return the iterators that are under way before the line and go on behind it."""
        loops = [loop.stream for loop in self._memory.loops.values()]
        made = [text.stream for text in self._memory.made.values() if isinstance(text, Iterating)]
        return [stream for stream in (*loops, *made) if stream is not None]

    def _may_keep(self, name: str, text: Made) -> bool:
        """Whether what a local is now is known from now on, an iterator item by item."""
        if any(text is other and not other.is_over_another for other in self.loose.values()):
            return False
        if not isinstance(text, Iterating):
            return not isinstance(text, Several)
        functions, first = self._known.functions, self._memory.first
        if functions.is_reached(first, name):
            return False
        if isinstance(text.stream, Buffer) and is_used_later(functions.definition(first), name):
            return False
        if text.stream is None:
            try:
                text.stream = self._stream(text)
            except UnforeseenError:
                return False
        return True

    def _remember_method(self, node: ast.Assign) -> None:
        """Note that a local becomes a method of what another one is: ``add = found.append``."""
        pairs = [(node.targets[0], node.value)]
        if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(node.targets[0].elts, node.value.elts, strict=False))
        for target, value in pairs:
            if isinstance(target, ast.Starred) or isinstance(value, ast.Starred):
                return
            owner, fields = holders(value)
            is_method = len(fields) == 1 and fields[0] is not None and owner not in self._bound
            if isinstance(target, ast.Name) and is_method and owner in self._state:
                self._memory.methods[target.id] = owner, fields[0] or ""
