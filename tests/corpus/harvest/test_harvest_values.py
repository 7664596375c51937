"""Live values as source: what is written evaluates to an equal value of the same type."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import io
import math
import operator
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.corpus.harvest.values import HELPER, HELPER_MODULE, Expression, SourceRenderer, UnrenderableError

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
            exec(HELPER, scope)
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
        (Slotted(), "object with slots whose making was not seen"),
        (iter([]), "object of another package"),
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
