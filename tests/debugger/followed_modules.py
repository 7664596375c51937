"""Programs whose modules hold things, with calls, for the tests of what is foreseen of those."""

from __future__ import annotations

VARIABLES = """import re

_prog = None
_count = 0
_pair = (1, 'a')
_mode: str = 'plain'
_other = None

def compiled(text):
    global _prog
    if _prog is None:
        _prog = re.compile('(.*):([0-9]*)', re.DOTALL)
    found = _prog.fullmatch(text)
    return found is not None

def counted(n):
    global _count
    _count = _count + n
    return _count * 2

def swapped():
    global _pair
    before = _pair
    _pair = (before[1], before[0])
    return before

def given(mode):
    global _mode, _other
    _other = _mode = mode
    return _mode + _other

def asked(n):
    global _count
    _count = n * 10
    return n

def failing(text):
    global _count
    _count = int(text)

def giving(n):
    global _count
    for i in range(n):
        _count = i
        yield _count + 100
    _count = yield 7

def main():
    seen = [compiled('a:1'), compiled('b'), _prog is None]
    seen.append(_count + counted(2))
    seen.append(counted(3) + _count)
    seen.append((_count, asked(4), _count))
    try:
        failing('x')
    except ValueError:
        seen.append(_count + 1)
    failing('12')
    seen.append(_count + 1)
    seen += [swapped(), swapped(), _pair]
    seen.append(given('fast') + _mode)
    made = giving(2)
    seen.append((_count, next(made), _count, next(made)))
    seen.append(_count + 5)
    seen.append(next(made) + _count)
    made.close()
    seen.append(_count - 1)
    return seen
"""

ELSEWHERE = """import re

_a = None
_b = None
_c = None
_d = None
_e = None
_f = 1
_g = 2
_h = 3

def set_in_loop():
    global _a
    for _a in (1, 2):
        pass
    return _a is None

def deleted():
    global _b
    _b = 1
    del _b
    try:
        return _b is None
    except NameError:
        return 'gone'

def walrus():
    global _c
    return (_c := 5) + _c, _c is None

def local(n):
    _d = n
    return _d is None

def inner():
    def setting():
        global _e
        _e = 'set'
    setting()
    return _e is None

def added():
    global _f
    _f += 1
    return _f + 1

def listed():
    global _g
    _g = [1]
    _g.append(2)
    return _g

def reading():
    return _g, _h

class Setting:
    def __enter__(self):
        global _h
        _h = 30
        return self

    def __exit__(self, *_):
        global _h
        _h = 300

def main():
    seen = [set_in_loop(), _a is None, deleted(), walrus(), _c is None, local(3), _d is None]
    seen += [inner(), _e is None, added(), _f + 1, listed(), reading()]
    with Setting():
        seen.append(_h + 1)
    seen.append(_h + 1)
    return seen
"""

AT_IMPORT = """_n = 1
_m = 1

def setting():
    global _n
    _n = 5
    return 3

_three = setting()

class Made:
    def __init__(self):
        global _m
        _m = 7

def main():
    return _n + _three, _m, Made() and _m
"""

CONSTANTS = """import re
import sys
from math import pi, tau
from re import compile as pattern_of

SAFE = frozenset(b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~')
SAFE_BYTES = bytes(SAFE)
FEW = tuple(frozenset((3, 1, 2)))
WIDE = tuple(frozenset((300, 1, 200)))
PATTERN = type(re.compile(''))
LINE = re.compile('^ ?', re.M)
PART = pattern_of('([a-z]+|\\\\d+|[.-])', re.I | re.DOTALL)
KINDS = re.Pattern
BITS = 2 * sys.float_info.mant_dig + 3

def nothing(x):
    return x

class Base:
    spec = re.compile('^(\\\\d+|\\\\w+)(\\\\.\\\\w+|\\\\[[^]]+\\\\])*$')
    kind = dict
    limit = BITS
    own = 3
    both = own + BITS

    def matched(self, text):
        return not self.spec.match(text)

    def made(self):
        return self.kind is dict, self.limit - 1, self.both

class Derived(Base):
    kind = list

def main():
    seen = [len(SAFE_BYTES), not b'A.~'.rstrip(SAFE_BYTES + b''), FEW[0] + 1, WIDE[1] + 1]
    seen += [isinstance('x', PATTERN), isinstance(LINE, PATTERN), isinstance(LINE, KINDS)]
    seen += [LINE.sub('', ' a'), PART.split('1.17'), tau * 4.0, pi / 2, BITS - 1]
    seen += [(1,) + (nothing,), nothing is len, Base is object, int is int, type(3) is bool]
    seen += [Base().matched('asctime'), Base().matched('a b'), Derived().made(), Base().made()]
    for part in PART.split('2.b'):
        seen.append(part)
    return seen
"""

