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


def test_what_a_program_can_see_of_itself_is_the_same() -> None:
    trace = detailed(
        """
        import traceback
        class Base:
            def name(self):
                return 'base'
        class Derived(Base):
            size = len('ab') + 1
            seen = sorted(set(locals()) - {'__firstlineno__', '__static_attributes__'})
            def name(self):
                return super().name() + __class__.__name__
        def fail(xs):
            return 1 + (xs[0] // (xs[1] - xs[1]))
        def f():
            x = [1, 2]
            inner = (lambda v: sorted(locals()))(x[0])
            try:
                fail(x)
            except ZeroDivisionError as error:
                stack = traceback.TracebackException.from_exception(error).stack
                places = [(item.name, item.lineno, item.colno, item.end_colno) for item in stack]
            return sorted(locals()), inner, len(globals()) > 5, Derived().name(), Derived.seen, places
        """
    )
    assert trace.result is not None
    assert "['inner', 'places', 'stack', 'x'], ['v'], True, 'baseDerived'" in trace.result
    assert "('fail', 12, 16, 40)" in trace.result


def test_a_renderer_that_calls_the_programs_repr_records_nothing_of_it() -> None:
    source = (
        "class P:\n    def __repr__(self):\n        return 'P' + str(1 + len('a'))\n"
        "def f():\n    return P()\n"
    )
    trace = record(Program.from_call(source, "f()"), TraceLimits(expressions=True, user_repr=True))
    assert trace.result == "P2"
    texts = [item.text for step in trace.steps for item in step.evaluations]
    assert texts == ["P()", "f()"]


def test_threads_of_the_program_are_not_recorded() -> None:
    source = (
        "import threading\ndef work(out):\n    for n in range(50):\n        out.append(n * 2 + 1)\n"
        "def f():\n    out = []\n    thread = threading.Thread(target=work, args=(out,))\n"
        "    thread.start()\n    thread.join()\n    return len(out), sum(out)\n"
    )
    trace = record(Program.from_call(source, "f()"), DETAIL)
    assert trace.result == "(50, 2500)"
    assert not any("* 2" in item.text for step in trace.steps for item in step.evaluations)


def test_long_values_many_values_and_many_bytes_are_left_out() -> None:
    source = "def f():\n    s = 'x' * n\n    return sum(v + 1 for v in range(50)), len(s) + 1\nn = 300\n"
    program = Program.from_call(source, "f()")
    texts = [item.text for step in record(program, DETAIL).steps for item in step.evaluations]
    assert "300 + 1" in texts
    assert not any("xxx" in text for text in texts)
    few = TraceLimits(expressions=True, max_evaluations=10)
    assert max(len(step.evaluations) for step in record(program, few).steps) == 10
    small = TraceLimits(expressions=True, max_bytes=400)
    trace = record(program, small)
    assert trace.status is Status.BYTE_LIMIT or trace.result is not None


def test_what_is_nested_too_deeply_is_left_as_it_is() -> None:
    program = Program.from_call("def f(a):\n    return " + "+".join(["a"] * 500) + "\n", "f(1)")
    assert_same(record(program), record(program, DETAIL))


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_construct_keeps_its_trace(name: str) -> None:
    program = Program(PROGRAMS[name], "main")
    assert_same(record(program), record(program, DETAIL))


@pytest.mark.parametrize("seed", range(60))
def test_generated_programs_keep_their_trace(seed: int) -> None:
    rng = derive_rng("expressions", seed)
    program = generate_program(rng, sample_config(rng))
    assert_same(record(program), record(program, DETAIL))
