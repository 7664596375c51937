"""Programs that are longer than a model's context: what it is shown moves with the run."""

import pytest
from engines import generated, random_engine
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.codec.native import NativeCodec
from opencwm.codec.view import SourceView
from opencwm.core.errors import CodecError
from opencwm.debugger.context import contextualise
from opencwm.debugger.predicted import NOT_WHOLE, PredictedExecution
from opencwm.debugger.selection import PROMPT_SHARE, opening_view, source_view
from opencwm.debugger.step_predictor import StepPredictor
from opencwm.debugger.window import HiddenError, Window
from opencwm.debugger.working import Working
from opencwm.source.cfg import ControlFlow
from opencwm.tracer.run import record
from opencwm.traces import Activation, Program, Step, StepKind, Trace, apply_step

CODEC = NativeCodec()


def many_functions(count: int, lines: int = 6) -> Program:
    """A chain of functions, each of which calls the next one and adds something."""
    parts = []
    for number in range(count):
        body = "".join(f"    value = value + {line}\n" for line in range(lines))
        called = f"    value = step_{number + 1}(value)\n" if number + 1 < count else ""
        parts.append(f"def step_{number}(value):\n{body}{called}    return value * 2\n\n")
    return Program.from_call("".join(parts), "step_0(1)")


def with_long_state(count: int) -> Program:
    """The same, beside a text that leaves little room."""
    text = many_functions(count).source.replace("(value)", "(value, text)")
    return Program.from_call(text, f"step_0(1, {'x' * 150!r})")


def one_long_function(lines: int) -> Program:
    body = "".join(f"        total = total + {line}\n" for line in range(lines))
    return Program.from_call(
        f"def long(total):\n    for turn in range(2):\n{body}    return total\n", "long(1)"
    )


def replayed(trace: Trace, window: Window, max_tokens: int) -> list[tuple[SourceView, list[Activation]]]:
    """What is shown before each step but the first, and the stack there."""
    stack: list[Activation] = []
    found = []
    for index, step in enumerate(trace.steps[:-1]):
        apply_step(stack, step, trace.codes)
        if step.kind is StepKind.RETURN:
            stack.pop()
        if not window.holds(stack, trace.codes):
            window.move(trace.steps[: index + 1], trace.codes)
        contextualise(
            CODEC,
            window.view,
            ControlFlow(trace.program.text),
            trace.steps[: index + 1],
            trace.codes,
            max_tokens=max_tokens,
        )
        found.append((window.view, [Activation(item.code, item.lineno, {}) for item in stack]))
    return found


def window_of(program: Program, max_tokens: int) -> Window:
    view = opening_view(program, CODEC, max_tokens=max_tokens)
    return Window(view, ControlFlow(program.text), CODEC.vocabulary, max_tokens=max_tokens)


@pytest.mark.parametrize("program", [many_functions(12), one_long_function(60)])
def test_what_happens_next_is_shown(program: Program) -> None:
    trace = record(program)
    window = window_of(program, 500)
    seen = replayed(trace, window, 500)
    for (view, stack), step in zip(seen, trace.steps[1:], strict=True):
        assert step.lineno in view.label_of
        assert all(item.lineno in view.label_of for item in stack)
        assert len(view.prompt_ids(CODEC.vocabulary)) <= 500 * PROMPT_SHARE
    assert len({view.lines for view, _ in seen}) > 2


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 5_000), max_tokens=st.integers(300, 700))
def test_what_happens_next_is_shown_in_generated_programs(seed: int, max_tokens: int) -> None:
    trace = generated(seed)
    try:
        window = window_of(trace.program, max_tokens)
        seen = replayed(trace, window, max_tokens)
    except CodecError:  # so long lines that not even what is live fits
        return
    for (view, stack), step in zip(seen, trace.steps[1:], strict=True):
        if step.kind is not StepKind.CALL:  # of what is called, what there is room for
            assert step.lineno in view.label_of
            assert all(item.lineno in view.label_of for item in stack)


def test_a_program_that_fits_is_shown_whole_and_nothing_moves() -> None:
    program = many_functions(3)
    window = window_of(program, 2000)
    assert window.is_whole
    assert not window.move(record(program).steps, record(program).codes)
    window.enter(1, (), ())


def test_a_function_that_is_sure_to_be_entered_is_shown() -> None:
    program = many_functions(12)
    trace = record(program)
    window = window_of(program, 500)
    hidden = next(code.firstlineno for code in trace.codes if code.firstlineno not in window.view.label_of)
    with pytest.raises(HiddenError) as caught:
        window.enter(hidden, trace.steps[:3], trace.codes)
    assert caught.value.first == hidden
    assert window.move(trace.steps[:3], trace.codes, entering=hidden)
    assert hidden in window.view.label_of


def test_less_is_shown_where_that_leaves_room_and_all_again_afterwards() -> None:
    program = many_functions(12)
    trace = record(program)
    window = window_of(program, 2000)
    assert window.is_whole
    assert window.narrow(trace.steps[:3], trace.codes)
    assert window.move(trace.steps[:3], trace.codes)
    few = window.view.lines
    window.widen()
    assert window.move(trace.steps[:3], trace.codes)
    assert window.view.lines == source_view(program, CODEC, max_tokens=2000).lines
    assert len(few) < len(window.view.lines)
    assert sum(window.narrow(trace.steps[:3], trace.codes) for _ in range(20)) < 5


@pytest.mark.parametrize(
    ("program", "max_tokens"),
    [
        (many_functions(20), 1000),
        (many_functions(8), 420),
        (with_long_state(8), 900),
        (one_long_function(90), 1000),
    ],
)
def test_a_long_program_is_followed_to_its_end(program: Program, max_tokens: int) -> None:
    execution = PredictedExecution(
        program, CODEC, random_engine(1, max_tokens), expressions=True, working=Working.CALCULATED
    )
    trace = record(program)
    for index, step in enumerate(trace.steps):
        found = execution.get(index)
        assert found is not None
        assert (found.step.kind, found.step.lineno, found.step.changed) == (
            step.kind,
            step.lineno,
            step.changed,
        )
    assert execution.get(len(trace.steps)) is None
    assert list(execution.notices) == [NOT_WHOLE]


def test_going_on_anywhere_in_a_long_program_shows_what_is_needed() -> None:
    program = many_functions(20)
    trace = record(program)
    predictor = StepPredictor(
        CODEC,
        random_engine(1, 1000),
        opening_view(program, CODEC, max_tokens=1000),
        ControlFlow(program.text),
        expressions=True,
        working=Working.CALCULATED,
    )
    for index in range(len(trace.steps) - 1, 3, -7):
        predictor.start(trace.steps[:index], trace.codes)
        found = predictor.predict()
        assert found is not None
        assert isinstance(found.step, Step)
        assert found.step.lineno == trace.steps[index].lineno
