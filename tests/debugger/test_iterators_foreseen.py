"""What is foreseen of iterators that are handed on, and of ``yield from``, against recorded runs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness

_FUNCTIONS = """\
from collections import deque
from itertools import chain, islice, tee

def inc(x):
    return x + 1

def once(it):
    return next(it, 0)

def total(it):
    n = 0
    for x in it:
        n += 1 if isinstance(x, int) else 2
        xs = [n]
    return n

def each(it):
    for x in it:
        yield x

def twice(it, jt):
    return next(it, 0), next(jt, 0), list(it)

def first(xs, it=()):
    return next(xs[0], 0), next(iter(it), 0)

def count(n):
    for i in range(n):
        yield i
    return n

def grow(xs):
    xs.append(len(xs))
    yield xs
    xs.append(9)
    yield len(xs)

"""


_ITERATORS = st.sampled_from(
    [
        "iter([4, 2, 3])",
        "iter(xs)",
        "iter((5, 6, 7))",
        "map(inc, xs)",
        "enumerate('abc')",
        "each(xs)",
        "(x * 2 for x in xs)",
        "islice(count(9), 4)",
        "reversed([1, 2, 3])",
        "zip(xs, 'abc')",
    ]
)
_LINES = st.sampled_from(
    [
        "a = next(it, None)",
        "a = once(it)",
        "a = once(map(str, it))",
        "g = each(it)",
        "a = next(g, None)",
        "a = twice(it, it)",
        "a = first([it]), next(it, 0)",
        "a = first([it], it)",
        "a = first((it,), zip(it, 'ab'))",
        "a = first([it, next(it, 0)]), next(it, 0)",
        "a = once(it=it), first(it=it, xs=[it])",
        "a = twice(iter([8, 9]), map(str, it))",
        "a = once(iter(xs)), once(iter([3, 4]))",
        "held = [map(str, it)]",
        "held = [jt]",
        "a = total(it)",
        "a = total(jt)",
        "a = total(each(count(3)))",
        "a = total(map(inc, count(3)))",
        "a = list(chain(count(1), count(2), count(3)))",
        "g = each(count(3))",
        "a = total(map(lambda x: len(xs), [1, 2]))",
        "a = next(held[0], None) if held else 0",
        "a = once(jt := iter('xyz')), next(jt)",
        "g = each(jt := iter('xyz'))",
        "a = next(jt, None)",
        "jt = map(str, it)",
        "a = deque(it, 2), list(it)",
        "a = list(it is jt for _ in 'ab'), next(it, 1)",
        "xs.append(7)",
        "xs[0] = 5",
        "m = box.it = iter('pq')",
        "a = next(m, None)",
        "a = next(box.it, None)",
        "a = list(filter(once, (iter(c) for c in 'ab')))",
        "a = [next(i) + next(i, '') for i in map(iter, ['ab', 'c'])]",
        "a = [(once(i), list(i)) for i in (iter(c) for c in ['ab', 'c'])]",
        "try:\n        a = next(it)\n    except StopIteration:\n        a = -1",
        "a, b = tee(it)",
        "a, b = tee(xs)",
        "a = next(b, None) if hasattr(b, '__next__') else 0",
        "it, jt = tee(it)",
        "t = a, b = tee(it)",
        "a, b = (t := tee(xs, 2))",
        "a = next(t[0], 0), next(t[1], 1)",
        "for a in it:\n        break",
        "for a, b in zip(it, it):\n        c = b",
    ]
)


@settings(max_examples=100, deadline=None)
@given(_ITERATORS, st.lists(_LINES, min_size=1, max_size=7), st.lists(st.integers(0, 4), max_size=4))
def test_iterators_that_are_handed_on_are_told_as_they_are_or_not_at_all(
    iterator: str, lines: list[str], xs: list[int]
) -> None:
    body = "".join(f"    {line}\n" for line in [f"it = {iterator}", *lines, "return list(it)"])
    start = """    t, box, held = [iter('ab')] * 2, Box(), []
    g, jt, m, b = iter(()), iter(()), iter(()), iter(())
