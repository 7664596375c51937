"""Values that are known from how they read: literals, and the types of the standard library that show all.

The one idea: a text stands for a value if reading it and writing it again gives the same text. Sets have no
order here: the text of one does not tell it, so whatever depends on it is undecided.

Nothing of a program is run: what is made are objects of Python's own types, from literals, within bounds.
"""

from __future__ import annotations

import builtins
import collections
import datetime
import decimal
import fractions
import functools
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.pure_limits import Undecided
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer

MAX_NESTING: Final = 8
"""Brackets within brackets of a value that is told: what the tracer cuts is deeper than that."""
MAX_ITEMS: Final = 200
"""Most items of a container that is told; the tracer shows no more."""
_NUMBERS: Final = (int, float, bool)
_FEWEST_PLACES: Final = 8
_SPECIAL: Final = {"nan": float("nan"), "inf": float("inf")}


class Shown:
    """A value that is only known as text.

    It refuses everything that would look into it: then the outcome is undecided.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _refuse(self, *_: Any) -> Any:
        raise LookedIntoError(f"{self.text} would be looked into")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __bool__ = __hash__ = __str__ = __format__ = __len__ = __iter__ = __int__ = __float__ = __index__ = (
        _refuse
    )
    __contains__ = __getitem__ = __call__ = _refuse


class LookedIntoError(Undecided):
    """An operation looks into a value of which only the text is known."""


class Iterated(Shown):
    """An iterator, or a view of a dictionary, with what it goes through.

    Attributes:
        items: those; nothing else is done with an iterator than to ask for them.
        is_view: whether it can be counted and looked into as well.
    """

    __slots__ = ("_to_come", "is_view", "items")

    def __init__(self, name: str, items: list[Any]) -> None:
        self.items = items
        self._to_come = iter(items)
        self.is_view = name in VIEWS
        super().__init__(f"<{name} object>" if not self.is_view else f"{name}({text_of(items)})")

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items) if self.is_view else self._to_come

    def __len__(self) -> int:
        if not self.is_view:
            raise TypeError("an iterator has no length")
        return len(self.items)

    def __bool__(self) -> bool:
        return bool(self.items) if self.is_view else True

    def __contains__(self, item: object) -> bool:
        return item in self.items if self.is_view else self._refuse()


VIEWS: Final = frozenset({"dict_keys", "dict_values", "dict_items"})


def plain(value: Any) -> Any:
    """Return what stands for the result of a call: :class:`Iterated` for iterators and views."""
    if isinstance(value, type | Shown):
        return value
    if hasattr(type(value), "__next__") or type(value).__name__ in VIEWS:
        return Iterated(type(value).__name__, list(value))
    return value


def _iterated(base: Any) -> Callable[[Any], Iterator[Any]]:
    def iterate(self: Any) -> Iterator[Any]:
        if len(self) > 1:
            raise Undecided("the order of a set is not known")
        return base.__iter__(self)  # type: ignore[no-any-return]

    return iterate


def _written_set(self: Any) -> str:
    name = type(self).__name__
    if not len(self):
        return f"{name}()"
    (item,) = self
    return f"{{{item!r}}}" if name == "set" else f"{name}({{{item!r}}})"


UnorderedSet: Final[type] = type("set", (set,), {"__iter__": _iterated(set), "__repr__": _written_set})
"""Sets that do not tell in which order their items come; exceptions name them as those of Python."""
UnorderedFrozenset: Final[type] = type(
    "frozenset", (frozenset,), {"__iter__": _iterated(frozenset), "__repr__": _written_set}
)
_OrderedFrozenset: Final[type] = type(
    "frozenset",
    (frozenset,),
    {"__iter__": lambda self: iter(sorted(frozenset.__iter__(self))), "__repr__": _written_set},
)


def frozen(*args: Any, **keywords: Any) -> Any:
    """Return what ``frozenset`` makes of its arguments; it has an order if that is the one of its items.

    As CPython puts them into its table: small integers stand where they say, if nothing was there before, and
    a table has more places than five thirds of its items.
    """
    made: frozenset[Any] = frozenset(*args, **keywords)
    places = _FEWEST_PLACES
    while (places - 1) * 3 <= len(made) * 5:
        places *= 2
    is_new = any(type(items) in (bytes, list, tuple, range) for items in args)
    if is_new and all(type(item) is int and 0 <= item < places for item in made):
        return _OrderedFrozenset(made)
    return made


class _UnorderedCounter(collections.Counter[Any]):
    """A counter whose text does not tell in which order its keys came: the largest counts stand first.

    Keys of the same count stand in their order, and a new key comes last.
    """

    def __iter__(self) -> Iterator[Any]:
        raise Undecided("the order of a counter is not known")

    keys = values = items = elements = copy = __iter__  # type: ignore[assignment]

    def __setitem__(self, key: Any, count: Any) -> None:
        others = [other for name, other in dict.items(self) if name != key]
        if key in self and count in others:
            raise Undecided("the order of a counter is not known")
        dict.__setitem__(self, key, count)

    def most_common(self, n: int | None = None) -> list[tuple[Any, Any]]:
        items = sorted(dict.items(self), key=lambda pair: pair[1], reverse=True)
        return items if n is None else items[: max(n, 0)]

    def total(self) -> Any:
        return sum(dict.values(self))


_UnorderedCounter.__name__ = "Counter"
_UNORDERED: Final[Mapping[type, type]] = {set: UnorderedSet, frozenset: UnorderedFrozenset}
_OF_PYTHON: Final[Mapping[type, Any]] = {
    UnorderedSet: set,
    UnorderedFrozenset: frozenset,
    _OrderedFrozenset: frozenset,
    _UnorderedCounter: collections.Counter,
}


def kind_of(value: object) -> Any:
    """Return the type of a value, as Python has it."""
    return _OF_PYTHON.get(type(value), type(value))


def as_in_python(value: Any) -> Any:
    """Return a set of Python for one without order; any other value as it is."""
    kind = _OF_PYTHON.get(type(value))
    return kind(kind.__iter__(value)) if kind is not None and kind in _UNORDERED else value


def unordered(value: Any) -> Any:
    """Return a set without order for a set, and the same of the sets in a list, tuple or dictionary."""
    kind = type(value)
    if kind in _UNORDERED:
        return _UNORDERED[kind](map(unordered, value))
    if kind is list or kind is tuple:
        return kind(map(unordered, value))
    if kind is dict:
        return {unordered(key): unordered(item) for key, item in value.items()}
    return value


def items_in_order(value: Any) -> list[Any]:
    """Return the items of a set from the smallest to the largest.

    Raises:
        Undecided: they have no natural order.
    """
    items = list(_OF_PYTHON[type(value)].__iter__(value))
    kinds = set(map(type, items))
    is_total = kinds <= set(_NUMBERS) and all(item == item for item in items)
    if is_total or kinds in ({str}, {bytes}) or (kinds == {tuple} and all(map(_is_comparable, items))):
        try:
            return sorted(items)
        except TypeError:  # tuples of different make
            pass
    raise Undecided("the order of a set is not known")


def _is_comparable(item: tuple[Any, ...]) -> bool:
    return all(
        type(part) in (int, bool, str, bytes) or (type(part) is tuple and _is_comparable(part))
        for part in item
    )


def is_fixed(value: object) -> bool:
    """Whether a value cannot change, nor anything in it."""
    if isinstance(value, tuple | frozenset):
        items = (
            value if isinstance(value, tuple) else _OF_PYTHON.get(type(value), type(value)).__iter__(value)
        )
        return all(map(is_fixed, items))
    kinds = (
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        type,
        range,
        re.Pattern,
        decimal.Decimal,
        fractions.Fraction,
        *DAYS,
    )
    return value is None or isinstance(value, kinds)


# -- reading

_FACTORIES: Final = {
    f"<class '{kind.__name__}'>": kind
    for kind in (list, dict, set, int, str, float, tuple, bool, bytes, frozenset, complex, bytearray, type)
}
DAYS: Final = (datetime.date, datetime.datetime, datetime.time, datetime.timedelta)
_CLASSES: Final = (
    *DAYS,
    *(collections.Counter, collections.OrderedDict, collections.defaultdict, collections.deque),
    *(decimal.Decimal, fractions.Fraction, re.Match, re.Pattern),
)
_NAMED: Final = (*_CLASSES, re.Pattern, re.Match)
_KINDS: Final = {
    **{f"<class '{name}'>": kind for name, kind in vars(builtins).items() if isinstance(kind, type)},
    **_FACTORIES,
    **{f"<class '{kind.__module__}.{kind.__name__}'>": kind for kind in _NAMED},
    "<class 'NoneType'>": type(None),
}
_FLAG: Final = re.compile(r"<RegexFlag\.[A-Z|]+: (\d+)>")


def _counter(items: Mapping[Any, Any] | None = None) -> Any:
    if items is not None and not isinstance(items, dict):
        raise ValueError("a counter reads with its counts")
    counts = list((items or {}).values())
    if not all(type(count) in _NUMBERS for count in counts):
        return collections.Counter(items)
    if any(count != counts[0] for count in counts):
        made = _UnorderedCounter()
        dict.update(made, items or {})
        return made
    return collections.Counter(items)


def _defaultdict(factory: Any, items: Mapping[Any, Any]) -> Any:
    if factory is None or isinstance(factory, type):
        return collections.defaultdict(factory, items)
    raise ValueError("what it makes is not known")


def _deque(items: list[Any], maxlen: int | None = None) -> Any:
    return collections.deque(items, maxlen)


def _pattern(text: str | bytes, flags: Any = 0) -> re.Pattern[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return re.compile(text, flags)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(str(error)) from None


def _set_of(kind: type) -> Callable[..., Any]:
    def make(items: Iterable[Any] = ()) -> Any:
        return _UNORDERED[kind](_OF_PYTHON[type(items)].__iter__(items) if items else ())

    return make


def _day(kind: type) -> Callable[..., Any]:
    def make(*args: Any, **named: Any) -> Any:
        if any(type(part) is not int for part in (*args, *named.values())):
            raise ValueError("a time zone")
        return kind(*args, **named)

    return make


def _slice_of(start: Any, stop: Any, step: Any) -> Any:
    return slice(start, stop, step)


READERS: Final[Mapping[str, Callable[..., Any]]] = {
    "Counter": _counter,
    "Decimal": decimal.Decimal,
    "Fraction": fractions.Fraction,
    "OrderedDict": collections.OrderedDict,
    "bytearray": bytearray,
    **{name: functools.partial(Iterated, name) for name in sorted(VIEWS)},
    "defaultdict": _defaultdict,
    "deque": _deque,
    "frozenset": _set_of(frozenset),
    "range": range,
    **{f"datetime.{kind.__name__}": _day(kind) for kind in DAYS},
    "re.compile": _pattern,
    "set": _set_of(set),
    "slice": _slice_of,
}
"""What makes the values that read like calls, by name; what they are given are literals."""


def read_call(name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Return the value that reads ``name(...)``.

    Raises:
        ValueError: it is none, or it is not known.
    """
    if name not in READERS:
        raise ValueError(f"{name} is not known")
    try:
        return READERS[name](*args, **keywords)
    except (TypeError, KeyError, ArithmeticError) as error:
        raise ValueError(str(error)) from None


