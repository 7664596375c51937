"""Programs whose control flow is checked against real runs: every statement, and a random generator.

Each defines ``main`` without parameters. Standard library only: other interpreters run this file too.
"""

from __future__ import annotations

import random

STATEMENTS = {
    "straight": "def main():\n    a = 1\n    b = a + 1\n    return a, b\n",
    "one_line": "def main(): return 1\n",
    "semicolons": "def main():\n    a = 1; b = 2; return a + b\n",
    "docstring_only": 'def main():\n    """doc"""\n',
    "pass_only": "def main():\n    pass\n",
    "if_chain": """
def pick(n):
    if n > 2:
        r = 'big'
    elif n == 1:
        r = 'one'
    else:
        r = 'small'
    return r

def main():
    return [pick(3), pick(1), pick(0)], pick(9)
""",
    "ternary_and_bool": """
def main():
    x = 3
    y = (x if x > 1
         else -x)
    z = (x and
         y or
         0)
    return not z
""",
    "nested_ternary": """
def f(a, b):
    r = [
        (1 if a
         else 2) if b
        else (3 if a and
              b else 4),
        a or
        b,
    ]
    if (a and
            not b) or (
            b > 3):
        return r
    while (a or
           b):
        a = b = 0
    assert (not a
            and not b)
    c = (
        len('x') > 2 or
        a == b == 0 and
        a != 'c' and
        b != 1
    )
    return lambda: (
        a
    )

def main():
    return f(0, 0)(), f(1, 0), f(0, 1)(), f(1, 4), f(0, 5)
""",
    "call_before_a_join": """
def leap(y):
    return y % 4 == 0

def days(y, m):
    n = 28 + (m == 2 and leap(y))
    k = (leap(y) or leap(y + 1)) + n if m else leap(m)
    return n, k

def main():
    return days(2024, 2), days(2023, 0), days(2023, 3)
""",
    "while_else": """
def main():
    n = 3
    while n:
        n -= 1
        if n == 7:
            break
    else:
        n = 10
    while True:
        n -= 1
        if n < 5: break
        if n % 2: continue
        n -= 1
    return n
""",
    "one_line_loops": """
def main():
    t = 0
    for i in range(3): t += i
    while t: t -= 1
    for i in range(2): pass
    return t
""",
    "for_else": """
def main():
    for i in range(3):
        if i == 5:
            break
    else:
        i = -1
    for j in (1, 2):
        for k in 'ab':
            if k == 'b':
                continue
            i += j
        if j == 2:
            break
    for _ in []:
        i = 100
    return i
""",
    "for_targets": """
def main():
    d = {}
    for d['k'], (a, *b) in [(1, (2, 3, 4)), (5, (6,))]:
        pass
    for i, (
        x,
        y,
    ) in enumerate([(1, 2),
                    (3, 4)]):
        i += x + y
    return d, a, b, i
""",
    "try_except": """
def risky(n):
    try:
        if n == 0:
            raise ValueError('zero')
        x = 10 // (n - 1)
        y = [1][n]
    except ValueError as e:
        r = str(e)
    except (ZeroDivisionError, KeyError):
        r = 'div'
    except IndexError:
        r = 'index'
    else:
        r = 'ok'
    finally:
        z = 1
    return r

def main():
    return [risky(0), risky(1), risky(2)] + [risky(0)]
""",
    "unmatched_except": """
def inner():
    try:
        raise KeyError('a')
    except ValueError:
        return 1
    except TypeError:
        return 2

def main():
    try:
        inner()
    except KeyError:
        return 'caught'
""",
    "uncaught": """
def inner(n):
    a = n
    return 1 / a

def main():
    b = 0
    return inner(b)
""",
    "finally_return": """
def f(n):
    try:
        if n:
            return 'a'
        raise ValueError
    finally:
        n += 1
        if n > 5:
            return 'b'

def main():
    x = f(1), f(9)
    try:
        f(0)
    except ValueError:
        x += (3,)
    return x
""",
    "finally_loop": """
def main():
    out = []
    for i in range(4):
        try:
            if i == 1:
                continue
            if i == 3:
                break
            out.append(i)
        finally:
            out.append('f')
    while True:
        try:
            break
        finally:
            out.append('w')
    return out
""",
    "nested_try": """
def main():
    log = []
    try:
        try:
            raise ValueError(1)
        except ValueError as e:
            log.append(1)
            raise TypeError(2) from e
        finally:
            log.append(2)
    except TypeError as e:
        log.append(3)
        try:
            raise
        except TypeError:
            log.append(4)
        del e
    return log
""",
    "reraise_out": """
def f():
    try:
        try:
            int('x')
        finally:
            a = 1
            b = 2
    except ValueError:
        c = 3
        raise

def main():
    try:
        f()
    except Exception as error: return type(error).__name__
""",
    "one_line_try": """
def main():
    try: x = 1 / 0
    except ZeroDivisionError: x = 2
    finally: y = 3
    try: x = 5
    except ZeroDivisionError: x = 2
    else: x = 6
    return x + y
""",
    "raise_in_handler": """
def f():
    try:
        raise ValueError
    except ValueError:
        [][1]

def main():
    try:
        f()
    except IndexError as e:
        return repr(e)
""",
    "except_group": """
def main():
    out = []
    try:
        raise ExceptionGroup('g', [ValueError(1), TypeError(2)])
    except* ValueError as e:
        out.append(len(e.exceptions))
    except* TypeError:
        out.append('t')
    return out
""",
    "except_group_rest": """
def f():
    try:
        raise ExceptionGroup('g', [ValueError(1), KeyError(2)])
    except* ValueError:
        a = 1

def main():
    try:
        f()
    except ExceptionGroup as e:
        return len(e.exceptions)
""",
    "with_statement": """
class Guard:
    def __init__(self, swallow):
        self.swallow = swallow
    def __enter__(self):
        return self
    def __exit__(self, kind, error, trace):
        return self.swallow

def f(swallow):
    with Guard(swallow) as g:
        x = 1
        x = 1 // (x - 1)
        x = 3
    return x

def main():
    a = f(True)
    try:
        f(False)
    except ZeroDivisionError:
        a = -a
    with Guard(1), Guard(2) as h:
        b = h.swallow
    with (
        Guard(3) as i,
        Guard(4) as j,
    ):
        return a, b, i.swallow + j.swallow
""",
    "with_in_loop": """
import contextlib

def main():
    n = 0
    for i in range(4):
        with contextlib.suppress(ValueError):
            if i == 1:
                continue
            if i == 2:
                raise ValueError
            if i == 3:
                break
            n += 1
    with contextlib.suppress(KeyError): {}['x']
    return n
""",
    "contextmanager": """
import contextlib

@contextlib.contextmanager
def managed(x):
    try:
        yield x
    except ValueError:
        x = 0
    finally:
        x = 1

def main():
    with managed(3) as m:
        n = m
    with managed(4) as m:
        raise ValueError
    return n
""",
    "generators": """
def gen(n):
    for i in range(n):
        got = yield i
        if got:
            n = got
    return 'end'

def outer():
    r = yield from gen(2)
    yield r

def main():
    out = list(outer())
    g = gen(3)
    out.append(next(g))
    out.append(g.send(5))
    g.close()
    for x in gen(3):
        if x:
            break
    return out, x
""",
    "generator_throw": """
def gen():
    while True:
        try:
            yield 1
        except ValueError:
            yield 2
        finally:
            x = 3

def main():
    g = gen()
    a = next(g)
    b = g.throw(ValueError('x'))
    c = next(g)
    g.close()
    h = gen()
    next(h)
    try:
        h.throw(KeyError('k'))
    except KeyError:
        pass
    return a, b, c
""",
    "yield_expressions": """
def gen():
    x = (yield 1) + (
        yield 2)
    while (y := (yield x)) is not None:
        x += y

def main():
    g = gen()
    out = [next(g), g.send(1), g.send(2), g.send(3)]
    try:
        g.send(None)
    except StopIteration:
        out.append('stop')
    return out
""",
    "one_line_generator": """
def gen():
    while True: yield 1

def main():
    g = gen()
    return next(g) + next(g) + next(g)
""",
    "own_iterator": """
class Count:
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        return self
    def __next__(self):
        if not self.n:
            raise StopIteration
        self.n -= 1
        return self.n

def main():
    t = 0
    for x in Count(3):
        t += x
    for x in Count(0): t = 99
    a, b = Count(2)
    t += sum(Count(3)) + len([*Count(2)])
    return t if 1 in Count(3) else -1
""",
    "comprehensions": """
def g(x):
    return x * 2

def main():
    a = [g(i) for i in range(3) if i != 1]
    b = {k: v for k, v in zip('ab', a)}
    c = {x for x in a}
    d = sum(g(x) for x in a)
    e = [(i, j) for i in range(2) for j in range(i)]
    f = [[y for y in range(x)] for x in a]
    return a, b, c, d, e, f
""",
    "multi_line_comprehension": """
def g(x):
    return x * 2

def main():
    a = [
        g(i)
        for i in range(3)
        if i != 1
    ]
    b = {
        k: [
            g(z) for z in v
        ]
        for k, v
        in zip('ab', [a,
                      a])
    }
    for c in [x
              for x in a]:
        c += 1
    return [
        q
        for q in a
    ], b, c
""",
    "comprehension_error": """
def main():
    try:
        return [1 // x for x in (1, 0)]
    except ZeroDivisionError:
        pass
    try:
        y = [
            1 // x
            for x in (1, 0)
        ]
    except ZeroDivisionError:
        y = 3
    return {
        1 // y: z
        for z in (1, y - y)
        for y in (1, z)
    }
""",
    "comprehension_lambda": """
def main():
    fs = [lambda: i for i in range(2)]
    gs = [
        lambda x: x + i
        for i in range(2)
    ]
    return [f() for f in fs], [g(1) for g in gs]
""",
    "walrus": """
def main():
    data = [1, 2, 3]
    while (n := len(data)) > 1:
        data.pop()
    if any((last := x) > 0 for x in data):
        n += last
    return [last := y for y in data], n
""",
    "multi_line_call": """
def f(*args, **kw):
    return len(args)

def main():
    x = f(
        1,
        f(2,
          3),
        k=f(
        ),
    )
    y = (1 +
         x +
         f(x)
         )
    z = [
        1,
        x,
    ]
    w = {
        'a': 1,
        'b': f(1),
    }
    return (
        y,
        z,
        w
    )
""",
    "chained_calls": """
def main():
    s = (
        ' abc '
        .strip()
        .upper()
        .replace(
            'A',
            'B',
        )
    )
    return (f'{s}'
            f'{s!r:>10}')
""",
    "strings": '''
def main():
    s = """a
b
c"""
    t = s.split(
        """
""")
    return t
''',
    "lambdas": """
def main():
    f = lambda x: x + 1
    g = lambda: (
        f(1)
    )
    h = sorted([3, 1, 2], key=lambda v: -v)
    return f(1), g(), h, (lambda a, b=2: a * b)(3), max([1], key=lambda v: v), (lambda: 0)()
""",
    "closures": """
def counter():
    n = 0
    def inc(by=1):
        nonlocal n
        n += by
        return n
    return inc

def main():
    c = counter()
    c()
    return c(by=5)
""",
    "decorators": """
def deco(f):
    def wrapped(*a):
        return f(*a) + 1
    return wrapped

def param(n):
    def outer(f):
        return f
    return outer

@deco
@param(
    3
)
def f(x):
    return x

def main():
    @deco
    def g(x,
          y=1):
        return x
    @param(1)
    class K:
        pass
    return f(1), g(2), K.__name__
""",
    "classes": """
class Base:
    count = 0
    def __init__(self, x):
        self.x = x
        Base.count += 1
    @property
    def double(self):
        return self.x * 2
    @staticmethod
    def s():
        return 's'
    @classmethod
    def c(cls):
        return cls(5)
    def __eq__(self, other):
        return self.x == other.x
    def __lt__(self, other):
        return self.x < other.x
    def __add__(self, other):
        return Base(self.x + other.x)
    def __getitem__(self, i):
        return i
    def __bool__(self):
        return self.x > 0
    def __repr__(self):
        return f'B({self.x})'
    def __len__(self):
        return 4
    def __hash__(self):
        return 1
    def __contains__(self, x):
        return x == 3

class Child(Base):
    def __init__(self, x):
        super().__init__(x + 1)
        self.__private = 2
    def __getattr__(self, name):
        return name

def main():
    a, b = Base(1), Child(2)
    out = [a == b, a < b, (a + b).x, a[7], a.double, a.s(), Base.c().x]
    if a:
        out.append(str(a))
    while not a:
        break
    out.append(f'{a} {b!r}')
    out.append(len(a))
    out.append(3 in a)
    out.append(b.missing)
    {a: 1, b: 2}
    out += sorted([b, a])[:1]
    return len(out)
""",
    "class_in_function": """
def main():
    k = 3
    class Local:
        z = k + 1
        def m(self):
            return self.z
        w = [z
             for _ in range(2)]
        if k:
            q = 1
        for e in range(2):
            pass
    return Local().m(), Local.w
""",
    "dunder_del": """
class D:
    def __del__(self):
        x = 1

def f():
    d = D()
    return 5

def main():
    d = D()
    d = None
    e = D(); del e
    f()
    [D() for _ in range(2)]
    return 1
""",
    "recursion": """
def fact(n):
    return 1 if n < 2 else n * fact(n - 1)

def fib(n):
    if n < 2:
        return n
    return (fib(n - 1)
            + fib(n - 2))

def main():
    return fact(4), fib(4)
""",
    "match": """
class P:
    __match_args__ = ('x', 'y')
    def __init__(self, x, y):
        self.x, self.y = x, y

def f(v):
    match v:
        case 0:
            return 'zero'
        case [a, b] if a > b:
            r = 'pair'
        case [a, *rest]:
            r = rest
        case {'k': value, **others}:
            r = value
        case P(x=1, y=y) | P(y, 2):
            r = y
        case str() as s:
            r = s
        case None | True:
            r = 'const'
        case (
            3 |
            4
        ):
            r = 'int'
        case _:
            r = 'other'
    return r

def main():
    out = [f(0)]
    for v in ([2, 1], [1, 2], {'k': 1, 'j': 2}, P(1, 5), P(7, 2), 'x', None, 3, 4.5):
        out.append(f(v))
    return out
""",
    "assert_del_global": """
G = 1

def main():
    global G
    x = [1, 2]
    assert x, 'message'
    del x[0]
    G += 1
    try:
        assert not x, (
            'long')
    except AssertionError:
        pass
    del x
    return G
""",
    "unbound": """
def main():
    try:
        print(y)
        y = 1
    except UnboundLocalError:
        pass
    try:
        nope
    except NameError:
        y = 2
    return y
""",
    "augmented": """
def main():
    a = [1]
    a += [2]
    a[0] += 3
    b = c = 4
    b **= 2
    (d, e), f = (1, 2), 3
    x: int = 5
    y: int
    return a, b, c, d, e, f, x
""",
    "slices_star": """
def f(a, /, b, *args, k=1, **kw):
    return a, b, args, k, kw

def main():
    l = [1, 2, 3, 4]
    l[1:2] = [9, 9]
    first, *mid, last = l
    return f(*l, **{'z': 1}), f(1, b=2), {**{'a': 1}}, [*mid], l[::-1]
""",
    "lazy_map": """
def up(x):
    return x + 1

def ok(x):
    return x > 2

def main():
    m = map(up, [1, 2])
    t = 0
    for v in m:
        t += v
    a, b = map(up, (3, 4))
    for v in filter(ok, [1, 3]):
        t += v
    return t + a + b + sum(x for x in map(up, [1])) + len([*map(up, [1, 2])])
""",
    "defaultdict": """
from collections import defaultdict

def make():
    return []

def main():
    d = defaultdict(make)
    d['a'].append(1)
    d['b'] += [2]
    return dict(d)
""",
    "dataclass": """
import dataclasses

@dataclasses.dataclass(order=True)
class P:
    x: int
    y: list = dataclasses.field(default_factory=list)
    def __post_init__(self):
        self.z = self.x

def main():
    return P(1) < P(2), P(1).z, dataclasses.replace(P(3), x=4).x
""",
    "async": """
import asyncio

class Aiter:
    def __init__(self):
        self.n = 2
    def __aiter__(self):
        return self
    async def __anext__(self):
        if not self.n:
            raise StopAsyncIteration
        self.n -= 1
        return self.n
    async def __aenter__(self):
        return self
    async def __aexit__(self, *args):
        return True

async def work(n):
    await asyncio.sleep(0)
    return n + 1

async def agen():
    for i in range(2):
        yield i

async def amain():
    t = await work(1)
    async for x in Aiter():
        t += x
    async for x in agen():
        t += x
    else:
        t += 1
    async with Aiter() as a:
        t += 1
        raise ValueError
    out = [y async for y in agen()]
    out += [await work(z) for z in out]
    return t, out

def main():
    return asyncio.run(amain())
""",
    "imports": """
def main():
    import math
    from math import (
        floor,
        ceil,
    )
    try:
        import not_a_module_at_all
    except ImportError:
        x = floor(2.5)
    return math.pi > ceil(x)
""",
    "constant_conditions": """
def main():
    if 0:
        x = 1
    if 1:
        x = 2
    while 1:
        x += 1
        if x > 4:
            break
    while 0:
        x = 0
    if not x: return 0
    if __debug__:
        x += 1
    return x
""",
    "returns_in_loops": """
def find(xs, y):
    for i, x in enumerate(xs):
        if x == y:
            return i
    return None

def implicit(xs):
    for x in xs:
        if x:
            return x

def main():
    return find([1, 2], 2), find([], 1), implicit([0, 3]), implicit([0])
""",
    "try_in_while_true": """
def main():
    n = 0
    while True:
        try:
            n += 1
            if n < 3:
                continue
            [][n]
        except IndexError:
            break
        else:
            n += 10
        finally:
            n += 1
    return n
""",
    "with_return_in_loop": """
import contextlib

def f(xs):
    for x in xs:
        with contextlib.nullcontext(x) as v:
            if v == 2:
                return v
            try:
                w = 1 / v
            except ZeroDivisionError:
                continue
            finally:
                w = 0

def main():
    return f([1, 0, 2]), f([0])
""",
    "exception_attributes": """
class MyError(Exception):
    def __init__(self, code):
        super().__init__(f'code {code}')
        self.code = code

def f(n):
    if n:
        raise MyError(n)
    raise MyError

def main():
    out = []
    for n in (3, 0):
        try:
            f(n)
        except MyError as e:
            out.append(e.code)
        except TypeError as e:
            out.append('t')
    return out
""",
    "deep_unwind": """
def a(n):
    if n == 0:
        raise RuntimeError('deep')
    try:
        a(n - 1)
    finally:
        n = -1

def main():
    try:
        a(3)
    except RuntimeError:
        return 'ok'
""",
    "program_raises": """
def main():
    x = {'a': 1}
    for k in ('a', 'b'):
        y = x[k]
    return y
""",
    "sort_key_raises": """
def key(x):
    return 1 / x

def main():
    try:
        return sorted([1, 0], key=key)
    except ZeroDivisionError:
        return max([2, 1],
                   key=key)
""",
    "getattr_default": """
class A:
    @property
    def p(self):
        raise AttributeError('no')

def main():
    return getattr(A(), 'p', 5), hasattr(A(), 'p')
""",
    "next_default": """
class It:
    def __iter__(self): return self
    def __next__(self): raise StopIteration

def main():
    x = next(It(), 'd')
    for _ in It(): x = 1
    for _ in It():
        x = 2
    else: x += '!'
    return x, list(It())
""",
    "star_generators": """
def g():
    yield 1
    yield 2

def main():
    a, b = g()
    c = [*g(), *g()]
    print(*g())
    d = dict(zip(g(), g()))
    x = 1 in g()
    return a, b, c, d, x
""",
    "nested_functions": """
def main():
    def a(x):
        def b(y):
            return x + y
        return b(x) + b(1)
    def c(): return a(1)
    return a(2), c()
""",
    "long_lines_between": """
def f(x,
      y):

    # comment
    z = x

    return (

        z +

        y
    )

def main():

    return f(1,

             2)
""",
}


