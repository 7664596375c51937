"""What is foreseen of properties made by calls, and of questions about functions and the library."""

from __future__ import annotations

import pytest
from test_foresight import _recorded, _Witness

PROPERTIES = """\
class Calendar:
    def __init__(self, first=0):
        self.first = first

    def get_first(self):
        return self._first % 7

    def set_first(self, first):
        self._first = first

    first = property(get_first, set_first)
    again = property(fget=get_first, doc='The same.')

class Derived(Calendar):
    def get_first(self):
        return 100

def f(n):
    calendar = Calendar(n)
    calendar.first = n + 1
    calendar.first += 3
    found = [calendar.first, calendar.again]
    return found, Derived(2).first, [day for day in range(calendar.first, calendar.first + 2)]
"""
SILENT = [
    """\
class A:
    def get(self):
        return 1
    x = property(get)
    def get(self):
        return 2
    y = property(get)
    z = property(lambda self: 3)
    def one(self):
        return 4
    if one:
        v = property(one)
    w = property(one)
    w = 5
    q = 6 if one else property(one)

def f():
    a = A()
    return a.x, a.y, a.z, a.v, a.w, a.q
""",
    """\
def get(self):
    return 1

def twice(function):
    return lambda self: 2 * function(self)

class A:
    x = property(get)
    @twice
    def two(self):
        return 2
    y = property(two)
    def four(self):
        yield 4
    z = property(four)

def f():
    a = A()
    return a.x, a.y, list(a.z)
""",
    """\
def property(function):
    return 3

class A:
    def get(self):
        return 1
    x = property(get)

def f():
    return A().x
""",
    """\
class A:
    def get(self):
        return 1
    x = property(get)

class B(A):
    x = 5

def f():
    found = A().x, B().x
    A.x = 7
    return found, A().x
""",
]
LIBRARY = """\
import codecs, enum, fnmatch, functools, io, os, textwrap, types
import datetime as dt
from codecs import utf_8_decode
from datetime import datetime, time, timezone
from enum import Enum
from types import FunctionType

class Wrapper(textwrap.TextWrapper):
    def __init__(self, width):
        textwrap.TextWrapper.__init__(self, width)

@functools.lru_cache
def cached(x):
    return x

class Own:
    def m(self):
        pass

def f(n):
    a = os.SEEK_END, io.SEEK_SET, os.fspath('x'), fnmatch.fnmatch('a.py', '*.py')
    b = timezone.utc, dt.timezone.utc, datetime(2020, 1, 2).tzinfo
    c = time(12, 34, 56), time(1).hour, datetime(2020, 1, 2, 3).time(), time(1, 2).isoformat()
    d = isinstance(f, types.FunctionType), isinstance(cached, FunctionType), isinstance(len, FunctionType)
    e = isinstance(3, FunctionType), isinstance(Own(), FunctionType), isinstance(Own, FunctionType)
    g = isinstance(Own().m, FunctionType), isinstance(Own.m, FunctionType)
    g = g, isinstance(str.lower, FunctionType), isinstance(functools.partial(f), FunctionType)
    h = utf_8_decode(b'ab', 'strict', False), codecs.ascii_decode(b'a')
    i = isinstance(3, Enum), isinstance('a', enum.Enum), isinstance(lambda: 3, FunctionType)
    wrapper = Wrapper(7)
    is_one = isinstance(wrapper, textwrap.TextWrapper)
    return a, b, c, d, e, g, h, i, is_one, datetime.now(timezone.utc).tzinfo
"""
LONG = r'''\
import re
_token = re.compile(r"""
        (?P<WHITESPACES>[ \t]+)                    | # spaces and horizontal tabs
        (?P<NUMBER>[0-9]+\b)                       | # decimal integer
        (?P<NAME>n\b)                              | # only n is allowed
        (?P<PARENTHESIS>[()])                      |
        (?P<OPERATOR>[-*/%+?:]|[><!]=?|==|&&|\|\|) | # operators
        (?P<INVALID>\w+|.)                           # invalid token
    """, re.VERBOSE | re.DOTALL)
_other = re.compile('a' * 300)

def tokens(text):
    for mo in re.finditer(_token, text):
        kind = mo.lastgroup
        if kind == 'WHITESPACES':
            continue
        value = mo.group(kind)
        if kind == 'INVALID':
            raise ValueError('invalid token: %s' % value)
        yield value
    yield ''

def f(text):
    found = list(tokens(text))
    first = _token.match(text)
    pattern = _token
    second = pattern.search('1 2')
    told = first.lastgroup, second.group(), first['NAME'], _token.sub('x', text), _other.match(text)
    is_same = pattern == _other, pattern is _token
    return found, told, is_same, _token.groups, _token.groupindex['NAME'], _token.flags, _other.groupindex
'''
REBOUND = """\
import re
_pattern = re.compile('a' * 150 + '|(?P<FIRST>a)' + 'b' * 100 + '|(?P<SECOND>a)')

def change():
    global _pattern
    _pattern = re.compile('a' * 150 + '|(?P<FIRST>a)' + 'b' * 100 + '|(?P<THIRD>a)')

def f(_other):
    found = [mo.lastgroup for mo in _pattern.finditer('a')]
    change()
    for mo in re.finditer(_pattern, 'a'):
        found.append(mo.lastgroup)
    return found, _pattern.groupindex['THIRD']
"""
OPAQUE = """\
import array, collections, itertools
from collections.abc import Iterable, Iterator, Sized

def asked(value):
    has = hasattr(value, '__next__'), hasattr(value, 'read'), hasattr(value, '__len__'), hasattr(value, 'mro')
    got = getattr(value, '__reversed__', None) is None, getattr(value, 'nothing', 3)
    of = isinstance(value, Iterator), isinstance(value, (int, Sized)), isinstance(value, object)
    return has, got, of, isinstance(value, Iterable), type(value), value.__class__

def f(n):
    values = [iter([n]), iter('a'), iter({}), map(str, [n]), zip(), enumerate([]), reversed([]), str.join]
    values += [array.array('I'), itertools.count(), iter(collections.deque()), iter(int, 0)]
    values.append(itertools.chain())
    return [asked(value) for value in values]
"""
OWN = [
    """\
class map(zip):
    read = 3

def f():
    value = map([1])
    return hasattr(value, 'read'), isinstance(value, int), type(value)
""",
    """\
kind = type('map', (zip,), {'read': 3})

def f():
    value = kind([1])
    return hasattr(value, 'read'), isinstance(value, int), type(value)
""",
]


