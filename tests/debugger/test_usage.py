"""What parameters are taken for, from how they are used."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.debugger.usage import FunctionNode, Use, edges, typical, uses_of


def use_of(source: str, name: str = "x", function: str = "f") -> Use:
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, FunctionNode)}
    return uses_of(functions[function], functions)[name]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("def f(x: int): pass", "int"),
        ("def f(x: 'str | None'): pass", "str"),
        ("def f(x=1.5): pass", "float"),
        ("def f(x): return x.upper()", "str"),
        ("def f(x): return x.items()", "dict"),
        ("def f(x): return x['a'] + 1", "dict"),
        ("def f(x): x.append(1)", "list"),
        ("def f(x):\n  for item in x: pass", "list"),
        ("def f(x): return x % 2", "int"),
        ("def f(x): return x == 'a'", "str"),
        ("def f(x): return x + 'a'", "str"),
        ("def f(x): return range(x)", "int"),
        ("def f(x): return g(x)\ndef g(y): return y.strip()", "str"),
        ("def f(x, *, n): return x[-1:]", "list"),
        ("def f(x): x.add(1)", "set"),
        ("def f(x): return x", ""),
    ],
)
def test_a_use_tells_the_type(source: str, kind: str) -> None:
    assert use_of(source).kind == kind


def test_elements_and_fields_are_told_by_their_own_uses() -> None:
    source = "def f(x):\n  for row in x:\n    if row['age'] > 18: return row['name'].upper()"
    assert typical(use_of(source))[0] == {"age": 3, "name": "apple"}
    assert edges(use_of(source))[0] == []


def test_a_parameter_that_may_be_none_is_tried_with_none() -> None:
    assert None in edges(use_of("def f(x: int | None): pass"))
    assert None in edges(use_of("def f(x=None): return x.upper()"))
    assert None not in edges(use_of("def f(x: int): return x is None"))


def test_values_around_what_a_parameter_is_compared_with_are_tried() -> None:
    assert {9, 10, 11} <= set(edges(use_of("def f(x): return x > 10")))
    assert "yes" in edges(use_of("def f(x): return x == 'yes'"))


def test_a_string_that_becomes_a_number_is_tried_with_such_strings() -> None:
    assert edges(use_of("def f(x): return int(x)"))[:2] == ["", "12"]


USES = st.recursive(
    st.builds(Use, st.sampled_from(["", "int", "float", "str", "bool", "bytes"])),
    lambda inner: st.builds(
        Use,
        st.sampled_from(["list", "tuple", "dict", "set"]),
        inner | st.none(),
        st.lists(st.tuples(st.sampled_from(["a", "b"]), inner), max_size=2).map(tuple),
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=50)
@given(USES)
def test_values_have_the_type_and_are_literals(use: Use) -> None:
    for value in (typical(use), *edges(use)):
        assert type(value).__name__ == (use.kind or "int")
        assert value == set() or ast.literal_eval(repr(value)) == value
