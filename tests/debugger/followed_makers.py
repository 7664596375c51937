"""Programs that make objects without their ``__init__``, and some of classes of built-in types of values."""

from __future__ import annotations

SET_AFTERWARDS = """\
from dataclasses import dataclass

class Node:
    __slots__ = ('value', 'left', 'right')

    def __init__(self, value):
        self.value = value

class Plain:
    kind = 'plain'

@dataclass(frozen=True)
class Point:
    x: int
    y: int = 2

@dataclass(slots=True)
class Slim:
    x: int
    y: int = 2

def with_attributes(kind, /, **attributes):
    made = object.__new__(kind)
    any(map(object.__setattr__, [made] * len(attributes), attributes, attributes.values()))
    return made

def f(n):
    node = with_attributes(Node, right=None, left=with_attributes(Node, value=n), value=[n])
    plain = with_attributes(Plain, b={'c': Plain()}, a=1)
    point = with_attributes(Point, y=n, x={1, 2})
    slim = with_attributes(Slim, y=n)
    object.__setattr__(point, 'y', n + 1)
    object.__setattr__(plain, 'b', (n,))
    object.__setattr__(plain, 'made', plain.a)
    empty = with_attributes(Plain)
    names, values = ['p', 'q', 'r'], (1, 'two')
    any(map(object.__setattr__, [empty] * 3, names, values))
    return node.left.value, plain.kind, plain.b, point.x, slim.y, empty.q
"""

SET_IN_ODD_WAYS = """\
import abc
import dataclasses

class Node:
    def __init__(self, n):
        self.n = n

class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self):
        return 1

class Slim:
    __slots__ = ('a',)

class Watched:
    def __setattr__(self, name, value):
        object.__setattr__(self, name, value + 1)

class Managed:
    @property
    def n(self):
        return self._n

    @n.setter
    def n(self, n):
        object.__setattr__(self, '_n', n * 2)

class Own:
    def __new__(cls, n):
        made = object.__new__(cls)
        made.n = n
        return made

def put(made, names, values):
    try:
        any(map(object.__setattr__, [made] * len(names), names, values))
    except AttributeError as error:
        return str(error)
    return made

def f(n):
    node = object.__new__(Node)
    twin = node
    other = object.__new__(Node)
    put(node, {'n': 1, 'other': 2}, [node, other])
    object.__setattr__(node, 'self', n)
    object.__setattr__(twin, 'self', [n])
    both = [other, twin]
    object.__setattr__(both[0], 'n', n)
    later = map(object.__setattr__, [other] * 2, ['a', 'b'], [1, 2])
    before = len(vars(other)) if n < 0 else other.n
    for nothing in later:
        before = other.a
    every = list(map(object.__setattr__, [other] * 2, ['c', 'd'], [n, n]))
    none = all(map(object.__setattr__, [other] * 2, ['e', 'g'], [n, n]))
    slim = object.__new__(Slim)
    words = put(slim, ['a', 'b'], [1, 2])
    watched = object.__new__(Watched)
    object.__setattr__(watched, 'n', n)
    watched.n = n
    managed = object.__new__(Managed)
    object.__setattr__(managed, 'n', n)
    try:
        object.__new__(Shape)
    except TypeError as error:
        words += str(error)
    own = Own(n)
    return node.self, twin.self, before, every, none, other.e, words, watched.n, managed.n, own.n, slim.a
"""

VALUES = """\
from numbers import Integral

class Item:
    def unwrap(self):
        return self

class Whole(Integral, int):
    unit = 'm'

class Named(int):
    def __repr__(self):
        return f'Named {int(self)}'

class Word(str):
    def __new__(cls, text, n=0):
        self = super().__new__(cls, text)
        self.n = n
        return self

class Longer(Word):
    pass

class Row(list):
    pass

class Table(dict):
    pass

class Both(str, Item):
    pass

def made_of(kind, value, /, **attributes):
    made = type(value).__new__(kind, value)
    if type(value) in (list, dict, set):
        type(value).__init__(made, value)
    made.__dict__.update(attributes)
    return made

def f(n):
    whole = made_of(Whole, 6, unit='km')
    named = made_of(Named, -7)
    row = made_of(Row, [n, 'a', [n]], inner=[n])
    table = made_of(Table, {'a': n, 'b': []}, x=1)
    word = made_of(Longer, 'abc', n=n)
    both = made_of(Both, 'both')
    other = int.__new__(Whole, '12')
    third = Word(n), Longer('xyz', n), str.__new__(Both, 5)
    empty = list.__new__(Row, [1, 2])
    return whole + other, named + 1, row[0], table['a'], word.n, third[1].n, both, empty
"""

