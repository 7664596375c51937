"""What a check proposes, finds in predicted runs, and says after real ones."""

from __future__ import annotations

import ast
import dataclasses
import math
from typing import Any

import pytest
from engines import CODEC, random_engine

from opencwm.core.errors import ConfigError
from opencwm.debugger.checking.check import (
    CheckConfig,
    CheckedFunction,
    Finding,
    FindingKind,
    Verdict,
    check_function,
    find,
)
from opencwm.debugger.checking.proposals import InputSource, possible_errors, propose_inputs, seen_calls
from opencwm.debugger.checking.verify import judged, verify
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.testing import predicted_from
from opencwm.model.folder import ModelFolder
from opencwm.sandbox import Sandbox
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Status, Trace

SOURCE = '''\
def average(numbers):
    """
    >>> average([1, 2])
    1.5
    """
    return sum(numbers) / len(numbers)

def first(rows, key="name"):
    try:
        return rows[0][key]
    except KeyError:
        raise ValueError(key)

def down(n):
    while n != 0:
        n -= 2
    return n

def stuck(n):
    while n > 3:
        for step in [1, 2]:
            step += 1
    return n

def reads(items):
    items = iter(items)
    while next(items) != 3:
        pass
    return 3

def twice(n):
    total = 0
    for turn in [1, 1, 1]:
        left = n
        while left > 0:
            left -= 1
        total += n
    return total

def deep(n):
    return 1 if n == 0 else deep(n - 1) + 1

def same(n):
    return same(n)

if __name__ == "__main__":
    print(first([{"name": "a"}], key="name"), average([7]))
'''


def ran(call: str, max_steps: int = 400) -> Trace:
    return record(Program.from_call(SOURCE, call), TraceLimits(max_steps=max_steps))


def found(call: str) -> Finding | None:
    """What is found when the prediction is what really happens."""
    return find(predicted_from(ran(call)), call.partition("(")[0], max_steps=300)


@pytest.mark.parametrize(
    ("call", "kind", "lineno", "what"),
    [
        ("average([])", FindingKind.EXCEPTION, 6, "ZeroDivisionError('division by zero')"),
        ("first([{}])", FindingKind.EXCEPTION, 12, "ValueError('name')"),
        ("first([])", FindingKind.EXCEPTION, 10, "IndexError('list index out of range')"),
        (
            "stuck(4)",
            FindingKind.ENDLESS_LOOP,
            20,
            "the loop comes back to line 20 with every variable as it was",
        ),
        ("down(3)", FindingKind.ENDLESS_LOOP, 15, "the loop at line 15 is not over after 40 rounds"),
        (
            "deep(-1)",
            FindingKind.ENDLESS_RECURSION,
            40,
            "deep has called itself 40 times without coming back",
        ),
        (
            "same(2)",
            FindingKind.ENDLESS_RECURSION,
            43,
            "same is called with the arguments that it is still busy with",
        ),
    ],
)
def test_what_goes_wrong_is_found(call: str, kind: FindingKind, lineno: int, what: str) -> None:
    finding = found(call)
    assert finding is not None
    assert (finding.kind, finding.lineno, finding.what) == (kind, lineno, what)
    assert 0 < finding.confidence < 1
    assert finding.call == call


@pytest.mark.parametrize(
    "call", ["average([3])", "down(4)", "stuck(2)", "twice(3)", "reads([1, 1, 3])", "deep(5)"]
)
def test_nothing_is_found_where_nothing_goes_wrong(call: str) -> None:
    assert found(call) is None


def test_an_exception_on_purpose_is_told_from_others() -> None:
    purpose, accident = found("first([{}])"), found("first([])")
    assert purpose is not None
    assert accident is not None
    assert (purpose.is_raised, accident.is_raised) == (True, False)


def test_confidence_is_that_of_the_whole_run() -> None:
    execution = predicted_from(ran("average([])"), probability=0.5)
    finding = find(execution, "average", max_steps=300)
    assert finding is not None
    views = [execution.get(index) for index in range(finding.num_steps)]
    assert finding.confidence == math.prod(view.probability or 0 for view in views if view is not None) < 0.01


def test_calls_in_the_file_are_tried_first() -> None:
    assert seen_calls(SOURCE, "average") == ["average([7])", "average([1, 2])"]
    inputs = propose_inputs(SOURCE, "average", num_inputs=9)
    assert [item.source for item in inputs[:3]] == [InputSource.FILE, InputSource.FILE, InputSource.ORDINARY]
    assert "average([])" in [item.call for item in inputs]
    assert len({item.call for item in inputs}) == 9


