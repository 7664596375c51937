"""Expression detail: what is recorded, and that recording it changes nothing."""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path

import pytest
from tracer_programs import PROGRAMS

from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import generate_program, sample_config
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Status, Trace

DETAIL = TraceLimits(expressions=True)


def detailed(body: str, call: str = "f()") -> Trace:
    """Record a program with expression detail, after making sure that this changes nothing else."""
    program = Program.from_call(textwrap.dedent(body), call)
    trace = record(program, DETAIL)
    assert_same(record(program), trace)
    return trace


def assert_same(plain: Trace, trace: Trace) -> None:
    """Make sure that two traces differ in their evaluations only."""
    bare = tuple(dataclasses.replace(step, evaluations=()) for step in trace.steps)
    assert dataclasses.replace(trace, steps=bare) == plain


def evaluated(trace: Trace) -> list[str]:
    """Return all evaluations as text, the call of the entry apart."""
    found = [f"{item.text} -> {item.value}" for step in trace.steps for item in step.evaluations]
    return found[:-1] if found and trace.status is Status.RETURNED else found


FOLDER = Path(__file__).parent / "expressions"
CASES = sorted(path.stem for path in FOLDER.glob("*.txt"))
"""Files with a program whose ``f`` is called, a line of dashes, and what is evaluated."""


def read_case(name: str) -> tuple[str, list[str]]:
    """Return the program of a case and what is expected of it."""
    source, _, expected = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").partition("----\n")
    return source, expected.splitlines()


@pytest.mark.parametrize("name", CASES)
def test_what_is_recorded(name: str) -> None:
    source, expected = read_case(name)
    assert evaluated(detailed(source)) == expected


def test_evaluations_stand_on_the_next_step_of_any_activation() -> None:
    trace = detailed("def g(x):\n    return x + 1\ndef f():\n    return g(2 * 3 + len('a')) * 2\n")
    found = [
        (str(step.kind), [item.text for item in step.evaluations]) for step in trace.steps if step.evaluations
    ]
    assert found == [
        ("call", ["len('a')", "6 + 1"]),
        ("return", ["7 + 1"]),
        ("return", ["g(7)", "8 * 2"]),
        ("return", ["f()"]),
    ]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_construct_keeps_its_trace(name: str) -> None:
    program = Program(PROGRAMS[name], "main")
    assert_same(record(program), record(program, DETAIL))


@pytest.mark.parametrize("seed", range(60))
def test_generated_programs_keep_their_trace(seed: int) -> None:
    rng = derive_rng("expressions", seed)
    program = generate_program(rng, sample_config(rng))
    assert_same(record(program), record(program, DETAIL))