MARKERS = """from itertools import zip_longest

_marker = object()
_other = object()

class Empty:
    def size(self):
        return 0

class Star:
    pass

EMPTY = Empty()
STAR = Star()

def joined(sep, items=EMPTY):
    if items is EMPTY:
        return 'nothing'
    return sep.join(items)

def longest(*iterables):
    for xs in zip_longest(*iterables, fillvalue=_marker):
        for x in xs:
            if x is not _marker:
                yield x

def stars(n):
    found = (STAR,) * n
    return [g is STAR for g in found], STAR is EMPTY, [STAR] == [STAR]

def main():
    seen = [joined('-', ['a', 'b']), joined('-'), list(longest([1, 4], [2]))]
    seen += [stars(2), _marker is _other, EMPTY.size(), None is EMPTY, STAR is not None]
    return seen
"""

CLASSES_AND_CALLS = """class Config:
    LIMIT = 3
    NAMES = ('a', 'b')
    count = 0
    double = 2
    __secret = 5

    @classmethod
    def counted(cls):
        cls.count += 1
        return cls.count + 1

    @staticmethod
    def hidden():
        return Config.__secret + 1

class Sub(Config):
    LIMIT = 4

    @classmethod
    def make(cls, n):
        return cls.LIMIT + n, cls.NAMES[1]

    def own(self):
        return Config.LIMIT, self.LIMIT, type(self).LIMIT, self.__class__.NAMES[0]

def twice(x):
    return x * 2

def pair(a, b):
    'Doc.'
    return (a, twice(b))

def scaled(x):
    return x * n

def looped(xs):
    return [twice(x) for x in xs]

def maybe(x):
    if x:
        return 1
    return 2

def again(x):
    return again(x - 1) if x else 0

n = 3
PAIR = pair(1, 2)
WORDS = (twice('a'), twice('b'))
SQUARES = {n: twice(n) for n in range(3)}
SCALED = [scaled(n) for n in range(1, 4)]
LOOPED = looped([1, 2])
TABLE = [twice(1)]
MAYBE = maybe(0), maybe(3)
AGAIN = again(2)

def main():
    seen = [Config.LIMIT + 1, Sub.LIMIT, Config.NAMES[0], Sub.make(2), Sub().own(), Config.hidden()]
    seen += [PAIR[0], WORDS[1], SQUARES[2], TABLE[0], SCALED[0], LOOPED[1], MAYBE[1], AGAIN + 1]
    seen += [Config.counted(), Sub.counted(), Config.count, Sub.count, Config.double + 1]
    return seen
"""

LIBRARY = """import threading as th
from math import inf
from threading import RLock, local

_lock = RLock()
_plain = th.Lock()
_data = local()
_kept = local()

def locked(x):
    if _lock:
        _lock.acquire()
    return x is inf, x == -inf, -inf is None, _plain.acquire()

def read(name):
    return getattr(_data, 'there', None), getattr(_data, 'missing', 3), getattr(_kept, 'items', 1)

def main():
    seen = [locked(inf), read('a')]
    data = _data
    data.there = 2
    kept = _kept
    kept.items = items = [1]
    seen.append(read('b'))
    seen.append(keep(3))
    seen.append(items)
    return seen

def keep(x):
    _kept.items.append(x)
    return x
"""

COPIES = """import copy

_marker = object()

class Star:
    pass

STAR = Star()

class Empty:
    def fill(self, n):
        self.n = n

EMPTY = Empty()

def same(x):
    return x is STAR, x is _marker, x is EMPTY

def main():
    seen = [same(copy.copy(STAR)), same(STAR), same(object()), same(Star()), same(EMPTY)]
    before = EMPTY
    EMPTY.fill(3)
    seen.append((before is EMPTY, same(EMPTY)))
    STAR.name = 'x'
    seen.append(same(STAR))
    return seen
"""

