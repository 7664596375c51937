"""What is foreseen of objects of the program's classes: all that their classes settle, and no more."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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

EXCEPTIONS = """\
class AppError(Exception):
    pass

class Missing(AppError, ):
    def __init__(self, key, where='here'):
        super().__init__(f'{key} is not {where}')
        self.key = key

class Coded(AppError):
    code = 3

    def __init__(self, code):
        self.code = code
        Exception.__init__(self, code, 'coded')

    def __str__(self):
        return f'code {self.code}'

class Deep(Missing):
    def __init__(self, key):
        super().__init__(key, 'deep')
        self.depth = [key]

class Key(KeyError):
    pass

class Unsaid(ValueError):
    def __init__(self, a, b):
        self.b = b

def asked(error):
    kinds = AppError, Missing, Exception, LookupError, int, Odd
    return isinstance(error, AppError), isinstance(error, (int, LookupError)), type(error).__name__, [
        isinstance(error, kind) for kind in kinds
    ], isinstance(error, Odd), isinstance(error, object), error.__class__, isinstance(error, BaseException)

class Odd(Exception):
    def __init__(self, a):
        super(AppError, self).__init__(a) if isinstance(self, AppError) else super().__init__([a], object())

def tried(n):
    try:
        if n == 0:
            raise Missing('a')
        if n == 1:
            raise Coded(n)
        if n == 2:
            raise Deep(key=n) from ValueError('x', n)
        if n == 3:
            raise Key('k')
        if n == 4:
            raise Unsaid(1, b=n)
        if n == 5:
            raise Odd(n)
        if n == 6:
            raise StopIteration(n)
        if n == 7:
            raise AppError
        if n == 8:
            raise Missing
        raise KeyError(n) from None
    except AppError as error:
        return f'{error} {error!r:>30}', str(error), error.args, repr(error), f'{error!a}'
    except LookupError as error:
        return f'{error}', str(error), error.args, '%s' % error
    except Exception as error:
        return str(error), error.args, [error.args[:1]], asked(error), asked(Coded(2)), asked(Key(2))

def f(n):
    return [tried(i) for i in range(n)]
"""

CHANGED_ARGS = """\
class Odd(ValueError):
    args = (1, 2)

class Sly(ValueError):
    def __init__(self, n):
        self.args = (n, n)

def f(n):
    odd, sly, plain = Odd(n), Sly(n), ValueError(n)
    return odd.args, str(odd), str(sly), f'{plain}', sly.args
"""

WORDS = """\
from collections import namedtuple
from dataclasses import dataclass
from typing import NamedTuple

class P:
    def __init__(self, x):
        self.x = x
    def __str__(self):
        return f'P{self.x}'

class Q(P):
    def __repr__(self):
        return 'Q!'

class R:
    def __format__(self, spec):
        return f'R{spec}'
    def __str__(self):
        return 'r'

class S:
    def __repr__(self):
        return 'S'
    __str__ = lambda self: 'lambda'

class Bad:
    def __str__(self):
        return 3

@dataclass
class D:
    x: object
    s: str = "a'b"

@dataclass
class E(D):
    def __str__(self):
        return 'E'

@dataclass
class F(E):
    z: int = 3

Pair = namedtuple('Pair', 'a b')

class Span(NamedTuple):
    a: int
    b: object = None

def f(n):
    p, q, r, s, d, e, g = P(n), Q(2), R(), S(), D(3), E(4), F(5)
    a = f'{p}', f'{p!s:>5}|{q!r}|{q}', f'{r}{r:x}{r!s}', f'{s} {s!r}', str(s)
    print(p, q)
    print('x', p, n, None, sep='')
    print(*[1, 2], sep='\\u20ac', end='')
    print([p], r, s, flush=True)
    b = str(d), repr(d), f'{d} {d!r}', str(e), repr(e), f'{e!r}{e}', f'{g}', str(g), repr(g)
    c = str(Pair(n, 'x')), f'{Pair(1, Pair(2, 3))}', repr(Span(1)), f'{Span(1, [2])!s:>20}'
    h = f'{D([1.0, D(2)])}', str(D({1: {2}})), f'{D(p).s}'
    try:
        print(Bad())
    except TypeError as error:
        return a, b, c, h, str(error)
"""

PRINTS_ELSEWHERE = """\
import sys

class Out:
    def __init__(self):
        self.said = []
    def write(self, text):
        self.said.append(text)

def f(n):
    before, sys.stdout = sys.stdout, Out()
    print(n)
    said, sys.stdout = sys.stdout.said, before
    out = Out()
    print(n, file=out)
    return said, out.said
"""

KEPT = """\
class AppError(Exception):
    def __init__(self, message, code=1):
        self.code: int = code
        super().__init__(message)
        self.items = [code]

class Short(AppError):
    def __init__(self, need, have):
        super().__init__(f'need {need}', code=need)
        self.have = have
        self.gap = need - have
        self.late = 1

    def __str__(self):
        return f'{self.gap} short of {self.code}'

