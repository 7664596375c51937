"""Programs do the same with and without expression detail: noisy objects, modules of the standard library.

A noisy object writes down every special method that is called on it, so that one call of ``__bool__`` more,
or an order of evaluation that differs, shows.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tracer_versions import SOURCE_ROOT

from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Status, Trace
from other_pythons import VERSIONS, interpreter

DETAIL = TraceLimits(expressions=True)
NOISY = (Path(__file__).parent / "noisy.txt").read_text(encoding="utf-8")
NAMES = ("a", "b", "c", "x", "y", "n")  # noisy ones first
BINARY = ("+", "-", "*", "//", "%", "|", "==", "<", "in", "is not", "and", "or")


def assert_same(program: Program, limits: TraceLimits | None = None) -> Trace:
    """Record a program both ways; return the detailed trace."""
    limits = limits or TraceLimits()
    plain = record(program, limits)
    trace = record(program, dataclasses.replace(limits, expressions=True))
    bare = tuple(dataclasses.replace(step, evaluations=()) for step in trace.steps)
    assert dataclasses.replace(trace, steps=bare) == plain
    return trace


def expression(rng: random.Random, depth: int) -> str:
    """Return an expression over noisy objects and numbers."""
    if depth == 0 or rng.random() < 0.12:
        return rng.choice([*NAMES, "1", "'s'", "None", "()"])

    def part() -> str:
        return expression(rng, depth - 1)

    forms = [
        lambda: f"({part()} {rng.choice(BINARY)} {part()})",
        lambda: f"({part()} {rng.choice(BINARY)} {part()})",
        lambda: f"({part()} and {part()} or {part()})",
        lambda: f"({part()} < {part()} <= {part()})",
        lambda: f"({part()} if {part()} else {part()})",
        lambda: f"(not {part()})",
        lambda: f"(-{part()})",
        lambda: f"call({part()}, *[{part()}], k={part()})",
        lambda: f"{rng.choice(NAMES[:3])}.method({part()})",
        lambda: f"{rng.choice(NAMES[:3])}[{part()}]",
        lambda: f"{rng.choice(NAMES[:3])}[{part()}:{part()}]",
        lambda: f"{rng.choice(NAMES[:3])}.attribute",
        lambda: f"f'{{{rng.choice(NAMES)} + {rng.choice(NAMES)}!r:>4}}{{{rng.choice(NAMES[:3])}}}'",
        lambda: f"[{part()} for v in (x, {rng.choice(NAMES)}) if {part()}]",
        lambda: f"any({part()} for v in (x, a) if {part()})",
        lambda: f"(w := {part()})",
        lambda: f"(lambda v: {part()})({part()})",
        lambda: f"[{part()}, *call({part()})]",
        lambda: f"{{'k': {part()}}}",
    ]
    return rng.choice(forms)()


def noisy_program(seed: int) -> Program:
    """Return a program that evaluates an expression in every position, and returns what happened."""
    rng = random.Random(seed)
    first, second, third = (expression(rng, rng.randint(1, 4)) for _ in range(3))
    body = f"""
def f(a, b, c, x, y, n):
    w = 0
    try:
        LOG.append({first})
    except Exception as error:
        note(error)
    try:
        if {second}:
            LOG.append('yes')
        while {second} and w is not None:
            w = None
        assert {third}, {first}
        n += {third}
        for v in {first}:
            LOG.append(v)
        y[{second}] = {third}
    except Exception as error:
        note(error)
    finally:
        LOG.append('finally')
    return LOG
"""
    return Program.from_call(
        NOISY + body, f"f(Noisy('a', {rng.random() < 0.5}), Noisy('b'), Noisy('c', False), 3, [], 0)"
    )


NOISY_STEPS = 2000  # some of them would go on for very long


@settings(
    max_examples=25, deadline=None, derandomize=True
)  # a random one took all memory once, see dev/LOG.md
@given(st.integers(0, 10**9))
def test_noisy_objects_hear_the_same_in_the_same_order(seed: int) -> None:
    trace = assert_same(noisy_program(seed), TraceLimits(max_steps=NOISY_STEPS))
    assert trace.result is not None or trace.status is Status.STEP_LIMIT, trace.detail


SCRIPT = """
import dataclasses, json, sys
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program
different = []
for source, entry in json.load(sys.stdin):
    program = Program(source, entry)
    limits = TraceLimits(max_steps=2000)
    plain, trace = record(program, limits), record(program, dataclasses.replace(limits, expressions=True))
    bare = tuple(dataclasses.replace(step, evaluations=()) for step in trace.steps)
    if dataclasses.replace(trace, steps=bare) != plain or not plain.steps:
        different.append(source)
json.dump(different, sys.stdout)
"""


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_noisy_objects_hear_the_same_on_other_pythons(version: str) -> None:
    executable = interpreter(version)
    if executable is None:
        pytest.skip(f"no Python {version} here")
    programs = [noisy_program(seed) for seed in range(25)]
    run = subprocess.run(
        [executable, "-c", SCRIPT],
        input=json.dumps([(program.text, program.entry) for program in programs]),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == []


LIBRARY: dict[str, list[str]] = {}
"""Calls of functions of pure Python modules, some of which raise; none that keeps the ``id`` of an object."""
for line in (Path(__file__).parent / "library_calls.txt").read_text(encoding="utf-8").splitlines():
    LIBRARY.setdefault(line.split(" ", 1)[0], []).append(line.split(" ", 1)[1])


@pytest.mark.parametrize("module", LIBRARY)
def test_the_standard_library_does_the_same(module: str) -> None:
    source = inspect.getsource(importlib.import_module(module))
    if module == "configparser":
        source += "\n\ndef _read(text):\n    parser = ConfigParser()\n    parser.read_string(text)\n"
        source += "    return [dict(parser[name]) for name in parser]\n"
    num_evaluations = 0
    for call in LIBRARY[module]:
        trace = assert_same(Program.from_call(source, call), TraceLimits(max_steps=20_000))
        assert trace.steps, (call, trace.detail)
        num_evaluations += sum(len(step.evaluations) for step in trace.steps)
    assert num_evaluations > 0
