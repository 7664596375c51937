"""Programs of functions, iterators, patterns and decorators, each worked out almost to the end."""

ITERATORS_FOLLOWED = r"""\
import re
from collections import Counter, deque
from itertools import islice, count, takewhile, accumulate, chain, starmap
from functools import reduce

PATTERN = re.compile(r"(\w+)\s*=\s*(\w+)")
_find = re.compile(r"\d+").search

def is_small(x):
    return x < 3

def gen(n):
    for i in range(n):
        yield i * 2

def add(a, b):
    return a + b

def main(xs, text):
    a = Counter(iter(xs))
    b = all(map(is_small, xs)), any(map(is_small, xs)), list(map(is_small, xs))
    it = iter(xs)
    first = next(it)
    rest = []
    for x in it:
        rest.append(x)
    z = zip(xs, "abc")
    p = next(z)
    q = list(z)
    e = enumerate(xs, 1)
    for i, y in e:
        rest.append((i, y))
    m = re.match(r"(\w+)=(?P<v>\w+)", text)
    k = m.group(1)
    v = m["v"]
    if m.group(2) == "v1":
        k += "!"
    found = _find(text)
    d = found.group()
    s = PATTERN.sub("X", text)
    t = PATTERN.findall(text)
    pairs = []
    for mm in PATTERN.finditer(text):
        pairs.append(mm.groups())
    for mm in re.finditer(r"\d", text):
        pairs.append(mm.start())
    total = sum(x * 2 for x in gen(3))
    g = list(islice(gen(10), 2, 4))
    h = list(zip(gen(3), xs))
    for i, w in enumerate(gen(2)):
        pairs.append((i, w))
    for w in map(is_small, xs):
        pairs.append(w)
    j = list(takewhile(is_small, gen(9)))
    o = list(accumulate(xs, add))
    u = list(starmap(add, [(1, 2), (3, 4)]))
    r = reduce(add, gen(3))
    gg = (x * x for x in xs)
    n1 = next(gg)
    n2 = sum(gg)
    n3 = next(gg, None)
    low = [s.strip() for s in map(str.upper, ["a ", "b"])]
    sq = list(map(lambda x, y: x * y, xs, xs))
    ma = max(map(is_small, xs))
    so = sorted(xs, key=lambda x: -x)
    words = ["bb", "a"]
    words.sort(key=len)
    words.sort(key=lambda w: (-len(w), w))
    cc = deque(gen(2))
    jj = ",".join(map(str, gen(2)))
    ee = [1]
    ee.extend(gen(2))
    ee.extend(map(add, xs, xs))
    ii = 3 in map(add, xs, xs)
    return a, b
"""

PATTERNS = r"""\
from dataclasses import dataclass
import re

@dataclass
class P:
    x: int
    y: int

class Q:
    def __init__(self, a):
        self.a = a

def big(n):
    return n > 10

def kind(v):
    match v:
        case None | False:
            return "nothing"
        case True:
            return "yes"
        case 0 | -1:
            return "zero"
        case int(n) if big(n):
            return n * 2
        case int() | float():
            return "num"
        case str(s) if s.startswith("a"):
            return s + "!"
        case "x":
            return "ex"
        case P(x=0):
            return "origin-ish"
        case P(a, b):
            return a, b
        case Q(a=[first, *_] as whole):
            return first, whole
        case {"k": [1, z], **rest}:
            return z, rest
        case [] | ():
            return "empty"
        case [x]:
            return x
        case (x, y, *rest) if x == y:
            return rest
        case [*most, last]:
            return most, last
        case _:
            y = 1
    return "other", y

def main():
    out = []
    values = [None, True, 0, -1, 42, 3, 2.5, "ab", "x", "zz", P(0, 2), P(3, 4), Q([7, 8]), Q(1)]
    values += [{"k": [1, 2], "m": 3}, {"k": 1}, [], (), [5], (1, 1, 2), [1, 2, 3], b"x", {1}]
    for v in values:
        out.append(kind(v))
    return out
"""

