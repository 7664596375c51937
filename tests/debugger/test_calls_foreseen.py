"""What is foreseen of lines with several calls: all that nothing in between can have changed, and no more."""

from __future__ import annotations

import pytest
from followed_calls import CALL_PROGRAMS
from hypothesis import given, settings
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness

from opencwm.debugger.foreseeing.closures import Closures, free_variables

_FUNCTIONS = """\
class Box:
    def __init__(self, items):
        self.items = items
    def add(self, x):
        self.items.append(x[:1])
        return self.items
    def __add__(self, other):
        other.items.append(len(self.items))
        return Box(self.items + other.items)
    def __len__(self):
        return len(self.items)

def grow(a):
    a.append(1)
    return a
def keep(a):
    return [len(a), a]
def copy(a):
    return a[:]
def swap(a, b):
    a.append(b[:1])
    return b
def anew(a):
    if len(a) > 2:
        a = [a[0]]
    a.append(0)
    return a
"""
_ATOMS = ["xs", "ys", "zs[0]", "box.items", "xs[:1]", "[1]", "xs + ys", "sorted(ys)", "(ws := xs)"]
_SHAPES = [
    *("grow({0})", "keep({0})", "copy({0})", "swap({0}, {1})", "anew({0})", "box.add({0})", "[{0}, {1}]"),
    *("({0}, {1}, {0})", "({0} == {1})", "[grow({0}), {1}]", "[keep({0}) for v in [1, 2]]", "({0} or {1})"),
    *("len(box)", "(box + Box({0})).items", "{{'a': {0}, 'b': {1}}}", "[len(grow({0})) for v in [1, 2]]"),
]


@st.composite
def _expressions(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(_ATOMS))
    parts = [draw(_expressions(depth - 1)) for _ in range(2)]
    return draw(st.sampled_from(_SHAPES)).format(*parts)


@settings(max_examples=20, deadline=None)
@given(st.lists(_expressions(), min_size=1, max_size=3), st.booleans())
def test_what_is_foreseen_between_calls_comes_true(expressions: list[str], calculates: bool) -> None:
    lines = "".join(f"    v{number} = {text}\n" for number, text in enumerate(expressions))
    source = f"""{_FUNCTIONS}
def f():
    xs, ys = [1], [3, 2]
    zs, box = [ys, xs], Box(xs)
{lines}    return xs, ys, zs, box
"""
    _Witness(_recorded(source, "f()"), calculates=calculates).run()


@pytest.mark.parametrize("calculates", [False, True])
@pytest.mark.parametrize(("source", "call"), CALL_PROGRAMS)
def test_what_is_foreseen_of_calls_comes_true(source: str, call: str, calculates: bool) -> None:
    _Witness(_recorded(source, call), calculates=calculates).run()


def test_calls_that_cannot_reach_each_others_objects_are_followed_to_the_end() -> None:
    source = """def sort(xs):
    if len(xs) <= 1:
        return xs
    left, right = sort(xs[:1]), sort(xs[1:])
    return left + right if left < right else right + left
"""
    witness = _Witness(_recorded(source, "sort([3, 1, 2])"), calculates=True).run()
    assert witness.counts["entered"] == 5
    assert witness.counts["returned"] == 6
    assert "written" not in witness.counts


def test_a_variable_is_told_only_where_there_is_one_of_it() -> None:
    source = """def outer(n):
    def inner():
        return n
    return inner
"""
    assert free_variables(source) == {2: {"n": 1}}
    closures = Closures(free_variables(source))
    closures.enters(1)
    closures.reads(1, {"n": "3"})
    assert closures.free(2) == {"n": "3"}
    closures.reads(1, {"n": "[3]"})
    assert closures.free(2) == {}
    closures.reads(1, {"n": "3"})
    closures.enters(1)
    assert closures.free(2) == {}


@pytest.mark.parametrize("source", ["def f(:", "f = lambda: lambda: 1\n", "@g\ndef f(x):\n    pass\n"])
def test_programs_without_free_variables(source: str) -> None:
    assert free_variables(source) == {}


@pytest.mark.parametrize(
    "name", ["sum", "max", "min", "tuple", "sorted", "list", "set", "dict", "frozenset", "join"]
)
@settings(max_examples=20)
@given(items=st.lists(st.integers(-20, 20), max_size=4))
def test_what_consumes_a_generator_expression_on_the_spot_is_calculated(name: str, items: list[int]) -> None:
    part = {"dict": "(k, -k)", "join": "str(k)"}.get(name, "k % 7")
    called = "'-'.join" if name == "join" else name
    source = f"def f(xs):\n    made = {called}({part} for k in xs if k != 3)\n    return made\n"
    witness = _Witness(_recorded(source, f"f({items})"), calculates=True).run()
    kept = [item for item in items if item != 3]
    if kept or name not in ("max", "min"):  # else it raises
        at_once = {"dict": 0, "join": len(kept)}.get(name, len(kept))
        assert witness.counts["calculated"] >= len(items) + at_once + (name not in ("list", "frozenset"))


def test_a_counter_does_not_tell_the_order_of_its_items() -> None:
    source = """\
from collections import Counter

def f(text):
    counts = Counter(text)
    found = {letter for letter in counts}
    return sorted(found)
"""
    _Witness(_recorded(source, "f('abca')"), calculates=True).run()
