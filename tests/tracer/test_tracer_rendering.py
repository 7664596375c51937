from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.tracer import TraceLimits
from opencwm.tracer.rendering import Renderer


def render(value: object, **limits: Any) -> str:
    return Renderer(TraceLimits(**limits)).render(value)


def cut(value: object, **limits: Any) -> tuple[str, bool]:
    renderer = Renderer(TraceLimits(**limits))
    return renderer.render(value), renderer.cut


class Point(NamedTuple):
    x: int
    y: str = "y"


class Color(enum.Enum):
    RED = 1


class Level(enum.IntFlag):
    LOW = 1
    HIGH = 2


@dataclass
class Data:
    x: int
    secret: int = field(default=0, repr=False)
    items: list[Any] = field(default_factory=list)


class MyList(list[Any]):
    pass


class MyStr(str):
    __slots__ = ()


class MyError(ValueError):
    pass


def recursive_list() -> list[Any]:
    items: list[Any] = [1]
    items.append({"self": items})
    return items


EXACT: list[Any] = [
    None,
    True,
    0,
    -5,
    10**17,
    -(10**18),
    10**30,
    1.5,
    float("nan"),
    float("-inf"),
    -0.0,
    1e100,
    3 - 2j,
    ...,
    NotImplemented,
    "",
    "a'b\"c\n\x00é\U0001f600",
    "\ud800",
    b"\xff'",
    bytearray(b"x"),
    (),
    (1,),
    [],
    [[]],
    {},
    set(),
    frozenset(),
    {1},
    {"a"},
    {1: {2: [3, (4,)]}},
    [None, True, "x", 1.0, b"b"],
    range(3),
    range(1, 9, 2),
    slice(1, None, 2),
    {"k": ...},
    recursive_list(),
    collections.deque([1, [2]]),
    collections.deque(maxlen=3),
    collections.Counter("banana"),
    collections.Counter(),
    collections.defaultdict(list, a=[1]),
    collections.defaultdict(None),
    Point(1),
    (Point(1, "z"),),
    Color.RED,
    Level.LOW,
    Data(1, 2, [Data(3)]),
    MyList([1]),
    MyStr("s"),
    MyError("m", 1),
    KeyError("k"),
    ValueError(),
    OSError(2, "no"),
    Exception((1,)),
    int,
    datetime.date(2020, 1, 2),
    datetime.timedelta(1),
    decimal.Decimal("1.50"),
    fractions.Fraction(1, 3),
    types.SimpleNamespace(a=1),
    len,
    {1: 2}.keys(),
    {1: "a"}.items(),
    {1: [2]}.values(),
    Color,
    list[int],
]


@pytest.mark.parametrize("value", EXACT[:-2], ids=lambda value: type(value).__name__)
def test_values_within_the_bounds_read_as_repr(value: object) -> None:
    assert cut(value) == (repr(value), False)


plain: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=4)
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers() | st.text(max_size=4), inner, max_size=4)
        | st.builds(collections.deque, st.lists(inner, max_size=3))
    ),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(plain)
def test_any_plain_value_reads_as_repr(value: object) -> None:
    assert cut(value) == (repr(value), False)


@settings(max_examples=150, deadline=None)
@given(plain, st.integers(16, 60), st.integers(1, 4), st.integers(1, 3))
def test_bounds_hold_and_a_cut_is_marked(value: object, chars: int, elements: int, nesting: int) -> None:
    text, was_cut = cut(value, max_value_chars=chars, max_elements=elements, max_nesting=nesting)
    if was_cut:
        assert "..." in text
        assert len(text) <= 3 * chars + 40  # marks and closing brackets come on top
    else:
        assert text == repr(value)
        assert len(text) <= chars + nesting * 20 + 50  # a number is never cut


@settings(max_examples=150, deadline=None)
@given(plain, plain)
def test_equal_fingerprints_mean_equal_texts(one: Any, other: Any) -> None:
    renderer = Renderer(TraceLimits(max_elements=3))
    text, is_plain, key = renderer.render(one), renderer.plain, renderer.fingerprint(one, type(one))
    other_text, other_is_plain = renderer.render(other), renderer.plain
    other_key = renderer.fingerprint(other, type(other))
    if is_plain and other_is_plain and key is not None and key == other_key and type(one) is type(other):
        assert text == other_text


