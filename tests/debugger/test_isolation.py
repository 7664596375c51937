"""Which functions are apart from their callers' objects, and which ``except`` clauses catch what."""

from __future__ import annotations

import ast
import collections
import textwrap

import pytest

from opencwm.codec.native_writer import written_evaluations
from opencwm.debugger.exceptions import catches
from opencwm.debugger.foreseeing.expectations import Outcome, UnforeseenError
from opencwm.debugger.foreseeing.foresight import Foresight
from opencwm.debugger.foreseeing.isolation import functions_apart
from opencwm.debugger.foreseeing.workings import Workings
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Activation, Program, StepKind, apply_step

HELPER = "def helper(n):\n    return n\n"


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "import math\nLIMIT = -3\n",
        "class Point:\n    size = 2\n    def grow(self, n=1):\n        self.size = n\n",
        "if __name__ == '__main__':\n    print(helper(3))\n",
        "def other(items):\n    items.append(1)\n",
    ],
)
def test_a_module_that_holds_nothing_that_can_change_keeps_its_functions_apart(rest: str) -> None:
    assert functions_apart(ast.parse(HELPER + rest))["helper"] == 1


@pytest.mark.parametrize(
    "rest",
    [
        "CACHE = {}\n",
        "def other(n, seen=[]):\n    seen.append(n)\n    return seen\n",
        "def other(n, *, seen={}):\n    return seen\n",
        "def other():\n    global last\n    last = []\n",
        "class Box:\n    items = []\n",
        "def other(n):\n    helper.last = [n]\n",
        "class Box:\n    pass\ndef other(n):\n    Box.items = [n]\n",
        "class Box:\n    @classmethod\n    def put(cls, n):\n        cls.items = [n]\n",
        "def other(a):\n    a.b.c = []\n",
        "def other(n):\n    setattr(helper, 'last', [n])\n",
        "@helper\ndef other(n):\n    return n\n",
        "for name in ('a', 'b'):\n    pass\n",
    ],
)
def test_a_module_that_may_share_what_can_change_keeps_none_apart(rest: str) -> None:
    assert functions_apart(ast.parse(HELPER + rest)) == {}


@pytest.mark.parametrize(
    "source",
    [
        "def helper(n):\n    yield n\n",
        "async def helper(n):\n    return n\n",
        "def helper(n):\n    return n\nhelper = 3\n",
        "def helper(n):\n    return n\nif True:\n    def helper(n):\n        return n + 1\n",
        "def outer():\n    def helper(n):\n        return n\n    return helper\n",
    ],
)
def test_what_is_no_plain_function_of_the_module_is_not_apart(source: str) -> None:
    assert "helper" not in functions_apart(ast.parse(source))


def foreseen(source: str, call: str) -> collections.Counter[str]:
    """Follow a recorded run; count lines of which nothing else is said to change, and check that it is so."""
    trace = record(Program.from_call(textwrap.dedent(source), call), TraceLimits(expressions=True))
    foresight = Foresight(Workings.of(trace.program.text))
    counts: collections.Counter[str] = collections.Counter()
    stack: list[Activation] = []
    for step in trace.steps:
        to_come = [(item.text, item.value) for item in written_evaluations(step)]
        try:
            outcome = foresight.follow(lambda _, to_come=to_come: to_come.pop(0))  # type: ignore[misc]
        except (UnforeseenError, IndexError):
            outcome = Outcome()
        apply_step(stack, step, trace.codes)
        if outcome.is_told and outcome.is_pure and step.kind is StepKind.LINE:
            assert {name for name, _ in step.changed} <= outcome.values.keys()
            counts[trace.program.text.split("\n")[foresight._memories[-1].lineno - 1].strip()] += 1
        if step.kind is StepKind.RETURN:
            stack.pop()
        foresight.push(step, stack, trace.codes)
    return counts


SHARING = """
    {shared}
    def double(n):
        {does}
        return n * 2

    def f(n):
        items = {items}
        n = double(n)
        return items, n
"""


def test_a_call_that_is_given_no_object_changes_none_of_its_caller() -> None:
    assert foreseen(SHARING.format(shared="", does="pass", items="[1]"), "f(3)")["n = double(n)"] == 1


def test_a_call_that_may_reach_an_object_may_change_it() -> None:
    shared = SHARING.format(shared="SEEN = []", does="SEEN.append(n)", items="SEEN")
    assert foreseen(shared, "f(3)")["n = double(n)"] == 0


def test_a_call_that_is_given_an_object_may_change_it() -> None:
    source = """
        def add(items):
            items.append(1)
            return 0

        def f():
            xs = []
            n = add(xs)
            return xs, n
    """
    assert foreseen(source, "f()")["n = add(xs)"] == 0


CLASSES = "class Mine(ValueError):\n    pass\n\nclass Other(Unseen):\n    pass\n"


@pytest.mark.parametrize(
    ("clause", "rendered", "expected"),
    [
        ("except:", "KeyError('a')", True),
        ("except KeyError:", "KeyError('a')", True),
        ("except LookupError:", "KeyError('a')", True),
        ("except ValueError:", "KeyError('a')", False),
        ("except (ValueError, KeyError):", "KeyError('a')", True),
        ("except (ValueError, TypeError):", "KeyError('a')", False),
        ("except ValueError:", "Mine('a')", True),
        ("except Mine:", "ValueError('a')", False),
        ("except Exception:", "Other('a')", None),
        ("except Other:", "Other('a')", True),
        ("except Other:", "KeyError('a')", None),
        ("except json.JSONDecodeError:", "ValueError('a')", None),
        ("except (json.JSONDecodeError, ValueError):", "ValueError('a')", True),
        ("except ERRORS:", "KeyError('a')", None),
    ],
)
def test_what_an_except_clause_catches(clause: str, rendered: str, expected: bool | None) -> None:
    statement = ast.parse(f"try:\n    pass\n{clause}\n    pass\n").body[0]
    assert isinstance(statement, ast.Try)
    assert catches(statement.handlers[0], rendered, CLASSES) is expected
