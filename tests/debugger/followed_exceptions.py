"""Programs with exceptions of their own, objects in words, and several statements on a line."""

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

EXCEPTION_PROGRAMS = [
    (ONE_LINE, "f(12)"),
    (KEPT, "f(8)"),
    (MADE_ANEW, "f(1)"),
    (EXCEPTIONS, "f(10)"),
    (CHANGED_ARGS, "f(1)"),
    (WORDS, "f(1)"),
    (PRINTS_ELSEWHERE, "f(1)"),
]
"""Source and call."""
