"""Values of the standard library: what is worked out on them is what CPython and the tracer say."""

from __future__ import annotations

import collections
import decimal
import fractions
import itertools
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from opencwm.debugger.foreseeing.expressions import (
    Builtins,
    ExpressionError,
    Undecided,
    evaluate,
    known_value,
)
from opencwm.debugger.foreseeing.pure_limits import MAX_SIZE
from opencwm.debugger.foreseeing.pure_operations import FUNCTIONS, MODULES
from opencwm.debugger.foreseeing.pure_values import kind_of, text_of, unordered
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer

KEYS = st.none() | st.booleans() | st.integers(-3, 9) | st.text("ab'\"(", max_size=3) | st.binary(max_size=2)
ATOMS = (
    KEYS
    | st.floats(width=16)
    | st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-99, max_value=99)
    | st.fractions(max_denominator=9).filter(lambda value: abs(value) < 99)
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.sets(KEYS, max_size=3)
        | st.frozensets(KEYS, max_size=3)
        | st.lists(inner, max_size=3).map(collections.deque)
        | st.lists(inner, max_size=3).map(lambda items: collections.deque(items, 4))
        | st.dictionaries(KEYS, inner, max_size=3).map(collections.OrderedDict)
        | st.lists(KEYS, max_size=4).map(collections.Counter)
        | st.dictionaries(KEYS, inner, max_size=2).map(lambda items: collections.defaultdict(list, items))
        | st.binary(max_size=4).map(bytearray)
    ),
    max_leaves=6,
)
NAMES = {
    **{name: module[name] for module in MODULES.values() for name in module},
    **FUNCTIONS,
}
BUILTINS = Builtins(NAMES, {name: name for name in MODULES})


def rendered(value: object) -> str:
    return Renderer(DEFAULT_LIMITS).render(value)


def worked_out(expression: str) -> str:
    return evaluate(expression, {}, builtins=BUILTINS, with_objects=True).text


@settings(deadline=None)
@given(VALUES)
@example(collections.deque([collections.OrderedDict({"(": frozenset({"(("})})]))
def test_values_read_and_write_as_the_tracer_writes_them(value: object) -> None:
    text = rendered(value)
    assert text_of(unordered(value)) == text_of(value) == text
    read = known_value(text)
    assert text_of(read) == text
    assert kind_of(read) is type(value) or "nan" in text


SETS = st.sets(st.integers(-4, 9), max_size=5) | st.sets(st.text("abc", max_size=2), max_size=4)
OPERATIONS_ON_SETS = [
    *("{0} | {1}", "{0} & {1}", "{0} - {1}", "{0} ^ {1}", "{0} <= {1}", "{0} == {1}", "len({0})"),
    *("sorted({0})", "sorted({0}, reverse=True)", "{0}.union({1})", "{0}.isdisjoint({1})", "set({0})"),
    *("min({0}, default=None)", "any({0})", "all({0})", "frozenset({0})", "[{0}, {1}]", "{0} if {1} else 0"),
]


@settings(deadline=None)
@given(SETS, SETS, st.sampled_from(OPERATIONS_ON_SETS))
def test_sets_are_worked_out_where_their_order_does_not_matter(
    one: set[Any], other: set[Any], form: str
) -> None:
    expression = form.format(rendered(one), rendered(other))
    assert worked_out(expression) == rendered(_by_python(expression))


@pytest.mark.parametrize(
    "expression",
    [
        *("list({1, 2})", "[*{1, 2}]", "tuple({'a', 'b'})", "','.join({'a', 'b'})", "str({1, 2})"),
        *(
            "sum({.1, .2, .3})",
            "[x for x in {1, 2}]",
            "f'{ {1, 2} }'",
            "sorted({1, 2}, key=len)",
            "enumerate({1, 2})",
        ),
        *(
            "'%s' % ({1, 2},)",
            "dict.fromkeys({1, 2})",
            "Counter({1, 2})",
            "max({frozenset({1}), frozenset({2})})",
        ),
        *("list(frozenset({1, 2}))", "zip({1, 2}, {3, 4})", "deque({1, 2})"),
    ],
)
def test_the_order_of_sets_is_not_made_up(expression: str) -> None:
    with pytest.raises((Undecided, ExpressionError)):
        worked_out(expression)