class Other(Exception):
    def __init__(self, have):
        self.have = have

def pay(n):
    if n > 5:
        raise Short(n, 5)
    raise AppError('no')

def passed_on(n):
    try:
        pay(n)
    except Short as short:
        kept = short
        short.late = 2
        raise
    except AppError as error:
        error.note = error.code
        raise error

def f(n):
    found = []
    for i in range(4, n):
        try:
            passed_on(i)
        except Short as error:
            found.append((str(error), error.have, error.gap + error.code, error.late, error.items))
        except AppError as error:
            found.append([error.code, error.note, error.args])
    made = Short(9, 2)
    other = Other(3)
    found += [made.code, made.have, f'{made}', other.have, made.items, made.late]
    try:
        raise made
    except Exception as error:
        found.append(error.gap)
    return found
"""

MADE_ANEW = """\
class Odd(ValueError):
    def __init__(self, n):
        super().__init__('odd')
        self.n = n

def f(n):
    odd = Odd(n)
    odd.__init__(n + 1)
    for number in range(2):
        if number:
            odd = Odd(n)
    return odd.n
"""

ONE_LINE = """\
class Box:
    def __init__(self, n): self.n = n; self.items = []
    def put(self, x): self.items.append(x); return len(self.items)

def g(x): y = x; y += 1; return y

def jumps(n):
    if n == 0: return 'zero'
    if n == 1: n = 7; return n
    elif n == 2: n = g(n)
    elif n == 3: raise ValueError(n)
    else: n += 10; n *= 2
    for i in range(5):
        if i == 0: continue
        if i == n: break
        if i == 4: n += g(i); break
        n -= i; n += 1
    while n > 8:
        n -= 3
        if n % 2: continue
    with Held() as held:
        if n == 6: return held
        if n == 5: n = 1; held.n = n
    try:
        if n == 3: return n
        if n < 0: raise KeyError(n)
        n = 1 // (n - 1); n += 1
    except ZeroDivisionError: n = -1; return n
    except KeyError as error: return error
    finally:
        if n: n = 0
    if n > 100: n = 0; n = 1

class Held:
    def __enter__(self): return self
    def __exit__(self, *args): self.left = 1; return False

def f(n):
    box = Box(1); box.put('a'); box.put('b')
    a = b = 1; c = [a]; d = c; c.append(b); e, h = d, len(d)
    it = iter(c); first = next(it); second = next(it)
    add = c.append; add(3); c = []; add(4)
    x = box; x.n += 1; box.n += 2; y = g(x.n); z = g(y) if y else 0
    found = []
    for i in range(n):
        try: found.append(jumps(i))
        except ValueError as error: found.append(error.args); i = 3
    del d[0]; k = d
    assert k; assert len(k) == 5; y = 2
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

