"""Follow ``sorted``, ``min``, ``max`` and ``list.sort`` by key functions."""

from __future__ import annotations

import abc
import ast
from collections.abc import Mapping, Sequence

from opencwm.debugger.foreseeing.argument_follower import ArgumentFollower
from opencwm.debugger.foreseeing.keyed import KEYED, chosen
from opencwm.debugger.foreseeing.known import BUILT_IN
from opencwm.debugger.foreseeing.pure_values import is_told, text_of
from opencwm.debugger.foreseeing.rendered import MAX_ITEMS, UnreadableError
from opencwm.debugger.foreseeing.streams import Called
from opencwm.debugger.foreseeing.touching import pieces


class SortingFollower(ArgumentFollower):
    """What is known of what is put in order."""

    _calculates: bool

    @abc.abstractmethod
    def _noted(self, node: ast.expr, before: str, changed: tuple[str, str]) -> str | None:
        """Note that an object reads otherwise now; return what it gave for that, None if not known."""

    def _keyed(self, name: str, args: Sequence[str | None], named: Mapping[str, str | None]) -> str | None:
        """Follow a sort, or a choice, by a function of the program; return what it gives if that is known."""
        functions, key = self._known.functions, named.get("key")
        first = self._first_of(key)
        definition = functions.definition(first)
        if name not in KEYED or len(args) != 1 or definition is None or not functions.is_plain(first):
            return None
        if not self._known.constants.get(name, "").startswith(BUILT_IN) or definition.decorator_list:
            return None
        if len(definition.args.args) != 1 or not named.keys() <= {"key", "reverse", "default"}:
            return None
        return self._chosen(name, args[0], Called(key or "", first=first), named)

    def _chosen(
        self, name: str, text: str | None, key: Called, named: Mapping[str, str | None]
    ) -> str | None:
        """Follow the calls of a key function; return what a function of :data:`KEYED` gives by them."""
        try:
            items = self._known.iterated(text)
        except UnreadableError:
            return None
        keys, since = [], self._changing.moment
        for item in items if len(items) <= MAX_ITEMS and all(map(is_told, items)) else ():
            keys.append(self.applied(key, [(text_of(item), since)])[0])
            if keys[-1] is None:
                return None
        if self._known.disguises.may_change(text, *keys):
            return None
        found = chosen(name, items, [text for text in keys if text is not None], named)
        return None if found is None or self._is_changed_inside(found, since) else found

    def _is_changed_inside(self, text: str, since: int) -> bool:
        """Whether what is in a new list, or is an item of one, may have changed since a moment."""
        inside = pieces(text)
        return (
            self._changing.moment > since
            and inside != frozenset()
            and (
                inside is None
                or text[0] not in "[{"
                or any(self._changing.is_changed(piece, since) for piece in inside - {text})
            )
        )

    def _sorted_in_place(
        self, node: ast.Call, function: ast.Attribute, receiver: str, named: Mapping[str, str | None]
    ) -> str | None:
        """Take note of what ``list.sort`` does by a key function; return what it gives, if that is known."""
        keys = [keyword.value for keyword in node.keywords if keyword.arg == "key"]
        called = self._called_by(keys[0], named["key"]) if keys and self._calculates else None
        if called is None or not named.keys() <= {"key", "reverse"}:
            return None
        began = self._changing.moment
        found = "[]" if receiver == "[]" else self._chosen("sorted", receiver, called, named)
        if found is None or self._current(receiver, began) is None:
            return None
        return self._noted(function.value, receiver, ("None", found))