"""
    source = f"{_FUNCTIONS}class Box:\n    pass\n\ndef f(xs):\n{start}{body}"
    _Witness(_recorded(source, f"f({xs})"), calculates=True).run()


_DELEGATED = st.sampled_from(
    [
        "yield from xs",
        "yield from [4, 5]",
        "yield from sorted(xs)",
        "yield from count(len(xs))",
        "n = min(n, (yield from count(2)))",
        "yield from (x + n for x in xs)",
        "yield from (len(xs) for _ in 'abc')",
        "yield from map(inc, xs)",
        "yield from each(iter(xs))",
        "yield from chain(count(1), 'ab')",
        "yield from grow(xs)",
        "yield from f(xs, n - 1) if n > 0 else ()",
        "yield n",
        "n -= 1",
        "xs.append(n)",
        "yield from iter((1, 2))",
        "yield from xs[:2]",
        "yield xs",
        "n = yield",
    ]
)
_SENDING = """g = f(xs, 1)
    next(g, 0)
    try:
        g.send(4)
    except (StopIteration, AttributeError):
        pass
    return list(islice(g, 20))"""
_DRIVERS = st.sampled_from(
    [
        "return list(f(xs, 1))",
        "return [x for x in f(xs, 1)]",
        "out = []\n    for x in f(xs, 1):\n        out.append(x)\n    return out",
        "for x in f(xs, 1):\n        xs.append(3)\n        if len(xs) > 6:\n            break\n    return xs",
        "g = f(xs, 1)\n    a = next(g, 0)\n    xs.insert(0, 8)\n    return a, list(islice(g, 20))",
        "g, h = f(xs, 1), f(xs, 0)\n    return list(islice(zip(g, h), 20))",
        "g = f(xs, 1)\n    next(g, 0)\n    g.close()\n    return list(g)",
        _SENDING,
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_DELEGATED, min_size=1, max_size=4), _DRIVERS, st.lists(st.integers(0, 4), max_size=3))
def test_what_is_delegated_comes_as_python_hands_it_out(lines: list[str], driver: str, xs: list[int]) -> None:
    body = "".join(f"    {line}\n" for line in [*lines, "return n", "yield"])
    source = f"{_FUNCTIONS}def f(xs, n):\n{body}\ndef main(xs):\n    {driver}\n"
    _Witness(_recorded(source, f"main({xs})"), calculates=True).run()


_METHODS = st.sampled_from(
    [
        "get = d.get",
        "get, n = d.get, n + 1",
        "has = d.__contains__",
        "d, get = {}, d.get",
        "d = {2: 3}",
        "d[n] = 1",
        "set_one(d)",
        "e = d",
        "e[2] = 7",
        "n = get(1, 5)",
        "a = get(2), get(1)",
        "a = has(2)",
        "a = (d := {1: 8}), get(1)",
        "add = xs.append",
        "count = xs.count",
        "add(n)",
        "a = count(1)",
        "xs = [1]",
        "a = count(1), add(1), count(1)",
        "m = re.match('(a)(b)?', 'ab')",
        "group = m.group",
        "m = re.match('(.)(c)?', 'xc')",
        "a = group(1), group(2)",
        "search = PATTERN.search",
        "a = search('a1b22')",
        "start = 'abc'.startswith",
        "a = start('ab'), start('b')",
        "start = 'b'.startswith if a else start",
        "get, has = has, get",
        "def get(x, y=0):\n        return x",
        "for get in [d.get]:\n        a = get(2)",
        "import collections as d",
        "del d",
        "a = list(map(get, [1, 2]))",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_METHODS, min_size=1, max_size=8))
def test_methods_of_locals_are_called_on_what_those_were(lines: list[str]) -> None:
    body = "".join(f"    {line}\n" for line in [*lines, "return a, n"])
    start = "    d, xs, n, a, m = {1: 4}, [1, 2], 0, None, re.match('(z)(y)?', 'z')\n"
    start += "    get, has, add, count = d.get, d.__contains__, xs.append, xs.count\n"
    start += "    group, search, start = m.group, None, 'a'.startswith\n"
    source = (
        f"import re\nPATTERN = re.compile(r'\\d+')\ndef set_one(d):\n    d[1] = 9\n\ndef f():\n{start}{body}"
    )
    _Witness(_recorded(source, "f()"), calculates=True).run()


# -- how much of it is foreseen, and what is left to the model

_MUCH = """\
import re
from itertools import tee
from math import prod

