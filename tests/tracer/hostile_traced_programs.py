"""Programs that try to tell a recorder from the plain interpreter, or to break it. Each has a ``main``."""

HOSTILE: dict[str, str] = {
    "lying equality and hash": """
class Liar:
    def __init__(self, n):
        self.n = n
    def __eq__(self, other):
        raise ValueError('compared')
    def __hash__(self):
        return hash('x')
    def __bool__(self):
        raise ValueError('tested')
    def __len__(self):
        return -1
    def __getattribute__(self, name):
        if name == 'n':
            raise KeyError(name)
        return object.__getattribute__(self, name)
def main():
    a = Liar(1)
    b = {a: a}
    c = [a, b]
    d = (c, {1: a}, None)
    del a
    c[0] = 2
    return d
""",
    "lying repr": """
class A:
    def __repr__(self):
        raise RuntimeError('no')
class B:
    def __repr__(self):
        return 3
class C(int):
    def __repr__(self):
        return 'x' * 10**6
class D(str):
    def __len__(self):
        return 0
    def __str__(self):
        return 'lie'
def main():
    a = [A(), B()]
    c = C(5)
    d = D('text')
    e = {c: d, d: c}
    c = {'k': (c, d)}
    return a, e
""",
    "subclasses of containers": """
class Bag(dict):
    def __len__(self):
        return 0
    def items(self):
        return [('a', 'lie')] * 10**6
    def __iter__(self):
        raise ValueError
    def __repr__(self):
        return 'x' * 10**6
class Row(list):
    def __iter__(self):
        raise ValueError
    def __getitem__(self, i):
        return 'lie'
class Pair(tuple):
    pass
class Plain(dict):
    pass
def main():
    a = Bag((str(i), i) for i in range(500))
    b = Row(range(1000))
    c = Pair((a, b))
    d = Plain(x=1)
    for i in range(3):
        a[i] = i
        b.append(i)
        d[i] = [d]
    return c
""",
    "a dictionary of attributes that is a subclass": """
class Wide(dict):
    def __iter__(self):
        return iter(['lie'])
class A:
    pass
def main():
    a = A()
    a.__dict__ = Wide(x=1, y=[1])
    a.z = 5
    b = [a]
    a.__dict__ = {'k': 1, 5: 2, 'long': 'x' * 5000}
    b.append(1)
    a.__dict__.update({str(i): i for i in range(300)})
    return b
""",
    "deleted locals": """
def f(a, b=2, *c, d, **e):
    del a
    try:
        a
    except UnboundLocalError as error:
        b = error
    del b, c
    c = 1
    for c in [1, 2]:
        del c
    def inner():
        return d
    x = inner()
    del d
    try:
        inner()
    except NameError:
        pass
    return x
def main():
    return f(1, d=[2], z=3)
""",
    "settrace off": """
import sys
def f():
    x = 1
    sys.settrace(None)
    y = 2
    return y
def main():
    a = f()
    return a
""",
    "settrace of its own": """
import sys
def f():
    x = 1
    sys.settrace(lambda *a: None)
    y = [2]
    y.append(3)
    return y
def g():
    z = 1
    return z
def main():
    a = f()
    b = g()
    return a
""",
    "settrace put back": """
import sys
kept = []
def f():
    x = 1
    kept.append(sys.gettrace())
    sys.settrace(None)
    y = [2]
    sys.settrace(kept[0])
    y.append(3)
    return y
def g(n):
    z = n
    return z
def main():
    a = f()
    b = [g(i) for i in range(3)]
    return a, b
""",
    "generators": """
def g(n):
    try:
        for i in range(n):
            got = yield i
            if got:
                yield got
    except GeneratorExit:
        done = 1
    finally:
        last = [n]
def h():
    yield 1
    yield from g(2)
    return 7
def main():
    kept = [g(3), g(4), h(), h()]
    first = [next(it) for it in kept]
    kept[0].close()
    kept[2].close()
    sent = kept[1].send([5])
    try:
        kept[1].throw(KeyError('k'))
    except KeyError:
        pass
    del kept[0]
    more = [g(i) for i in range(20)]
    for it in more:
        next(it, None)
    more = None
    return list(kept[-1])
""",
    "frames are reused": """
def g(n):
    x = [n]
    yield x
    y = {n: x}
    yield y
def main():
    out = []
    for i in range(30):
        it = g(i)
        out.append(next(it))
        if i % 3:
            next(it)
        if i % 4 == 0:
            it.close()
        it = None
    return len(out)
""",
    "coroutines": """
import asyncio
async def f(n):
    x = [n]
    await asyncio.sleep(0)
    x.append(n)
    return x
async def agen():
    for i in range(3):
        yield i
async def main():
    task = asyncio.ensure_future(f(1))
    found = [i async for i in agen()]
    both = await asyncio.gather(f(2), f(3), task)
    try:
        await asyncio.wait_for(asyncio.sleep(5), 0)
    except asyncio.TimeoutError:
        late = True
    return both, found
""",
    "cycles": """
class Node:
    pass
def main():
    a = []
    a.append(a)
    b = {}
    b['b'] = b
    n = Node()
    n.me = n
    t = (a, b, n)
    c = [t]
    c.append([[[[[[[[[[[[[[1]]]]]]]]]]]]]])
    e = ValueError(c)
    e.args = (e,)
    return t, e
""",
    "numbers": """
import sys
def main():
    a = [10**17, 10**18, -10**18, 2**63, -2**63, 2**64, True, False]
    b = 10**18 - 1
    b = 1 - 10**18
    b = 10**5000
    a.append(b)
    b = -10**700
    b = 2**2048
    b = 2**2047
    c = [0.1, -0.0, 1e300 * 1e10, -(1e300 * 1e10), 1e16, 1e-5, 5.0]
    nan = c[2] - c[2]
    d = {nan, 1.0, 2}
    e = 1j
    e = -0j
    f = ...
    f = NotImplemented
    a = (1,)
    a = (1, 2)
    for i in range(1020, 1030):
        j = i
    return c, d
""",
    "texts": """
def main():
    s = 'plain'
    s = "it's"
    s = 'it\\'s "both"'
    s = 'back\\\\slash'
    s = 'tab\\t and \\x7f and \\x00'
    s = 'h\\xe9llo'
    s = '\\ud800'
    s = 'x' * 1998
    s = 'x' * 1999
    s = 'x' * 5000
    s = "'" * 1500
    s = '\\n' * 1500
    b = b'bytes'
    b = b'\\x00' * 900
    b = b'x' * 3000
    t = [s, b, 'h\\xe9']
    t = ['a' * 900, 'b' * 900, 'c' * 900]
    u = {'\\u4e2d': 1, 'k' * 3000: 2}
    return t
""",
    "sets": """
def main():
    s = set()
    s.add(3)
    s.add(1.5)
    s.add(True)
    s.add('a')
    s = {'b', 'a'}
    s = {(1, 2), (0, 'x')}
    s = {b'b', b'a'}
    s = frozenset()
    s = frozenset({3, 1})
    s = set(range(300))
    s.discard(299)
    s = {frozenset({1}), frozenset()}
    return [s]
""",
    "many": """
def main():
    a = list(range(199))
    for i in range(4):
        a.append(i)
    d = dict.fromkeys(range(199))
    for i in range(300, 304):
        d[i] = i
    a[0] = 'changed'
    a[250:] = []
    n = [[i] * i for i in range(40)]
    n[3][1] = 'deep'
    n[39][38] = 'far'
    t = tuple(range(300))
    return n
""",
    "classes of the program": """
import dataclasses, enum, collections
@dataclasses.dataclass
class P:
    x: int
    y: list = dataclasses.field(default_factory=list, repr=False)
@dataclasses.dataclass(slots=True)
class Q:
    x: int
class S:
    __slots__ = ('a', '__dict__')
class E(enum.Enum):
    A = 1
class Odd(Exception):
    def __init__(self, a):
        self.a = a
T = collections.namedtuple('T', 'a b')
class Meta(type):
    def __hash__(cls):
        raise ValueError
    def __eq__(cls, other):
        raise ValueError
class M(metaclass=Meta):
    def __init__(self):
        self.v = 1
def main():
    p = P(1)
    p.x = 2
    p.extra = 3
    q = Q(1)
    s = S()
    s.a = 1
    s.b = [p, q]
    e = E.A
    t = T(1, [2])
    m = M()
    m.v = [m, M]
    M.__name__ = 'Renamed'
    c = collections.Counter('aab')
    o = collections.OrderedDict(a=1)
    d = collections.deque([1], maxlen=2)
    f = collections.defaultdict(list, {1: [2]})
    r = range(3)
    i = iter([1])
    w = Odd(5)
    g = lambda: 0
    g.__qualname__ = 'other'
    g.__qualname__ = 'comp>'
    return [p, e, t, m, c, o, d, f, r, i, w, g, len, main]
""",
    "locals and exec": """
def f():
    x = 1
    d = locals()
    d['y'] = 2
    d['x' * 1] = 3
    y = 4
    exec('z = 5')
    return x
class Namespace(dict):
    def __getitem__(self, name):
        raise KeyError(name)
class Meta(type):
    @classmethod
    def __prepare__(mcls, name, bases):
        return Namespace()
def main():
    a = f()
    class C:
        x = 1
        y = [x]
        locals()['zz'] = 2
        z = zz
    class D(metaclass=Meta):
        pass
    return a
""",
    "finalizers": """
import gc
class A:
    def __del__(self):
        self.gone = 1
        seen.append(len(seen))
seen = []
def f():
    a = A()
    a = 2
    return a
def main():
    b = A()
    c = [A()]
    del b
    c.clear()
    x = f()
    c = A()
    c.me = c
    c = None
    gc.collect()
    return seen
""",
    "deep recursion": """
class A:
    def __getattr__(self, name):
        return getattr(self, name + 'x')
def f(n):
    try:
        return f(n + 1)
    except RecursionError:
        return n
def g(n):
    return sum(g(n + 1) for _ in 'a')
def main():
    a = f(0)
    for step in (g, lambda n: A().y):
        try:
            step(0)
        except RecursionError as error:
            b = error
    import sys
    sys.setrecursionlimit(150)
    c = f(0)
    return a, c
""",
    "threads": """
import threading
threads = []
def work(out):
    out.append(1)
def main():
    out = []
    threads.append(threading.Thread(target=work, args=(out,)))
    threads[0].start()
    threads[0].join()
    return out
""",
    "shadowing": """
def f(x, y):
    a = [x for x in y]
    b = {y: x for y in a}
    c = [[x for x in range(n)] for n in a]
    d = list(x for x in a if x)
    return (lambda: [x for _ in b])()
def main():
    return f([1], [2, 3])
""",
    "tracing by opcodes": """
def f(a, b):
    if (
        a and
        b
    ): x = 1
    else:
        x = 2
    while (a and
           b): a = 0
    return (lambda q:
            q)(x)
def main():
    return [f(i, j) for i in (0, 1) for j in (0, 1)]
""",
}
"""Programs of which a trace must be the same however it is recorded."""

TRACER_AWARE: dict[str, str] = {
    "frame attributes": """
import sys
def f(n):
    frame = sys._getframe()
    frame.f_trace_lines = n % 2 == 0
    a = n
    frame.f_trace_opcodes = n > 2
    b = a
    kept = frame.f_trace
    frame.f_trace = None
    del kept
    frame = None
    c = b
    return c
def main():
    return [f(i) for i in range(5)]
""",
    "its own trace function called": """
import sys
def f():
    here = sys._getframe()
    local = here.f_trace
    for event in ('line', 'call', 'return', 'exception', 'opcode', 'nonsense'):
        try:
            local(here.f_back, event, None)
        except Exception:
            pass
    for args in ((), (1, 2, 3), (here, 1, None)):
        try:
            local(*args)
            sys.gettrace()(*args)
        except Exception:
            pass
    here = local = args = None
    return 1
def main():
    return f()
""",
}
"""Programs that see or change what their recorder has put into their frames: they only must not break it."""
