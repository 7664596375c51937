"""Programs for the tests of this folder, recorded in this process; written for them."""

import dataclasses
import functools

from opencwm.codec.native import NativeCodec
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.testing import oracle, trace_documents
from opencwm.tracer import record
from opencwm.traces import Program, Trace

CODEC = NativeCodec()

MIXED = """\
def double(x):
    if x > 2:
        raise ValueError("too big")
    return x * 2


def f(s, n):
    out = []
    for i in range(n):
        try:
            out.append(double(i))
        except ValueError as error:
            out.append(str(error))
    ratio = 0.5
    flag = n == 4
    del n
    return s + str(out)
"""

GENERATOR = """\
def squares(n):
    for i in range(n):
        yield i * i


def f(n):
    total = 0
    for square in squares(n):
        total += square
    return total
"""

RAISING = """\
def g(d, k):
    return d[k]


def f(d):
    a = g(d, 'x')
    return g(d, a)
"""

LOOP = """\
def f(n):
    word = ''
    for i in range(n):
        word += 'ab'[i % 2]
    return word
"""


@functools.cache
def recorded(source: str, call: str) -> Trace:
    """Return the recorded run of ``call``."""
    return record(Program.from_call(source, call))


def mixed() -> Trace:
    """Calls, a loop, a caught exception, strings, numbers, containers, a bool, a deleted name."""
    return recorded(MIXED, "f('ab', 4)")


def raising() -> Trace:
    """An exception that leaves the entry."""
    return recorded(RAISING, "f({'x': 'y'})")


def loop(n: int) -> Trace:
    """A loop of ``n`` rounds."""
    return recorded(LOOP, f"f({n})")


def generator() -> Trace:
    """A generator that is resumed."""
    return recorded(GENERATOR, "f(3)")


def knowing(*programs: Program, wrong: str | None = None) -> NativePredictor:
    """A predictor that knows these programs by heart; with ``wrong`` it believes that each returns that."""
    nothing = NativePredictor("oracle", CODEC, oracle(CODEC, []))
    documents = []
    for program in programs:
        trace = record(program)
        if wrong is not None:
            steps = (*trace.steps[:-1], dataclasses.replace(trace.steps[-1], value=wrong))
            trace = dataclasses.replace(trace, steps=steps)
        documents += trace_documents(CODEC, trace, nothing.view(program))
    return NativePredictor("oracle", CODEC, oracle(CODEC, documents))
