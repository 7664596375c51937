"""Programs that together use every construct a trace depends on. Each has a ``main`` without arguments."""

from opencwm.traces import Trace

PROGRAMS: dict[str, str] = {
    "loops": """
def main():
    total = 0
    for i in range(4):
        if i == 2:
            continue
        for j in range(3):
            if j > i:
                break
            total += i * j
        else:
            total += 100
    n = 5
    while n > 0:
        n -= 2
        if n == 1: total -= 1
    else:
        total = -total
    for k in range(3): total += k
    while total < 0: total += 50
    return total
""",
    "exceptions": """
class Problem(Exception):
    pass

def risky(n):
    if n == 0:
        raise Problem("zero")
    if n == 1:
        return [][n]
    if n == 2:
        try:
            return 1 / 0
        except ZeroDivisionError as error:
            raise Problem("wrapped") from error
        finally:
            n = -1
    try:
        return n
    finally:
        n += 10

def main():
    seen = []
    for n in range(4):
        try:
            seen.append(risky(n))
        except Problem as error:
            seen.append(str(error))
        except (IndexError, KeyError):
            seen.append("index")
        else:
            seen.append("fine")
        finally:
            seen.append(n)
    try:
        try:
            {}["x"]
        except KeyError:
            raise
    except LookupError as e:
        seen.append(repr(e))
    try:
        raise ExceptionGroup("many", [ValueError(1), TypeError(2)])
    except* ValueError as group:
        seen.append(len(group.exceptions))
    except* TypeError:
        seen.append("type")
    return seen
""",
    "context_managers": """
from contextlib import contextmanager, suppress

class Manager:
    def __init__(self, swallow):
        self.swallow = swallow
    def __enter__(self):
        return self
    def __exit__(self, kind, value, traceback):
        return self.swallow

@contextmanager
def managed(log):
    log.append("in")
    try:
        yield len(log)
    finally:
        log.append("out")

def main():
    log = []
    with Manager(True) as first:
        raise ValueError("gone")
    with managed(log) as size, Manager(False):
        log.append(size)
    with suppress(ZeroDivisionError):
        1 / 0
    try:
        with managed(log):
            raise KeyError("k")
    except KeyError as error:
        log.append(error.args)
    with (
        managed(log) as a,
        managed(log) as b,
    ):
        pass
    return log
""",
    "generators": """
def count(n):
    for i in range(n):
        got = yield i
        if got is not None:
            n = got

def guarded():
    try:
        while True:
            try:
                x = yield "ready"
            except ValueError as error:
                x = yield str(error)
    finally:
        done = True

def delegating():
    result = yield from count(2)
    try:
        yield result
    except GeneratorExit:
        return
    yield from [7, 8]

def returning():
    yield 1
    return 5

def outer():
    value = yield from returning()
    return value

class Countdown:
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        return self
    def __next__(self):
        if self.n == 0:
            raise StopIteration
        self.n -= 1
        return self.n

def main():
    out = list(count(2))
    g = count(3)
    next(g)
    out.append(g.send(9))
    g.close()
    h = guarded()
    next(h)
    out.append(h.send(4))
    out.append(h.throw(ValueError("thrown")))
    h.close()
    d = delegating()
    for item in d:
        out.append(item)
        if item is None:
            break
    d.close()
    e = delegating()
    out += [next(e), next(e), next(e)]
    try:
        e.throw(KeyError("lost"))
    except KeyError as error:
        out.append(repr(error))
    f = count(5)
    next(f)
    try:
        f.throw(ValueError)
    except ValueError:
        out.append("unhandled")
    r = outer()
    for item in r:
        out.append(item)
    for item in Countdown(2):
        out.append(item)
    a, *rest = Countdown(3)
    try:
        next(iter([]))
    except StopIteration:
        out.append("stop")
    q = delegating()
    next(q)
    q.close()
    return out, rest, sum(x * x for x in count(3))
""",
    "async": """
import asyncio

async def double(x):
    await asyncio.sleep(0)
    return x * 2

async def ticks(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)

class Resource:
    async def __aenter__(self):
        await asyncio.sleep(0)
        return 5
    async def __aexit__(self, *exception):
        return True

class Countdown:
    def __init__(self, n):
        self.n = n
    def __aiter__(self):
        return self
    async def __anext__(self):
        if not self.n:
            raise StopAsyncIteration
        self.n -= 1
        return self.n

async def main():
    total = 0
    async for tick in ticks(2):
        total += tick
    async for tick in Countdown(2):
        total += tick
    async with Resource() as resource:
        total += resource
        raise ValueError("swallowed")
    pair = await asyncio.gather(double(1), double(2))
    doubled = [await double(v) for v in range(2)]
    listed = [v async for v in ticks(2) if v]
    task = asyncio.ensure_future(double(9))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        total += 1000
    return total, pair, doubled, listed
""",
    "recursion": """
def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)

def is_even(n):
    return True if n == 0 else is_odd(n - 1)

def is_odd(n):
    return False if n == 0 else is_even(n - 1)

def flatten(items):
    return [leaf for item in items for leaf in (flatten(item) if isinstance(item, list) else [item])]

def main():
    return fib(4), is_even(3), flatten([1, [2, [3]], []])
""",
    "closures": """
def counter():
    n = 0
    def step(by=1):
        nonlocal n
        n += by
        return n
    return step

total = 10

def add(x):
    global total
    total += x
    return total

def apply(*functions, value, **options):
    result = [f(value) for f in functions]
    if options: result.append(sorted(options))
    return result

def make(n):
    a = b = n
    fs = [lambda x, k=k: x + k + a for k in range(b)]
    return fs

def main():
    step = counter()
    step()
    step(by=2)
    add(5)
    f = lambda x: (
        x
        + 1
    )
    pairs = sorted([(2, "b"), (1, "a")], key=lambda p: p[0])
    return apply(f, step, str, value=3, debug=True), pairs, [g(1) for g in make(2)]
""",
    "classes": """
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

class Base:
    kind = "base"
    count: int = 0
    def __init__(self, x):
        self.x = x
        type(self).count += 1
    def __repr__(self):
        return f"{self.kind}:{self.x}"
    def __eq__(self, other):
        return self.x == other.x
    @property
    def double(self):
        return self.x * 2
    @double.setter
    def double(self, value):
        self.x = value // 2
    @classmethod
    def make(cls, x):
        return cls(x)
    @staticmethod
    def help(a, /, b, *, c=0):
        return a + b + c

class Derived(Base):
    __slots__ = ("extra",)
    kind = "derived"
    def __init__(self, x):
        super().__init__(x)
        self.extra = [x]
    def __getattr__(self, name):
        raise AttributeError(name)

@dataclass(order=True)
class Point:
    x: int
    y: int = 0
    tags: list = field(default_factory=list)
    def __post_init__(self):
        self.tags.append(self.x)

class Color(Enum):
    RED = 1
    BLUE = 2

class Pair(NamedTuple):
    left: int
    right: str = "r"

def main():
    a = Derived.make(3)
    a.double = 10
    class Local:
        z = [i for i in range(2)]
        def get(self):
            return self.z
    local = Local()
    p = Point(1)
    q = Point(2, 3)
    c = Color.RED
    pair = Pair(1)
    same = a == Base(5)
    return a.double, Base.help(1, 2), local.get(), p < q, c, pair, same, getattr(a, "nope", None)
""",
    "match": """
from dataclasses import dataclass

@dataclass
class Dot:
    x: int
    y: int

def kind(value):
    match value:
        case 0 | 1:
            return "small"
        case int(n) if n > 100:
            return f"big {n}"
        case [first, *rest]:
            return first, rest
        case {"name": name, **others}:
            return name, others
        case Dot(x=0, y=y):
            return y
        case str() as text:
            return text
        case _:
            return None

def main():
    values = [1, 500, [1, 2, 3], {"name": "n", "k": 1}, Dot(0, 4), "s", 2.5, ()]
    return [kind(value) for value in values]
""",
    "expressions": """
def main():
    if (n := len("abc")) > 2 and not n > 5:
        a, (b, *c) = 1, (2, 3, 4)
    x = y = [n]
    x += [1]
    del y
    s = f"{n!r:>5}|{a + b:03d}|{'q'}"
    d = {**{"k": 1}, "l": [*c, *x]}
    d["k"] += 1
    z = a if b > 3 else (b or c)
    del d["l"], x[0]
    t = (1 < a < 3) or a == 1 and b
    u = s[1:-1:2], x[:], c[::-1]
    assert t, "never"
    i: int = 3
    j: str
    v = [*range(3)][-1]; w = not v
    try:
        assert w, "always"
    except AssertionError as error:
        message = str(error)
    return (
        s,
        d,
        z,
        u,
        message,
    )
""",
    "multiline": """
def f(*args, **kwargs):
    return args

def main():
    a = f(
        1,
        f(2,
          3),
        k=4,
    )
    b = (a[0]
         + 2
         if a
         else 3)
    text = (
        "x"
        "y"
        .upper()
        .lower()
    )
    d = {
        "a": 1,
        "b": f(
            2
        ),
    }
    if (a
            and b
            and d):
        c = 1
    assert (a
            or b)
    for x in (
        1,
        2,
    ):
        c += x
    while (c >
           3):
        c -= 2
    return f(a,
             b)
""",
    "comprehensions": """
def g(x):
    return x + 1

def main():
    data = [3, 1, 2]
    k = 2
    a = [g(x) for x in data]
    b = [
        g(x) * k
        for x in data
        if x > 1
    ]
    c = {x: [y for y in range(x)] for x in data}
    d = {
        g(x)
        for x in
        data
    }
    e = [x for x in [
        y for y in
        data
    ]]
    f = sum(
        g(x)
        for x in
        data
    )
    m = [[g(x) for x in row] for row in [[1], [2]] if row]
    for i in range(2): h = [i for _ in data]
    while len(a) < 5: a += [q for q in range(1)]
    z = dict(
        one=[x for x in data],
        two=[
            x for x in data
        ],
    )
    return [g(x) for x in data], [last := x for x in data], last
""",
    "comprehension_shadowing": """
def f(x):
    y = [x for x in range(x)]
    x += 1
    return x, y

def late():
    out = [(i, j) for i in range(2) for j in range(i)]
    i = "after"
    return out, i

def failing(x):
    try:
        return [
            1 // x
            for x in (1, 0)
        ]
    except ZeroDivisionError:
        return x

def inner_failure():
    return [int(s) for s in ("1", "z")]

def walrus(items):
    if any((hit := item) > 1 for item in items):
        low = [(last := item) for item in items]
        return hit, last, low
    return None

def captured(n):
    base = n
    unused = 0
    fs = [lambda: i + base for i in range(2)]
    i = 40
    return [f() for f in fs], i

def nested(a):
    b = 1
    c = 2
    return {k: [b + v + w for w in [c]] for k, v in a.items()}

def main():
    out = [f(2), late(), failing(9), walrus([1, 2]), captured(1), nested({"q": 1})]
    try:
        inner_failure()
    except ValueError as error:
        out.append(str(error))
    return out
""",
    "cells_and_iteration": """
def mixed(rows):
    for i, row in enumerate(rows):
        pass
    biggest = [row for row in rows if any(x > row[0] for x in row)]
    later = [lambda: i for i in range(2)]
    total = sum(row[0] for _ in rows)
    def inner():
        nonlocal total
        total += 1
        return [i for i in range(total)], row
    return biggest, [f() for f in later], inner(), i

def main():
    return mixed([[1, 2], [3]])
""",
    "decorators": """
import functools

def logged(label):
    def wrap(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            result = function(*args, **kwargs)
            return label, result
        return inner
    return wrap

@logged("a")
@logged(
    "b"
)
def add(x, y=1):
    return x + y

@functools.lru_cache(maxsize=None)
def slow(n):
    return n * 2

def main():
    @logged("local")
    def local():
        return 1
    return add(1), slow(2), slow(2), local()
""",
    "unbound": """
def main():
    try:
        print(late)
        late = 1
    except UnboundLocalError:
        late = "set"
    for i in []:
        pass
    try:
        return i
    except NameError as error:
        kind = type(error).__name__
    del late
    try:
        late
    except UnboundLocalError:
        pass
    late = 3
    return kind
""",
    "deep": """
def down(n):
    return down(n + 1)

def depth_of(n):
    try:
        return depth_of(n + 1)
    except RecursionError:
        return n

class Deep:
    def __repr__(self):
        return repr(self)

def main():
    try:
        down(0)
    except RecursionError as error:
        first = type(error).__name__
    deepest = depth_of(0)
    return first, deepest, depth_of(0) == deepest
""",
    "values": """
import collections, datetime, decimal, fractions, re, math, enum
from types import SimpleNamespace

class Plain:
    pass

class Slotted:
    __slots__ = ("a", "b")
    def __init__(self):
        self.a = 1

class Name(str):
    pass

class Loud(list):
    def __repr__(self):
        raise SystemExit

class Level(enum.IntFlag):
    LOW = 1
    HIGH = 2

def gen():
    yield 1

def main():
    i = 10 ** 50
    f = float("nan")
    g = -0.0
    h = 1e100
    j = 3 - 2j
    s = 'quote"\\'\\n\\x00\\u20ac'
    b = b"bytes\\xff"
    ba = bytearray(b"x")
    t = (1,)
    e = ()
    st = {3, 1, 2}
    em = set()
    fs = frozenset("ba")
    nested = {"k": [(1, {2: {3}})], 1: None, (1, 2): ...}
    loop = [1]
    loop.append(loop)
    loopd = {}
    loopd["self"] = loopd
    r = range(2, 9, 3)
    sl = slice(1, None, 2)
    dq = collections.deque([1, 2], maxlen=3)
    co = collections.Counter("banana")
    dd = collections.defaultdict(list, a=[1])
    od = collections.OrderedDict(a=1, b=[2])
    cm = SimpleNamespace(a=1)
    p = Plain()
    p.x = [p]
    q = Slotted()
    n = Name("name")
    loud = Loud([1])
    lv = Level.LOW
    fn = gen
    ge = gen()
    la = lambda: 0
    bi = len
    me = [].append
    mod = math
    cl = Plain
    ex = ValueError("bad", 3)
    ks = {1: 2}.keys()
    it = iter([1])
    z = zip([1], [2])
    dt = datetime.date(2020, 1, 2)
    de = decimal.Decimal("1.50")
    fr = fractions.Fraction(1, 3)
    ma = re.match("a", "abc")
    ob = object()
    nt = type(None), int, NotImplemented, Ellipsis
    return None
""",
    "scopes": """
x = "global"

def outer(a, *args, b=2, **kw):
    c = a
    def inner():
        return a + b + c
    del c
    c = 5
    return inner() + sum(args) + len(kw)

def shadows(list, id=1):
    sum = list + id
    return sum

def star(*a): return a

def importer():
    import math as m
    from os.path import join, sep as s
    return m.floor(2.5), join("a", "b")

def main():
    return outer(1, 2, 3, z=1), shadows(1), star(*[1], *(2, 3)), importer()
""",
    "finally_flow": """
def early():
    for i in range(3):
        try:
            if i == 1:
                return i
        finally:
            last = i

def swallow():
    while True:
        try:
            raise ValueError
        finally:
            break
    return "swallowed"

def cont():
    out = []
    for i in range(3):
        try:
            if i == 1: continue
            out.append(i)
        finally:
            out.append(-i)
    return out

def nested():
    try:
        try:
            raise KeyError(1)
        finally:
            a = 1
    except KeyError:
        b = 2
        try:
            raise TypeError
        except TypeError:
            c = 3
    return a + b + c

def main():
    return early(), swallow(), cont(), nested()
""",
    "raises": """
def check(n):
    if n > 2:
        raise RuntimeError(f"too big: {n}")
    return check(n + 1)

def main():
    items = []
    try:
        check(0)
    finally:
        items.append("cleaned")
""",
    "exits": """
import sys

def main():
    print("before")
    sys.exit(3)
""",
    "text_output": """
def main():
    for word in ["a", "b"]:
        print(word, end=",")
    print()
    try:
        input("prompt> ")
    except EOFError:
        print("no input")
""",
}


def outline(trace: Trace) -> str:
    """Return a trace as text, one line a step, for golden files and for reading differences."""
    lines = [
        f"{trace.status} {trace.detail}".rstrip(),
        *(f"code {code.qualname} {code.firstlineno} {' '.join(code.local_names)}" for code in trace.codes),
    ]
    for step in trace.steps:
        parts = [f"{'  ' * step.depth}{step.kind} {trace.codes[step.code].qualname}:{step.lineno}"]
        parts += [f"{name}={value}" for name, value in step.changed]
        parts += [f"del {name}" for name in step.deleted]
        parts += [f"-> {step.value}"] if step.value is not None else []
        parts += [f"[{step.flags.name}]"] if step.flags else []
        lines.append(" ".join(parts))
    return "\n".join(lines) + "\n"
