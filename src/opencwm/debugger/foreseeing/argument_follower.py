"""Follow the arguments of a call, those too that ``*`` and ``**`` stand for."""

from __future__ import annotations

import ast

from opencwm.debugger.foreseeing.expectations import Iterating, UnforeseenError
from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.iterator_follower import IteratorFollower
from opencwm.debugger.foreseeing.pure_values import is_told, text_of
from opencwm.debugger.foreseeing.rendered import MAX_ITEMS, UnreadableError
from opencwm.debugger.foreseeing.streams import Item


class ArgumentFollower(IteratorFollower):
    """What is known of arguments, and of the items of displays."""

    def _given(self, node: ast.Call) -> tuple[ast.Call, list[Item], list[Item], bool]:
        """Follow the arguments of a call.

        Returns the call with those that ``*`` and ``**`` stand for in their places, what they are worth, and
        whether they all are known as such.
        """
        nodes: list[ast.expr] = []
        keywords: list[ast.keyword] = []
        values: list[Item] = []
        is_plain = True
        for arg in node.args:
            found = self._spread_out(arg)
            is_plain = is_plain and found is not None
            values += [(None, self._changing.moment)] if found is None else found
            is_single = found is None or not isinstance(arg, ast.Starred)
            nodes += [arg] if is_single else [ast.Constant(None) for _ in found or ()]
        named: list[Item] = []
        for keyword in node.keywords:
            text, since = self._values([keyword.value])[0]
            inner = None if keyword.arg is not None else self._named_in(text)
            is_plain = is_plain and (keyword.arg is not None or inner is not None)
            named += [(text, since)] if inner is None else [(item, since) for item in inner.values()]
            keywords += (
                [keyword] if inner is None else [ast.keyword(name, ast.Constant(None)) for name in inner]
            )
        if len({keyword.arg for keyword in keywords}) < len(keywords):
            raise UnforeseenError  # TypeError
        return ast.Call(node.func, nodes, keywords), values, named, is_plain

    def _named_in(self, text: str | None) -> dict[str, str] | None:
        """Return the arguments by name that a dictionary stands for after ``**``; None if not known."""
        try:
            value = None if text is None else known_value(text)
        except Undecided:
            return None
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            return None
        if not all(map(is_told, value.values())):
            return None
        return {key: text_of(item) for key, item in value.items()}

    def _spread_out(self, node: ast.expr) -> list[Item] | None:
        """Follow an item of a display, or an argument, several after ``*``; None if not known."""
        if not isinstance(node, ast.Starred):
            return self._values([node])
        text = self._value(node.value)
        if isinstance(text, Iterating) and text.stream is not None:
            self._exhaust(text)
        try:
            values = self._known.iterated(text)
        except UnreadableError:
            return None
        if len(values) > MAX_ITEMS:
            return None
        return [(text_of(value) if is_told(value) else None, self.moment) for value in values]
