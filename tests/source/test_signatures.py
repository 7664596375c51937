from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.source.signatures import ANY, Arity, arity_of

SOURCE = """\
import functools
def none(): pass
def two(a, b): pass
def some(a, /, b, c=1, *, d, e=2): pass
def many(a, *rest): pass
def named(a, **rest): pass
@functools.cache
def wrapped(a): pass
class Box:
    def __init__(self, a, b=1): pass
class Bare: pass
class New:
    def __new__(cls, a): return object.__new__(cls)
    def __init__(self, a): pass
class Meta(metaclass=type):
    def __init__(self, a): pass
def twice(a): pass
def twice(a, b): pass
lam = lambda a: a
async def later(a): pass
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", Arity(0, 0)),
        ("two", Arity(2, 2)),
        ("some", Arity(3, 5)),
        ("many", Arity(1, None)),
        ("named", Arity(1, None)),
        ("Box", Arity(1, 2)),
        *((name, ANY) for name in ("wrapped", "Bare", "New", "Meta", "twice", "lam", "later", "absent", "")),
    ],
)
def test_what_calls_have_to_write(name: str, expected: Arity) -> None:
    assert arity_of(SOURCE, name) == expected


def test_what_is_no_python_may_take_anything() -> None:
    assert arity_of("def (", "f") == ANY


@given(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.integers(0, 6))
def test_python_agrees(positional: int, optional: int, keyword: int, given_: int) -> None:
    names = [f"p{n}" for n in range(positional)]
    names += [f"o{n}=0" for n in range(optional)]
    names += ["*", *(f"k{n}=0" for n in range(keyword))] if keyword else []
    source = f"def f({', '.join(names)}): pass\n"
    arity = arity_of(source, "f")
    namespace: dict[str, object] = {}
    exec(source, namespace)
    signature = inspect.signature(namespace["f"])  # type: ignore[arg-type]
    given_by_name = {f"k{n}": 0 for n in range(min(keyword, max(0, given_ - positional - optional)))}
    try:
        signature.bind(*range(given_ - len(given_by_name)), **given_by_name)
        fits = True
    except TypeError:
        fits = False
    assert fits == (arity.least <= given_ <= (arity.most if arity.most is not None else given_))
