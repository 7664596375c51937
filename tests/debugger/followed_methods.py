"""Programs whose classes carry out operations, and named tuples with methods."""

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

ROWS = """\
import collections.abc
from collections import namedtuple
from typing import NamedTuple

class Interval(namedtuple('IntervalBase', ['begin', 'end', 'data'])):
    __slots__ = ()

    def __new__(cls, begin, end, data=None):
        return super(Interval, cls).__new__(cls, begin, end, data)

    def overlaps(self, begin, end=None):
        if end is not None:
            return begin < self.end and end > self.begin
        return self.overlaps(begin.begin, begin.end)

    def __hash__(self):
        return hash((self.begin, self.end))

    def __eq__(self, other):
        return self.begin == other.begin and self.end == other.end

    def __lt__(self, other):
        return self[0:2] < other[0:2]

    def __contains__(self, item):
        return self.begin <= item < self.end

class Shown(namedtuple('Shown', 'a b')):
    def __new__(cls, a, b=2):
        self = super().__new__(cls, a, b=b)
        return self

    def __repr__(self):
        return 'Shown!'

    @property
    def total(self):
        return self.a + self.b

    @classmethod
    def of(cls, a):
        return cls(a, a)

class One(namedtuple('One', 'a')):
    def __new__(cls, *args):
        return tuple.__new__(cls, args)

class Kept(NamedTuple):
    a: int
    b: str = 'b'

    def longer(self):
        return Kept(self.a + 1, self.b * 2)._replace(a=self.a)

class Sized(NamedTuple):
    a: int

    def __len__(self):
        return 7

    def __iter__(self):
        return iter('xy')

class Initialized(namedtuple('Initialized', 'a')):
    def __new__(cls, a):
        return super().__new__(cls, a + 1)

    def __init__(self, a):
        self.seen = a

def f(n):
    a = Interval(1, n)
    b = Interval(2, 4, 'x')
    c = a.overlaps(b), a.overlaps(1, 2), a == b, a < b, a.begin, b.data, hash(a), hash(3.5), hash((1, (2.0,)))
    d = isinstance(a, tuple), isinstance(a, (int, Interval)), hasattr(a, 'begin'), isinstance(b, list)
    e = 2 in a, a[0:2], b[-1], a.__lt__(b), a._fields, a.__eq__(a), type(a), type(a).__name__
    g = isinstance(a, collections.abc.Sequence), hasattr(a, 'count'), hasattr(a, 'overlaps')
    shown = Shown(n)
    h = shown.total, Shown.of(4), len(shown), shown[1], list(shown), shown._replace(b=n), f'{shown}'
    first, second = shown
    i = shown == (n, 2), shown < (n, 3), (n, 2) == shown, sum(shown), max(shown), shown is None, shown + (1,)
    one = One(n)
    kept = Kept(n).longer()
    j = len(kept), list(kept), kept[0], kept.a, kept._asdict(), one.a, one[0], len(one), one._fields
    made, sized = Initialized(n), Sized(n)
    m = len(sized), list(sized), sized[0]
    k = made.a, made.seen, Interval(3, 1) != a, {a: 1}, sorted([b, a]), [x for x in shown]
    try:
        a.begin = 3
    except AttributeError as error:
        return c, d, e, g, h, first, second, i, j, k, m, str(error)
"""

SUPER = """\
class A:
    def __init__(self, n):
        self.n = n
    def name(self):
        return 'a'

class B(A):
    def __init__(self, n):
        super(B, self).__init__(n)
    def name(self):
        return 'b' + super(B, self).name()

class C(B):
    def __init__(self, n):
        super(B, self).__init__(n + 1)
        super(C, self).__init__(n)
    def name(self):
        return super(B, self).name() + super(C, self).name() + super().name()

def f(n):
    c = C(n)
    return c, c.name(), B(n).name()
"""