@pytest.mark.parametrize(
    ("value", "limits", "text"),
    [
        ("a" * 50, {"max_value_chars": 20}, "'" + "a" * 18 + "'..."),
        ("\n" * 50, {"max_value_chars": 20}, "'" + "\\n" * 9 + "'..."),
        (b"a" * 50, {"max_value_chars": 20}, "b'" + "a" * 17 + "'..."),
        ([1, 2, 3], {"max_elements": 2}, "[1, 2, ...]"),
        ((1, 2), {"max_elements": 1}, "(1, ...)"),
        ({1: 2, 3: 4}, {"max_elements": 1}, "{1: 2, ...}"),
        ({3, 1, 2}, {"max_elements": 2}, "{1, 2, ...}"),
        (collections.deque([1, 2]), {"max_elements": 1}, "deque([1, ...])"),
        (list(range(100)), {"max_value_chars": 16}, "[0, 1, 2, 3, 4, ...]"),
        ([[[1]]], {"max_nesting": 2}, "[[[...]]]"),
        ({"a": {"b": {}}}, {"max_nesting": 2}, "{'a': {'b': {...}}}"),
        (10**5000, {}, "<int of 16610 bits>..."),
        (-(10**3000), {}, "<-int of 9966 bits>..."),
        ([10**5000, 1], {}, "[<int of 16610 bits>..., 1]"),
        (Data(1, 2, [3]), {"max_elements": 1}, "Data(x=1, ...)"),
        (ValueError(1, 2), {"max_elements": 1}, "ValueError(1, ...)"),
    ],
    ids=lambda _: "",
)
def test_cuts_are_marked(value: object, limits: dict[str, int], text: str) -> None:
    assert cut(value, **limits) == (text, True)


def test_huge_values_cost_no_more_than_their_bounds() -> None:
    class Counting(list[Any]):
        num_read = 0

        def __iter__(self) -> Any:
            raise AssertionError("user code")

    huge = "x" * 10**7
    assert len(render([huge, huge])) < 5000
    assert render(Counting(range(10**6)), max_elements=2) == "[0, 1, ...]"
    bomb: list[Any] = [1]
    for _ in range(100):
        bomb = [bomb, bomb]
    assert len(render(bomb)) < 10_000
    assert "..." in render({"k": bomb}, max_nesting=3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({3, 1, 20, 100}, "{1, 3, 20, 100}"),
        (frozenset("zab"), "frozenset({'a', 'b', 'z'})"),
        ({(10, 1), (2, 3)}, "{(2, 3), (10, 1)}"),
        ({1, "a", None}, "{'a', 1, None}"),
        ({frozenset({2}), frozenset({1})}, "{frozenset({1}), frozenset({2})}"),
        (collections.OrderedDict(b=1, a=2), "OrderedDict({'b': 1, 'a': 2})"),
        (collections.OrderedDict(), "OrderedDict()"),
        (collections, "<module 'collections'>"),
        (render, "<function render>"),
        (lambda: 0, "<function <lambda>>"),
        ([].append, "<built-in method append of list object>"),
        (iter([]), "<list_iterator object>"),
        (object(), "<object object>"),
        (zip([1]), "<zip object>"),
        (MyError("e").with_traceback, "<built-in method with_traceback of MyError object>"),
    ],
)
def test_what_repr_leaves_open_is_settled(value: object, text: str) -> None:
    assert render(value).replace("test_what_repr_leaves_open_is_settled.", "") == text


def explode(*_: object) -> Any:
    raise AssertionError("code of the program was run")


class Meta(type):
    __name__ = property(explode)
    __mro__ = property(explode)
    __instancecheck__ = __subclasscheck__ = __getattribute__ = __hash__ = __eq__ = explode


