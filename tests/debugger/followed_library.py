"""Programs that use the standard library as real functions do, and programs that only seem to."""

from __future__ import annotations

LIBRARY = """import os
import math as m
import os.path as osp
import urllib.parse
import bisect, heapq, struct, statistics, collections.abc
import base64, binascii, calendar, functools, html, keyword, operator, shlex, string, textwrap, zlib
import datetime as dt
import unicodedata as ud
from os import path
from math import comb, inf, prod, tau
from datetime import date, timedelta
from typing import cast

def f(n):
    import math
    from math import perm
    a = math.isfinite(0.0), perm(4, 2), -inf < 3, m.inf, tau * n
    b = os.path.join('a', 'b') + os.sep + osp.basename('x/y'), path.splitext('a.b'), os.path.sep
    c = urllib.parse.quote('x y'), urllib.parse.unquote('%20')
    d = (date(2020, 1, 2) - timedelta(days=3)).isoformat(), date.fromordinal(700)
    e = dt.datetime(2020, 1, 2, 3, 4).strftime('%Y-%m-%d %H'), f'{date(2021, 1, 2):%d/%m}'
    g = dt.datetime.strptime('2020-02-03', '%Y-%m-%d').year, bool(timedelta(0)), timedelta(minutes=90)
    h = prod(map(comb, [5, 4], [2, 2])), sum(map(operator.mul, [1, 2], [3, 4]))
    i = bisect.bisect_left([1, 2], 2), heapq.nsmallest(2, [3, 1, 2]), statistics.mean([1, 2, 4])
    j = struct.pack('>H', 513), struct.calcsize('<IH'), base64.b64encode(b'ab'), binascii.hexlify(b'a')
    k = isinstance({}, collections.abc.Mapping), isinstance('x', os.PathLike), zlib.crc32(b'a')
    l = slice(1, 2), [1, 2, 3][slice(1, None)], slice(1, 5, 2).indices(3), slice(1, 2).stop
    o = type(2) is int, type(None), issubclass(ValueError, Exception), issubclass(bool, (str, int))
    p = hash((1, 2.5)), hash(-1), (2).as_integer_ratio(), hasattr({}, 'items'), hasattr(3, 'foo')
    q = ud.normalize('NFC', 'e'), ud.category('a'), html.escape('<'), shlex.quote('a b')
    r = keyword.iskeyword('if'), string.capwords('a b'), calendar.isleap(2000), b'a'.center(5)
    s = sorted([2, 1], key=None), 'a'.encode('ASCII'), os.curdir, functools.reduce(operator.add, [1, 2])
    t = textwrap.wrap('a b c', 3), cast(str, 'a'), isinstance(n, dt.date)
    u = isinstance([], collections.ChainMap)
    return [a, b, c, d, e, g, h, i, j, k, l, o, p, q, r, s, t, u]
"""
BOUND = """def g(d):
    d['z'] = 9
    return 1
def key(function):
    return function(-4)
class Box:
    def __init__(self):
        self.d = {'a': 1}
def f(n):
    d = {'a': 1}
    get, has = d.get, d.__contains__
    a = get('a', 0)
    d['b'] = 2
    b = get('b')
    g(d)
    c = get('z')
    e = d
    d = {'c': 3}
    h = get('c'), has('a')
    x = g(e) + (get('z') or 0)
    s = {1, 2}
    inn = s.__contains__
    i = inn(1), inn(7)
    s.add(7)
    j = inn(7)
    u = 'abc'
    up = u.upper
    k = up()
    xs = [1]
    ap, at = xs.append, xs.__getitem__
    ap(2)
    l = at(1)
    xs, ys = [5], xs.append
    ys(3)
    counts = {}
    look = counts.get
    for w in 'aba':
        counts[w] = look(w, 0) + 1
        if w == 'b':
            counts = dict(counts)
            look = counts.get
    box = Box()
    held = box.d.get
    y = held('a')
    box.d = {}
    z = held('a'), key(abs)
    def rebind():
        nonlocal d
        d = {'a': 7}
        return 1
    last = d.get
    rebind()
    return [a, b, c, h, x, i, j, k, l, xs, e, counts, y, z, last('a')]
"""
ODD = """import enum, typing
class Missing(dict):
    def __missing__(self, k):
        return k
class Get(dict):
    def get(self, k):
        return 5
class Told(str):
    def __str__(self):
        return 'no'
class Hashed(int):
    def __hash__(self):
        return 5
class Shown(int):
    def __eq__(self, other):
        return False
    def __repr__(self):
        return 'Shown'
class Alias(typing.Dict[str, int]):
    def __len__(self):
        return 5
class Color(str, enum.Enum):
    RED = 'red'
def f(x):
    d, e, s, h, w, a = Missing(), Get({1: 2}), Told('a'), Hashed(2), Shown(2), Alias(a=1)
    b = d[x], type(d) is dict, isinstance(d, dict), hasattr(x, 'items'), hasattr({}, 'items'), str(d), len(a)
    c = e.get(1), {1: 2}.get(1), f'{s}', '%s' % s, '{}'.format(s), str(s), str('a'), type(s) is str
    g = hash(h), hash(2), type(2), type(w), w == 2, 2 == 2, int(w), isinstance(x, str), isinstance(s, str)
    i = Color.RED, isinstance(Color.RED, str), type(x), [1.5][0], isinstance(2.5, float), type(2.5)
    return [b, c, g, i]
"""
LIBRARY_PROGRAMS = [(LIBRARY, "f(2)"), (BOUND, "f(1)"), (ODD, "f('a')")]
"""With a call of each."""

