"""Programs in which calls change, or leave alone, what the rest of the line has read already."""

CALL_PROGRAMS = [
    (
        """\
def grow(xs, n=1):
    xs.append(n)
    return [n]

def same(xs):
    return xs

def total(xs):
    return sum(xs)

def later(xs, ys):
    return len(xs) + len(ys)

def drop(xs, x):
    if len(xs) > 2:
        xs.pop()
    return x

def key_of(d):
    d['z'] = [0]
    return 'a'

def fill(memo=None, n=3):
    if memo is None:
        memo = {}
    if n < 2:
        return n
    memo[n] = fill(memo, n - 1) + fill(memo, n - 2)
    return memo[n]

def other(xs):
    xs = xs + [9]
    xs.append(1)
    return xs

def f():
    xs, ys = [1], [5]
    a = xs + grow(xs)
    b = xs, grow(xs, 2), xs
    c = [xs, xs.append(3), ys]
    d = later(xs, grow(xs, 4)) + later(xs[:1], grow(ys))
    e = [drop(xs, x) for x in xs]
    g = [total(part) for part in [[1, 2], [3]]]
    store = {'a': 1}
    store[key_of(store)] = 2
    h = same(xs)
    i = [h, grow(h, 7), xs], total(xs[:2]) + total(ys)
    j = xs == grow(xs, 8) or xs
    k, m = same(xs[:2]), same(xs[2:])
    k.append(1)
    n = [grow(k), k, m], other(k) + k
    o = f'{k}{grow(k)}{k}'
    p = {'a': k, 'b': grow(k), 'c': m}
    q = (r := k), grow(r), r
    s = k[0] if grow(k) else m
    stack, out = ['x'], []
    out.append(stack.pop())
    nested = [k, [k]]
    u = nested, grow(nested[0]), nested
    xs[len(grow(xs))] += len(grow(xs))
    return a, b, c, d, e, g, store, i, j, m, n, o, p, q, s, stack, out, u, fill(), fill({}, 4)
""",
        "f()",
    ),
    (
        """\
class Tree:
    def __init__(self, value, kids=None):
        self.value = value
        self.left = None
        self.right = None
        self.kids = kids or []

    def insert(self, value):
        if value < self.value:
            if self.left is None:
                self.left = Tree(value)
            else:
                self.left.insert(value)
        elif self.right is None:
            self.right = Tree(value)
        else:
            self.right.insert(value)

    def grow(self):
        self.value += 1
        return self

    def both(self, other):
        other.value -= 1
        return self.value + other.value

    @property
    def next(self):
        self.value += 1
        return self.value

def f():
    tree = Tree(5)
    for value in (3, 8, 1, 4):
        tree.insert(value)
    tree.left.left = tree.right
    tree.right.grow()
    shared = Tree(0)
    pair = Tree(1, [shared, Tree(2)])
    pair.left = pair.right = shared
    pair.left.grow()
    pair.kids[0].grow()
    pair.kids[1].grow()
    a = pair.left.both(pair.kids[0]) + pair.both(pair)
    b = [pair.value, pair.next, pair.grow().value, pair.value]
    c = shared.value, pair.left.grow().value, shared.value
    head = None
    for value in (1, 2, 3):
        head = Tree(value, [head])
    return tree.value, a, b, c, head.kids
""",
        "f()",
    ),
    (
        """\
class Vec:
    def __init__(self, x, y):
        self.x = x
        self.y = y
        self.seen = []

    def __add__(self, other):
        if not isinstance(other, Vec):
            return NotImplemented
        other.seen.append('added')
        return Vec(self.x + other.x, self.y + other.y)

    def __radd__(self, other):
        return Vec(self.x + other, self.y)

    def __mul__(self, k):
        return Vec(self.x * k, self.y * k)

    def __eq__(self, other):
        return self.x == other.x

    def __lt__(self, other):
        return self.x < other.x

    def __len__(self):
        return 2

    def __str__(self):
        return f'({self.x}, {self.y})'

    def __repr__(self):
        return 'Vec' + str(self)

class Unit(Vec):
    def __radd__(self, other):
        return 'unit'

    def __str__(self):
        return super().__str__() + '!'

class Plain:
    pass

def f():
    a, b = Vec(1, 2), Vec(3, 4)
    c = a + b * 2
    d = a, a + b, b
    e = 1 + a
    g = a + Unit(0, 1)
    h = [a == b, a < b, a == Vec(1, 0), a != b]
    i = str(a), repr(b), len(c), str(Unit(1, 1)), f'{a}'
    j = sorted([b, a])[0].x
    k = Plain() == Plain(), [str(v) for v in (a, b)]
    b.seen.append(a + b)
    try:
        a + 'x'
    except TypeError:
        pass
    return c, d, e, g, h, i, j, k
""",
        "f()",
    ),
    (
        """\
def counter(start=0):
    count = start
    def bump(by=1):
        nonlocal count
        count += by
        return count
    return bump

def pairs():
    total, items = 0, []
    def add(n):
        nonlocal total
        total += n
        items.append(n)
        return total
    def reset():
        nonlocal total
        total = 0; add(2); total = 7; add(3)
        return total
    add(1)
    total += 1
    add(2)
    a = total, add(3), total
    total = 5; add(1)
    (total := 8, add(1))
    for total in (1, 2): add(total)
    items = [add(n) for n in items[:2]]
    return a, reset(), add(4), total, items

def powers(n):
    return [lambda x: x ** n for _ in range(2)]

def nested(a):
    def middle(b):
        def inner():
            return a + b + c
        c = 1
        d = inner()
        c = 2
        return d + inner()
    return middle(1) + middle(2)

def f():
    one = counter(10)
    a = one(), one(5)
    two = counter()
    b = two(), one(), two(2)
    return a, b, pairs(), [g(2) for g in powers(3)], nested(1), nested(2)
""",
        "f()",
    ),
]
"""Source and call."""
