"""Expressions over rendered values: Python's answer, or an honest refusal."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided, evaluate, literal
from opencwm.debugger.foreseeing.pure_values import MAX_ITEMS, kind_of

LOCALS = {
    "n": "3",
    "s": "'strawberry'",
    "xs": "[1, 2, 3]",
    "d": "{'a': 1, 'b': [2]}",
    "empty": "set()",
    "t": "(1, 'x')",
    "flag": "True",
    "none": "None",
    "cut": "[1, 2, ...]",
    "long": "'abc'...",
    "obj": "Point(x=1, y=2)",
    "big": "<int of 50000 bits>...",
}
VALUES = {name: literal(text) for name, text in LOCALS.items() if name not in ("cut", "long", "obj", "big")}

GOOD = [
    "n + 1",
    "-n ** 2",
    "n if flag else 0",
    "s[0]",
    "s[::-1]",
    "s.count('r')",
    "s.upper().find('W')",
    "len(xs)",
    "xs + [n]",
    "d['b'][0]",
    "d.get('z', 5)",
    "sorted(d)",
    "list(d.items())",
    "n in xs",
    "n not in xs and not flag",
    "1 < n <= 3 < 9",
    "none is None",
    "flag is not True",
    "[x * 2 for x in xs if x > 1]",
    "{x: str(x) for x in xs}",
    "{x % 2 for x in xs}",
    "sum(x for x in xs)",
    "[(a, b) for a, b in zip(xs, s)]",
    "f'{n}-{s!r:>14}'",
    "max(xs) - min(xs)",
    "any(x > 2 for x in xs)",
    "isinstance(n, (int, str))",
    "type(n)",
    "' '.join(sorted(s))",
    "(1, *xs)",
    "[*s][:2]",
    "{**d, 'c': 3}",
    "{1, 2} | empty",
    "divmod(17, n)",
    "round(2.567, 1)",
    "enumerate(xs)",
    "reversed(xs)",
    "n and s or t",
    "s.split('r')",
    "0.1 + 0.2",
    "1j * 2",
    "b'ab'[0]",
    "not xs",
    "~n",
    "n << 3",
    "xs == [1, 2, 3]",
    "list(range(n))",
]


@pytest.mark.parametrize("expression", GOOD)
def test_it_answers_as_python_does(expression: str) -> None:
    expected = eval(expression, {}, dict(VALUES))  # noqa: S307 - our own expressions, the reference
    if not isinstance(expected, type) and hasattr(expected, "__next__"):
        expected = list(expected)
    result = evaluate(expression, LOCALS)
    assert result.value == expected
    assert kind_of(result.value) is type(expected)
    assert result.text == repr(expected)


@pytest.mark.parametrize(
    "expression",
    ["nope", "nope + 1", "cut", "len(cut)", "long[0]", "obj", "obj.x", "big + 1", "xs is s", "n is n"],
)
def test_what_is_not_known_is_undecided(expression: str) -> None:
    with pytest.raises(Undecided):
        evaluate(expression, LOCALS)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("xs[9]", "IndexError: list index out of range"),
        ("d['z']", "KeyError: 'z'"),
        ("n +", "SyntaxError"),
        ("", "SyntaxError"),
        ("x = 1", "SyntaxError"),
        ("s + n", "TypeError"),
        ("len", "is a function"),
        ("open('x')", ""),
        ("__import__('os')", ""),
        ("(lambda: 1)()", "not supported"),
        ("(n := 4)", "not supported"),
        ("xs.append(4)", "not supported"),
        ("s.format_map({})", "not supported"),
        ("'%9999999d' % 1", "too large"),
        ("s.__class__", ""),
        ("type('X', (), {})", "only type(x)"),
        ("n()", "cannot be called"),
        ("9 ** 9 ** 9", "too large"),
        ("1 << 10 ** 9", "too large"),
        ("'a' * 10 ** 9", "too large"),
        ("[0] * 10 ** 9", "too large"),
        ("bytes(10 ** 9)", "too large"),
        ("range(10 ** 9)", "too large"),
        ("'a'.replace('', 'b' * 90000).replace('b', 'c' * 90000)", "too large"),
        ("('x' * 90000).join(['a'] * 90000)", "too large"),
        ("[list(range(99000)) for i in range(9000)]", "too long"),
        ("[1 for a in range(999) for b in range(999)]", "too long"),
        ("f'{n:99999999}'", "too large"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_too_much_is_refused_quickly(expression: str, message: str) -> None:
    start = time.perf_counter()
    with pytest.raises((ExpressionError, Undecided)) as caught:
        evaluate(expression, LOCALS)
    assert message in str(caught.value)
    assert time.perf_counter() - start < 3


def test_it_says_which_variables_were_used() -> None:
    assert evaluate("n + len(s) + sum(x for x in xs)", LOCALS).names == {"n", "s", "xs"}
    assert evaluate("flag or n", LOCALS).names == {"flag"}


def test_deep_nesting_is_an_answer_too() -> None:
    with pytest.raises(ExpressionError):
        evaluate("(" * 150 + "1" + ")" * 150 + "+" * 5000, LOCALS)
    with pytest.raises((ExpressionError, Undecided)):
        evaluate("-" * 20_000 + "1", LOCALS)


@pytest.mark.parametrize(
    ("text", "value"), [("set()", set()), ("frozenset()", frozenset()), ("inf", float("inf"))]
)
def test_texts_that_are_no_syntax_but_values(text: str, value: object) -> None:
    assert literal(text) == value


literals = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(literals, literals, st.sampled_from(["==", "!=", "<", ">=", "and", "or", "+", "*", "in"]))
def test_operators_agree_with_python(left: object, right: object, operator: str) -> None:
    expression = f"a {operator} b"
    try:
        expected = eval(expression, {}, {"a": left, "b": right})  # noqa: S307 - the reference
    except Exception as error:
        with pytest.raises(ExpressionError, match=type(error).__name__):
            evaluate(expression, {"a": repr(left), "b": repr(right)})
        return
    if (
        not isinstance(expected, list | tuple) or len(expected) <= MAX_ITEMS
    ):  # else only a part would be shown
        assert evaluate(expression, {"a": repr(left), "b": repr(right)}).value == expected


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_answered_or_refused(text: str) -> None:
    try:
        result = evaluate(text, LOCALS)
    except (Undecided, ExpressionError) as error:
        reason = str(error)
    else:
        reason = ""
        assert result.text == repr(result.value)
    assert reason or result is not None