def read_angles(text: str) -> Any:
    """Return the value of what stands in angle brackets: a built-in class, a flag, or what is only shown."""
    if text in _KINDS:
        return _KINDS[text]
    flag = _FLAG.fullmatch(text)
    return re.RegexFlag(int(flag[1])) if flag is not None else Shown(text)


# -- writing


def text_of(value: Any, nesting: int = 0) -> str:
    """Return how the tracer writes a value.

    Raises:
        Undecided: it is not known, or is cut.
    """
    kind = type(value)
    if kind in (str, bytes, int, float, bool, complex, type(None), range):
        return repr(value)
    write = _WRITERS.get(kind)
    if write is None:
        return _other(value)
    size = len(value)
    if nesting >= MAX_NESTING or size > MAX_ITEMS:
        raise Undecided("only a part of it is shown")
    return write(value, nesting + 1)


def _other(value: Any) -> str:
    if isinstance(value, Shown):
        return value.text
    if isinstance(value, type) and (value.__module__ == "builtins" or value in _NAMED):
        return Renderer(DEFAULT_LIMITS).render(_OF_PYTHON.get(value, value))
    if isinstance(value, type) and value in _OF_PYTHON:
        return Renderer(DEFAULT_LIMITS).render(_OF_PYTHON[value])
    if isinstance(value, slice):
        return f"slice({text_of(value.start)}, {text_of(value.stop)}, {text_of(value.step)})"
    if type(value) in DAYS:
        return repr(value)
    if isinstance(value, decimal.Decimal | fractions.Fraction | re.Match | re.Pattern | re.RegexFlag):
        return Renderer(DEFAULT_LIMITS).render(value)
    raise Undecided(f"how objects of type {kind_of(value).__name__!r} read is not known")


