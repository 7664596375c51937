from __future__ import annotations

import io
import math
from pathlib import Path

import pytest

from opencwm.debugger.compare import compare
from opencwm.debugger.execution import Origin, RealExecution, StepView
from opencwm.debugger.testing import predicted_from
from opencwm.frontends.cli.output import console, print_table, visible
from opencwm.frontends.cli.step_table import comparison_table, comparison_verdict, confidence
from opencwm.frontends.cli.trace_table import trace_table
from opencwm.frontends.programs import load_program
from opencwm.sandbox import record
from opencwm.traces import Program, Step, StepKind, Trace

from .conftest import EXAMPLES


@pytest.fixture(scope="module")
def trace() -> Trace:
    return record(load_program(EXAMPLES / "strawberry.py", call="f('bar', 'r')"))


def rendered(trace: Trace, width: int, **mistakes: object) -> tuple[str, list[str]]:
    predicted = predicted_from(trace, **mistakes)  # type: ignore[arg-type]
    real = RealExecution(trace)
    comparison = compare(predicted, real)
    screen = console(file=io.StringIO())
    screen.width = width
    screen.print(comparison_table(comparison, trace.program, width=width))
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue(), comparison_verdict(comparison, predicted, real)


@pytest.mark.parametrize("width", [70, 80, 120, 200])
def test_the_comparison_fits_the_screen(trace: Trace, width: int) -> None:
    text, verdict = rendered(trace, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert text.count("same") == len(trace.steps)
    assert verdict[-1] == "all 23 steps agree"


def test_a_wrong_value_is_shown_with_the_right_one(trace: Trace) -> None:
    text, verdict = rendered(trace, 140, wrong={13: {"count": "7"}})
    row = next(line for line in text.splitlines() if "count = 7" in line)
    assert row.rstrip().endswith("count = 1")
    assert "they part at step 13: count: predicted 7, really 1" in verdict[-1]


def test_a_malformed_step_says_why(trace: Trace) -> None:
    text, _ = rendered(trace, 200, malformed_at=4)
    (row,) = [line for line in text.splitlines() if "malformed" in line]
    assert "no step: no line follows" in row
    assert row.rstrip().endswith("call at line 4, text = 'bar', letter = 'r'")


def test_confidence_is_the_product_of_what_was_decided() -> None:
    step = Step(StepKind.LINE, 0, 1, 0, changed=(("a", "1"), ("b", "2")))
    view = StepView(step, Origin.PREDICTED, {"a": 0.5, "b": 0.9}, 0.8, None, supplied=frozenset({"b"}))
    found = confidence(view)
    assert found is not None
    assert math.isclose(found, 0.4)
    assert confidence(StepView(step, Origin.PREDICTED, {}, 1.0)) is None
    assert confidence(StepView(step, Origin.VERIFIED)) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 'x'", "plain ü 'x'"),
        ("a\tb", "a   b"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202eab", "\\u202eab"),
        ("\ud800", "\\ud800"),
    ],
)
def test_nothing_that_steers_a_terminal_passes(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_the_console_adds_nothing_of_its_own() -> None:
    file = io.StringIO()
    console(file=file).print("[red]x[/red] :smile: 1234 'a'")
    assert file.getvalue() == "[red]x[/red] :smile: 1234 'a'\n"


def test_examples_are_what_the_documents_say() -> None:
    assert {path.name for path in Path(EXAMPLES).glob("*.py")} == {
        "broken_imports.py",
        "inventory.py",
        "strawberry.py",
        "summary.py",
    }


@pytest.mark.parametrize("width", [44, 60])
def test_a_narrow_screen_keeps_the_values_and_the_real_run(trace: Trace, width: int) -> None:
    text, _ = rendered(trace, width, wrong={13: {"count": "7"}})
    assert max(map(len, text.splitlines())) <= width
    assert "real run" in text
    assert "count = 1" in text
    assert text.count("same") >= len(trace.steps) // 2


def test_a_table_that_goes_to_a_file_has_no_spaces_at_the_ends_of_lines(trace: Trace) -> None:
    screen = console(file=io.StringIO())
    print_table(screen, trace_table(trace, width=100))
    assert isinstance(screen.file, io.StringIO)
    lines = screen.file.getvalue().splitlines()
    assert lines[0].startswith("step  line  event")
    assert all(line == line.rstrip() for line in lines)


def test_a_value_of_thousands_of_characters_does_not_fill_the_screen() -> None:
    program = Program.from_call("def f(n):\n    text = 'ab' * n\n    return n\n", "f(900)")
    screen = console(file=io.StringIO())
    print_table(screen, trace_table(record(program), width=120))
    assert isinstance(screen.file, io.StringIO)
    assert "(1809 characters)" in screen.file.getvalue()
    assert len(screen.file.getvalue().splitlines()) < 25