def test_proposed_calls_fit_the_function() -> None:
    source = "def f(a, /, b: str, *rest, c=1, **more):\n    return a + 1\n"
    for item in propose_inputs(source, "f", num_inputs=20):
        assert record(Program.from_call(source, item.call)).status is Status.RETURNED, item
    assert propose_inputs("def g():\n    pass\n", "g", num_inputs=5)[0].call == "g()"


def test_errors_that_the_text_makes_possible() -> None:
    (node,) = ast.parse("def f(x):\n    return x['a'] / x[0] + int(x) + min(x)\n").body
    assert isinstance(node, ast.FunctionDef)
    names = [text.partition("(")[0] for text in possible_errors(node)]
    assert sorted(names) == ["IndexError", "KeyError", "ValueError", "ValueError", "ZeroDivisionError"]


EXPECTED = Finding("average", FindingKind.EXCEPTION, 6, "average([])", "ZeroDivisionError('x')", 0.9, 5)
ENDLESS = Finding("down", FindingKind.ENDLESS_LOOP, 15, "down(3)", "no end", 0.9, 90)


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (EXPECTED, Verdict.CONFIRMED),
        (dataclasses.replace(EXPECTED, lineno=7), Verdict.REFUTED),
        (dataclasses.replace(EXPECTED, what="KeyError(0)"), Verdict.REFUTED),
        (dataclasses.replace(EXPECTED, call="average([1])"), Verdict.REFUTED),
        (dataclasses.replace(EXPECTED, kind=FindingKind.ENDLESS_LOOP), Verdict.REFUTED),
        (ENDLESS, Verdict.CONFIRMED),
        (dataclasses.replace(ENDLESS, call="down(4)"), Verdict.REFUTED),
        (dataclasses.replace(ENDLESS, kind=FindingKind.ENDLESS_RECURSION, call="same(1)"), Verdict.CONFIRMED),
        (dataclasses.replace(ENDLESS, kind=FindingKind.ENDLESS_RECURSION, call="deep(3)"), Verdict.REFUTED),
    ],
)
def test_a_real_run_decides(finding: Finding, verdict: Verdict) -> None:
    judgement = judged(finding, ran(finding.call, max_steps=10_000))
    assert judgement.verdict is verdict
    assert judgement.really


def test_without_a_real_run_nothing_is_decided() -> None:
    trace = record(Program.from_call("import a_module_that_is_missing\n" + SOURCE, "average([])"))
    assert judged(EXPECTED, trace).verdict is Verdict.UNDECIDED


def test_runs_are_made_in_the_sandbox() -> None:
    with Sandbox() as sandbox:
        checked = verify(CheckedFunction("average", (), (EXPECTED, ENDLESS)), SOURCE, sandbox, seconds=0.5)
    assert [finding.verdict for finding in checked.findings] == [Verdict.CONFIRMED, Verdict.CONFIRMED]


def world(seed: int) -> NativeWorldModel:
    return NativeWorldModel(ModelFolder.__new__(ModelFolder), CODEC, random_engine(seed))


class Oracle(NativeWorldModel):
    """Predicts what really happens, and proposes nonsense."""

    def execution(self, program: Program, **_: Any) -> Any:
        return predicted_from(record(program, TraceLimits(max_steps=300)))


@pytest.mark.parametrize("seed", range(2))
def test_whatever_a_model_believes_a_check_comes_to_its_end(seed: int) -> None:
    checked = check_function(world(seed), SOURCE, "first", CheckConfig(num_inputs=3, max_steps=15))
    assert len(checked.inputs) == 3
    assert all(0 < finding.confidence <= 1 for finding in checked.findings)


def test_the_same_thing_is_reported_once_with_the_shortest_input() -> None:
    oracle = Oracle(ModelFolder.__new__(ModelFolder), CODEC, random_engine(0))
    source = "def f(x: list[int]):\n    return x[9]\n"
    checked = check_function(oracle, source, "f", CheckConfig(num_inputs=6))
    (finding,) = checked.findings
    assert finding.call == "f([])"
    assert len(finding.other_calls) == len(checked.inputs) - 1


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ConfigError, match="there is no function 'nothing'"):
        check_function(world(0), SOURCE, "nothing")
    with pytest.raises(ConfigError, match="num_inputs must be positive"):
        CheckConfig(num_inputs=0)
    config = CheckConfig(num_inputs=3, max_seconds=1e-9)
    checked = check_function(world(0), "def f():\n    return 1\n", "f", config)
    assert checked.problem == "1 inputs were not tried: 1e-09 s are over"