@pytest.mark.parametrize("calculates", [False, True])
@pytest.mark.parametrize(
    ("source", "call"),
    [
        (PROPERTIES, "f(3)"),
        (LIBRARY, "f(1)"),
        (OPAQUE, "f(1)"),
        (REBOUND, "f(1)"),
        (LONG, "f('n !==1')"),
        *((source, "f()") for source in SILENT + OWN),
    ],
)
def test_what_is_foreseen_of_members_comes_true(source: str, call: str, calculates: bool) -> None:
    _Witness(_recorded(source, call), calculates=calculates).run()


def test_properties_made_by_calls_are_entered() -> None:
    counts = _Witness(_recorded(PROPERTIES, "f(3)"), calculates=True).run().counts
    assert counts["entered"] >= 9
    assert "written" not in counts


def test_much_of_the_library_is_told() -> None:
    counts = _Witness(_recorded(LIBRARY, "f(1)"), calculates=True).run().counts
    assert counts["calculated"] >= 29


def test_patterns_of_which_the_text_is_cut_are_known() -> None:
    witness = _Witness(_recorded(LONG, "f('n !==1')"), calculates=True).run()
    assert witness.counts["calculated"] >= 12
    assert "written" not in witness.counts


def test_what_iterators_are_and_have_is_told() -> None:
    counts = _Witness(_recorded(OPAQUE, "f(1)"), calculates=True).run().counts
    assert counts["calculated"] >= 13 * 12
