"""Programs about classes, generators and names of the module, with what could be mistaken, and a call."""

from __future__ import annotations

GENERATORS = """\
def count(xs):
    n = 0
    while xs:
        yield xs.pop()
        n += 1

def flat(tree):
    for item in tree:
        if isinstance(item, list):
            for inner in flat(item):
                yield inner
        else:
            yield item

def pairs(n):
    for i in range(n):
        yield i, str(i)

def guarded(log):
    try:
        sent = yield 1
        log.append(sent)
        yield 2
    except ValueError as error:
        log.append(str(error))
        yield 3
    finally:
        log.append('end')

def both():
    x = (yield 1) or (yield 2)
    return x

def changed(box):
    for item in (1, 2):
        yield box
        box.append(item)

def f(n):
    log, found = [], list(count([3, 2, 1]))
    found += list(flat([1, [2, [3]], []]))
    for i, name in pairs(n):
        if i == 2:
            break
        found.append((i, name))
    for x in guarded(log):
        for y in guarded(log):
            break
    it = guarded(log)
    next(it)
    it.send('a')
    it.close()
    it = guarded(log)
    next(it)
    it.throw(ValueError('b'))
    for box in changed([]):
        box.append(0)
    for x in both():
        found.append(x)
    del it
    return found, log, sorted(pairs(2)), sum(count([1, 2])), box
"""

CLASSES = """\
from typing import Generic, TypeVar

T = TypeVar('T')

class Base(Generic[T]):
    limit = 3
    names = ('a', 'b')
    shared = []
    counted = 0
    __hidden = 'h'

    def __init__(self, value, label='...'):
        self.value = value
        self.label = label

    @property
    def double(self):
        return self.value * 2

    @double.setter
    def double(self, value):
        self.value = value // 2

    def hidden(self):
        return self.__hidden

    def who(self):
        return 'base'

class Left(Base[T]):
    limit = 4

    def who(self):
        return 'left ' + super().who()

class Right(Base[T]):
    def who(self):
        return 'right ' + super().who()

class Both(Left[T], Right[T]):
    def who(self):
        self.limit += 1
        return 'both ' + super().who()

    def __lt__(self, other):
        return self.double == other.double - 4 and other.double > self.double

    @classmethod
    def register(cls):
        cls.counted = cls.counted + 1
        return cls.counted

class Odd:
    def __init__(self, n):
        self.n = n

    def __hash__(self):
        return self.n % 2

    def __eq__(self, other):
        return self.n == other.n

def f(n):
    both, left = Both(n), Left(n, 'x')
    both.double = 10
    first = both.limit, left.limit, left.names, left.hidden(), both.label
    names = both.who(), left.who(), both.double
    Base.limit = 9
    counted = both.counted, Both.register(), both.counted
    both.shared.append(1)
    same = type(both) is Both, both.__class__ is Left, both.__class__.__name__, type(n) is int
    odd = {Odd(1), Odd(3), Odd(n)}
    table = {Odd(2): 1, Odd(4): 2}
    return first, names, counted, same, both < Both(7), len(odd), len(table), Right(1).limit
"""

ASKED = """\
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Sized
from numbers import Integral, Number

class Plain:
    kind = 'plain'

    def __init__(self):
        self.x = 1

    def method(self):
        return self.x

class Bag(Plain):
    def __iter__(self):
        return iter([self.x])

    def __len__(self):
        return 0

    def __call__(self, n):
        return n

class Sly:
    def __getattr__(self, name):
        if name == 'no':
            raise AttributeError(name)
        return name

def f(n):
    plain, bag, sly, data = Plain(), Bag(), Sly(), {'a': [n]}
    kinds = [isinstance(bag, kind) for kind in (Iterable, Sized, Callable, Iterator, Mapping, Sequence)]
    more = isinstance(data, Mapping), isinstance('a', Sequence), isinstance(1.5, Number)
    whole = isinstance(1.5, Integral)
    none = isinstance(plain, (Iterable, Callable)), isinstance(None, Hashable), isinstance(f, Callable)
    has = hasattr(plain, 'x'), hasattr(plain, 'y'), hasattr(plain, 'method'), hasattr(plain, 'kind')
    slyly = hasattr(sly, 'any'), hasattr(sly, 'no'), getattr(sly, 'no', 0), sly.yes
    got = getattr(plain, 'x'), getattr(plain, 'y', 'none'), getattr(bag, 'kind', 1), hasattr(n, '__name__')
    builtin = hasattr(data, 'keys'), hasattr('', 'keys'), isinstance(True, int), isinstance(f, BaseException)
    called = callable(plain), callable(bag), callable(f), callable(Plain), callable(n)
    plain.y = 2
    truths = bool(bag), plain is bag, n is None, int is not bool, Plain is not Bag
    return kinds, more, whole, none, has, slyly, got, builtin, called, hasattr(plain, 'y'), truths, type(data)
"""