FLAGGED = re.compile("^ {0,3}:", re.M | re.I)

class Node:
    def __init__(self, value, left=None, right=None):
        self.value = value
        self.left = left
        self.right = right

    def walk(self):
        if self.left:
            yield from self.left.walk()
        yield self.value
        if self.right:
            yield from self.right.walk()

def digits(text):
    head = len(text) % 3
    yield text[:head]
    yield from (text[i : i + 3] for i in range(head, len(text), 3))
    yield from sorted([len(text), 0])

def running(iterator):
    for index, value in enumerate(iterator):
        yield index, value

def pairs(xs):
    a, b = tee(xs)
    next(b, None)
    return list(zip(a, b, strict=False))

def first(xs):
    it = iter(xs)
    try:
        low = next(it)
    except StopIteration:
        return None
    return low, next(it, None)

def by(key, xs):
    return [key(x) for x in xs]

def shout(match):
    return match.group().upper()

def main():
    tree = Node(2, Node(1), Node(4, Node(3)))
    out = list(tree.walk()), list(digits("1234")), list(running(iter([5, 6])))
    out += pairs([1, 2, 3]), first(range(3, 9)), by(abs, [-1, 2]), by(str.lower, "Ab")
    found = {1: 2}
    get, has = found.get, found.__contains__
    found[3] = 4
    out += get(3), get(5, 0), has(1), prod(map(abs, [2, -3])), sorted("ba", key=None)
    out += re.sub("[a-z]+", shout, "ab 1 c"), {x for x in [1, 2, 3] if x != 2}
    return out, not FLAGGED.match(" : x"), iter(()) is ()
"""


def test_much_of_iterators_is_foreseen() -> None:
    witness = _Witness(_recorded(_MUCH, "main()"), calculates=True).run()
    least = {"entered": 17, "resumed": 14, "calculated": 39, "arguments": 30, "returned": 22, "foreseen": 57}
    assert {name: witness.counts[name] for name in least if witness.counts[name] < least[name]} == {}
    known = witness.foresight.workings.known
    assert known.constants["FLAGGED"] == "re.compile('^ {0,3}:', re.IGNORECASE|re.MULTILINE)"


_LEFT_ALONE = [
    # what a call may have asked
    ("it = iter([1, 2])\n    take(map(str, it))\n    return list(it)", "list(<list_iterator object>)"),
    # what another name may have asked
    ("it = iter([1, 2])\n    held = [map(str, it)]\n    take(held[0])\n    return next(it)", None),
    # a generator goes on between the lines of whoever has given it something
    ("it = iter([1, 2])\n    g = each(it)\n    next(g)\n    return list(it)", "list(<list_iterator object>)"),
    # an attribute holds it too
    ("it = BOX.it = iter([1, 2])\n    next(BOX.it)\n    return list(it)", "list(<list_iterator object>)"),
]


@pytest.mark.parametrize(("body", "text"), _LEFT_ALONE)
def test_iterators_that_others_may_have_asked_are_left_to_the_model(body: str, text: str | None) -> None:
    source = f"""class Box:
    pass

BOX = Box()

def take(it):
    return next(it)

def each(it):
    for x in it:
        yield x

