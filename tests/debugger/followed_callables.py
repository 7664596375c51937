"""Programs in which functions are called by other names, for the tests of what is foreseen of those."""

from __future__ import annotations

ALIASES = """try:
    advance = next
except NameError:
    def advance(it):
        return it.next()

next = advance
text_type = str
kinds = (text_type, int)

def is_text(value):
    return isinstance(value, str)

program_is_text = is_text
first_is_text = second_is_text = program_is_text

def head(xs):
    it = iter(xs)
    try:
        found = next(it)
    except StopIteration:
        return None
    return found, next(it, 0), advance(it, 1)

def f(n):
    is_text = program_is_text(n)
    many = first_is_text('a'), second_is_text(n + 1), list(map(program_is_text, [n, 'b']))
    named = text_type(n), list(map(text_type, [1, n]))
    return is_text, many, named, head([n]), head([]), head([n, n + 1, n + 2]), isinstance(n, kinds)
"""

OTHER_NAMES = [
    "import sys\nif sys.maxsize > 1:\n    def g(x):\n        return x + 1\nh = g\n",
    "def g(x):\n    return x\nh = g\ndef g(x):\n    return x + 1\n",
    "def g(x):\n    return x\ndef g(x):\n    return x + 1\nh = g\n",
    "def g(x):\n    return x\nh = g\ndef change():\n    global h\n    h = str\nchange()\n",
    "def g(x):\n    return x\ndef change():\n    global g\n    g = str\nchange()\nh = g\n",
    "def twice(f):\n    return lambda x: f(f(x))\n@twice\ndef g(x):\n    return x + 1\nh = g\n",
    "def g(x):\n    return x\nh = g\nh = str\n",
    "def g(x):\n    return x\ng = str\nh = g\n",
    "str = int\nh = str\n",
    "try:\n    h = missing\nexcept NameError:\n    def h(x):\n        return x * 2\n",
    "try:\n    h = str\n    missing\nexcept NameError:\n    h = float\n",
    "try:\n    h = str\nexcept NameError:\n    h = float\nelse:\n    h = int\n",
    "try:\n    h = str\nfinally:\n    h = int\n",
    "try:\n    1 / 0\nexcept ZeroDivisionError as g:\n    pass\ndef g(x):\n    return x\nh = g\n",
    "from math import *\nh = floor\n",
    "from statistics import mean as g\nh = abs\n",
    "class g:\n    def __new__(cls, x):\n        return x + 1\nh = g\n",
    "def g(x, seen=[]):\n    seen.append(x)\n    return len(seen)\nh = g\n",
    "def g(x):\n    yield x\nh = g\n",
    "globals()['h'] = str\n",
    "h = len\nlen = str\n\ndef k(x):\n    return len(x)\n",
    "range = list\nh = str\n",
    "e = IOError\ndef h(n):\n    return e, [e], issubclass(e, OSError), n\n",
]
"""What binds ``h``, which is then called with a number."""

GETTERS = """from operator import itemgetter
import operator

def f(n, rows):
    second = itemgetter(1)
    both = operator.itemgetter(*[0, -1])
    seen = [second(rows[0]), both(rows[1]), itemgetter('a')({'a': n})]
    for row in rows:
        try:
            value = second(row)
            seen.append(value)
        except IndexError:
            seen.append(None)
    seen.append(sorted(rows, key=both))
    seen.append(max(rows, key=itemgetter(0)))
    seen.append(list(map(itemgetter(0), rows)))
    try:
        for cell in map(itemgetter(2), rows):
            seen.append(cell)
    except IndexError:
        seen.append('short')
    keys = [0]
    one = itemgetter(*keys)
    keys[0] = 1
    seen.append(one('ab'))
    second = itemgetter(0)
    seen.append(second('ab'))
    return seen
"""

ODD_GETTERS = """from operator import itemgetter
from collections import Counter, defaultdict

class Rows(list):
    def __getitem__(self, key):
        self.append(key)
        return 'own'

class Row:
    def __init__(self):
        self.seen = []

    def __getitem__(self, key):
        self.seen.append(key)
        return key

def f(n):
    get = itemgetter(0)
    rows, row, counts, lists = Rows([n]), Row(), Counter('a'), defaultdict(list)
    seen = [get(rows), len(rows), rows]
    seen += [get(row), row.seen, get(counts), counts]
    seen += [get(lists), lists]
    try:
        get({1: 2})
    except KeyError as error:
        seen.append(error.args)
    try:
        get(n)
    except TypeError as error:
        seen.append(error.args)
    return seen
"""