def _by_python(expression: str) -> Any:
    names = {
        **{name: getattr(collections, name) for name in ("Counter", "OrderedDict", "defaultdict", "deque")},
        "Decimal": decimal.Decimal,
        "Fraction": fractions.Fraction,
        "re": re,
        "itertools": itertools,
    }
    return eval(expression, names)  # noqa: S307 - our own expressions, the reference


COUNTERS = st.lists(st.sampled_from("abc"), max_size=6).map(collections.Counter)
DEQUES = st.lists(st.integers(0, 5), max_size=5).map(collections.deque)
ORDERED = st.dictionaries(st.sampled_from("abc"), st.integers(0, 5), max_size=3).map(collections.OrderedDict)
DECIMALS = st.decimals(min_value=-99, max_value=99, places=3, allow_nan=False)
FRACTIONS = st.fractions(max_denominator=20).filter(lambda value: abs(value) < 99)
FORMS: list[tuple[Any, list[str]]] = [
    (
        COUNTERS,
        [
            *("{0} + {1}", "{0} - {1}", "{0} | {1}", "{0} & {1}", "{0}['a']", "{0}['zz']", "{0}.get('b', 7)"),
            *("len({0})", "{0}.most_common(2)", "{0}.most_common()", "sorted({0}.elements())", "{0} == {1}"),
            *("'a' in {0}", "list({0}.items())", "sum({0}.values())", "max({0}, default=0)", "Counter({0})"),
            *("[x for x in {0}]", "dict({0})", "+{0}"),
        ],
    ),
    (
        DEQUES,
        [
            *("len({0})", "{0}.count(1)", "{0} + {1}", "list({0})", "{0}[0]", "{0} == {1}", "2 in {0}"),
            *("deque({0}, 2)", "deque({0}, maxlen=3)", "[x + 1 for x in {0}]", "sorted({0})", "{0} * 2"),
            *("sum({0})", "tuple({0})", "{0} or {1}", "not {0}", "{0}.index(3)", "{0}.maxlen"),
        ],
    ),
    (
        ORDERED,
        [
            *("{0} == {1}", "list({0})", "{0}['a']", "len({0})", "{0} | {1}", "list({0}.values())"),
            *("OrderedDict({0})", "dict({0})", "{0}.get('c')", "sorted({0}.items())"),
        ],
    ),
    (
        DECIMALS,
        [
            *("{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} / {1}", "{0} // {1}", "{0} % {1}", "{0} < {1}"),
            *("abs({0})", "-{0}", "round({0}, 1)", "int({0})", "str({0})", "{0} ** 2", "float({0})"),
            *("{0}.quantize(Decimal('0.1'))", "{0}.normalize()", "max({0}, {1})", "sum([{0}, {1}])"),
            *("f'{{{0}:.1f}}'", "Decimal(3) * {0}", "{0} == {1}", "sorted([{0}, {1}])", "{0}.is_signed()"),
        ],
    ),
    (
        FRACTIONS,
        [
            *("{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} / {1}", "{0} // {1}", "{0} % {1}", "{0} < {1}"),
            *("abs({0})", "-{0}", "round({0})", "int({0})", "str({0})", "{0} ** 3", "float({0})"),
            *(
                "{0}.numerator",
                "{0}.denominator",
                "{0}.limit_denominator(3)",
                "Fraction(1, 3) + {0}",
                "2 * {0}",
            ),
        ],
    ),
]


@pytest.mark.parametrize(("values", "forms"), FORMS)
def test_operations_of_the_library_are_what_python_says(values: Any, forms: list[str]) -> None:
    @settings(deadline=None, max_examples=60)
    @given(values, values, st.sampled_from(forms))
    def check(one: object, other: object, form: str) -> None:
        expression = form.format(rendered(one), rendered(other))
        expected = _answer(lambda: rendered(_by_python(expression)))
        assert _answer(lambda: worked_out(expression)) in (expected, None)

    check()


def _answer(ask: Callable[[], str]) -> str | None:
    """Return the value, or the exception, that is answered; None where none is."""
    try:
        return ask()
    except ExpressionError as error:
        return None if error.raised is None else rendered(error.raised)
    except Undecided:
        return None
    except Exception as error:  # what Python raises
        return rendered(error)