def is_told(value: Any) -> bool:
    """Whether it is known how the tracer writes a value."""
    try:
        text_of(value)
    except (Undecided, ValueError, RecursionError):
        return False
    return True


def _items(values: Iterable[Any], nesting: int) -> str:
    return ", ".join([text_of(item, nesting) for item in values])


def _pairs(values: Iterable[tuple[Any, Any]], nesting: int) -> str:
    return ", ".join([f"{text_of(key, nesting)}: {text_of(item, nesting)}" for key, item in values])


def _tuple(value: tuple[Any, ...], nesting: int) -> str:
    return f"({_items(value, nesting)},)" if len(value) == 1 else f"({_items(value, nesting)})"


def _set(value: Any, nesting: int) -> str:
    name = kind_of(value).__name__
    if not len(value):
        return f"{name}()"
    try:
        inner = _items(items_in_order(value), nesting)
    except Undecided:
        kind = _OF_PYTHON[type(value)]
        inner = ", ".join(sorted(text_of(item, nesting) for item in kind.__iter__(value)))
    return f"{{{inner}}}" if name == "set" else f"{name}({{{inner}}})"


def _counts(value: Any, nesting: int) -> str:
    if not value:
        return "Counter()"
    items: Iterable[tuple[Any, Any]] = dict.items(value)
    if all(type(count) in _NUMBERS for count in dict.values(value)):
        items = sorted(items, key=lambda pair: pair[1], reverse=True)
    return f"Counter({{{_pairs(items, nesting)}}})"


