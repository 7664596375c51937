"""Assumptions as they are written: what is read, what is refused, and how."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.debugger.assumptions import AssumptionKind, parse_assumption
from opencwm.debugger.foreseeing.expressions import literal
from opencwm.debugger.shapes import made_up

LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["x", "prices", "config.LIMIT", "a.b.c"])
CALLS = st.sampled_from(["f(...)", "requests.get(url, ...)", "open('a.txt', mode='r').read()", "_.json()"])


@settings(deadline=None, max_examples=60)
@given(name=NAMES, value=LITERALS)
def test_what_is_written_as_a_value_is_that_value(name: str, value: object) -> None:
    found = parse_assumption(f"{name} = {value!r}")
    assert (found.target, found.kind) == (name, AssumptionKind.VALUE)
    assert ast.literal_eval(found.value) == value
    assert found.name == (name if "." not in name else None)


@settings(deadline=None, max_examples=60)
@given(call=CALLS, value=LITERALS)
def test_what_a_call_gives_may_hold_every_sign(call: str, value: object) -> None:
    found = parse_assumption(f"{call} -> {value!r}")
    assert ast.dump(found.pattern) == ast.dump(ast.parse(call, mode="eval").body)
    assert ast.literal_eval(found.value) == value


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=30)
    | st.lists(
        st.sampled_from(
            [
                "x",
                "f(...)",
                "=",
                "->",
                ":",
                "raises",
                "list",
                "of",
                "3",
                "dicts",
                "'a'",
                ",",
                "(",
                ")",
                "file",
                "a.b",
            ]
        ),
        max_size=9,
    ).map(" ".join)
)
def test_any_text_is_an_assumption_or_refused_in_one_line(text: str) -> None:
    problem = ""
    try:
        found = parse_assumption(text)
    except ConfigError as error:
        problem = error.what
    else:
        ast.parse(found.value, mode="eval")
    assert problem or found.describe()
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("text", "described"),
    [
        ("x = [1, 2]", "x is [1, 2]"),
        ("x = 1 + 2 * 3", "x is 7"),
        ("x = sorted({3, 1})", "x is [1, 3]"),
        ("requests.get(...) -> '...'", "requests.get(...) gives '...'"),
        ("load(...): list of 2 ints", "load(...) gives [1, 2] (made up)"),
        ("open(...) -> file 'a\\nb'", "open(...) is a file that holds 'a\\nb'"),
        ("open(...) raises OSError('gone')", "open(...) raises OSError('gone')"),
        ("open(...) raises socket.timeout", "open(...) raises socket.timeout"),
        ("df: dict[str, int]", "df is {'red': 1, 'blue': 2} (made up)"),
    ],
)
def test_what_is_assumed_is_said_in_words(text: str, described: str) -> None:
    assert parse_assumption(text).describe() == described


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there is no '=', ':', '->' or 'raises' in it"),
        ("x == 3", "there is no '=', ':', '->' or 'raises' in it"),
        ("x =", "nothing follows '='"),
        ("= 3", "it does not say what it is about"),
        ("x -> 3", "before '->' stands a call, such as f(...)"),
        ("x raises OSError", "before 'raises' stands a call, such as f(...)"),
        ("f(...) = 3", "what a call gives stands after '->'"),
        ("a['b'] = 3", "\"a['b']\" is neither a name nor a call"),
        ("f(... -> 3", "not valid Python"),
        ("x = y", "'y' has no value that can be worked out"),
        ("x = print(1)", "'print(1)' has no value that can be worked out"),
        ("x = int", "'int' cannot be written as a literal"),
        ("x = ...", "'...' has no value that can be worked out"),
        ("x = 1\ny = 2", "an assumption stands on one line"),
        ("x: foo", "'foo' is no shape: 'foo' is no kind of value known here"),
        ("f() raises 3", "after 'raises' stands an exception"),
        ("f() -> file 3", "after 'file' stands its text as a string"),
        ("_ = 3", "'_' stands for any expression, and so for none"),
        ("x = " + "1" * 30_000, "an assumption has at most"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_assumption(text)
    assert caught.value.what.startswith(problem)
    assert caught.value.where.startswith("assumption ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("list of 3 dicts with keys 'a','b'", [{"a": 1, "b": 2}, {"a": 3, "b": 4}, {"a": 5, "b": 6}]),
        ("a list of strings", ["red", "blue"]),
        ("dict with keys 'a': str and 'b': list of 2 floats", {"a": "red", "b": [1.5, 2.5]}),
        ("dict of 2 strings to booleans", {"red": True, "blue": False}),
        ("tuple of 2 lists of 1 int", ([1], [2])),
        ("set of 0 ints", set()),
        ("None", None),
        ("bytes", b"red"),
        ("text", "red"),
        ("list[list[int]]", [[1, 2], [3, 4]]),
        ("tuple[int, str]", (1, "red")),
        ("tuple[int, ...]", (1, 2)),
        ("Optional[str]", "red"),
        ("None | float", 1.5),
        ("typing.Mapping[str, bool]", {"red": True, "blue": False}),
    ],
)
def test_a_value_is_made_up_for_a_shape(shape: str, value: object) -> None:
    assert literal(made_up(shape)) == value


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ("list of", "something is missing at its end"),
        ("list of 3 ints please", "'please' does not belong there"),
        ("dict with 3", "after 'dict with' comes 'keys'"),
        ("dict with keys a", "a key is a literal such as 'a'"),
        ("dict of ints", "after 'dict of KEYS' comes 'to VALUES'"),
        ("set of lists", "a set cannot hold such values"),
        ("list of 101 ints", "at most 100 elements"),
        ("list of 90 lists of 90 ints", "more than 2000 values"),
        ("list of " * 20 + "ints", "it is nested too deeply"),
        ("dict[list[int], int]", "a dict cannot hold such values"),
    ],
)
def test_what_is_no_shape_is_refused(shape: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made_up(shape)
    assert problem in caught.value.what