OBJECT_PROGRAMS = [
    (CALLED, "f(3)"),
    (OPERATORS, "f(3)"),
    (ROWS, "f(3)"),
    (SUPER, "f(3)"),
    (ONE_LINE, "f(12)"),
    (KEPT, "f(8)"),
    (MADE_ANEW, "f(1)"),
    (EXCEPTIONS, "f(10)"),
    (CHANGED_ARGS, "f(1)"),
    (WORDS, "f(1)"),
    (PRINTS_ELSEWHERE, "f(1)"),
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


def test_exceptions_of_the_program_are_made_raised_and_put_in_words() -> None:
    counts = _Witness(_recorded(EXCEPTIONS, "f(10)"), calculates=True).run().counts
    assert counts["entered"] >= 16
    assert counts["calculated"] >= 20


def test_objects_are_put_in_words() -> None:
    counts = _Witness(_recorded(WORDS, "f(1)"), calculates=True).run().counts
    assert counts["entered"] >= 9


def test_attributes_that_exceptions_keep_are_known_where_they_are_caught() -> None:
    witness = _Witness(_recorded(KEPT, "f(8)"), calculates=True).run()
    assert witness.settled.count("Short('need 6').gap") == 2
    assert {"Short('need 9').have", "Short('need 9').gap", "Other(3).have", "AppError('no').code"} <= set(
        witness.settled
    )
    assert not any(text.endswith((".late", ".items")) for text in witness.settled)


def test_statements_on_one_line_are_followed_one_after_the_other() -> None:
    counts = _Witness(_recorded(ONE_LINE, "f(12)"), calculates=True).run().counts
    assert {name: counts[name] for name in ("entered", "branches", "values") if counts[name] < 30} == {}


def test_named_tuples_with_methods_are_followed() -> None:
    counts = _Witness(_recorded(ROWS, "f(3)"), calculates=True).run().counts
    assert counts["entered"] >= 16
    assert counts["calculated"] >= 60


def test_what_super_stands_for_is_known() -> None:
    counts = _Witness(_recorded(SUPER, "f(3)"), calculates=True).run().counts
    assert counts["entered"] >= 9


def test_operators_and_items_enter_methods() -> None:
    counts = _Witness(_recorded(OPERATORS, "f(3)"), calculates=True).run().counts
    assert counts["entered"] >= 25


def test_objects_that_are_called_are_entered() -> None:
    counts = _Witness(_recorded(CALLED, "f(3)"), calculates=True).run().counts
    assert counts["entered"] >= 9


_CLASSES = """\
class Level:
    top = 9

    def __init__(self, n, items):
        self.n = n
        self.items = items

    @property
    def half(self):
        return self.n / 2

    @half.setter
    def half(self, value):
        if value > 20:
            raise Far(value, self.n)
        self.n = value * 2
        self.items.append(value)

    def __getitem__(self, i):
        return self.items[i]

    def __setitem__(self, i, value):
        self.items[i] = value

    def __len__(self):
        return len(self.items)

    def __eq__(self, other):
        return self.n == other.n

    def __lt__(self, other):
        return self.n < other.n

    def __contains__(self, item):
        return item in self.items

    def __call__(self, x):
        self.items.append(x)
        return self

    def __str__(self):
        return f'L{self.n}'

class Far(ValueError):
    def __init__(self, n, limit=3):
        super().__init__(f'{n} of {limit}')
        self.limit = limit

    def over(self, n):
        return self.limit + n

class Span(NamedTuple):
    a: int
    b: object = 0

    @property
    def size(self):
        return self.b - self.a

    def __contains__(self, item):
        return self.a <= item < self.b

class Wide(namedtuple('Wide', 'a b')):
    def __new__(cls, a, b=None):
        return super().__new__(cls, a, a + 1 if b is None else b)

    def __repr__(self):
        return f'W{self.a}'
"""
_VALUES = st.sampled_from(
    [
        *("x", "1", "'a'", "[]", "y.n", "z.items", "x.items", "y[0]", "y[x.n]", "len(y)", "y('z')", "str(y)"),
        *(
            "f'{z}'",
            "y.top",
            "z == y",
            "z < y",
            "z != y",
            "y > z",
            "3 in y",
            "s.size",
            "s.a",
            "s[1]",
            "2 in s",
        ),
        *(
            "w",
            "w.b",
            "w[0]",
            "repr(w)",
            "str(w)",
            "s._replace(a=1)",
            "list(s)",
            "sorted(w)",
            "hash((1, 2.5))",
        ),
        *("error.limit", "error.args", "str(error)", "f'{error!r}'", "error.over(2)", "Far(1)", "bool(y)"),
        *("Far(2, limit=y.n)", "Wide(x)", "Wide(1, 2)", "Span(1)", "Level(1, [2])", "isinstance(error, Far)"),
        *(
            "isinstance(s, tuple)",
            "type(error).__name__",
            "y.half + 1",
            "s == w",
            "s < (1, 9)",
            "w == (1, 2)",
        ),
    ]
)
_TARGETS = st.sampled_from(
    [
        *(
            "v",
            "y.half",
            "z.half",
            "y.n",
            "z.items",
            "y[0]",
            "z[-1]",
            "y.top",
            "z.late",
            "v, u",
            "error.late",
        ),
        *("error.limit", "y.items[0]"),
    ]
)


@st.composite
def _statements(draw: st.DrawFn) -> str:
    value, target = draw(_VALUES), draw(_TARGETS)
    shapes = (
        *(
            f"{target} = {value}",
            f"v = {value}",
            f"u = v = {value}",
            f"{target} += 1",
            f"v = [{value}]; u = v",
        ),
        *(f"if {value}: {target} = 3", f"if not {value}: v = 1; u = {value}", f"print({value}); v = {value}"),
        *(f"raise Far({value}, 1)", "raise error", f"if {value}: return {value}", f"assert {value}, v"),
        *(
            f"v = {value}, {draw(_VALUES)}",
            f'v = f"{{v}}{{{value}!r}}"',
            "z = y",
            "v = u; u = 1; v += u",
            "raise",
        ),
        *(f"for v in {value}: pass", "del z[0]", f"v = y({value})({value})"),
    )
    return draw(st.sampled_from(shapes))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_statements(), st.booleans()), min_size=1, max_size=7), st.booleans())
def test_what_is_foreseen_of_objects_in_random_programs_comes_true(
    statements: list[tuple[str, bool]], calculates: bool
) -> None:
    lines = "".join(
        f"        try:\n            {text}\n        except Exception as error:\n            v = str(error)\n"
        if is_tried
        else f"        {text}\n"
        for text, is_tried in statements
    )
    source = f"""from collections import namedtuple
from typing import NamedTuple

{_CLASSES}
def f(x):
    y, z = Level(x, [1, 'b']), Level(2, [])
    s, w, v, u = Span(1, 4), Wide(x), 0, None
    try:
        z.half = 50
    except Far as error:
{lines}
    return y, z, s, w, v, u

def g(x):
    try:
        return f(x)
    except Exception as error:
        return str(error), error.args
"""
    _Witness(_recorded(source, "g(0)"), calculates=calculates).run()