def _deque_text(value: Any, nesting: int) -> str:
    end = "" if value.maxlen is None else f", maxlen={value.maxlen}"
    return f"deque([{_items(value, nesting)}]{end})"


def _default(value: Any, nesting: int) -> str:
    return f"defaultdict({text_of(value.default_factory)}, {{{_pairs(value.items(), nesting)}}})"


def _ordered(value: Any, nesting: int) -> str:
    return f"OrderedDict({{{_pairs(value.items(), nesting)}}})" if value else "OrderedDict()"


_WRITERS: Final[Mapping[type, Callable[[Any, int], str]]] = {
    list: lambda value, nesting: f"[{_items(value, nesting)}]",
    tuple: _tuple,
    dict: lambda value, nesting: f"{{{_pairs(value.items(), nesting)}}}",
    set: lambda value, nesting: _set(unordered(value), nesting),
    frozenset: lambda value, nesting: _set(unordered(value), nesting),
    UnorderedSet: _set,
    UnorderedFrozenset: _set,
    _OrderedFrozenset: _set,
    collections.Counter: _counts,
    _UnorderedCounter: _counts,
    collections.defaultdict: _default,
    collections.deque: _deque_text,
    collections.OrderedDict: _ordered,
    bytearray: lambda value, _: f"bytearray({bytes(value)!r})",
}
