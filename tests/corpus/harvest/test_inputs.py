"""Mutated calls: other literals of the same types, nothing else."""

from __future__ import annotations

import ast
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.corpus.harvest.inputs import mutated_calls

_LITERALS = st.recursive(
    st.integers(-100, 100)
    | st.floats(-9, 9)
    | st.booleans()
    | st.text("abc 1", max_size=6)
    | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=2), inner)
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=40)
@given(st.lists(_LITERALS, min_size=1, max_size=3), st.integers(0, 100))
def test_mutated_calls_are_new_and_keep_names_and_types(arguments: list[object], seed: int) -> None:
    call = f"f({', '.join(map(repr, arguments))}, key=sorted)"
    before = ast.parse(call, mode="eval").body
    assert isinstance(before, ast.Call)
    seen = {ast.unparse(before)}
    for text in mutated_calls([call], random.Random(seed), max_attempts=20):
        assert text not in seen
        seen.add(text)
        after = ast.parse(text, mode="eval").body
        assert isinstance(after, ast.Call)
        assert ast.unparse(after.func) == "f"
        assert ast.unparse(after.keywords[0].value) == "sorted"
        for argument, original in zip(after.args, arguments, strict=True):
            assert type(ast.literal_eval(argument)) is type(original)


def test_the_same_seed_gives_the_same_calls() -> None:
    calls = ["f('one two', 3)", "f('three', 4)"]
    made = [list(mutated_calls(calls, random.Random(5), max_attempts=30)) for _ in range(2)]
    assert made[0] == made[1]
    assert len(made[0]) > 10


def test_a_call_without_literals_has_no_mutants() -> None:
    assert list(mutated_calls(["f(g)"], random.Random(0), max_attempts=10)) == []