CHANGED = """\
import math
math.sqrt = lambda x: 7
def f():
    return math.sqrt(4)
---
def g():
    from math import pow
    return pow(2, 3)
def f():
    a = pow(2, 3)
    return a, g()
---
from math import *
def f():
    a = pow(2, 3)
    return a
---
import json
try:
    import fractions as json
except ImportError:
    pass
def f():
    return json.Fraction(1, 2)
---
import math
class M:
    pi = 3
def f():
    import sys
    sys.modules['math'] = M
    import math as m
    return m.pi
---
import math
from math import sqrt
def g(m):
    m.sqrt = lambda x: 8
def f():
    g(math)
    return math.sqrt(4), sqrt(4)
---
import string
string.digits = '01'
def f():
    return string.digits
---
import os
os.path.join = lambda *a: 'x'
def f():
    return os.path.join('a', 'b')
---
import os
os.sep = ';'
def f():
    return os.sep + 'a'
---
import heapq
heapq.heappush = lambda xs, x: 7
def f():
    xs = [1]
    return heapq.heappush(xs, 0), xs
---
import operator
setattr(operator, 'add', max)
def f():
    return operator.add(1, 2)
---
inf = 5
def f():
    return [x for x in [7] if x < inf]
---
X = type('X', (dict,), {'__len__': lambda self: 9})
def f():
    d = X()
    return len(d), d
---
from html import escape
import html
def f():
    a = len(str(escape)), len('%s' % escape), f'{escape}'
    return escape is html.escape, repr([len])
---
import sys
def f():
    v = sys.version_info
    return type(v) is tuple, f'{v}' == 'a', type((1,)), v > (3,)
---
class Fraction:
    def __init__(self, a, b):
        self.a = b
    def __eq__(self, o):
        return True
def f():
    return Fraction(1, 2) == Fraction(1, 3), Fraction(1, 2)
---
import collections, datetime
def f():
    make = collections.deque
    d = make([1])
    e = datetime.date
    return type(d) is collections.deque, e(2020, 1, 2), d
""".split("---\n")  # noqa: SIM905 - programs
"""Programs in which names of the library stand for something else, or look so, each with an ``f()``."""
