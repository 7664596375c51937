"""Live values as source: what is written evaluates to an equal value of the same type."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import http
import io
import ipaddress
import math
import operator
import pathlib
import re
import types
import urllib.parse
import uuid
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.corpus.harvest.values import (
    HELPER_MODULE,
    HELPERS,
    Expression,
    SourceRenderer,
    UnrenderableError,
)

_ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.binary(max_size=10)
    | st.complex_numbers(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.datetimes()
    | st.timedeltas()
)
_HASHABLE = (
    st.integers() | st.text(max_size=5).filter(lambda text: text.isprintable()) | st.tuples(st.booleans())
)
_VALUES = st.recursive(
    _ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(_HASHABLE, inner, max_size=4)
        | st.sets(_HASHABLE, max_size=4)
        | st.frozensets(_HASHABLE, max_size=4)
        | st.lists(inner, max_size=3).map(collections.deque)
        | st.dictionaries(_HASHABLE, inner, max_size=3).map(collections.OrderedDict)
        | st.lists(_HASHABLE, max_size=4).map(collections.Counter)
    ),
    max_leaves=8,
)


def _renderer(recall: Any = lambda _: None) -> SourceRenderer:
    return SourceRenderer(lambda module: module == __name__, recall, max_chars=4_000)


def _evaluated(expression: Expression) -> Any:
    scope: dict[str, Any] = {}
    for name, module in expression.needs.items():
        if module == HELPER_MODULE:
            exec(HELPERS[name], scope)
        elif module == __name__:
            scope[name] = globals()[name]
        elif module:
            exec(f"from {module} import {name}", scope)
        else:
            exec(f"import {name}", scope)
    return eval(expression.text, scope)  # noqa: S307 - what was written is to be evaluated


@settings(deadline=None)
@given(_VALUES)
def test_an_expression_evaluates_to_an_equal_value(value: Any) -> None:
    expression = _renderer().render(value)
    again = _evaluated(expression)
    assert type(again) is type(value)
    assert again == value


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0
    seen: list[int] = dataclasses.field(default_factory=list, init=False)


class Colour(enum.Enum):
    RED = 1


class Pair(collections.namedtuple("Pair", "left right")):
    __slots__ = ()


class Name(str):
    __slots__ = ()


class Plain:
    def __init__(self, size: int) -> None:
        self.size = size


class Slotted:
    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 1


class Chosen:
    def __new__(cls, *_: object) -> Self:
        return super().__new__(cls)

    def __init__(self, size: int) -> None:
        self.size = size
        self.__hidden = 2

    def total(self) -> int:
        return self.size + self.__hidden


class Frozen(Slotted):
    __slots__ = ("__hidden", "never")

    def __init__(self) -> None:
        object.__setattr__(self, "size", 1)
        object.__setattr__(self, "_Frozen__hidden", 2)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def total(self) -> int:
        return int(self.size + getattr(self, "_Frozen__hidden"))  # noqa: B009 - set without the class knowing


class Stack(list[int]):
    def __init__(self, size: int) -> None:
        super().__init__(range(size))
        self.size = size


class Tagged(str):
    def __new__(cls, tag: str, text: str) -> Self:
        made = super().__new__(cls, text)
        made.tag = tag
        return made

    tag: str


class Ordered(collections.OrderedDict[str, int]):
    pass


def double(value: int) -> int:
    return 2 * value


@pytest.mark.parametrize(
    "value",
    [
        float("inf"),
        range(1, 9, 2),
        slice(1, None, -1),
        bytearray(b"ab"),
        frozenset(),
        collections.defaultdict(list, {"a": [1]}),
        collections.deque([1, 2], maxlen=3),
        datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC),
        datetime.timezone(datetime.timedelta(hours=2)),
        decimal.Decimal("1.50"),
        fractions.Fraction(2, 3),
        len,
        str.upper,
        operator.add,
        math.sqrt,
        int,
        Point,
        Point(1, 2),
        Colour.RED,
        Pair(1, "b"),
        Name("n"),
        double,
        re.compile("a+", re.IGNORECASE),
        re.IGNORECASE,
        http.HTTPStatus.NOT_FOUND,
        urllib.parse.urlsplit("http://h/p"),
        pathlib.PurePosixPath("a/b"),
        pathlib.PureWindowsPath("a"),
        pathlib.Path("a"),
        uuid.UUID(int=5),
        ipaddress.ip_network("10.0.0.0/8"),
        array.array("i", [1, 2]),
        types.SimpleNamespace(a=[1]),
        types.MappingProxyType({"a": 1}),
    ],
)
def test_kinds_of_values(value: Any) -> None:
    again = _evaluated(_renderer().render(value))
    assert type(again) is type(value)
    assert again == value


def test_a_lambda_and_a_function_of_one_return_are_written_out() -> None:
    def inner(value: int) -> int:
        return value + 1

    assert _evaluated(_renderer().render(lambda x: x * 3))(2) == 6
    assert _evaluated(_renderer().render(inner))(2) == 3
    assert _evaluated(_renderer().render(functools.partial(pow, 2, mod=5)))(3) == 3


def test_a_stream_that_was_not_read_is_written_out() -> None:
    assert _evaluated(_renderer().render(io.StringIO("ab"))).read() == "ab"


def test_an_object_is_the_call_that_made_it() -> None:
    made = Plain(3)
    call = Expression("Plain(3)", {"Plain": __name__})
    assert _renderer(lambda value: call if value is made else None).render([made]).text == "[Plain(3)]"


def test_an_object_whose_making_was_not_seen_is_its_attributes() -> None:
    expression = _renderer().render(Plain(3))
    assert expression.text == "object_with(Plain, size=3)"
    assert _evaluated(expression).size == 3


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (Chosen(3), "object_with(Chosen, size=3, _Chosen__hidden=2)"),
        (Frozen(), "object_with_slots(Frozen, size=1, _Frozen__hidden=2)"),
        (Stack(2), "object_from(Stack, [0, 1], size=2)"),
        (Tagged("b", "x"), "object_from(Tagged, 'x', tag='b')"),
    ],
)
def test_other_objects_are_made_without_their_makers(made: Any, text: str) -> None:
    expression = _renderer().render(made)
    assert expression.text == text
    again = _evaluated(expression)
    assert type(again) is type(made)
    assert getattr(again, "__dict__", 0) == getattr(made, "__dict__", 0)
    if isinstance(made, Stack | Tagged):
        assert again == made
    else:
        assert again.total() == made.total()


@pytest.mark.parametrize(
    ("pattern", "method", "text", "written"),
    [
        ("b+", "search", "abbc", "re.compile('b+').search('abbc')"),
        ("a", "match", "abc", "re.compile('a').match('abc')"),
        ("a|ab", "fullmatch", "ab", "re.compile('a|ab').fullmatch('ab')"),
    ],
)
def test_a_match_is_found_again(pattern: str, method: str, text: str, written: str) -> None:
    value = getattr(re.compile(pattern), method)(text)
    expression = _renderer().render(value)
    assert expression.text == written
    assert _evaluated(expression).regs == value.regs


def test_a_later_match_is_found_where_it_is() -> None:
    *_, value = re.finditer("a.", "abacad")
    expression = _renderer().render(value)
    assert _evaluated(expression).span() == (4, 6)


def test_iterators_and_views_are_what_is_left_of_them() -> None:
    numbers = iter([1, 2, 3])
    next(numbers)
    assert _renderer().render(numbers).text == "iter([2, 3])"
    assert next(numbers) == 2
    assert _renderer().render(iter((1,))).text == "iter((1,))"
    assert list(_evaluated(_renderer().render({"a": 1}.items()))) == [("a", 1)]
    assert _renderer().render({"a": 1}.keys()).text == "{'a': 1}.keys()"


def _cycle() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def _closure() -> Any:
    bound = [1]
    return lambda: bound


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "object of another package"),
        (_cycle(), "nested"),
        (list(range(1000)), "long"),
        (2**1000, "long"),
        ("\ud800", "surrogates"),
        (_closure(), "closure"),
        (lambda: double(1), "function that uses others"),
        (Ordered(a=1), "object whose making was not seen"),
        (iter("ab"), "object of another package"),
        (print, None),
    ],
)
def test_what_cannot_be_written_is_refused(value: object, why: str | None) -> None:
    if why is None:
        assert _renderer().render(value).text == "print"
        return
    with pytest.raises(UnrenderableError, match=f"^{why}$"):
        _renderer().render(value)


def test_no_code_of_the_value_runs() -> None:
    class Loud(dict):  # type: ignore[type-arg]
        def __repr__(self) -> str:
            raise AssertionError("called")

        __iter__ = __len__ = items = __eq__ = __repr__  # type: ignore[assignment]

    with pytest.raises(UnrenderableError):
        _renderer().render(Loud(a=1))
