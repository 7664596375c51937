from __future__ import annotations

import pytest
from cwm_recorder import record as record_plainly

from opencwm.codec.cwm import CwmCodec
from opencwm.codec.cwm_locate import MAX_READINGS, Locator
from opencwm.codec.cwm_step import CwmStep, LocatedStep, MalformedStep
from opencwm.codec.cwm_text import written_steps
from opencwm.codec.testing import tiny_tokenizer
from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import generate_traced, sample_config
from opencwm.tracer import record
from opencwm.traces import Binding, Program, StepKind, Trace

CALL, LINE, RETURN, EXCEPTION = StepKind.CALL, StepKind.LINE, StepKind.RETURN, StepKind.EXCEPTION
CODEC = CwmCodec(tiny_tokenizer())


def step(
    kind: StepKind, source: str, bindings: tuple[Binding, ...] = (), value: str | None = None
) -> CwmStep:
    return CwmStep(kind, source, bindings, value, (1, 2))


def places(program: Program, steps: list[CwmStep]) -> list[tuple[int, int]]:
    locator = Locator(program)
    for each in steps:
        assert isinstance(locator.locate(each), LocatedStep)
    return [(located.lineno, located.depth) for located in locator.steps]


def share_right(trace: Trace) -> tuple[int, int]:
    """Steps whose line and depth come back, and steps in all; the rest must come back always."""
    steps = CODEC.decode(CODEC.encode(trace).ids, trace.program).steps
    right = 0
    written = list(written_steps(trace))
    for located, truth in zip(steps, written, strict=True):
        assert isinstance(located, LocatedStep)
        assert (located.kind, located.step.source, located.value) == (truth.kind, truth.source, truth.value)
        assert truth.lineno in located.candidates
        right += (located.lineno, located.depth) == (truth.lineno, trace.steps[truth.index].depth)
    return right, len(written)


def test_repeated_lines_are_told_apart_by_control_flow() -> None:
    source = "def f():\n    x = 1\n    x += 1\n    x += 1\n"
    source += "    for i in 'ab':\n        x += 1\n        x += 1\n    x += 1\n"
    trace = record_plainly(source, entry="f")
    assert share_right(trace) == (len(trace.steps), len(trace.steps))


def test_a_later_step_corrects_an_earlier_one() -> None:
    program = Program(
        "def f(c):\n    if c:\n        x = 1\n        y = 2\n    else:\n        x = 1\n        z = 3\n", "f"
    )
    start = [step(CALL, "def f(c):\n"), step(LINE, "    if c:\n"), step(LINE, "        x = 1\n")]
    assert places(program, start) == [(1, 0), (2, 0), (3, 0)]
    assert places(program, [*start, step(LINE, "        z = 3\n")]) == [(1, 0), (2, 0), (6, 0), (7, 0)]


SWALLOWED = """\
def f():
    try:
        g()
    except ValueError:
        pass
    return 1
def g():
    h()
def h():
    raise ValueError
"""


def test_exceptions_that_leave_activations_are_followed_down() -> None:
    trace = record_plainly(SWALLOWED, entry="f")
    assert share_right(trace)[0] == share_right(trace)[1]
    steps = CODEC.decode(CODEC.encode(trace).ids, trace.program).steps
    exceptions = [each for each in steps if isinstance(each, LocatedStep) and each.kind is EXCEPTION]
    assert [(each.lineno, each.depth) for each in exceptions] == [(10, 2), (8, 1), (3, 0)]
    assert [(each.lineno, each.depth) for each in steps[-3:] if isinstance(each, LocatedStep)] == [
        (5, 0),
        (6, 0),
        (6, 0),
    ]


def test_names_of_locals_tell_activations_apart() -> None:
    source = "def f(a):\n    pass\ndef g(b):\n    pass\ndef main():\n    f(1)\n    g(2)\n"
    program = Program(source, "main")
    steps = [
        step(CALL, "def main():\n"),
        step(LINE, "    f(1)\n"),
        step(CALL, "def f(a):\n", (("a", "1"),)),
        step(LINE, "    pass\n", (("a", ".."),)),
        step(RETURN, "    pass\n", value="None"),
        step(LINE, "    g(2)\n"),
        step(CALL, "def g(b):\n", (("b", "2"),)),
        step(LINE, "    pass\n", (("b", ".."),)),
    ]
    assert places(program, steps) == [(5, 0), (6, 0), (1, 1), (2, 1), (2, 1), (7, 0), (3, 1), (4, 1)]


