"""Programs of a few lines, between them every construct that a line can be followed through."""

PROGRAMS = [
    (
        """\
class Account:
    def __init__(self, owner, limit=None):
        self.owner = owner
        self.balance = 0
        self.history = []
        self.limit = limit

    def pay(self, amount):
        if self.limit is not None and amount > self.limit:
            raise ValueError(amount)
        self.balance -= amount
        self.history.append(-amount)
        self.last = self.owner, amount
        return self.balance

class Tree:
    def __init__(self, value):
        self.value = value
        self.left = self.right = None

def f(n):
    account = Account('ann', limit=n)
    other = account
    for amount in range(n):
        account.pay(amount)
    tree = Tree(n)
    tree.left = Tree(other.balance)
    tree.left.value += 1
    tree.value = tree.left.value
    if n > 2:
        bound = tree
    return bound, other.last
""",
        "f(3)",
    ),
    (
        """\
import contextlib

def early(x):
    with contextlib.suppress(KeyError):
        return x

def late(x):
    try:
        return x
    finally:
        x = 0
        x += 1

def nothing(x):
    for y in x:
        y += 1

def many(x):
    yield x
    x = 2

def f(n):
    some = early(n), late(n), nothing([n]), list(many(n)), (lambda: n)()
    if n: return some
""",
        "f(3)",
    ),
    (
        """\
def f(xs, d):
    for i in range(1, len(xs)):
        for j in range(i):
            if xs[j] > xs[i]:
                xs[j], xs[i] = xs[i], xs[j]
    d['a'], last, xs[len(d) - 1] = len(xs), xs[-1], d.get('b')
    xs[0], d[0] = d['a'], {1, 2}
    i, xs[i] = 1, 'i'
    first, *others = xs
    xs[0], xs[9] = 1, 2
""",
        "f([3, 1, 2], {'b': 4})",
    ),
    (
        """\
def f(n):
    if n:
        x = n
    return x
""",
        "f(0)",
    ),
    (
        """\
def f(x):
    return x + 1 if x > 2 and not x == 5 else -x
""",
        "f(3)",
    ),
    (
        """\
def f(x):
    return 0 < x < 10 and x or 'no'
""",
        "f(12)",
    ),
    (
        """\
def f(s):
    total = 0
    for i, c in enumerate(s):
        total += i
    return total
""",
        "f('abc')",
    ),
    (
        """\
def f(d):
    for k in d:
        if d[k] in (1, 2):
            break
    else:
        return None
    return [d[k] * n for n in range(3) if n != 1]
""",
        "f({'a': 3, 'b': 1})",
    ),
    (
        """\
def f(n):
    while n:
        n -= 1
        for j in range(2):
            if j == n:
                continue
    return f'{n:>{4}}|{n!r}'
""",
        "f(3)",
    ),
    (
        """\
def g(x, *, y=2, **more):
    return x * y

def f(n):
    return g(n) + g(n, y=n) + g(n, z=1)
""",
        "f(4)",
    ),
    (
        """\
class Base:
    def __init__(self, size):
        self.size = size

class Box(Base):
    def __init__(self, size):
        super().__init__(size + 1)

    def twice(self):
        return self.size * 2

    @classmethod
    def of(cls, size):
        return cls(size)

def f(n):
    return Box(n).twice() + Box.of(n).twice()
""",
        "f(2)",
    ),
    (
        """\
def gen(xs):
    for x in xs:
        yield x * 2

def f(xs):
    total = []
    for y in gen(xs):
        total.append(y)
    return sorted(total, key=lambda v: -v)
""",
        "f([1, 3, 2])",
    ),
    (
        """\
def f(xs):
    xs[0], xs[1] = xs[1], xs[0]
    ys = xs
    ys += [4]
    a, b = xs[:2]
    return {a: b, **{1: 2}}, (n := len(xs)), n
""",
        "f([1, 2])",
    ),
    (
        """\
def f(x):
    try:
        return [1][x]
    except IndexError as error:
        return str(error)
""",
        "f(3)",
    ),
    (
        """\
def fact(n):
    return 1 if n < 2 else n * fact(n - 1)
""",
        "fact(4)",
    ),
    (
        """\
def f(xs):
    return sum(x for x in xs if x) + max(xs, default=0)
""",
        "f([1, 2])",
    ),
    (
        """\
import functools

@functools.lru_cache
def g(x):
    return x + 1

def f(x):
    return g(x) + g(x)
""",
        "f(1)",
    ),
    (
        """\
def f(x):
    match x:
        case [a, b] if a < b:
            return a
        case _:
            return None
""",
        "f([1, 2])",
    ),
    (
        """\
class N:
    def __init__(self, v):
        self.v = v

    def __add__(self, other):
        return N(self.v + other.v)

    def __bool__(self):
        return self.v > 0

def f():
    n = N(1) + N(-2)
    return 1 if n else 2
""",
        "f()",
    ),
    (
        """\
def outer(a):
    def inner(b):
        nonlocal a
        a += b
        return a
    return inner(1) + inner(a)
""",
        "outer(3)",
    ),
    (
        """\
import collections
import itertools
import re
from collections import Counter, deque

def count(n, step=1):
    while n > 0:
        yield n
        n -= step

def pairs(xs):
    for x in xs:
        got = yield (x, x)
        yield

def f(words):
    made = list(count(3))
    total = sum(count(4, step=2)) + max(count(2))
    joined = ', '.join(sorted(words, key=lambda word: (len(word), word)))
    longest = max(words, key=lambda word: len(word))
    shortest = min(words, key=len)
    backwards = sorted(words, key=len, reverse=True)
    for n in count(2):
        made.append(n)
    for a in pairs(words):
        if a is None:
            break
    groups = collections.defaultdict(list)
    for word in words:
        groups[len(word)].append(word)
    tally = Counter(''.join(words))
    tally['a'] += 2
    tally['zz'] -= 1
    queue = deque(words, maxlen=4)
    queue.appendleft('x')
    queue.rotate(1)
    last = queue.pop()
    del groups[3]
    queue.extend(itertools.chain('ab', 'c'))
    found = re.findall(r'[a-z]', joined), re.sub('b+', '-', joined)
    match = re.match('(a)(.)?', joined)
    if match:
        first = match.group(0)
    assert len(queue) == 4, 'full'
    common = set(joined) & set('abc')
    rows = [x + y for x, y in zip([1, 2], [3, 4])]
    return made, total, longest, shortest, backwards, tally.most_common(2), sorted(common), rows, last
""",
        "f(['bb', 'a', 'ccc'])",
    ),
    (
        """\
def f(xs, d):
    seen = []
    for x in xs:
        if x % 2:
            xs.remove(x)
        seen.append(x)
    for i, row in enumerate(seen):
        seen[-1] = i
    for key, value in d.items():
        d['b'] = 7
        seen.append(value)
    for value in d.values():
        d['a'] = value
    it = iter(seen)
    for x in it:
        next(it, None)
    return xs, seen, d
""",
        "f([1, 2, 3, 4], {'a': 1, 'b': 2})",
    ),
    (
        """\
import functools
from decimal import Decimal
from fractions import Fraction
import dataclasses

@dataclasses.dataclass
class Point:
    x: int
    y: list = dataclasses.field(default_factory=list)

class Slots:
    __slots__ = ('b', 'a', '__c')

    def __init__(self, a):
        self.a = a
        self.__c = self.a
        self.b = self.__c

def apply(function, *args):
    return function(*args)

def make(n):
    def add(m=1):
        return n + m
    return add

def remember(key, cache={}):
    cache[key] = len(cache)
    return cache

def wrapped(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args) + 1
    return inner

def f(n):
    point = Point(n)
    point.x = Decimal('1.5') * 2
    point.y.append(Fraction(1, 3) + 1)
    point.z = 3
    slots = Slots(n)
    slots.a, slots.b = 3, {2, 1}
    add = make(n)
    total = add(2) + add() + apply(add, 5) + apply(lambda x: x * 2, n)
    remember('a')
    remember('b')
    twice = wrapped(add)
    adders = [make(i) for i in range(2)]
    return point, slots, total, twice(1), [g(1) for g in adders], [] is None, -2j
""",
        "f(4)",
    ),
]
"""Source and call."""
