"""Follow comprehensions round by round; see :mod:`opencwm.debugger.workings`.

Their variables are set from the items of what they iterate over; what they make is put together from the
values of their rounds.
"""

from __future__ import annotations

import abc
import ast
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Final

from opencwm.debugger.expectations import Iterating, UnforeseenError
from opencwm.debugger.expressions import Undecided, known_value
from opencwm.debugger.hooks import arguments, hook_name
from opencwm.debugger.known import BUILT_IN, Known
from opencwm.debugger.pure_values import is_told, text_of
from opencwm.debugger.rendered import MAX_CHARS, MAX_ITEMS, UnreadableError, truth_of
from opencwm.debugger.touching import FOREVER, Changing, pieces

_CONSUMERS: Final = frozenset(
    {"sum", "any", "all", "list", "tuple", "set", "frozenset", "sorted", "min", "max", "dict"}
)
"""Built-in functions that ask a generator for one item after another until it ends, or they know enough."""
WHOLE_CONSUMERS: Final = _CONSUMERS - {"any", "all"}
"""Those that always ask until it ends."""
_BRACKETS: Final = ast.List | ast.Dict | ast.Set | ast.Tuple
_DISPLAYS: Final = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
_DECIDED: Final = {"any": True, "all": False}

Round = tuple["str | None", ...]
"""What the parts of a comprehension were worth in one round."""


_Rounds = list[tuple["str | None", int]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Items:
    """What a comprehension iterates over.

    Attributes:
        values: its items.
        text: of what they are the items of.
        since: the moment at which that was current.
    """

    values: Sequence[Any]
    text: str
    since: int


def consumed(node: ast.expr) -> ast.GeneratorExp | None:
    """Return the generator expression that is all a call is given; None for any other expression."""
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        return node.args[0] if isinstance(node.args[0], ast.GeneratorExp) else None
    return None


class ComprehensionFollower(abc.ABC):
    """What is known of comprehensions, and of generator expressions that are consumed on the spot."""

    _known: Known
    _state: dict[str, str]
    _changing: Changing
    _born: dict[str, int]
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
            if len(known) < len(made):
                return None
            parts.append(": ".join(known))
        return form % ", ".join(parts)

    def _comprehension(
        self, generators: Sequence[ast.comprehension], parts: Sequence[ast.expr], until: bool | None = None
    ) -> list[Round]:
        """Follow all rounds, or those up to the first whose part is as true as ``until``."""
        if any(generator.is_async for generator in generators):
            raise UnforeseenError
        rounds = list[_Rounds]()
        items = self._items(generators[0].iter)
        own = {node.id for part in generators for node in ast.walk(part.target) if isinstance(node, ast.Name)}
        hidden = {name: self._state[name] for name in own if name in self._state}
        born = dict(self._born)
        outer, self._inner = self._inner, self._inner | own
        self._rounds(generators, items, parts, rounds, until)
        self._inner = outer
        self._state = {name: text for name, text in self._state.items() if name not in own} | hidden
        self._born = {name: since for name, since in self._born.items() if name not in own}
        self._born |= {name: since for name, since in born.items() if name in own}
        return [tuple([self._current(text, since) for text, since in made]) for made in rounds]

    def _rounds(
        self,
        generators: Sequence[ast.comprehension],
        items: _Items,
        parts: Sequence[ast.expr],
        rounds: list[_Rounds],
        until: bool | None,
    ) -> bool:
        """Follow the rounds of the first generator; return whether it is decided that no more come."""
        first, *rest = generators
        if len(items.values) > MAX_ITEMS:
            raise UnforeseenError
        for item in items.values:
            if self._changing.is_changed(items.text, items.since):
                raise UnforeseenError
            self._bind(first.target, item)
            if not all(self._truth(test) for test in first.ifs):
                continue
            if rest:
                if self._rounds(rest, self._items(rest[0].iter), parts, rounds, until):
                    return True
                continue
            rounds.append(self._values(parts))
            if len(rounds) > MAX_ITEMS:
                raise UnforeseenError
            if until is not None:
                truth = truth_of(rounds[-1][0][0])
                if truth is None:
                    raise UnforeseenError
                if truth is until:
                    return True
        return False

    def _values(self, nodes: Iterable[ast.expr]) -> _Rounds:
        """Follow expressions; return the text of each with the moment at which it was current."""
        values = []
        for node in nodes:
            text = self._value(node)
            values.append((text, self._moment_of(node, text)))
        return values

    def _moment_of(self, node: ast.expr | None, text: str | None) -> int:
        """Return since when the value of an expression is current: for good, if nothing else has it."""
        if node is None or text is None or not self._is_new(node, text):
            return self._changing.moment
        is_alone = pieces(text) == frozenset({text}) or all(
            isinstance(part, ast.expr_context | ast.Constant | _BRACKETS)
            or (isinstance(part, ast.expr) and hook_name(part))
            for part in ast.walk(node)
        )
        return FOREVER if is_alone else self._changing.moment

    def _is_new(self, node: ast.expr, text: str) -> bool:
        """Whether the value of an expression is a list, dictionary or set that nothing else holds."""
        if text[0] not in "[{" or self._known.is_disguised:
            return False
        while hook_name(node) in ("operand", "result"):
            node = arguments(node)[-1]
        if isinstance(node, ast.Subscript):
            return isinstance(node.slice, ast.Slice)
        return isinstance(node, _DISPLAYS)

    def _current(self, text: str | None, since: int, until: int | None = None) -> str | None:
        """Return a text that was current at a moment, None where it may not be so any more."""
        now = self._changing.moment if until is None else until
        if text is None or since >= now:
            return text
        is_changed = isinstance(text, Iterating) or self._changing.is_changed(text, since, until)
        return None if is_changed else text

    def _items(self, node: ast.expr) -> _Items:
        text = self._value(node)
        try:
            items = self._known.iterated(text)
        except UnreadableError:
            raise UnforeseenError from None
        source = text.source if isinstance(text, Iterating) else text
        return _Items(items, source or "", self._changing.moment)

    def _bind(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            if not is_told(value):
                raise UnforeseenError
            self._state[target.id] = text_of(value)
            self._born[target.id] = self._changing.moment
            return
        if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, tuple | list | str):
            raise UnforeseenError
        if len(value) != len(target.elts):
            raise UnforeseenError
        for part, item in zip(target.elts, value, strict=True):
            self._bind(part, item)
