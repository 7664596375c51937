"""What is foreseen of functions that are called by other names, against recorded runs."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from followed_callables import (
    ALIASES,
    DEFAULTS,
    GETTERS,
    ITERATORS,
    ODD_DEFAULTS,
    ODD_GETTERS,
    OTHER_NAMES,
    VIEWS,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness

from opencwm.debugger.foreseeing.expectations import Expected
from opencwm.debugger.foreseeing.expressions import Builtins, ExpressionError, Undecided, evaluate
from opencwm.debugger.foreseeing.workings import Workings

_ROWS = [["b", 2, 1], ["a", 1], ["c", 3, 0]]


class _Asking(_Witness):
    """Counts what would be asked of a model."""

    def _ask(self, expected: Expected) -> tuple[str, str]:
        known = expected.value or self.foresight.workings.known.calculated(expected)
        text, value = super()._ask(expected)
        self.counts["asked"] += known is None or not expected.matches(text)
        return text, value


@pytest.mark.parametrize("calculates", [False, True])
@pytest.mark.parametrize(
    ("source", "call"),
    [
        (ALIASES, "f(2)"),
        (GETTERS, f"f(3, {_ROWS})"),
        (ODD_GETTERS, "f(4)"),
        (DEFAULTS, "f('ab # ')"),
        (VIEWS, "f(7)"),
        (ITERATORS, "f(3)"),
    ],
)
def test_what_is_foreseen_of_functions_by_other_names_comes_true(
    source: str, call: str, calculates: bool
) -> None:
    _Asking(_recorded(source, call), calculates=calculates).run()


@pytest.mark.parametrize(
    ("source", "call", "most"),
    [(ALIASES, "f(2)", 2), (GETTERS, f"f(3, {_ROWS})", 1), (DEFAULTS, "f('ab # ')", 2), (VIEWS, "f(7)", 0)],
)
def test_little_is_asked_of_functions_by_other_names(source: str, call: str, most: int) -> None:
    assert _Asking(_recorded(source, call), calculates=True).run().counts["asked"] <= most


@pytest.mark.parametrize("binding", OTHER_NAMES)
def test_names_that_may_stand_for_something_else_are_never_taken_for_another_function(binding: str) -> None:
    source = f"{binding}\ndef f(n):\n    return [h(n), h(n)], h(n + 1)\n"
    _Asking(_recorded(source, "f(3)"), calculates=True).run()


@pytest.mark.parametrize("function", ODD_DEFAULTS)
def test_defaults_that_may_be_other_methods_are_never_taken_for_one_of_a_pattern(function: str) -> None:
    source = f"import re\npattern = re.compile('a+')\n{function}"
    _Asking(_recorded(source, "f('abaa')"), calculates=True).run()


def test_what_another_name_stands_for_is_known() -> None:
    known = Workings.of(ALIASES).known
    assert {
        name: known.constants.get(name) for name in ("next", "advance", "text_type", "second_is_text")
    } == {
        "next": "<built-in function next>",
        "advance": "<built-in function next>",
        "text_type": "<class 'str'>",
        "second_is_text": "<function is_text>",
    }


_LINES = st.lists(
    st.sampled_from(
        [
            "seen.append(next(xs, 0))",
            "a = next(xs, 0)",
            "n = n + 1",
            "ys.append(n)",
            "ys[:] = [n, 8, 9]",
            "other(ys)",
            "apart(n)",
            "zs = ys",
            "xs = iter(ys)",
            "xs = map(str, xs)",
            "yield next(xs, n), next(xs, n)",
            "yield ys",
            "for x in xs:\n        n = x\n        ys.append(1)\n        break",
            "for x in xs:\n        seen.append(x)\n        yield x",
        ]
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=150)
@given(_LINES, st.sampled_from(["xs", "list(xs)"]))
def test_what_an_iterator_goes_through_that_took_its_place_is_never_told_wrong(
    lines: list[str], other: str
) -> None:
    body = "\n    ".join(lines)
    source = f"""def other(ys):
    ys.insert(0, 'z')

def apart(n):
    return n + 1

def g(xs, ys):
    n, seen = 0, []
    xs = iter(xs)
    {body}
    yield seen

def f(xs):
    ys = {other}
    made = g(xs, ys)
    first = next(made)
    if isinstance(first, int):
        xs.append(first)
    else:
        xs[:] = ['q', 'r']
    return first, list(made)
"""
    _Asking(_recorded(source, "f([1, 2, 3, 4, 5])"), calculates=True).run()


_ATOMS = st.one_of(st.integers(-3, 3), st.sampled_from(["a", "b", ""]))
_HOLDERS = st.one_of(
    st.lists(_ATOMS, max_size=4),
    st.lists(_ATOMS, max_size=4).map(tuple),
    st.text("abc", max_size=4),
    st.dictionaries(_ATOMS, _ATOMS, max_size=4),
    _ATOMS,
)


@given(st.lists(_ATOMS, min_size=0, max_size=3), _HOLDERS)
def test_getters_give_what_they_give_in_python(keys: list[Any], holder: Any) -> None:
    text = f"operator.itemgetter({', '.join(map(repr, keys))})({holder!r})"
    builtins = Builtins(modules={"operator": "operator"})
    try:
        found: Any = evaluate(text, {}, builtins=builtins, with_objects=True).text
    except ExpressionError as error:
        found = repr(error.raised)
    except Undecided:
        return
    try:
        made = repr(operator.itemgetter(*keys)(holder))
    except Exception as error:
        made = repr(error)
    assert found == made


@given(st.lists(st.lists(_ATOMS, min_size=1, max_size=3), max_size=4), st.integers(-2, 2))
def test_a_getter_that_raises_within_map_is_not_the_end_of_it(rows: list[list[Any]], key: int) -> None:
    builtins = Builtins(modules={"operator": "operator"}, functions={"list": list, "map": map})
    text = f"list(map(operator.itemgetter({key}), {rows!r}))"
    try:
        assert evaluate(text, {}, builtins=builtins).value == [row[key] for row in rows]
    except Undecided:
        assert any(not -len(row) <= key < len(row) for row in rows)
