"""Follow comprehensions round by round; see :mod:`opencwm.debugger.workings`.

Their variables are set from the items of what they iterate over; what they make is put together from the
values of their rounds.
"""

from __future__ import annotations

import abc
import ast
from collections.abc import Sequence
from typing import Any, Final

from opencwm.debugger.expectations import UnforeseenError
from opencwm.debugger.expressions import Undecided, known_value
from opencwm.debugger.known import BUILT_IN, Known
from opencwm.debugger.pure_values import is_told, text_of
from opencwm.debugger.rendered import MAX_CHARS, MAX_ITEMS, UnreadableError, is_atom, truth_of

_CONSUMERS: Final = frozenset(
    {"sum", "any", "all", "list", "tuple", "set", "frozenset", "sorted", "min", "max", "dict"}
)
"""Built-in functions that ask a generator for one item after another until it ends, or they know enough."""
WHOLE_CONSUMERS: Final = _CONSUMERS - {"any", "all"}
"""Those that always ask until it ends."""
_DECIDED: Final = {"any": True, "all": False}

Round = tuple["str | None", ...]
"""What the parts of a comprehension were worth in one round."""


def consumed(node: ast.expr) -> ast.GeneratorExp | None:
    """Return the generator expression that is all a call is given; None for any other expression."""
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        return node.args[0] if isinstance(node.args[0], ast.GeneratorExp) else None
    return None


class ComprehensionFollower(abc.ABC):
    """What is known of comprehensions, and of generator expressions that are consumed on the spot."""

    _known: Known
    _state: dict[str, str]
    _is_stale: bool
    _inner: frozenset[str] = frozenset()
    """Variables of the comprehensions around; a local of that name is another one."""
    _consumption: str | None = None
    """The call that consumed a generator expression last, with a list in its place; None if not known."""

    @abc.abstractmethod
    def _value(self, node: ast.expr) -> str | None:
        """Follow an expression; return the text of its value, None when that is not known."""

    @abc.abstractmethod
    def _truth(self, node: ast.expr) -> bool:
        """Follow an expression; return the truth of its value."""

    def _listcomp(self, node: ast.ListComp) -> str | None:
        return self._joined_rounds("[%s]", self._comprehension(node.generators, [node.elt]))

    def _setcomp(self, node: ast.SetComp) -> str | None:
        self._comprehension(node.generators, [node.elt])
        return None

    def _dictcomp(self, node: ast.DictComp) -> str | None:
        text = self._joined_rounds("{%s}", self._comprehension(node.generators, [node.key, node.value]))
        try:
            is_whole = text is not None and text_of(known_value(text)) == text  # no key came twice
        except Undecided:
            is_whole = False
        return text if is_whole else None

    def _consumed(self, function: ast.expr, node: ast.GeneratorExp) -> str | None:
        """Follow a call whose one argument is a generator expression."""
        called = name = function.id if isinstance(function, ast.Name) else ""
        if isinstance(function, ast.Attribute) and function.attr == "join":
            text = self._value(function.value)
            if text is None or text[0] not in "'\"":
                raise UnforeseenError
            called = f"{text}.join"
        elif name not in _CONSUMERS or not self._known.constants.get(name, "").startswith(BUILT_IN):
            raise UnforeseenError
        rounds = self._comprehension(node.generators, [node.elt], until=_DECIDED.get(name))
        if name in _DECIDED:
            is_cut = bool(rounds) and truth_of(rounds[-1][0]) is _DECIDED[name]
            return repr(_DECIDED[name] if is_cut else not _DECIDED[name])
        items = self._together("[%s]", rounds)
        self._consumption = None if items is None else f"{called}({items})"
        return self._joined_rounds("[%s]", rounds) if name == "list" else None

    def _joined_rounds(self, form: str, rounds: Sequence[Round]) -> str | None:
        """Return how what a comprehension made reads; None where that is not known."""
        text = self._together(form, rounds)
        return text if text is not None and len(text) <= MAX_CHARS else None

    def _together(self, form: str, rounds: Sequence[Round]) -> str | None:
        parts = []
        for made in rounds:
            known = [text for text in made if text is not None]
            if len(known) < len(made) or (self._is_stale and not all(map(is_atom, known))):
                return None
            parts.append(": ".join(known))
        return form % ", ".join(parts)

    def _comprehension(
        self, generators: Sequence[ast.comprehension], parts: Sequence[ast.expr], until: bool | None = None
    ) -> list[Round]:
        """Follow all rounds, or those up to the first whose part is as true as ``until``."""
        if any(generator.is_async for generator in generators):
            raise UnforeseenError
        rounds = list[Round]()
        items = self._items(generators[0].iter)
        own = {node.id for part in generators for node in ast.walk(part.target) if isinstance(node, ast.Name)}
        hidden = {name: self._state[name] for name in own if name in self._state}
        outer, self._inner = self._inner, self._inner | own
        self._rounds(generators, items, parts, rounds, until)
        self._inner = outer
        self._state = {name: text for name, text in self._state.items() if name not in own} | hidden
        return rounds

    def _rounds(
        self,
        generators: Sequence[ast.comprehension],
        items: Sequence[Any],
        parts: Sequence[ast.expr],
        rounds: list[Round],
        until: bool | None,
    ) -> bool:
        """Follow the rounds of the first generator; return whether it is decided that no more come."""
        first, *rest = generators
        if len(items) > MAX_ITEMS:
            raise UnforeseenError
        for item in items:
            self._bind(first.target, item)
            if not all(self._truth(test) for test in first.ifs):
                continue
            if rest:
                if self._rounds(rest, self._items(rest[0].iter), parts, rounds, until):
                    return True
                continue
            rounds.append(tuple([self._value(part) for part in parts]))
            if len(rounds) > MAX_ITEMS:
                raise UnforeseenError
            if until is not None:
                truth = truth_of(rounds[-1][0])
                if truth is None:
                    raise UnforeseenError
                if truth is until:
                    return True
        return False

    def _items(self, node: ast.expr) -> Sequence[Any]:
        try:
            return self._known.iterated(self._value(node))
        except UnreadableError:
            raise UnforeseenError from None

    def _bind(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            if not is_told(value):
                raise UnforeseenError
            self._state[target.id] = text_of(value)
            return
        if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, tuple | list | str):
            raise UnforeseenError
        if len(value) != len(target.elts):
            raise UnforeseenError
        for part, item in zip(target.elts, value, strict=True):
            self._bind(part, item)