OPERATORS = """\
from dataclasses import dataclass
from enum import Enum
from functools import total_ordering

@total_ordering
class Unit(Enum):
    A = 0
    B = 1

    def __lt__(self, other):
        if self.__class__ is other.__class__:
            return self.value < other.value
        return NotImplemented

    def __str__(self):
        return self.name.lower()

class Key:
    __slots__ = ['obj']

    def __init__(self, obj):
        self.obj = obj

    def __lt__(self, other):
        try:
            return self.obj < other.obj
        except TypeError:
            return 3

    def __bool__(self):
        return bool(self.obj)

class Row:
    def __init__(self, items):
        self.items = items

    def __getitem__(self, i):
        return self.items[i]

    def __setitem__(self, i, value):
        if i > 5:
            raise IndexError(i)
        self.items[i] = value
        value.append(i) if isinstance(value, list) else None

    def __len__(self):
        return len(self.items)

    def __contains__(self, item):
        return self.items.count(item)

class Odd(Row):
    def __len__(self):
        return -1 if self.items else 0

    def __bool__(self):
        return 3

@dataclass(slots=True)
class Slim:
    n: int
    ok: bool = False

class Counted:
    total = 0

    def inc(self):
        self.total += 1
        Counted.total += 1
        return self

def f(n):
    slim = Slim(n)
    slim.n -= 1
    slim.n += n
    a = slim.ok or slim.n
    b = Key('q').__lt__(Key('r')), Key(1) < Key(2), Key(1) < Key('x')
    row = Row([1, 2])
    c = row[0]
    row[1] = 5
    row[0] += 2
    inner = []
    row[1] = inner
    if row: c += 1
    d = 3 in row, 7 in row, 7 not in row, len(row), row[0:1], row[-1]
    e = Unit.A < Unit.B, Unit.A <= Unit.B, str(Unit.A), f'{Unit.B}', Unit.A.__lt__(3), Unit.B.name
    g = Counted().inc().inc()
    h = 'yes' if Key(0) else 'no', not Key(1), Key(2) and 5, bool(Key(0)), [1 for key in [Key(0)] if key]
    while row:
        row.items.pop()
    k = []
    for thing in (Odd([]), Odd([1]), slim, g, Unit.A, ValueError(), Key(0)):
        try:
            if thing:
                k.append(1)
            else:
                k.append(0)
        except (TypeError, ValueError) as error:
            k.append(str(error))
    try:
        row[9] = 1
    except IndexError as error:
        k.append(error.args)
    try:
        slim.other = 3
    except AttributeError:
        return slim, a, b, c, row, inner, d, e, g, h, k
"""

CALLED = """\
from functools import total_ordering

@total_ordering
class Version:
    def __init__(self, n):
        self.n = n

    def __eq__(self, other):
        return self.n == other.n

    def __lt__(self, other):
        return self.n < other.n

class Adder:
    def __init__(self, n):
        self.n = n
        self.seen = []

    def __call__(self, x, *more, by=0):
        self.seen.append(x)
        return self.n + x + by

class Plain:
    pass

def applied(function, x):
    return function(x)

def f(n):
    a, b = Version(n), Version(n + 1)
    c = a == b, a < b, a != b, a > b, a <= b
    add = Adder(n)
    d = add(1), add(2, by=3), applied(add, 4)
    e = add(5, 6)
    plain = Plain()
    try:
        plain(3)
    except TypeError as error:
        return c, d, e, add, str(error)
"""

MADE_TWICE = """\
import datetime
from collections import namedtuple

Pair = namedtuple("Pair", "left right")
Step = namedtuple("Step", ["name", "function"])

class Mark:
    def __init__(self, note):
        self.note = note

class Number(Mark, int):
    def __new__(cls, value, note):
        return int.__new__(cls, value)
    def __init__(self, value, note):
        super().__init__(note)

class Day(Mark, datetime.date):
    def __new__(cls, year, note=""):
        return datetime.date.__new__(cls, year, 1, 2)
    def __init__(self, year, note=""):
        super().__init__(note)

class Inner(Mark):
    def __init__(self, name, *parts):
        self.name = name
        super().__init__(parts)

class Outer(Mark):
    pass

class Failure(Exception):
    def __init__(self, expected):
        self.expected = expected

def f(n):
    number = Number(n, "x")
    day = Day(2020, note="y")
    nested = Outer(Inner("em", n))
    steps = [Step(f"take({n})", lambda xs: xs[:n]), Step(name="dict", function=dict), Pair(n, right=[dict])]
    failure = Failure(IOError)
    return number.note, day.note, nested.note.note, len(steps), failure.expected is OSError
"""
"""Objects that one method makes and another one fills, and named tuples of functions."""

METHOD_PROGRAMS = [
    (MADE_TWICE, "f(3)"),
    (CALLED, "f(3)"),
    (OPERATORS, "f(3)"),
    (ROWS, "f(3)"),
    (SUPER, "f(3)"),
    (INITIALIZERS, "f(2)"),
    (INITIALIZERS, "f(-2)"),
    (PROPERTIES, "f(32)"),
    (REPLACED, "f(0)"),
    (REPLACED, "f(1)"),
    (FROZEN, "f(1)"),
]
"""Source and call."""
