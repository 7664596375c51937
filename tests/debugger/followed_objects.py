"""Programs that move objects about, enter methods and change things in roundabout ways, each with a call."""

from __future__ import annotations

OBJECT_PROGRAMS = [
    (
        """\
class Node:
    def __init__(self, data, priority=None):
        self.data = data
        self.priority = priority

class Queue:
    def __init__(self, items):
        self.nodes = []
        self.first = None
        for item, priority in zip(items, items[::-1]):
            self.push(item, priority)

    def push(self, item, priority):
        node = Node(item, priority)
        for index, other in enumerate(self.nodes):
            if other.priority < node.priority:
                self.nodes.insert(index, node)
                return
        self.nodes.append(node)

    @property
    def is_empty(self):
        return len(self.nodes) == 0

    def size(self):
        return len(self.nodes)

def f(items):
    queue = Queue(items)
    other = Queue([])
    if queue.is_empty or not other.is_empty:
        return None
    pair = queue.nodes[0], queue.nodes[-1]
    first, last = pair
    queue.first = first
    nodes = [queue.first, first, None]
    found = [node for node in nodes if node is not None]
    return len(found), queue.size() + other.size(), first.data
""",
        "f([6, 4, 1])",
    ),
    (
        """\
class Base:
    def __init__(self):
        self.items = []

    def add(self, item):
        self.items.append(item)
        return len(self.items)

    @staticmethod
    def twice(x):
        return x * 2

    @classmethod
    def made(cls, x):
        made = cls()
        made.add(x)
        return made

class Derived(Base):
    def __init__(self):
        super().__init__()
        self.last = None

    def add(self, item):
        self.last = item
        return super().add(item) + Base.twice(1)

def f():
    derived = Derived()
    total = derived.add(3) + derived.add('x')
    made = Derived.made(5)
    return total, made.last, derived.twice(4), isinstance(3, Base), isinstance('x', (int, str))
""",
        "f()",
    ),
    (
        """\
import heapq
import math
from heapq import heappush
from math import sqrt as root

LIMIT = 3
SCALE: float = math.sqrt(4.0)
NAMES = ('a', 'b')

def clipped(x, limit=LIMIT, scale=SCALE):
    return min(x, limit) * scale

def f(rows):
    live, seen = [], set()
    push, add = live.append, seen.add
    for x, y in rows:
        push(x)
        add(y)
        heapq.heappush(live, [y][0])
    heappush(live, 0)
    heapq.heapify(live)
    least = heapq.heappop(live)
    grid = [[1, 2], [3, 4]]
    grid[0][1], grid[1][0] = grid[1][0], grid[0][1]
    push = grid.append
    push(live)
    live = []
    return clipped(5), least, root(9) + math.floor(2.5), NAMES[1], seen, '%s-%05.1f' % ('a', 2.25)
""",
        "f([(3, 1), (2, 7), (9, 1)])",
    ),
    (
        """\
from collections import defaultdict

class Store:
    def __init__(self):
        self.held = {}

    def __setitem__(self, key, value):
        self.held[key] = value

    def put(self, key, value):
        self.__dict__[key] = value

def fill(into, also):
    into.append(1)
    return also

def f():
    apart, shared = [5], []
    both = [shared, [6]]
    out = fill(shared, 3)
    store, groups = Store(), defaultdict(list)
    store['a'] = shared
    store.put('b', 2)
    groups['x'].append(1)
    copies = groups['y']
    shared += [4]
    both[0] = apart
    apart.append(7)
    both[1][0] = 8
    return out, both, copies
""",
        "f()",
    ),
    (
        """\
def gen(n):
    for i in range(n):
        yield [i]

def make(xs):
    def inner():
        xs.append(0)
        return xs
    return inner

def f():
    xs = [1]
    g, h = gen(2), make(xs)
    first = next(g)
    h()
    rest = [item for item in g]
    try:
        rest[5]
    except IndexError as error:
        found = repr(error)
    return first, xs, rest, found, '{}-{:>4}'.format('a', 3), 'ab'.center(6, '*'), 'é'.encode('utf-8')
""",
        "f()",
    ),
    (
        """\
class Shape:
    kind = 'shape'

    def area(self):
        return 0

    def scaled(self, by):
        return self.area() * by

class Square(Shape):
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side ** 2

def biggest(shapes):
    best = None
    for shape in shapes:
        if best is None or shape.area() > best.area():
            best = shape
    return best

def f():
    shapes = [Square(2), Square(3), Shape()]
    best = biggest(shapes)
    best.side += 1
    table = {'a': shapes[0], 'b': best}
    table.pop('a')
    return best.scaled(2), [shape.kind for shape in shapes], list(reversed(shapes))[0].area(), len(table)
""",
        "f()",
    ),
]
"""Source and call."""