class Hostile(metaclass=Meta):
    __repr__ = __str__ = __len__ = __iter__ = __getattr__ = __getattribute__ = __format__ = __bool__ = explode
    __class__ = property(explode)
    __dict__ = property(explode)
    __eq__ = __hash__ = explode


class HostileStr(str):
    __repr__ = __len__ = __getitem__ = __iter__ = __eq__ = __hash__ = __str__ = explode


class HostileInt(int):
    __repr__ = __lt__ = __neg__ = __add__ = __index__ = bit_length = __eq__ = __hash__ = explode


class HostileDict(dict[Any, Any]):
    __repr__ = __len__ = __iter__ = items = keys = __getitem__ = values = get = explode


class HostileList(list[Any]):
    __repr__ = __len__ = __iter__ = __getitem__ = explode


class HostileSet(set[Any]):
    __repr__ = __len__ = __iter__ = explode


class HostileCounter(collections.Counter[str]):
    __repr__ = __len__ = __iter__ = items = explode


class HostileDeque(collections.deque[Any]):
    __repr__ = __len__ = __iter__ = explode


class HostileError(Exception):
    __repr__ = __str__ = explode
    args = property(explode)


class HostileEnum(enum.Enum):
    ONE = 1
    __repr__ = __str__ = explode


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: object.__new__(Hostile), "Hostile()"),
        (lambda: HostileStr("s"), "HostileStr('s')"),
        (lambda: HostileInt(5), "HostileInt(5)"),
        (lambda: HostileDict(a=1), "HostileDict({'a': 1})"),
        (lambda: HostileList([1]), "HostileList([1])"),
        (lambda: HostileSet([1]), "HostileSet({1})"),
        (lambda: HostileCounter("a"), "HostileCounter({'a': 1})"),
        (lambda: HostileDeque([1]), "HostileDeque([1])"),
        (lambda: HostileError(1), "HostileError(1)"),
        (lambda: HostileEnum.ONE, "<HostileEnum.ONE: 1>"),
        (lambda: Hostile, "<class 'test_tracer_rendering.Hostile'>"),
    ],
)
def test_no_code_of_the_program_is_run(make: Callable[[], object], text: str) -> None:
    value = make()
    assert render([value]) == f"[{text}]"
    renderer = Renderer(TraceLimits())
    renderer.render(value)
    renderer.fingerprint(value, type(value))


class Node:
    __slots__ = ("next", "value")

    def __init__(self, value: int) -> None:
        self.value = value


class Bag(Node):
    def __init__(self) -> None:
        super().__init__(0)
        self.extra = self


def test_objects_show_slots_and_attributes() -> None:
    node = Node(1)
    assert render(node) == "Node(value=1)"
    node.next = node  # type: ignore[attr-defined]
    assert render(node) == "Node(next=Node(...), value=1)"
    assert render(Bag()) == "Bag(value=0, extra=Bag(...))"
    assert cut(Bag(), max_elements=1) == ("Bag(value=0, ...)", True)


class Loud:
    def __repr__(self) -> str:
        return "<loud>"


class Broken:
    def __repr__(self) -> str:
        raise KeyError


def test_the_programs_own_repr_on_request() -> None:
    assert render([Loud(), Broken()]) == "[Loud(), Broken()]"
    assert render([Loud(), Broken()], user_repr=True) == "[<loud>, <Broken: repr raised KeyError>]"
    assert render(Data(1), user_repr=True) == "Data(x=1, items=[])"


def test_an_attribute_name_that_is_no_unicode_is_escaped() -> None:
    value = types.SimpleNamespace()
    value.__dict__["\udc80"] = 1
    assert render(value) == "namespace(\\udc80=1)"


def test_a_low_limit_of_digits_set_by_the_program() -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert render([10**700]) == "[<int of 2326 bits>...]"
    finally:
        sys.set_int_max_str_digits(before)


def test_bytes_and_bytearray_of_the_same_content_are_told_apart() -> None:
    renderer = Renderer(TraceLimits())
    for value in ([b"x"], [bytearray(b"x")]):
        renderer.render(value)
        assert not renderer.plain