PATTERNS = [
    "a",
    "a+",
    "[ab]+c?",
    "(a)(b)?",
    r"(?P<x>\d+)-?",
    "^a|b$",
    r"\w+\s*",
    "(?i)AB",
    "a{2,3}",
    r"(?:ab){2}",
    "x?",
]
REGEX = ["match", "search", "fullmatch", "findall", "split"]


@settings(deadline=None)
@given(st.sampled_from(PATTERNS), st.text("abc12 -x", max_size=12), st.sampled_from(REGEX), st.booleans())
def test_patterns_match_what_python_matches(pattern: str, text: str, method: str, is_compiled: bool) -> None:
    call = (
        f"re.compile({pattern!r}).{method}({text!r})"
        if is_compiled
        else f"re.{method}({pattern!r}, {text!r})"
    )
    assert worked_out(call) == rendered(_by_python(call))
    call = f"re.sub({pattern!r}, r'<\\g<0>>', {text!r})"
    assert worked_out(call) == rendered(_by_python(call))
    call = f"re.compile({pattern!r}, <RegexFlag.IGNORECASE: 2>).findall({text!r})"
    assert worked_out(call) == rendered(re.compile(pattern, re.IGNORECASE).findall(text))


@pytest.mark.parametrize(
    "expression",
    [
        "re.match(r'(a+)+$', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab')",
        "re.match(r'(a|a)*b', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
        "re.match(r'(a*)*b', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
        "re.match(r'(.*)(.*)(.*)(.*)(.*)(.*)x', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
        "re.match(r'(?:(a+)(?(1)b|c))*d', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
        "re.search('a', 'a' * 1000)",
        "re.sub('', 'b' * 90000, 'a' * 399)",
        "re.sub('a', len, 'a')",
        "list(range(10 ** 30))",
        "deque(range(10 ** 9))",
        "bytearray(10 ** 12)",
        "Decimal('1e999999999') + 1",
        "Decimal(10) ** 999999",
        "Fraction(1, 3) ** 99999",
        "int(Decimal('1e99999'))",
        "list(itertools.product(range(100), repeat=9))",
        "list(itertools.permutations(range(99)))",
        "list(itertools.repeat(1))",
        "list(itertools.combinations(range(99), 40))",
        "Counter({'a': 10 ** 12}).elements()",
        "functools.reduce(eval, ['1', '2'])",
        "[0] * 10 ** 9",
        "deque([1]) * 10 ** 9",
    ],
)
def test_what_takes_long_or_grows_large_is_refused(expression: str) -> None:
    start = time.process_time()
    with pytest.raises((ExpressionError, Undecided)):
        worked_out(expression)
    assert time.process_time() - start < 1
    assert MAX_SIZE < 10**6


ITERATION = [
    *(
        "list(itertools.chain({0}, {1}))",
        "list(itertools.zip_longest({0}, {1}))",
        "sum(itertools.chain({0}, {1}))",
    ),
    *(
        "list(itertools.accumulate({0}))",
        "list(itertools.combinations({0}, 2))",
        "list(itertools.islice({0}, 2))",
    ),
    *(
        "list(itertools.product({0}, {1}))",
        "list(itertools.permutations({0}))",
        "list(zip({0}, reversed({1})))",
    ),
    *(
        "list(enumerate({0}))",
        "max(zip({0}, {1}), default=None)",
        "dict(zip({0}, {1}))",
        "list(itertools.repeat({0}, 2))",
    ),
    *(
        "itertools.chain({0})",
        "zip({0})",
        "enumerate({0})",
        "reversed({0})",
        "iter({0})",
        "{{1: {0}}}.items()",
    ),
]


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 4), max_size=3),
    st.lists(st.integers(0, 4), max_size=3),
    st.sampled_from(ITERATION),
)
def test_iterators_read_as_the_tracer_writes_them(one: list[int], other: list[int], form: str) -> None:
    expression = form.format(one, other)
    assert worked_out(expression) == rendered(_by_python(expression))


@pytest.mark.parametrize("look", ["len({})", "{}[0]", "{} + [1]", "str({})", "{} == []", "1 in {}"])
def test_an_iterator_is_only_asked_for_its_items(look: str) -> None:
    make: Callable[[str], str] = look.format
    with pytest.raises((ExpressionError, Undecided)) as raised:
        worked_out(make("zip([1], [2])"))
    assert getattr(raised.value, "raised", None) is None