VALUES_IN_ODD_WAYS = """\
class Word(str):
    def __str__(self):
        return 'words'

class Slim(str):
    __slots__ = ()

class Loud:
    def __repr__(self):
        return 'loud'

    def __new__(cls, *given):
        return 'made by Loud'

class Mixed(Loud, str):
    pass

class Late(str, Loud):
    def __new__(cls, text):
        made = super().__new__(cls, text)
        return made

class Over(Mixed):
    def __new__(cls, text):
        return super().__new__(cls, text)

class Row(list):
    def __init__(self, *items):
        self.extend(items)

class Deep(dict):
    def __getattribute__(self, name):
        return {'seen': 1} if name == '__dict__' else super().__getattribute__(name)

def made_of(kind, value, /, **attributes):
    made = type(value).__new__(kind, value)
    if type(value) in (list, dict, set):
        type(value).__init__(made, value)
    try:
        made.__dict__.update(attributes)
    except AttributeError:
        return made, 'no attributes'
    return made

def again(kind, value):
    made = type(value).__new__(kind, value)
    made.n = 1
    found = made.__dict__
    return made, len(found), found

def kind_of(value):
    return type(value)

def rebound(value, other):
    value = other
    return type(value), str.__new__(Word, value)

def f(n):
    word = made_of(Word, 'a')
    odd = str.__new__(Slim, word), str.__new__(Word, word), type(word)
    slim = made_of(Slim, 'slim', a=1)
    mixed = made_of(Mixed, 'mixed'), Mixed('x'), Over('y')
    late = Late('late'), made_of(Late, 'later')
    row = made_of(Row, [n, n]), Row(n)
    deep = made_of(Deep, {'a': n})
    pair = again(Row, [n])
    kinds = kind_of('a'), kind_of(word), kind_of(n)
    last = rebound('a', word)
    return odd, slim, mixed, late, row, deep, pair, kinds, last
"""

MAKER_PROGRAMS = [
    (SET_AFTERWARDS, "f(3)"),
    (SET_IN_ODD_WAYS, "f(3)"),
    (SET_IN_ODD_WAYS.replace("len(vars(other)) if n < 0 else ", ""), "f(3)"),
    (VALUES, "f(4)"),
    (VALUES.replace("class Row(list):", "class Row(list):\n    __repr__ = object.__repr__\n"), "f(4)"),
    (VALUES.replace("return made\n", "return made\n\nWhole.__repr__ = Named.__repr__\n", 1), "f(4)"),
    (VALUES.replace("def f(n):", "def f(n, made_of=made_of):"), "f(4)"),
    (VALUES.replace("class Whole(Integral, int)", "class Whole(Integral and int)"), "f(4)"),
    (VALUES_IN_ODD_WAYS, "f(4)"),
]

KEPT = """\
class Constant(int):
    unit = 'm'

    def __repr__(self):
        return self.name + str(self.n)

    def twice(self):
        return self.n * 2

class Word(str):
    def named(self):
        return self.name

def made_of(kind, value, /, **attributes):
    made = type(value).__new__(kind, value)
    made.__dict__.update(attributes)
    return made

def shown(constant):
    return constant.__repr__(), constant.twice(), constant.unit

def f(n):
    first = made_of(Constant, 6, name='AT', n=n)
    second = made_of(Constant, 6, name='BR', n=n + 1, items=[n])
    word = made_of(Word, 'a', name='word', n=0)
    told = first.name, second.n, word.name, word.named()
    words = shown(first), first.__repr__()
    same = first
    first = second
    second.items.append(1)
    return told, words, first.name, first.n, same.name, shown(first), first.items, shown(same), word.name
"""

MAKER_PROGRAMS += [
    (KEPT, "f(3)"),
    (KEPT.replace("second.items.append(1)", "second.n += 5"), "f(3)"),
    (KEPT.replace("second.items.append(1)", "second.__dict__['n'] = 5"), "f(3)"),
    (KEPT.replace("second.items.append(1)", "object.__setattr__(second, 'n', 5)"), "f(3)"),
    (KEPT.replace("second.items.append(1)", "del second.n; Constant.n = 8"), "f(3)"),
    (KEPT.replace("made.__dict__.update(attributes)", "d = made.__dict__\n    d.update(attributes)"), "f(3)"),
    (
        KEPT.replace(
            "    unit = 'm'\n",
            "    @property\n    def name(self):\n        return 'own'\n\n    unit = n = 7\n",
        ),
        "f(3)",
    ),
    (KEPT.replace("    unit = 'm'\n", "    def __getattribute__(self, name):\n        return str\n"), "f(3)"),
    (KEPT.replace("class Word(str):", "class Word(str):\n    __slots__ = ('__dict__', 'n')\n"), "f(3)"),
    (KEPT.replace("name='BR'", "name='BR', twice=lambda: 0, unit='cm'"), "f(3)"),
]
