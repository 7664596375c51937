"""What is foreseen of objects of the program's classes: all that their classes settle, and no more."""

from __future__ import annotations

import pytest
from test_foresight import _recorded, _Witness

INITIALIZERS = """\
class Base:
    def __init__(self, n):
        self.n = n
        if n < 0:
            return n

class Derived(Base):
    def __init__(self, n):
        super().__init__(n)
        self.worth = super().__init__(n), Base.__init__(self, n)

class Odd:
    def __init__(self, n):
        self.n = n
        return n

def f(n):
    derived = Derived(n)
    again = derived.__init__(n), Base.__init__(derived, 1)
    try:
        Derived(-1)
        Odd(n)
    except TypeError as error:
        again += (str(error),)
    return derived, again
"""

PROPERTIES = """\
class Temp:
    log = 'none'

    def __init__(self, celsius):
        self._celsius = celsius
        self.seen = []

    @property
    def fahrenheit(self):
        return self._celsius * 9 / 5 + 32

    @fahrenheit.setter
    def fahrenheit(self, value):
        if value < -459:
            raise ValueError(f'{value} is too cold')
        self._celsius = (value - 32) * 5 / 9
        self.seen.append(value)

    @property
    def kelvin(self):
        return self._celsius + 273

    @classmethod
    def boiling(cls):
        return cls(100)

class Warm(Temp):
    @property
    def seen_last(self):
        return self.seen[-1]

    @seen_last.setter
    def seen_last(self, value):
        self.seen[-1] = value
        value.append(len(value)) if isinstance(value, list) else None

class Room:
    def __init__(self, temp):
        self.temp = temp
        self.temp.fahrenheit = 70

    def heat(self, n):
        self.temp.fahrenheit += n
        return self

def f(n):
    t = Temp.boiling()
    before = t.fahrenheit
    t.fahrenheit = n
    t.fahrenheit += 9.0
    t.log = 'own'
    warm = Warm(0)
    warm.fahrenheit = t.fahrenheit = 50
    items = [1]
    warm.seen_last = items
    room = Room(Temp(1)).heat(2)
    room.temp.fahrenheit -= 1
    try:
        t.kelvin = 3
    except AttributeError as error:
        words = str(error)
    try:
        t.fahrenheit = -500
    except ValueError as error:
        words += str(error)
    return before, t, warm, room, items, words, t.log, Temp.log
"""

REPLACED = """\
class Temp:
    def __init__(self, n):
        self.n = n

    @property
    def level(self):
        return self.n

    @level.setter
    def level(self, value):
        self.n = value

def replace(kind):
    kind.level = 7

def f(n):
    t = Temp(n)
    t.level = n + 1
    if n:
        replace(Temp)
    t.level = n + 2
    return t, t.level
"""

FROZEN = """\
import dataclasses
from dataclasses import dataclass

@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0

    def __post_init__(self):
        object.__setattr__(self, 'y', self.x + 1)

class Odd(Point):
    def move(self):
        self.z = 3

@dataclass(frozen=False)
class Free:
    x: int

def f(n):
    point, odd, free = Point(n), Odd(n), Free(n)
    free.x = 5
    try:
        odd.move()
        odd.x = 1
    except AttributeError as error:
        words = [str(error)]
    try:
        point.x = 9
    except AttributeError as error:
        words.append(str(error))
    point.z = 9
    return words
"""

OBJECT_PROGRAMS = [
    (INITIALIZERS, "f(2)"),
    (INITIALIZERS, "f(-2)"),
    (PROPERTIES, "f(32)"),
    (REPLACED, "f(0)"),
    (REPLACED, "f(1)"),
    (FROZEN, "f(1)"),
]


@pytest.mark.parametrize("calculates", [False, True])
@pytest.mark.parametrize(("source", "call"), OBJECT_PROGRAMS)
def test_what_is_foreseen_of_objects_comes_true(source: str, call: str, calculates: bool) -> None:
    _Witness(_recorded(source, call), calculates=calculates).run()


def test_setters_are_entered_for_certain() -> None:
    counts = _Witness(_recorded(PROPERTIES, "f(32)"), calculates=True).run().counts
    assert counts["entered"] >= 19
    assert counts["arguments"] >= 30


def test_what_a_property_is_set_to_is_refused_where_it_has_no_setter() -> None:
    workings = _Witness(_recorded(PROPERTIES, "f(32)"), calculates=True).foresight.workings
    assert workings.known.entries is not None
    assert workings.known.entries.setter("Temp(_celsius=1)", "kelvin") is None
    assert workings.known.entries.setter("Temp(_celsius=1)", "fahrenheit") == 12
    assert workings.known.entries.setter("Other(_celsius=1)", "fahrenheit") == 0
