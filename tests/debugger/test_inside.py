"""What a value reads as once an object somewhere inside of it has changed."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.debugger.foreseeing.attributes import Attributes
from opencwm.debugger.foreseeing.inside import changed_inside

Tree = Any


@pytest.mark.parametrize(
    ("whole", "depth", "old", "new", "expected"),
    [
        (
            "{'a': [1, {'b': None}], 'c': True}",
            2,
            "{'b': None}",
            "{'b': 'x'}",
            "{'a': [1, {'b': 'x'}], 'c': True}",
        ),
        ("[[1], [2]]", 1, "[2]", "[2, 3]", "[[1], [2, 3]]"),
        ("[[1], [1]]", 1, "[1]", "[1, 2]", None),  # one object, or two
        ("[[1], [[2]]]", 1, "[2]", "[3]", None),  # that is further in
        ("[[1], ...]", 1, "[1]", "[2]", None),
    ],
)
def test_the_one_object_that_reads_so_is_replaced(
    whole: str, depth: int, old: str, new: str, expected: str | None
) -> None:
    assert changed_inside(whole, [None] * depth, old, new, Attributes()) == expected


trees = st.recursive(
    st.integers(0, 3) | st.text("ab'", max_size=2) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def _places(tree: Tree, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to all lists inside of a tree, as keys and indices."""
    if not isinstance(tree, list | dict):
        return []
    items = list(enumerate(tree)) if isinstance(tree, list) else list(tree.items())
    here = [way] if isinstance(tree, list) and way else []
    return here + [place for key, item in items for place in _places(item, (*way, key))]


@given(trees, st.data())
def test_what_is_told_is_what_happens(tree: Tree, data: st.DataObject) -> None:
    places = _places(tree)
    if not places:
        return
    way = data.draw(st.sampled_from(places))
    whole, real = repr(tree), json.loads(json.dumps(tree))
    part = real
    for key in way:
        part = part[key]
    old = repr(part)
    part.append("new")
    told = changed_inside(whole, [None] * len(way), old, repr(part), Attributes())
    assert told is None or told == repr(real)
    if told is None:  # it is told wherever nothing else reads as it did
        nodes = [ast.unparse(node) for node in ast.walk(ast.parse(whole)) if isinstance(node, ast.List)]
        assert nodes.count(ast.unparse(ast.parse(old))) > 1
