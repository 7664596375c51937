"""Programs and views that the tests of the native codec share."""

from __future__ import annotations

import random

from opencwm.codec.view import SourceView
from opencwm.corpus.generator import generate_traced, sample_config
from opencwm.source.reach import visible_lines
from opencwm.traces import Program, Trace

WRITTEN = {
    "exceptions and finally": """
def safe(a, b):
    try:
        return a // b
    except ZeroDivisionError as error:
        print(error)
        raise ValueError('no') from error
    finally:
        done = True

def f(items):
    out = []
    for a, b in items:
        try:
            out.append(safe(a, b))
        except ValueError:
            out.append(None)
    return out
""",
    "generators": """
def numbers(n):
    for i in range(n):
        got = yield i
        if got:
            n = got

def f(items):
    gen = numbers(2)
    first = next(gen)
    second = gen.send(5)
    rest = list(numbers(2))
    return first, second, rest, len(items)
""",
    "classes and recursion": """
class Node:
    def __init__(self, value, children=()):
        self.value = value
        self.children = list(children)

    def total(self):
        return self.value + sum(child.total() for child in self.children)

def f(items):
    tree = Node(1, [Node(2), Node(3, [Node(4)])])
    return tree.total(), [x for x, _ in items if x], (lambda q: q * 2)(3)
""",
    "deleted and cut values": """
def f(items):
    long = 'x' * 5000
    many = list(range(1000))
    del long
    text = 'é\\u2603\\n\\t"'
    return text, len(many), {1: {2}, 'a': None}
""",
}


def whole_view(program: Program, first_label: int = 1) -> SourceView:
    return SourceView(program, visible_lines(program.text, program.entry).lines, first_label)


def traced(seed: int) -> Trace:
    rng = random.Random(seed)
    trace = generate_traced(rng, sample_config(rng))
    assert trace is not None
    return trace
