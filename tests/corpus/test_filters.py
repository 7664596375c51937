from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from opencwm.core.config import from_dict
from opencwm.corpus.filters import reason_to_drop
from opencwm.corpus.recipe import FilterConfig
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Status, Trace

LOOP = "def f(n):\n    text = ''\n    for i in range(n):\n        text += 'ab'\n    return text\n"


def run(source: str = LOOP, call: str = "f(4)", **limits: Any) -> Trace:
    return record(Program.from_call(source, call), TraceLimits(**limits))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, ""),
        ({"max_lines": 6}, "too many lines"),
        ({"max_steps": 10}, "too many steps"),
        ({"min_steps": 50}, "too few steps"),
        ({"max_value_chars": 9}, "long value"),
        ({"max_value_chars": 10}, ""),
        ({"max_tokens": 50}, "too many tokens"),
        ({"max_tokens": 5000}, ""),
    ],
)
def test_lengths(settings: dict[str, int], reason: str) -> None:
    assert reason_to_drop(run(), from_dict(FilterConfig, settings)) == reason


@pytest.mark.parametrize("status", [Status.TIMEOUT, Status.STEP_LIMIT, Status.NO_ENTRY])
def test_only_what_ended_by_itself(status: Status) -> None:
    trace = dataclasses.replace(run(), status=status)
    assert reason_to_drop(trace, FilterConfig()) == f"status {status.value}"
    assert reason_to_drop(run("def f(n):\n    n = n + 1\n    raise KeyError(n)\n"), FilterConfig()) == ""


def test_values_that_were_cut() -> None:
    cut = run(call="f(40)", max_value_chars=16)
    assert reason_to_drop(cut, FilterConfig()) == "value cut"
    assert reason_to_drop(cut, FilterConfig(cut_values=True)) == ""


def test_runs_in_which_nothing_happens() -> None:
    idle = run("def f(n):\n    if n:\n        return n\n    return None\n")
    assert reason_to_drop(idle, FilterConfig()) == "nothing happens"
    assert reason_to_drop(idle, FilterConfig(idle=True)) == ""
    assert reason_to_drop(idle, FilterConfig(), is_generated=True) == ""