DISGUISES = """class Words(str):
    def upper(self):
        return 'LOUD'

    def __str__(self):
        return 'words'

class Counted(int):
    def __add__(self, other):
        return 0

class Row(tuple):
    def __len__(self):
        return 9

class Shown(list):
    def __repr__(self):
        return 'mine'

    def __len__(self):
        return 7

class Quiet(dict):
    pass

class Mixed:
    pass

class Both(bytes, Mixed):
    pass

def told(x):
    found = isinstance(x, str), isinstance(x, (int, list)), isinstance(x, dict)
    return found, isinstance(x, Mixed), type(x) is str

def main():
    seen = [Words('a').upper(), 'a'.upper(), str(Words('b')), f"{Words('c')}", '%s' % Words('d')]
    seen += [Counted(1) + 2, 1 + 2, len(Row((1,))), len((1,)), len(Shown([1])), len([1, 2])]
    for x in ('a', Words('a'), 3, Counted(3), [1], Shown(), {}, Quiet(), b'x', Both(b'x'), None, 2.5):
        seen.append(told(x))
    seen += [sorted([Counted(2), 1]), [1] + [2], {1: 2}.get(1), b'a'.decode(), type(None), type(b'')]
    seen += [hasattr({}, 'items'), hasattr([], 'append'), type(2.5), type([1]), type({})]
    return seen
"""

OVERRIDES = """from functools import total_ordering

class Falsy(str):
    def __bool__(self):
        return False

class Pair(tuple):
    def __iter__(self):
        return iter([9, 8])

    def __contains__(self, item):
        return True

class Texts(list):
    def __getitem__(self, index):
        return 'got'

    def append(self, item):
        self.extend([item, item])

@total_ordering
class Counter:
    def __lt__(self, other):
        return True

    def __eq__(self, other):
        return False

class Base(int):
    pass

class Odd(Base):
    __hash__ = int.__hash__

    def __eq__(self, other):
        return True

def main():
    seen = []
    w = Falsy('x')
    a = 1 if w else 2
    b = not w, w or 'y', w and 'z', bool(w), w == 'x'
    if w:
        seen.append(0)
    while w:
        break
    p, q = Pair((1, 2))
    for i in Pair((3, 4)):
        seen.append(i)
    texts = Texts(['a'])
    texts.append('b')
    c = texts[0], texts[0:1], 7 in Pair((1,)), [*Pair((5,))], max(Pair((1, 2)))
    plain = ['a']
    plain.append('b')
    d = plain[0], plain[0:1], 7 in (1,), [*(5,)], max((1, 2)), 'x' == 'y', 1 == 2
    n = Odd(3)
    e = n == 4, n in [5, 6], [5, 6].count(n), {n: 1}.get(3), sorted([n, 1]), [7].index(n)
    counter = Counter()
    f = isinstance(counter, dict), counter < 3, counter == counter, not counter, type(counter) is dict
    match n:
        case 8:
            g = 'eight'
        case _:
            g = 'other'
    del texts[0]
    texts[0] = 'c'
    return seen, a, b, p, q, texts, c, plain, d, e, f, g
"""

HARMLESS = """from collections import OrderedDict, namedtuple
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, TypedDict

_Base = namedtuple('Split', 'scheme path')

class Split(_Base):
    def joined(self):
        return ':'.join(self)

class Point(NamedTuple):
    x: int

    def __add__(self, other):
        return 5

class Movie(TypedDict):
    name: str

class View(Sequence):
    def __init__(self, items):
        self.items = items

    def __getitem__(self, index):
        return self.items[index]

    def __len__(self):
        return len(self.items)

class Meta(type):
    def __instancecheck__(cls, x):
        return isinstance(x, str) and len(x) >= 1

class Word(metaclass=Meta):
    pass

class Kept(OrderedDict):
    def __missing__(self, key):
        return key

class Color(str, Enum):
    RED = 'red'

def main():
    seen = [isinstance('x', str), isinstance('', Word), isinstance('a', Word), isinstance((1,), tuple)]
    seen += [Split('a', 'b').joined(), Point(1) + Point(2), (1,) + (2,), len((1, 2)), Movie(name='x')]
    seen += [type(Movie(name='x')) is dict, isinstance([1], Sequence), len(View([1, 2])), View([3])[0]]
    seen += [{}.get(1), 'red'.upper(), Color.RED == 'red', type('x'), type((1, 2)), Kept()['k']]
    return seen
"""

MODULE_PROGRAMS = [
    (source, "main()")
    for source in (
        VARIABLES,
        ELSEWHERE,
        AT_IMPORT,
        CONSTANTS,
        MARKERS,
        CLASSES_AND_CALLS,
        LIBRARY,
        COPIES,
        DISGUISES,
        OVERRIDES,
        HARMLESS,
    )
]
