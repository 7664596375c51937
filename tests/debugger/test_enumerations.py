"""What is known of enumerations and named tuples, against Python itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness

from opencwm.debugger.expectations import Expected
from opencwm.debugger.workings import Workings

SOURCE = """\
from collections import namedtuple
from enum import Enum

Point = namedtuple('Point', 'x y')

class Color(Enum):
    RED = 1
    GREEN = 'g'
    BLUE = -3

    def next(self):
        return Color.GREEN if self is Color.RED else Color(1)

    @property
    def short(self):
        return self.name[0]

class Odd(Enum):
    ONE = 1
    ALSO = 1

class Own(Enum):
    ONE = 1

    def __eq__(self, other):
        return True

def f(n):
    names = [color.name for color in Color]
    for color in Color:
        names.append(color.value)
    point = Point(n, y=color)
    other = point._replace(x=0)
    x, y = other
    return names, Color.RED.next().next(), Color['BLUE'].short, point, x, y.value, other._asdict()
"""
SCOPE: dict[str, object] = {"__name__": "program"}
exec(compile(SOURCE, "<program>", "exec", dont_inherit=True), SCOPE)
KNOWN = Workings.of(SOURCE).known
_NAMES = ["RED", "GREEN", "BLUE", "PINK", "name", "short"]


@given(st.sampled_from(_NAMES), st.sampled_from(["Color.{}", "Color[{!r}]"]), st.sampled_from(_NAMES))
def test_members_are_told(name: str, form: str, other: str) -> None:
    text = form.format(name)
    try:
        value = repr(eval(text, SCOPE))  # noqa: S307 - our own text
    except (AttributeError, KeyError):
        value = None
    told = KNOWN.enumerations.answer(text)
    assert told == (value if value is not None and value.startswith("<Color.") else None)
    if told is not None and other not in ("name", "short", "PINK"):
        right = KNOWN.enumerations.answer(f"Color.{other}")
        for symbol in ("is", "is not", "==", "!="):
            answer = KNOWN.calculated(Expected(f"{told} {symbol} {right}"))
            real = eval(f"{text} {symbol} Color.{other}", SCOPE)  # noqa: S307 - our own text
            assert answer == repr(real)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Color(1)", "<Color.RED: 1>"),
        ("Color('g')", "<Color.GREEN: 'g'>"),
        ("Color(-3)", "<Color.BLUE: -3>"),
        ("Color(2)", None),
        ("Color(True)", None),
        ("<Color.GREEN: 'g'>.value", "'g'"),
        ("<Color.RED: 1>.name", "'RED'"),
        ("<Color.RED: 2>.name", None),
        ("Odd.ONE", None),
        ("Own.ONE", None),
        ("Point(1, 2)", "Point(x=1, y=2)"),
        ("Point(x=1, y=2)._replace(y=5)", "Point(x=1, y=5)"),
        ("Point(x=1, y=2)._replace(z=5)", None),
        ("Point(x=1, y=2)._asdict()", "{'x': 1, 'y': 2}"),
        ("Point(x=1, y=2)._fields", "('x', 'y')"),
        ("Point(x=1, y=2).y", "2"),
    ],
)
def test_operations_are_worked_out(text: str, value: str | None) -> None:
    assert KNOWN.calculated(Expected(text)) == value


def test_a_program_with_both_needs_no_model() -> None:
    witness = _Witness(_recorded(SOURCE, "f(2)"), calculates=True).run()
    assert witness.counts["entered"] >= 4
    assert "written" not in witness.counts


def test_a_class_in_a_local_is_called_as_by_its_name() -> None:
    source = """\
class Base:
    def __init__(self, n):
        self.n = n
    @classmethod
    def made(cls, n):
        return cls(n)

class Derived(Base):
    def __init__(self, n):
        self.n = n + 1

def f():
    kinds = [Base, Derived]
    for kind in kinds:
        one = kind(3)
    return Base.made(1), Derived.made(2), one
"""
    witness = _Witness(_recorded(source, "f()"), calculates=True).run()
    assert witness.counts["entered"] == 7
    assert "written" not in witness.counts