DEFAULTS = """import re

_words = re.compile('[a-z]+')

class Finding:
    def found(self, text, find=_words.findall):
        return find(text)

def blank(line, pat=re.compile('\\\\s*(?:#\\\\s*)?$').match):
    return pat(line) is not None

def split(text, split=_words.split, *, find=_words.findall):
    def inner(part):
        return part * 2
    parts = split(text)
    return [inner(part) for part in parts], find(text), Finding().found(text)

def other(text, find=_words.findall):
    find = str.upper if text else find
    return find(text)

def f(text):
    return blank(text), blank(''), blank(text, pat=str), split(text), split(text, str.split), other(text)
"""

ODD_DEFAULTS = [
    "def f(text, find=pattern.findall):\n    return find(text)\npattern = None\n",
    """def f(text):
    pattern = re.compile('b')
    def g(find=pattern.findall):
        return find(text)
    return g()
""",
    """class C:
    pattern = re.compile('b')
    def m(self, text, find=pattern.findall):
        return find(text)
def f(text):
    return C().m(text)
""",
    """def g(text, find=pattern.findall):
    return find(text)
g.__defaults__ = (len,)
def f(text):
    return g(text)
""",
    """def f(text, find=pattern.findall):
    def g():
        nonlocal find
        find = len
    g()
    return find(text)
""",
]
"""What defines ``f``, behind the pattern ``a+``."""

VIEWS = """from dataclasses import dataclass
from itertools import compress, count, repeat

@dataclass
class Graph:
    adj: object
    name: str = 'g'

    def nodes(self):
        found = set(self.adj.keys())
        for inner in self.adj.values():
            found.update(inner.keys())
        return sorted(found)

    def changing(self):
        seen = []
        for key, inner in self.adj.items():
            seen.append(sorted(inner))
            self.adj = {'z': {'y': 1}}
            inner['x'] = 3
        return seen

    def inside(self):
        seen, old = [], self.adj
        for inner in self.adj.values():
            seen.append(len(inner))
            for other in old.values():
                other['w'] = len(other)
        return seen

def ilen(xs):
    return sum(compress(repeat(1), zip(xs)))

def f(n):
    graph = Graph({'a': {'b': n}, 'c': {'d': 2, 'e': 3}})
    seen = [graph.nodes(), graph.inside(), graph.changing()]
    numbers = count(1)
    seen.append(list(compress('abcd', map(lambda x: x % 2, [1, 2, 3, 4]))))
    seen.append(list(zip(compress([n, 5, 6], numbers), 'xy')))
    seen.append(next(numbers))
    return seen, ilen([0, n, 2]), ilen([])
"""

ITERATORS = """def spread(xs, sep):
    xs = iter(xs)
    try:
        first = next(xs)
    except StopIteration:
        return
    second = next(xs, None)
    yield first, second
    for x in xs:
        yield sep
        yield x

def pair(xs):
    n = len(xs)
    xs = iter(xs)
    first = next(xs)
    m = n + 1
    return first, next(xs, m), list(xs)

def changing(xs, ys):
    xs = iter(xs)
    a = next(xs)
    ys.append(a)
    b = next(xs, 0)
    ys[:] = [7, 8, 9, 10]
    c = next(xs, 0)
    ys[:] = []
    return a, b, c, next(xs, 'end')

def elsewhere(xs):
    xs = iter(xs)
    a = next(xs)
    change()
    b = next(xs, 0)
    try:
        change(1)
        {}[0]
    except KeyError:
        pass
    return a, b, next(xs, 0), list(xs)

def looping(xs, ys):
    xs = iter(xs)
    seen = []
    for x in xs:
        seen.append(x)
        if x == 1:
            ys.append(5)
        elif x == 2 and len(ys) < 6:
            ys.insert(0, 6)
        elif len(ys) > 9:
            break
        try:
            ys.append({}[x])
        except KeyError:
            ys.append(4)
    return seen

def giving(xs):
    xs = iter(xs)
    yield next(xs), next(xs)
    n = 0
    yield next(xs, n)
    yield list(xs)

held = [1, 2, 3, 4]

def change(n=0):
    held[:] = [n + 5] * (len(held) + 1)

def f(n):
    found = [list(spread([n, [2], 4], 'x')), list(spread([], 'x')), pair([n, 5]), pair((n,))]
    ys = [1, 2, n]
    found.append(changing(ys, ys))
    found.append(elsewhere(held))
    ys = [1, 2, n]
    found.append(looping(ys, ys))
    ys = [1, 2, n]
    made = giving(ys)
    found.append(next(made))
    ys[:] = ['a', 'b', 'c', 'd', 'e']
    found += [next(made), next(made)]
    return found
"""
