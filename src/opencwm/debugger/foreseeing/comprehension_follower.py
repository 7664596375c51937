"""Follow comprehensions round by round; see :mod:`.workings`.

Their variables are set from the items of what they iterate over; what they make is put together from the
values of their rounds.
"""

from __future__ import annotations

import abc
import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.expectations import COUNTER, Iterating, Made, UnforeseenError
from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.hooks import arguments, hook_name
from opencwm.debugger.foreseeing.known import BUILT_IN, Known
from opencwm.debugger.foreseeing.pure_values import is_told, text_of
from opencwm.debugger.foreseeing.rendered import MAX_CHARS, MAX_ITEMS, UnreadableError, is_atom, truth_of
from opencwm.debugger.foreseeing.streams import UNCHANGING, Fixed, Following, Item, Rounds, Stream
from opencwm.debugger.foreseeing.touching import FOREVER, Changing, held_by, is_unchanging, pieces

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


def consumed(node: ast.expr) -> ast.GeneratorExp | None:
    """Return the generator expression that is all a call is given; None for any other expression."""
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        return node.args[0] if isinstance(node.args[0], ast.GeneratorExp) else None
    return None


class ComprehensionFollower(Following, abc.ABC):
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
    def _uses(self, iterator: Iterating) -> None:
        """Note that an iterator is asked for items, or becomes a part of another one."""

    @abc.abstractmethod
    def _hash(self, texts: Iterable[str | None]) -> None:
        """Note that values are hashed, and compared, in which the program may have a say."""

    @abc.abstractmethod
    def _truth(self, node: ast.expr) -> bool:
        """Follow an expression; return the truth of its value."""

    def _listcomp(self, node: ast.ListComp) -> str | None:
        return self._joined_rounds("[%s]", self._comprehension(node.generators, [node.elt]))

    def _setcomp(self, node: ast.SetComp) -> str | None:
        made = self._comprehension(node.generators, [node.elt])
        self._hash([text for (text,) in made])
        texts = [text for (text,) in made if text is not None]
        return self._known.set_of(texts) if len(texts) == len(made) else None

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
        rounds = Rounds(generators, parts, self._gone_through(generators[0].iter))
        found: list[Sequence[Item]] = []
        while (made := self.next_round(rounds)) is not None:
            found.append(made)
            if len(found) > MAX_ITEMS:
                raise UnforeseenError
            if until is not None and self.is_true(made[0]) is until:
                break
        return [tuple([self._current(text, since) for text, since in made]) for made in found]

    def next_round(self, rounds: Rounds) -> Sequence[Item] | None:
        """Follow the next round of a comprehension; return what its parts are worth, None at its end."""
        own, state, born = rounds.own, self._state, self._born
        if rounds.epoch not in (None, self.epoch) and any(
            not is_atom(text) for text, _ in rounds.bound.values()
        ):
            raise UnforeseenError  # perhaps changed since
        hidden = {name: (state[name], born.get(name, 0)) for name in own if name in state}
        outer, self._inner, rounds.epoch = self._inner, self._inner | own, self.epoch
        self._substitute(own, rounds.bound)
        made = self._round(rounds)
        rounds.bound = {
            name: (self._state[name], self._born.get(name, 0)) for name in own if name in self._state
        }
        self._inner = outer
        self._substitute(own, hidden)
        return made

    def _substitute(self, names: frozenset[str], values: Mapping[str, tuple[str, int]]) -> None:
        """Have some names read as they do within, or outside of, a comprehension."""
        for name in names:
            self._state.pop(name, None)
            self._born.pop(name, None)
        self._state.update({name: text for name, (text, _) in values.items()})
        self._born.update({name: since for name, (_, since) in values.items()})

    def _round(self, rounds: Rounds) -> Sequence[Item] | None:
        while rounds.levels:
            item = rounds.levels[-1].pull(self)
            if item is None:
                rounds.levels = rounds.levels[:-1]
                continue
            generator, *inner = rounds.generators[len(rounds.levels) - 1 :]
            if generator.is_async:
                raise UnforeseenError
            self._bind(generator.target, *item)
            if not all(self._truth(test) for test in generator.ifs):
                continue
            if not inner:
                return self._values(rounds.parts)
            rounds.levels = [*rounds.levels, self._gone_through(inner[0].iter)]
        return None

    def _values(self, nodes: Iterable[ast.expr]) -> list[Item]:
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

    def _is_apart_from_all(self, node: ast.expr) -> bool:
        """Whether the call of a function of Python gets nothing but displays of what cannot change."""
        while hook_name(node) in ("operand", "result"):
            node = arguments(node)[-1]
        if isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.UnaryOp):
            return self._is_apart_from_all(node.operand)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return all(map(self._is_apart_from_all, node.elts))
        if isinstance(node, ast.Dict):
            return all(key is not None and self._is_apart_from_all(key) for key in node.keys) and all(
                map(self._is_apart_from_all, node.values)
            )
        if isinstance(node, ast.Name):
            text = self._state.get(node.id, self._known.constants.get(node.id, ""))
            return not isinstance(text, Made) and bool(text) and self._is_unchanging(text)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return False
        name, given = node.func.id, [*node.args, *(keyword.value for keyword in node.keywords)]
        is_python = name not in self._state and name in self._known.builtins.functions
        return is_python and all(map(self._is_apart_from_all, given))

    def _is_new(self, node: ast.expr, text: str) -> bool:
        """Whether the value of an expression is a list, dictionary or set that nothing else holds."""
        if text[0] not in "[{" or self._known.disguises.may_change(text):
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
        if isinstance(text, Made) and not text.startswith(COUNTER):
            is_changed = isinstance(text, Iterating) and not text.is_spent
        else:
            is_changed = self._changing.is_changed(text, since, until)
        return None if is_changed else text

    def _gone_through(self, node: ast.expr) -> Stream:
        """Return what is gone through when the value of an expression is."""
        return self._stream(self._value(node))

    def _stream(self, text: str | None) -> Stream:
        """Return what is gone through when a value is, by how it reads.

        Raises:
            UnforeseenError: that is not known.
        """
        if isinstance(text, Iterating):
            self._uses(text)
            if text.stream is not None:
                return text.stream
        is_counter = isinstance(text, Made) and text.startswith(COUNTER)
        gone_through = Iterating(text or "", getattr(text, "source", "")) if is_counter else text
        try:
            values = self._known.iterated(gone_through)
        except UnreadableError:
            raise UnforeseenError from None
        if len(values) > MAX_ITEMS:
            raise UnforeseenError
        whole = text.source if isinstance(text, Iterating) else text or ""
        items = [self._item_text(value, whole, place) for place, value in enumerate(values)]
        if isinstance(text, Iterating) and (text.is_apart or self._is_unchanging(whole)):
            return Fixed(items, UNCHANGING, self, {})
        holders, is_hidden = held_by(whole, self._state)
        is_hidden = is_hidden or not (holders or is_atom(whole) or self._known.is_isolated)
        return Fixed(items, whole, self, None if is_hidden else holders)

    def _only_here(self, node: ast.expr, text: str | None) -> Stream | None:
        """Return what is gone through of a value that cannot change, or that nothing else holds."""
        if text is None or isinstance(text, Iterating):
            return None
        try:
            items = [text_of(item) for item in self._known.iterated(text)]
        except (UnreadableError, Undecided):
            return None
        is_new = self._is_new(node, text) or self._is_made_new(node)
        is_fixed = self._is_unchanging(text) or (is_new and all(map(is_atom, items)))
        return Fixed(items, UNCHANGING, self, {}) if is_fixed and len(items) <= MAX_ITEMS else None

    def _is_made_new(self, node: ast.expr) -> bool:
        """Whether an expression is the call of a function of Python that makes a new list."""
        while hook_name(node) in ("operand", "result"):
            node = arguments(node)[-1]
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        is_python = name not in self._state and name in self._known.builtins.functions
        return is_python and name in ("list", "sorted")

    def _is_unchanging(self, source: str) -> bool:
        """Whether an expression for what an iterator goes through has nothing in it that can change."""
        builtins = self._known.builtins
        return is_unchanging(source, {*builtins.functions, *builtins.modules})

    def _item_text(self, value: Any, whole: str, place: int) -> str | None:
        """Return how an item of what an expression gives reads."""
        text = text_of(value) if is_told(value) else None
        is_match = isinstance(value, re.Match) and text is not None
        return Made(text or "", f"list({whole})[{place}]") if is_match else text

    def _bind(self, target: ast.expr, text: str | None, since: int) -> None:
        if text is None:
            raise UnforeseenError
        if isinstance(target, ast.Name):
            if isinstance(text, Iterating):
                text.stream, text.is_held = self._stream(text), True
            self._state[target.id] = text
            self._born[target.id] = min(since, self._changing.moment)
            return
        try:
            value = known_value(text)
        except Undecided:
            raise UnforeseenError from None
        if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, tuple | list | str):
            raise UnforeseenError
        if len(value) != len(target.elts) or not all(map(is_told, value)):
            raise UnforeseenError
        for part, item in zip(target.elts, value, strict=True):
            self._bind(part, text_of(item), since)
