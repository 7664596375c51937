"""What is foreseen of iterators, patterns, decorators and tables of functions, against recorded runs."""

from __future__ import annotations

import ast

import pytest
from followed_functions import CALLED, DECORATED, FUNCTION_PROGRAMS, ITERATORS_FOLLOWED, PATTERNS
from hypothesis import given, settings
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness

from opencwm.debugger.foreseeing.decorated import Decorated
from opencwm.debugger.foreseeing.expressions import Undecided
from opencwm.debugger.foreseeing.known import Known
from opencwm.debugger.foreseeing.patterns import matched
from opencwm.debugger.foreseeing.workings import Workings


@pytest.mark.parametrize("calculates", [False, True])
@pytest.mark.parametrize(("source", "call"), FUNCTION_PROGRAMS)
def test_what_is_foreseen_of_functions_comes_true(source: str, call: str, calculates: bool) -> None:
    _Witness(_recorded(source, call), calculates=calculates).run()


@pytest.mark.parametrize(
    ("source", "call", "least"),
    [
        (
            ITERATORS_FOLLOWED,
            "main([3, 1, 2], 'k1=v1; k2 = v2')",
            {"entered": 40, "resumed": 20, "values": 70},
        ),
        (PATTERNS, "main()", {"branches": 150, "entered": 25}),
        (CALLED, "main()", {"entered": 17, "values": 28}),
        (DECORATED, "main()", {"entered": 30, "arguments": 60}),
    ],
)
def test_much_of_functions_is_foreseen(source: str, call: str, least: dict[str, int]) -> None:
    counts = _Witness(_recorded(source, call), calculates=True).run().counts
    assert {name: counts[name] for name, number in least.items() if counts[name] < number} == {}


# -- iterators

_FUNCTIONS = """\
from itertools import accumulate, chain, count, dropwhile, filterfalse, islice, starmap, takewhile

def inc(x):
    return x + 1
def is_odd(x):
    return x % 2 == 1
def add(a, b):
    return a + b
def gen(n):
    for i in range(n):
        yield i * 3 % 4

"""
_NUMBERS = st.one_of(
    st.lists(st.integers(0, 6), max_size=5).map(repr),
    st.sampled_from(
        ["xs", "gen(4)", "range(3)", "(x + 1 for x in xs if x != 2)", "islice(count(2), 4)", "iter(xs)"]
    ),
)
_ITERATORS = st.recursive(
    _NUMBERS,
    lambda inner: st.one_of(
        st.builds("map(inc, {})".format, inner),
        st.builds("map(lambda x: x * 2, {})".format, inner),
        st.builds("map(add, {}, {})".format, inner, inner),
        st.builds("map(abs, {})".format, inner),
        st.builds("filter(is_odd, {})".format, inner),
        st.builds("filter(None, {})".format, inner),
        st.builds("filterfalse(is_odd, {})".format, inner),
        st.builds("takewhile(is_odd, {})".format, inner),
        st.builds("dropwhile(is_odd, {})".format, inner),
        st.builds(
            "islice({}, {}, {})".format, inner, st.integers(0, 2), st.sampled_from(["None", "3", "4, 2"])
        ),
        st.builds("chain({}, {})".format, inner, inner),
        st.builds("accumulate({}, add)".format, inner),
        st.builds("accumulate({})".format, inner),
        st.builds("starmap(add, zip({}, {}))".format, inner, inner),
        st.builds("(x + i for i, x in enumerate({}))".format, inner),
        st.builds("(x + y for x in {} for y in {} if y)".format, inner, st.just("[0, 1, 2]")),
    ),
    max_leaves=4,
)
_CONSUMED = st.sampled_from(
    [
        "list({})",
        "tuple({})",
        "sum({}, 1)",
        "max({}, default=-1)",
        "sorted({}, key=inc)",
        "any({})",
        "all(map(is_odd, {}))",
        "next(iter({}), None)",
        "[x for x in {}]",
        "list(zip({}, 'abc'))",
        "','.join(map(str, {}))",
        "3 in iter({})",
    ]
)


@settings(max_examples=100, deadline=None)
@given(_ITERATORS, _CONSUMED, st.lists(st.integers(0, 4), max_size=4))
def test_iterators_give_what_python_gives(iterator: str, consumed: str, xs: list[int]) -> None:
    source = f"{_FUNCTIONS}def f(xs):\n    return {consumed.format(iterator)}\n"
    _Witness(_recorded(source, f"f({xs})"), calculates=True).run()