MODULE = """\
import re
import string

CODES = {'a': '.-', 'b': '-...'}
ROWS = ['qw', 'as']
PAIRS = [[1, 2], [3]]
SEEN = []
HANDED = {'x': 1}
ALIAS = HANDED
VOWELS = OTHER = frozenset('aeiou')
WORD = re.compile(r'[a-z]+')
LETTERS = VOWELS | set('y')
SIZES = tuple(len(row) for row in ROWS)
GROWN = ['a']
GROWN += ['b']
REMOVED = {'a': 1}
del REMOVED['a']
FILLED = {}
for letter in string.ascii_lowercase[:2]:
    FILLED[letter] = 1
MARK = object()

def note(word, table=HANDED):
    SEEN.append(word)
    table[word] = len(SEEN)
    PAIRS[0].append(word)

def code(word, mark=MARK):
    if mark is not MARK:
        return None
    found = []
    for letter in word:
        if letter in CODES and letter in FILLED:
            found.append(CODES[letter])
        elif letter in VOWELS:
            found.append(CODES.get(letter, '?'))
    return ' '.join(found)

def f(text):
    words = WORD.findall(text)
    coded = [code(word) for word in words]
    kept = (1, f, 'a')
    for row in ROWS:
        note(row)
    match = WORD.match(text)
    parts = match.start(), match.end(), match.span(), match.group(), match[0]
    return coded, len(SEEN), ALIAS['qw'], PAIRS[0], SIZES, GROWN, len(REMOVED), 'e' in LETTERS, parts, kept
"""

FIELDS = """\
import collections
import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

@dataclass
class Point:
    x: int
    y: int = 0
    tags: list = field(default_factory=list)

@dataclass(frozen=True)
class Fixed:
    a: int
    b: str = 'b'

    def moved(self, n):
        return dataclasses.replace(self, a=self.a + n)

@dataclass
class Checked:
    n: int

    def __post_init__(self):
        self.n = abs(self.n)

@dataclass
class Three(Point):
    z: int = 3

@dataclass
class Counted:
    n: int
    total: ClassVar[int] = 0
    hidden: int = field(default=1, repr=False)

class Pair(NamedTuple):
    left: int
    right: int = 2

class Span(collections.namedtuple('SpanBase', 'begin end')):
    __slots__ = ()

    def __new__(cls, begin, end=None):
        return super().__new__(cls, begin, begin if end is None else end)

    @property
    def size(self):
        return self.end - self.begin

def f(n):
    point, fixed, checked = Point(n), Fixed(1), Checked(-n)
    point.tags.append(n)
    other, three = Point(1, tags=[2]), Three(1, z=n)
    pair, span, counted = Pair(n), Span(n), Counted(n)
    try:
        fixed.a = 2
    except AttributeError:
        moved = fixed.moved(2)
    try:
        Point()
    except TypeError:
        pass
    sums = fixed.a + moved.a, fixed.b, pair.left + pair.right, span.begin + span.end, span.size
    same = Fixed(1) == fixed, {Fixed(1), Fixed(1)}, pair == (n, 2), isinstance(pair, tuple), pair[1]
    return point, other, three, checked, counted.hidden, sums, len(same), Point.y, other.tags
"""

ITERATORS = """\
import itertools

class Sly:
    def __str__(self):
        return 'sly'

def shout(text):
    return text.upper() + '!'

def batched(items, n):
    return list(zip(*itertools.repeat(iter(items), n)))

def f(xs):
    words = list(map(str, xs))
    lengths = [len(word) for word in map(str, xs)]
    joined = '-'.join(map(str, [*xs, Sly()]))
    true, even = list(filter(None, xs)), list(filter(bool, words))
    pairs = list(map(max, xs, reversed(xs)))
    loud = list(map(shout, words))
    again = batched(xs, 2), list(zip(it := iter(xs), it)), [iter(xs)] * 2
    rest = iter(xs)
    first = next(rest)
    return words, lengths, joined, true, even, pairs, loud, again[:2], first, list(rest), any(map(int, words))
"""

SAME_NAME = """\
import collections

class Counter(collections.Counter):
    def __init__(self, *args):
        super().__init__(*args)
        self.asked = 0

    def __getitem__(self, key):
        self.asked += 1
        return 0

def f(text):
    counter = Counter(text)
    plain = collections.Counter(text)
    return counter['a'], counter.asked, len(counter), {key for key in plain}, [key for key in plain]
"""

SPECIAL = """\
class Item:
    def __init__(self, n):
        self.n = n

    def __repr__(self):
        return 'Item %d' % self.n

    def __len__(self):
        return self.n

class Items(list):
    def __repr__(self):
        return 'Items' + super().__repr__()

    def __len__(self):
        return super().__len__() + sum(len(item) for item in self)

def f(n):
    items = Items([Item(n), Item(3)])
    text = items.__repr__()
    return text, len(items), items[0].__repr__(), items[0].__len__()
"""

CLASS_PROGRAMS = [
    (GENERATORS, "f(3)"),
    (CLASSES, "f(3)"),
    (ASKED, "f(3)"),
    (MODULE, "f('ab e cab')"),
    (FIELDS, "f(4)"),
    (ITERATORS, "f([3, 0, 2, 1])"),
    (SAME_NAME, "f('aab')"),
    (SPECIAL, "f(2)"),
]
"""Source and call."""