def test_a_call_stepped_over_returns_from_any_of_its_lines() -> None:
    program = Program(
        "def g(n):\n    if n:\n        return n\n    return 0\ndef f():\n    return g(1)\n", "f"
    )
    steps = [
        step(CALL, "def f():\n"),
        step(LINE, "    return g(1)\n"),
        step(CALL, "def g(n):\n", (("n", "1"),)),
        step(RETURN, "        return n\n", value="1"),
        step(RETURN, "    return g(1)\n", value="1"),
    ]
    assert places(program, steps) == [(5, 0), (6, 0), (1, 1), (3, 1), (6, 0)]


def test_decorated_functions_are_called_at_either_line() -> None:
    program = Program("def d(f):\n    return f\n@d\ndef g():\n    return 1\ndef f():\n    return g()\n", "f")
    for source, lineno in (("@d\n", 3), ("def g():\n", 4)):
        steps = [
            step(CALL, "def f():\n"),
            step(LINE, "    return g()\n"),
            step(CALL, source),
            step(LINE, "    return 1\n"),
        ]
        assert places(program, steps) == [(6, 0), (7, 0), (lineno, 1), (5, 1)]


def test_steps_that_follow_no_program_are_still_located() -> None:
    program = Program("def f():\n    x = 1\n    return x\n", "f")
    nonsense = [
        step(RETURN, "    return x\n", value="1"),
        step(LINE, "    x = 1\n"),
        step(EXCEPTION, "def f():\n", value="E"),
        step(CALL, "    x = 1\n"),
        step(CALL, "    x = 1\n", (("q", ".."),)),
    ]
    assert [lineno for lineno, _ in places(program, nonsense)] == [3, 2, 1, 2, 2]


def test_truncating_forgets_steps() -> None:
    program = Program("def f():\n    x = 1\n    return x\n", "f")
    locator = Locator(program)
    locator.locate(step(CALL, "def f():\n"))
    locator.locate(step(LINE, "    x = 1\n"))
    assert isinstance(locator.locate(step(LINE, "nothing\n")), MalformedStep)
    assert len(locator) == 2
    locator.truncate(1)
    assert [located.kind for located in locator.steps] == [CALL]
    again = locator.locate(step(LINE, "    return x\n", (("x", "1"),)))
    assert isinstance(again, LocatedStep)
    assert (again.lineno, again.locals) == (3, (("x", "1"),))


def test_many_repeated_lines_stay_cheap() -> None:
    program = Program("def f():\n" + "    x = 1\n" * 400, "f")
    locator = Locator(program)
    locator.locate(step(CALL, "def f():\n"))
    for _ in range(60):
        locator.locate(step(LINE, "    x = 1\n"))
    assert [located.lineno for located in locator.steps] == list(range(1, 62))
    assert max(len(readings) for readings in locator._history) <= MAX_READINGS


def test_a_program_that_does_not_compile_can_be_followed_by_its_text() -> None:
    program = Program("def f(:\n    return 1\n", "main", "f()")
    steps = [
        step(CALL, "def main():\n"),
        step(LINE, "    return f()\n"),
        step(CALL, "def f(:\n"),
        step(LINE, "    return 1\n"),
    ]
    assert places(program, steps) == [(3, 0), (4, 0), (1, 1), (2, 1)]


ASYNC = """\
import asyncio
async def add(a, b):
    await asyncio.sleep(0)
    return a + b
async def total(values):
    result = 0
    for value in values:
        result = await add(result, value)
    return result
def main():
    return asyncio.run(total([1, 2]))
"""


@pytest.mark.parametrize("source", [SWALLOWED.replace("def f", "def main"), ASYNC])
def test_runs_recorded_by_the_tracer_come_back(source: str) -> None:
    trace = record(Program(source, "main"))
    right, number = share_right(trace)
    assert right == number > 10


def test_generated_programs_come_back_but_for_undecidable_lines() -> None:
    right = number = 0
    for seed in range(60):
        rng = derive_rng("cwm", seed)
        trace = generate_traced(rng, sample_config(rng))
        if trace is not None:
            one_right, one_number = share_right(trace)
            right, number = right + one_right, number + one_number
    assert number > 500
    assert right / number > 0.99  # equal lines in both branches of an if cannot be told apart