@settings(max_examples=100, deadline=None)
@given(
    _ITERATORS,
    st.lists(
        st.sampled_from(
            [
                "a = next(it, None)",
                "a = list(it)",
                "for a in it:\n        break",
                "xs.append(1)",
                "jt = it",
                "a = it",
                "b = list(zip(it, it))",
                "keep(it)",
                "for a in it:\n        b = a",
                "a = 2 in it",
                "it = map(inc, it)",
            ]
        ),
        max_size=5,
    ),
    st.lists(st.integers(0, 4), max_size=4),
)
def test_iterators_that_are_kept_are_known_by_how_far_they_have_come(
    iterator: str, lines: list[str], xs: list[int]
) -> None:
    body = "".join(f"    {line}\n" for line in [f"it = iter({iterator})", *lines, "return list(it)"])
    source = f"{_FUNCTIONS}def keep(it):\n    return next(it, 0)\n\ndef f(xs):\n{body}"
    _Witness(_recorded(source, f"f({xs})"), calculates=True).run()


def test_an_iterator_that_someone_else_may_have_asked_is_left_to_the_model() -> None:
    source = """def f(xs):
    it = iter(xs)
    jt = it
    next(jt)
    return list(it)
"""
    witness = _Witness(_recorded(source, "f([1, 2, 3])"), calculates=True).run()
    assert "list(<list_iterator object>)" in witness.expected
    assert "list(<list_iterator object>)" not in witness.settled


# -- patterns

_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 2), st.sampled_from(["", "a", b"a", 1.0, 0.5])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    ),
    max_leaves=5,
)
_PATTERNS = st.recursive(
    st.sampled_from(
        [
            "_",
            "None",
            "True",
            "0",
            "-1",
            "1.0",
            "'a'",
            "b'a'",
            "int()",
            "str()",
            "float()",
            "bool()",
            "dict()",
            "[]",
            "int(_)",
            "list()",
            "tuple()",
            "{}",
            "int(1)",
        ]
    ),
    lambda inner: st.one_of(
        st.builds("[{}]".format, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("({}, *_)".format, inner),
        st.builds("[*_, {}]".format, inner),
        st.builds("{{'a': {}}}".format, inner),
        st.builds("{{'b': {}, **rest}}".format, inner),
        st.builds("({} | {})".format, inner.filter("rest".__ne__), inner),
        st.builds("({} as whole)".format, inner),
        st.builds("[first, *most]".format),
    ),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(_PATTERNS, _VALUES)
def test_patterns_match_what_they_match_in_python(pattern: str, value: object) -> None:
    source = f"match value:\n    case {pattern}:\n        is_match = True\n"
    names: dict[str, object] = {"value": value, "is_match": False}
    try:
        compiled = compile(source, "<test>", "exec")
    except SyntaxError:  # a name twice, or alternatives that bind others
        return
    exec(compiled, names)
    (statement,) = ast.parse(source).body
    assert isinstance(statement, ast.Match)
    try:
        bound = matched(statement.cases[0].pattern, repr(value), _known())
    except Undecided:
        return
    assert (bound is not None) is names["is_match"]
    for name, text in (bound or {}).items():
        assert text == repr(names[name])


def _known() -> Known:
    return Workings.of("def f():\n    return int, str, float, bool, dict, list, tuple\n").known


# -- decorators


def test_a_decorator_that_does_more_is_left_alone() -> None:
    source = """def plain(f):
    def inner(x):
        return f(x)
    return inner

def registering(f):
    SEEN.append(f)
    return f

def choosing(f):
    def inner(x):
        return f(x)
    return inner if f else f

SEEN = []

@plain
def one(x):
    return x

@registering
def two(x):
    return x

@choosing
def three(x):
    return x

@plain
@registering
def four(x):
    return x
"""
    found = Decorated.of(ast.parse(source))
    assert found.functions == {"one": "<function plain.<locals>.inner>"}
    assert found.functions["one"].free == {"f": "<function one>"}
    assert found.plain == frozenset()


def test_names_that_may_mean_something_else_are_no_decorators() -> None:
    source = """def plain(f):
    def inner(x):
        return f(x)
    return inner

def later():
    global plain
    plain = None

@plain
def one(x):
    return x
"""
    assert Decorated.of(ast.parse(source)).functions == {}
    source = """def wraps(f):
    return lambda g: f

def plain(f):
    @wraps(f)
    def inner(x):
        return f(x)
    return inner

@plain
def one(x):
    return x
"""
    assert Decorated.of(ast.parse(source)).functions == {}


def test_a_variable_that_is_handed_on_is_not_kept() -> None:
    source = """def counting(f):
    seen = []
    calls = []
    def inner(x):
        seen.append(x)
        calls.append(x)
        return f(x), calls
    return inner

@counting
def one(x):
    return x
"""
    assert Decorated.of(ast.parse(source)).kept == {4: {"seen": "[]"}}
