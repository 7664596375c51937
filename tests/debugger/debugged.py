"""Programs and executions that the debugger's tests share."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from opencwm.debugger.execution import Origin, RealExecution, StepView
from opencwm.debugger.testing import ScriptedExecution
from opencwm.tracer import record
from opencwm.traces import CodeInfo, Program, Step, StepKind, Trace

COUNT = """\
def count(word, letter):
    n = 0
    for c in word:
        if c == letter:
            n += 1
    return n


def f(word):
    try:
        k = count(word, 'r')
        return 10 / (k - 2)
    except ZeroDivisionError as e:
        return 'none'
"""

RECURSION = """\
def fact(n):
    if n < 2:
        return 1
    return n * fact(n - 1)


def both(a, b):
    return fact(a) + fact(b)
"""

GENERATOR = """\
def gen(n):
    for i in range(n):
        yield i * 2


def total(n):
    t = 0
    for x in gen(n):
        t += x
    return t
"""

RAISES = """\
def inner(d, k):
    return d[k]


def outer(k):
    d = {'a': 1}
    return inner(d, k)
"""

CALLS = {
    "count": (COUNT, "f('brr')"),
    "recursion": (RECURSION, "both(3, 2)"),
    "generator": (GENERATOR, "total(3)"),
    "raises": (RAISES, "outer('b')"),
    "comprehension": (
        "def g(x):\n    return x + 1\ndef f(n):\n    a = [g(i) for i in range(n)]\n    return a\n",
        "f(3)",
    ),
}


def traced(name: str) -> Trace:
    """Record one of :data:`CALLS`."""
    source, call = CALLS[name]
    return record(Program.from_call(source, call, filename=f"{name}.py"))


def real(name: str) -> RealExecution:
    """Return the recorded execution of one of :data:`CALLS`."""
    return RealExecution(traced(name))


def endless() -> ScriptedExecution:
    """Return a prediction that goes round a loop for ever."""
    program = Program(
        "def main():\n    n = 0\n    while True:\n        n += 1\n", "main", filename="endless.py"
    )

    def views() -> Iterator[StepView]:
        yield StepView(Step(StepKind.CALL, 0, 1, 0), Origin.PREDICTED)
        for n in itertools.count():
            for lineno in (3, 4):
                changed = (("n", str(n)),) if lineno == 3 else ()
                step = Step(StepKind.LINE, 0, lineno, 0, changed)
                yield StepView(step, Origin.PREDICTED, {name: 0.9 for name, _ in changed}, 0.99)

    return ScriptedExecution(program, (CodeInfo("main", 1, ("n",)),), views())


def without_steps(trace: Trace) -> Trace:
    """Return the trace of a run that never began."""
    return dataclasses.replace(trace, steps=(), codes=())