class _Writer:
    """Writes random nested statements that terminate: every loop is bounded and a budget limits the size."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.budget = 25

    def function(self, name: str, callees: list[str]) -> None:
        self.callees = callees
        self.lines.append(f"def {name}(n):")
        self.lines.append("    x = n")
        self.block(1, in_loop=False)
        self.lines.append("    return x")

    def add(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def block(self, depth: int, *, in_loop: bool) -> None:
        for _ in range(self.random.randint(1, 3)):
            self.statement(depth, in_loop=in_loop)

    def expression(self) -> str:
        choices = [
            "x + 1",
            "x - n",
            "x // (n - 1)",
            "[1, 2, 3][x % 4]",
            "sum(i for i in range(n))",
            "len([i for i in 'ab'])",
        ]
        choices += [f"{name}(n - 1)" for name in self.callees]
        choices += ["(x +\n n)", "max(\n x,\n n)", "[\n i\n for i in range(x, n)\n][0]"]
        return self.random.choice(choices)

    def statement(self, depth: int, *, in_loop: bool) -> None:
        self.budget -= 1
        kinds = ["assign", "assign", "raise", "return"]
        if in_loop:
            kinds += ["break", "continue"]
        if self.budget > 0 and depth < 6:
            kinds += ["if", "if", "for", "while", "try", "try", "with", "match"]
        getattr(self, self.random.choice(kinds) + "_")(depth, in_loop)

    def assign_(self, depth: int, _: bool) -> None:
        self.add(depth, f"x = {self.expression()}")

    def raise_(self, depth: int, _: bool) -> None:
        error = self.random.choice(["ValueError", "KeyError('k')", "IndexError"])
        self.add(depth, f"if x % 3 == {self.random.randint(0, 3)}: raise {error}")

    def return_(self, depth: int, _: bool) -> None:
        self.add(depth, f"if x == {self.random.randint(0, 3)}: return {self.expression()}")

    def break_(self, depth: int, _: bool) -> None:
        self.add(depth, "if x % 2: break")

    def continue_(self, depth: int, _: bool) -> None:
        self.add(depth, "if x % 2:")
        self.add(depth + 1, "continue")

    def if_(self, depth: int, in_loop: bool) -> None:
        self.add(depth, f"if x % {self.random.randint(1, 3)} == 0 and n < 3 or x > 7:")
        self.block(depth + 1, in_loop=in_loop)
        if self.random.random() < 0.3:
            self.add(depth, f"elif {self.random.choice(['n', 'not x', 'x < n'])}:")
            self.block(depth + 1, in_loop=in_loop)
        if self.random.random() < 0.5:
            self.add(depth, "else:")
            self.block(depth + 1, in_loop=in_loop)

    def for_(self, depth: int, _: bool) -> None:
        self.add(depth, f"for i{depth} in range({self.random.randint(0, 3)}):")
        self.block(depth + 1, in_loop=True)
        if self.random.random() < 0.3:
            self.add(depth, "else:")
            self.block(depth + 1, in_loop=False)

    def while_(self, depth: int, _: bool) -> None:
        self.add(depth, f"w{depth} = {self.random.randint(0, 3)}")
        self.add(depth, f"while w{depth} > 0:")
        self.add(depth + 1, f"w{depth} -= 1")
        self.block(depth + 1, in_loop=True)

    def try_(self, depth: int, in_loop: bool) -> None:
        self.add(depth, "try:")
        self.block(depth + 1, in_loop=in_loop)
        handlers = self.random.choice(
            [[], ["ValueError"], ["KeyError", "Exception as e"], ["(IndexError, KeyError)"]]
        )
        for handler in handlers:
            self.add(depth, f"except {handler}:")
            if self.random.random() < 0.2:
                self.add(depth + 1, "raise")
            else:
                self.block(depth + 1, in_loop=in_loop)
        if handlers and self.random.random() < 0.3:
            self.add(depth, "else:")
            self.block(depth + 1, in_loop=in_loop)
        if not handlers or self.random.random() < 0.4:
            self.add(depth, "finally:")
            self.block(depth + 1, in_loop=in_loop)

    def with_(self, depth: int, in_loop: bool) -> None:
        kind = self.random.choice(["ValueError", "IndexError", "ZeroDivisionError"])
        self.add(depth, f"with contextlib.suppress({kind}):")
        self.block(depth + 1, in_loop=in_loop)

    def match_(self, depth: int, in_loop: bool) -> None:
        self.add(depth, "match x, n:")
        for case in ("(0, _)", "(a, b) if a > b", "(1, b)"):
            if self.random.random() < 0.7:
                self.add(depth + 1, f"case {case}:")
                self.block(depth + 2, in_loop=in_loop)
        self.add(depth + 1, "case _:")
        self.add(depth + 2, "pass")


def random_program(seed: int) -> str:
    """Return a program of random nested control flow; equal seeds give equal programs."""
    writer = _Writer(seed)
    writer.lines.append("import contextlib")
    writer.function("g", [])
    writer.budget = 20
    writer.function("f", ["g"])
    calls = "\n".join(
        f"    try:\n        out.append(f({n}))\n    except Exception as e:\n        out.append(type(e))"
        for n in range(5)
    )
    return "\n".join(writer.lines) + f"\ndef main():\n    out = []\n{calls}\n    return out\n"