def f():
    {body}
"""
    witness = _Witness(_recorded(source, "f()"), calculates=True)
    witness.run()
    assert text is None or text in witness.expected
    assert text not in witness.settled


def test_a_second_generator_of_a_function_is_not_taken_for_the_first() -> None:
    source = """def gen(xs, n):
    yield from xs
    yield n

def f(xs):
    g, h = gen(xs, 1), gen(xs, 2)
    out = []
    for a, b in zip(g, h):
        xs.append(a)
        out.append(b)
        if len(xs) > 4:
            break
    h.close()
    return out, list(g)[:3], list(gen([], 5))
"""
    _Witness(_recorded(source, "f([1])"), calculates=True).run()


_COUNTERS = st.sampled_from(
    [
        "c = Counter('abbccc')",
        "c = Counter(xs)",
        "c = Counter({'x': 1, 'y': 2})",
        "d = c",
        "del c['b']",
        "c['b'] += 1",
        "d['a'] = 1",
        "d.pop('a', None)",
        "c.update('ba')",
        "a = touch(c)",
        "a = list(c), list(c.values())",
        "a = [k for k, v in c.items() if v == 1]",
        "a = {k for k in c if c[k] == 2}",
        "a = [k for k in c]",
        "for k, v in c.items():\n        a = k",
        "for k in c:\n        a = k",
        "a = dict(c), sorted(c), max(c.values()), c.most_common(2)",
        "a = list(c), c.pop('b', 0), c.update('b'), list(c)",
        "held = [c]",
        "held[0]['b'] = held[0].pop('b', 0)",
        "a = list(see(c)), list(c)",
        "g = see(c)",
        "a = next(g, 0)",
        "a = list(c + Counter('z'))",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_COUNTERS, min_size=1, max_size=7), st.text("abc", max_size=5))
def test_the_order_of_a_counter_is_known_from_how_it_was_made(lines: list[str], xs: str) -> None:
    body = "".join(f"    {line}\n" for line in [*lines, "return a, list(c)"])
    source = f"""from collections import Counter

def touch(c):
    c["b"] = c.pop("b", 0)
    return list(c)

def see(c):
    for k in c:
        yield k
    yield list(c.items())

def f(xs):
    a, c, g = 0, Counter("cbb"), iter(())
    d, held = c, [Counter("b")]
{body}"""
    _Witness(_recorded(source, f"f({xs!r})"), calculates=True).run()


@pytest.mark.parametrize(
    ("more", "is_known"),
    [
        ("", True),
        ("class U(T):\n    pat = re.compile('b')\n\n", True),
        ("def other():\n    T.pat = None\n\n", False),
        ("def other():\n    re = None\n\n", False),
        ("def other(name):\n    setattr(T, name, None)\n\n", False),
    ],
)
def test_patterns_that_classes_bind_are_known_unless_something_may_bind_others(
    more: str, is_known: bool
) -> None:
    source = f"""import re

class T:
    pat = re.compile("[a-z]+", re.I)

    def f(self, text):
        search = self.pat.search
        return search(text), self.pat.split(text)

{more}def main():
    return T().f("1a2")
"""
    witness = _Witness(_recorded(source, "main()"), calculates=True).run()
    assert (witness.foresight.workings.known.attribute("T()", "pat") is not None) is is_known


@pytest.mark.parametrize("dropped", ["g = gen(3)", "g = gen(3)\n    next(g)", "g = [map(str, gen(3))]"])
@pytest.mark.parametrize("call", ["f('a')", "caller()"])
def test_generators_that_are_dropped_with_the_locals_of_a_function_are_closed(
    dropped: str, call: str
) -> None:
    source = f"""def gen(n):
    yield n
    yield 2

def f(text):
    {dropped}
    return [text * 30, text * 30]

def caller():
    a = f("b")
    return len(f("c")), a
"""
    _Witness(_recorded(source, call), calculates=True).run()
