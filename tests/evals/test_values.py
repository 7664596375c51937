import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.evals.values import ValueKind, is_same_value, value_kind

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner), max_leaves=4)
LITERALS: st.SearchStrategy[Any] = st.recursive(
    SCALARS | st.sets(HASHABLE, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(HASHABLE, inner, max_size=3)
    ),
    max_leaves=6,
)


@given(LITERALS)
@settings(max_examples=60)
def test_a_value_is_the_same_as_itself_however_it_is_spaced(value: object) -> None:
    text = repr(value)
    assert is_same_value(text, text)
    assert is_same_value(text, f"  {ast.unparse(ast.parse(text, mode='eval'))} ")


@given(LITERALS, LITERALS)
@settings(max_examples=60)
def test_different_values_are_not_the_same(one: object, other: object) -> None:
    if one != other:
        assert not is_same_value(repr(one), repr(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "True"),
        ("1", "1.0"),
        ("0", "False"),
        ("[1]", "(1,)"),
        ("[1]", "[True]"),
        ("{1}", "{True}"),
        ("{1: 2}", "{1.0: 2}"),
        ("{'a': 0}", "{'a': False}"),
        ("'a'", "b'a'"),
        ("'1'", "1"),
        ("set()", "{}"),
        ("None", "'None'"),
        ("[1, 2]", "[2, 1]"),
        ("'a b'", "'a  b'"),
        ("Counter({'a': 1})", "Counter({'a': 2})"),
        ("f(1)", "1"),
        ("", "0"),
    ],
)
def test_types_order_and_spaces_inside_strings_count(one: str, other: str) -> None:
    assert not is_same_value(one, other)
    assert not is_same_value(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("'a'", '"a"'),
        ("{1, 2}", "{2,1}"),
        ("{'a': 1, 'b': [2]}", "{'b': [2], 'a': 1}"),
        ("[ 1,2 ]", "[1, 2]"),
        ("-0.0", "0.0"),
        ("1e3", "1000.0"),
        ("'\\d'", "'\\\\d'"),
        ("Counter({'a': 1})", "Counter( {'a':1} )"),
        ("<class 'int'>", "<class   'int'>"),
        ("nan", "nan"),
        (str(10**50), str(10**50)),
        ("9" * 5000, "9" * 5000),
        ("[" * 500 + "]" * 500, "[" * 500 + "]" * 500),
    ],
)
def test_spelling_does_not_count(one: str, other: str) -> None:
    assert is_same_value(one, other)


@given(st.text(), st.text())
@settings(max_examples=60)
def test_any_text_compares_without_an_error(one: str, other: str) -> None:
    assert is_same_value(one, other) == is_same_value(other, one)
    assert is_same_value(one, one)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", ValueKind.STRING),
        (b"\x00", ValueKind.STRING),
        (12, ValueKind.NUMBER),
        (-1.5, ValueKind.NUMBER),
        (1e-9, ValueKind.NUMBER),
        (float("-inf"), ValueKind.NUMBER),
        (float("nan"), ValueKind.NUMBER),
        (1 - 2j, ValueKind.NUMBER),
        (-2j, ValueKind.NUMBER),
        ((1, 2), ValueKind.CONTAINER),
        ((-1,), ValueKind.CONTAINER),
        ((), ValueKind.CONTAINER),
        ([], ValueKind.CONTAINER),
        ({}, ValueKind.CONTAINER),
        (set(), ValueKind.CONTAINER),
        (frozenset({1}), ValueKind.CONTAINER),
        (range(3), ValueKind.CONTAINER),
        (True, ValueKind.OTHER),
        (None, ValueKind.OTHER),
        (ValueError("x"), ValueKind.OTHER),
        (int, ValueKind.OTHER),
    ],
)
def test_kinds_are_told_from_the_rendering(value: object, kind: ValueKind) -> None:
    assert value_kind(repr(value)) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Counter({'a': 1})", ValueKind.CONTAINER),
        ("'cut of", ValueKind.STRING),
        ("[1, 2, ...", ValueKind.CONTAINER),
        ("inferno(1)", ValueKind.OTHER),
        ("settings(1)", ValueKind.OTHER),
        ("", ValueKind.OTHER),
    ],
)
def test_kinds_of_text_that_is_no_literal(text: str, kind: ValueKind) -> None:
    assert value_kind(text) is kind
