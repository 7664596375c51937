"""The insides of rendered values, read from their text alone."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.debugger.value_parts import children, reached, replaced, type_name

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.binary(max_size=8),
)
KEYS = st.one_of(st.integers(), st.text(max_size=5), st.tuples(st.integers(), st.text(max_size=3)))
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.frozensets(ATOMS.filter(lambda atom: atom == atom), max_size=3).map(set),
    ),
    max_leaves=12,
)


@settings(max_examples=50)
@given(VALUES)
def test_the_parts_of_a_container_are_its_items(value: Any) -> None:
    text = repr(value)
    parts = children(text)
    if isinstance(value, dict):
        assert [(part.name, part.text) for part in parts] == [(repr(k), repr(v)) for k, v in value.items()]
    elif isinstance(value, list | tuple) or (isinstance(value, set) and value):
        assert [part.text for part in parts] == [repr(item) for item in value]
    else:
        assert parts == []
    assert all(text[part.start : part.start + len(part.text)] == part.text for part in parts)
    assert type_name(text) == type(value).__name__


@settings(max_examples=40)
@given(VALUES, VALUES)
def test_replacing_a_part_changes_that_part_only(value: Any, new: Any) -> None:
    for part in children(repr(value)):
        made = replaced(repr(value), (part.name,), repr(new))
        assert made is not None
        if isinstance(value, list | dict):
            expected = value.copy()
            expected[ast.literal_eval(part.name)] = new
            assert made == repr(expected)


@given(st.text(max_size=60))
def test_any_text_has_parts_or_none(text: str) -> None:
    children(text)
    type_name(text)


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        ("Point(x=1, y=[2, 3])", "Point", {"x": "1", "y": "[2, 3]"}),
        ("deque([1, 2], maxlen=3)", "deque", {"0": "1", "1": "2", "maxlen": "3"}),
        ("defaultdict(<class 'list'>, {'a': [1]})", "defaultdict", {"'a'": "[1]"}),
        ("Counter({'a': 2})", "Counter", {"'a'": "2"}),
        ("ValueError('a, b')", "ValueError", {"0": "'a, b'"}),
        ("frozenset({1})", "frozenset", {"0": "1"}),
        ("['abc'..., 1, ...]", "list", {"0": "'abc'...", "1": "1", "...": "the rest is not shown"}),
        (
            "{'k': <function f>, 'l': <int of 9 bits>...}",
            "dict",
            {"'k'": "<function f>", "'l'": "<int of 9 bits>..."},
        ),
        ("<function f>", "function f", {}),
        ("set()", "set", {}),
        ("(1+2j)", "complex", {}),
        ("{...}", "set", {"...": "the rest is not shown"}),
        ("range(0, 3)", "range", {"0": "0", "1": "3"}),
        ("nan", "float", {}),
        ("", "", {}),
    ],
)
def test_what_is_no_literal_has_parts_too(text: str, kind: str, parts: dict[str, str]) -> None:
    assert type_name(text) == kind
    assert {part.name: part.text for part in children(text)} == parts


def test_parts_are_reached_by_what_is_written_for_them() -> None:
    texts = {"box": "Box(items=[1, <object>], name='b')", "d": "{'a': Box(n=1), 3: 'x'...}"}
    assert reached("box.items[0]", texts) == "1"
    assert reached("box.items[1]", texts) == "<object>"
    assert reached("d['a'].n", texts) == "1"
    assert reached("d[3]", texts) == "'x'..."
    for wrong in ("box.other", "box.items[7]", "nothing", "f(box)", "box.", "d[box]"):
        assert reached(wrong, texts) is None
