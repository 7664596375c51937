"""Dataclasses and named tuples are made, and read, as Python makes them and the tracer writes them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pure_values import VALUES, rendered

from opencwm.debugger.foreseeing.expectations import Expected
from opencwm.debugger.foreseeing.workings import Workings

SOURCE = """
from collections import namedtuple
from dataclasses import dataclass, field
from typing import NamedTuple

@dataclass
class Point:
    x: object
    y: object = 0
    z: list = field(default_factory=list)

@dataclass
class Child(Point):
    w: str = 'w'

@dataclass(frozen=True)
class Fixed:
    x: int

class Pair(NamedTuple):
    x: object
    y: object = 2

class Span(namedtuple('Base', ['x', 'y'])):
    __slots__ = ()

@dataclass
class Own:
    x: int

    def __post_init__(self):
        self.x = 0

@dataclass(kw_only=True)
class Named:
    x: int
"""
SCOPE: dict[str, object] = {"__name__": "program"}
exec(compile(SOURCE, "<program>", "exec", dont_inherit=True), SCOPE)
KNOWN = Workings.of(SOURCE).known


@settings(deadline=None)
@given(
    st.sampled_from(["Point", "Child", "Pair", "Span"]),
    st.lists(VALUES, max_size=4),
    st.dictionaries(st.sampled_from("xyzw"), VALUES, max_size=2),
)
def test_what_a_call_makes_reads_as_the_tracer_writes_it(
    name: str, args: list[object], keywords: dict[str, object]
) -> None:
    parts = [*map(rendered, args), *(f"{key}={rendered(value)}" for key, value in keywords.items())]
    answer = KNOWN.made_of_fields.made(f"{name}({', '.join(parts)})")
    try:
        made = SCOPE[name](*args, **keywords)  # type: ignore[operator]
    except TypeError:
        assert answer is None
        return
    assert answer in (None, rendered(made))
    if answer is not None and name in ("Pair", "Span"):
        assert KNOWN.calculated(Expected(f"{answer}.x")) == rendered(made.x)


def test_simple_ones_are_told() -> None:
    assert KNOWN.calculated(Expected("Point(1, z=[2])")) == "Point(x=1, y=0, z=[2])"
    assert KNOWN.calculated(Expected("Child(1, w='a')")) == "Child(x=1, y=0, z=[], w='a')"
    assert KNOWN.calculated(Expected("Pair(1)")) == "Pair(x=1, y=2)"
    assert KNOWN.calculated(Expected("Child(x=1, y=0, z=[], w='a').w")) == "'a'"


@pytest.mark.parametrize("call", ["Own(1)", "Named(x=1)", "Point(1).x()", "Point(*[1])", "Point(Point(1))"])
def test_others_are_not(call: str) -> None:
    assert KNOWN.made_of_fields.made(call) is None


def test_frozen_objects_are_not_changed() -> None:
    assert KNOWN.attributes.after_store("Point(x=1, y=0, z=[])", "x", "2") == "Point(x=2, y=0, z=[])"
    assert KNOWN.attributes.after_store("Fixed(x=1)", "x", "2") is None