CALLED = r"""\
import operator
import re

def double(x):
    return x * 2

def half(x):
    return x // 2

OPS = {"+": operator.add, "-": operator.sub, "u": str.upper, "n": len}
HANDLERS = {"d": double, "h": half}
FUNCS = {1: lambda a: a + 1,
         2: lambda a: a + 2}

class Task:
    def __init__(self, func, args, kwargs):
        self._func = func
        self._args = args
        self._kwargs = kwargs
    def run(self):
        return self._func(*self._args, **self._kwargs)

class Later:
    def __init__(self, func, *args, **kwargs):
        self._func = func
        self._args = args
        self._kwargs = kwargs
    def __call__(self, *more):
        return self._func(*self._args, *more, **self._kwargs)

def apply(f, x):
    return f(x)

def scale(x, by=1):
    return x * by

def main():
    out = []
    out.append(OPS["+"](1, 2))
    fn = OPS["-"]
    out.append(fn(5, 3))
    out.append(OPS["u"]("abc"))
    out.append(HANDLERS["d"](4))
    h = HANDLERS.get("h")
    if h is not None:
        out.append(h(9))
    out.append(FUNCS[1](1))
    f2 = FUNCS[2]
    out.append(f2(1))
    for name, handler in HANDLERS.items():
        out.append(handler(8))
    out.append("+" in OPS)
    t = Task(scale, (2,), {"by": 3})
    out.append(t.run())
    later = Later(scale, 5, by=2)
    out.append(later._func(1))
    out.append(later())
    out.append(apply(len, "abc"))
    out.append(apply(double, 3))
    out.append(apply(lambda q: q + 1, 3))
    out.append(apply(str, 3))
    search = re.compile(r"\d+").search
    m = search("ab12")
    out.append(m.group())
    sq = lambda v: v * v
    cu = lambda v: v ** 3
    out.append(sq(3) + cu(2))
    args = [1, 2]
    out.append(operator.add(*args))
    out.append(max(*args, 7))
    out.append([*args, 3, *map(double, args)])
    return out
"""

DECORATED = r"""\
import functools
from functools import wraps

def memoize(f):
    cache = {}
    def wrapper(n):
        if n not in cache:
            cache[n] = f(n)
        return cache[n]
    return wrapper

def repeat(times):
    def deco(fn):
        @wraps(fn)
        def inner(*a, **k):
            result = None
            for _ in range(times):
                result = fn(*a, **k)
            return result
        return inner
    return deco

def counted(fn):
    count = 0
    def inner(*args):
        nonlocal count
        count += 1
        return fn(*args), count
    return inner

def traced(fn):
    def inner(x):
        return [fn(x), fn.__name__]
    return inner

@memoize
def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)

@repeat(2)
def hello(name, mark="!"):
    return name + mark

@counted
def add(a, b):
    return a + b

@traced
def one(x):
    return x + 1

@traced
def two(x):
    return x + 2

@traced
@repeat(times=3)
def three(x):
    return x + 3

def main():
    out = [fib(4), hello("a"), hello("b", mark="?")]
    out.append(add(1, 2))
    out.append(add(3, 4))
    out.append(one(1) + two(2))
    out.append(three(2))
    out.append(list(map(two, [1, 2])))
    out.append(fib(5))
    out.append(two.__name__)
    return out
"""

HELD = r"""\
from itertools import chain, islice
def f(xs):
    out = []
    out.append(zip(xs, xs))
    out.append(map(str, xs))
    out.insert(0, iter(xs))
    d = {}
    d.setdefault("a", enumerate(xs))
    s = []
    s.extend(zip(xs, xs))
    s.extend(e for e in xs)
    return len(out), s
"""

FUNCTION_PROGRAMS = [
    (HELD, "f([1, 2])"),
    (ITERATORS_FOLLOWED, 'main([3, 1, 2], "k1=v1; k2 = v2")'),
    (PATTERNS, "main()"),
    (CALLED, "main()"),
    (DECORATED, "main()"),
]
