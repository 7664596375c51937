"""What is known of enumerations and named tuples, against Python itself."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness

from opencwm.debugger.foreseeing.expectations import Expected
from opencwm.debugger.foreseeing.workings import Workings
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer

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
        ("Odd.ONE", "<Odd.ONE: 1>"),
        ("Odd.ALSO", "<Odd.ONE: 1>"),
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


_VALUES = ["0", "1", "-2", "True", "1.0", "''", "'\"'", "'<'", "'a'", "(1, 'a')", "None", "[1]", "auto()"]
_KINDS = ["Enum", "IntEnum", "StrEnum", "int, Enum", "str, Enum", "enum.Enum", "float, Enum", "Flag", "Mine"]
_BODIES = [
    "",
    "    def __str__(self):\n        return 'me'\n",
    "    def __eq__(self, other):\n        return True\n",
    "    def __init__(self, *args):\n        self._value_ = 7\n",
    "    def __new__(cls, *args):\n        raise ValueError\n",
    "    @property\n    def short(self):\n        return self.name\n",
    "    @member\n    def A(self):\n        return 1\n",
    "    def __add__(self, other):\n        return 5\n    __and__ = __add__\n",
    "    class Inner:\n        pass\n",
    "    _ignore_ = ['A']\n",
]
_ASKED = ["E.A", "E.B", "E.C", "E['A']", "E(1)", "E('a')", "E(0)", "E(E.A)", "E.A.value", "E.B.name"]
_JOINED = ["is", "is not", "==", "!=", "<", ">=", "+", "&", "%", "*", "in"]
_WITH = ["E.A", "E.B", "1", "'a'", "0", "(E.A, E.C)", "[E.B]", "{E.A}", "(0, 1)", "None"]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_is_told_of_enumerations_is_what_python_gives(data: st.DataObject) -> None:
    def one(choices: list[str]) -> str:
        return data.draw(st.sampled_from(choices))

    source = (
        "import enum\nfrom enum import Enum, IntEnum, StrEnum, Flag, auto, unique, member\n"
        f"class Mine(Enum):\n    pass\n{one(['', '@unique'])}\nclass E({one(_KINDS)}):\n{one(_BODIES)}"
        + "".join(f"    {name} = {one(_VALUES)}\n" for name in ("A", "B", "C = D"))
    )
    scope: dict[str, Any] = {"__name__": "program"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(source, "<program>", "exec", dont_inherit=True), scope)
    except (TypeError, ValueError, AttributeError):
        return
    known = Workings.of(source).known
    render = Renderer(DEFAULT_LIMITS).render
    told = [(text, known.calculated(Expected(text))) for text in _ASKED]
    for text, found in told:
        if found is not None:
            assert found == render(eval(text, scope))  # noqa: S307 - our own text
    if not hasattr(scope["E"], "A"):
        assert not dict(told)["E.A"]
        return
    members = {name: render(eval(name, scope)) for name in ("E.A", "E.B", "E.C")}  # noqa: S307 - the same
    for symbol, other in itertools.product(_JOINED, _WITH):
        text = filled = f"E.A {symbol} {other}"
        for name, shown in members.items():
            filled = filled.replace(name, shown)
        found = known.calculated(Expected(filled)) if dict(told)["E.A"] else None
        if found is not None:
            assert found == render(eval(text, scope)), source  # noqa: S307 - our own text
    assert known.enumerations.items("<class 'program.E'>") in ([], [render(item) for item in scope["E"]])


MIXED = """\
import enum
from enum import Enum, IntEnum, auto, unique

@unique
class Break(IntEnum):
    OTHER = 0
    CR = 1
    LF = 2

    @classmethod
    def first(cls):
        return cls.OTHER

class Quote(str, Enum):
    ONE = "'"
    TWO = '"'
    THREE = NONE = ''

class Step(enum.Enum):
    START = auto()
    END = auto()
    PAIR = (1, 'a')

def kind(a, b):
    if a == Break.CR and b == Break.LF:
        return 'break'
    if a in (Break.CR, Break.LF):
        return 'alone'
    return 'none' if a < b else 'zero' if a == 0 else 'more'

def f(n):
    if Break.first():
        return None
    quote = Quote.TWO
    found = quote + 'x' + Quote.NONE
    step = Step.START
    kinds = kind(Break.OTHER, Break.CR), kind(Break(2), 1)
    return kinds, n & Break.LF, found, step is Step.END, Step.PAIR.value
"""


def test_members_that_are_integers_or_strings_need_no_model() -> None:
    witness = _Witness(_recorded(MIXED, "f(3)"), calculates=True).run()
    assert witness.counts["entered"] >= 3
    assert witness.counts["calculated"] >= 20
    assert "written" not in witness.counts


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
