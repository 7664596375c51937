"""The native codec on traces of generated and written programs, on hostile ids, and on a golden document."""

import copy
import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_programs import WRITTEN, traced, whole_view

from opencwm.codec.native import (
    MalformedStep,
    NativeCodec,
    StepDecoder,
    TokenClass,
    step_end,
    written_evaluations,
)
from opencwm.codec.native_writer import MAX_EVALUATIONS
from opencwm.codec.view import SourceView, code_without_comments, fit_view
from opencwm.codec.vocabulary import FORMAT_VERSION, NUM_LINES, Control, Vocabulary, line_token
from opencwm.core.errors import CodecError
from opencwm.source.cfg import ControlFlow
from opencwm.source.reach import visible_lines
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Activation, Evaluation, Program, Step, StepKind, Trace, replay

CODEC = NativeCodec()
GOLDEN = Path(__file__).parent / "golden"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 5))
def test_generated_traces_round_trip_under_any_labels(seed: int, shift: int) -> None:
    trace = traced(seed)
    view = whole_view(trace.program, 1 + shift)
    document = CODEC.encode(trace, view)
    decoded = CODEC.decode(document.ids, view, ControlFlow(trace.program.text))
    assert decoded.steps == trace.steps
    assert decoded.codes == trace.codes
    assert decoded.is_complete
    assert len(document.classes) == len(document.ids)
    assert document.step_ends[-1] == len(document.ids) - 1


def assert_comes_back(trace: Trace) -> None:
    """Make sure that a document with expression detail decodes to the steps and to what it holds of them."""
    view = whole_view(trace.program)
    document = CODEC.encode(trace, view, expressions=True)
    assert document.ids[2] == Control.EXPRESSIONS
    assert document.step_ends[-1] == len(document.ids) - 1
    decoded = CODEC.decode(document.ids, view, ControlFlow(trace.program.text))
    assert decoded.is_complete
    for step, expected in zip(decoded.steps, trace.steps, strict=True):
        assert isinstance(step, Step)
        assert replace(step, evaluations=()) == replace(expected, evaluations=())
        written = [(item.text, item.value) for item in written_evaluations(expected)]
        assert [(item.text, item.value) for item in step.evaluations] == written


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_evaluations_come_back_from_a_document_with_expression_detail(seed: int) -> None:
    trace = record(traced(seed).program, TraceLimits(expressions=True))
    assert_comes_back(trace)
    view = whole_view(trace.program)
    bare = replace(trace, steps=tuple(replace(step, evaluations=()) for step in trace.steps))
    assert CODEC.encode(trace, view).ids == CODEC.encode(bare, view).ids


@pytest.mark.parametrize("name", WRITTEN)
def test_written_programs_come_back_with_their_evaluations(name: str) -> None:
    program = Program.from_call(WRITTEN[name], "f([(4, 2), (1, 0)])")
    trace = record(program, TraceLimits(expressions=True))
    assert sum(len(step.evaluations) for step in trace.steps) > 1
    assert_comes_back(trace)


def test_what_is_no_shallow_step_is_not_written() -> None:
    evaluations = (
        Evaluation("len('" + "x" * 60 + "')", "60", 1, 0, 1, 9),
        Evaluation("iter([1])", "<list_iterator object>", 1, 0, 1, 9),
        *(Evaluation(f"{n} + 1", str(n + 1), 1, 0, 1, 9) for n in range(MAX_EVALUATIONS + 1)),
    )
    step = Step(StepKind.LINE, 0, 1, 0, evaluations=evaluations)
    assert written_evaluations(step) == evaluations[2:-1]


@pytest.mark.parametrize("name", WRITTEN)
def test_written_programs_round_trip(name: str) -> None:
    program = Program.from_call(WRITTEN[name], "f([(4, 2), (1, 0)])")
    trace = record(program)
    view = whole_view(program)
    decoded = CODEC.decode(CODEC.encode(trace, view).ids, view, ControlFlow(program.text))
    assert decoded.steps == trace.steps


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_a_document_from_a_state_gives_the_steps_that_follow_it(seed: int, rng: random.Random) -> None:
    trace = traced(seed)
    view = whole_view(trace.program)
    starts = [i + 1 for i, step in enumerate(trace.steps[:-1]) if step.kind is StepKind.LINE]
    first = rng.choice(starts)
    document = CODEC.encode(trace, view, first_step=first)
    states = list(replay_copies(trace))
    decoder = StepDecoder(
        CODEC.vocabulary, view, ControlFlow(trace.program.text), states[first - 1], trace.codes
    )
    position, steps = document.num_prompt, []
    while document.ids[position] != Control.END:
        end = step_end(document.ids, position)
        steps.append(decoder.push(document.ids[position:end]))
        position = end
    assert tuple(steps) == trace.steps[first:]


def replay_copies(trace: Trace) -> list[list[Activation]]:
    return [copy.deepcopy(stack) for _, stack in replay(trace)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(CODEC.vocabulary) - 1), max_size=30), st.integers(0, 20))
def test_any_ids_decode_to_steps_or_one_malformed_step(ids: list[int], keep: int) -> None:
    program = Program.from_call("def f(a):\n    b = a + 1\n    return b\n", "f(1)")
    view = whole_view(program)
    trace = record(program, TraceLimits(expressions=True))
    document = CODEC.encode(trace, view, expressions=keep % 2 == 0)
    hostile = document.ids[: document.num_prompt + keep] + ids
    decoded = CODEC.decode(hostile, view, ControlFlow(program.text))
    bad = [step for step in decoded.steps if isinstance(step, MalformedStep)]
    assert len(bad) <= 1
    assert all(step.reason and step.ids for step in bad)
    assert not bad or decoded.steps[-1] is bad[0]


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ([Control.RETURN], "nothing is running"),
        ([Control.CALL, line_token(1)], "the text after the label"),
        ([Control.CALL, line_token(100)], "no line that is shown"),
        ([Control.CALL, Control.SET], "no line that is shown"),
        ([Control.CALL], "breaks off"),
        ([Control.EVAL, Control.CALL], "expected IS"),
    ],
)
def test_a_malformed_step_says_why_and_leaves_the_stack(ids: list[int], reason: str) -> None:
    program = Program.from_call("def f():\n    return 1\n", "f()")
    decoder = StepDecoder(CODEC.vocabulary, whole_view(program), ControlFlow(program.text))
    step = decoder.push(ids)
    assert isinstance(step, MalformedStep)
    assert reason in step.reason
    assert decoder.stack == []


def test_documents_are_cut_at_a_step() -> None:
    trace = traced(7)
    view = whole_view(trace.program)
    whole = CODEC.encode(trace, view)
    limit = (whole.step_ends[2] + whole.step_ends[3]) // 2
    part = CODEC.encode(trace, view, max_tokens=limit)
    assert part.ids == whole.ids[: whole.step_ends[2]]
    assert len(part.step_ends) == 3


def test_a_line_that_is_not_shown_is_an_error() -> None:
    program = Program.from_call("def f():\n    return 1\n", "f()")
    with pytest.raises(CodecError, match="line 1 is not shown"):
        CODEC.encode(record(program), SourceView(program, (2, 3, 4)))
    with pytest.raises(CodecError, match="out of 128 labels"):
        SourceView(program, (1, 2), NUM_LINES)


def test_only_what_a_run_can_reach_is_shown_without_comments() -> None:
    source = (
        "# top\nimport os\n\ndef unused():\n    return 0\n\n"
        "def f(a):\n    '''Doc.'''\n    return '# no', a  # yes\n"
    )
    program = Program.from_call(source, "f(1)")
    view = whole_view(program)
    assert [view.text_of(line) for line in view.lines] == [
        "def f(a):",
        "return '# no', a",
        "def main():",
        "return f(1)",
    ]
    assert code_without_comments("x = 1 # a\n(  # open") == ["x = 1 # a", "(  # open"]


def test_what_does_not_fit_is_left_out_whole_farthest_first() -> None:
    body = "".join(f"    x{n} = {n}\n" for n in range(20))
    source = (
        f"def far():\n{body}\ndef near():\n    far()\n    return 1\n\ndef f():\n    near()\n    return 2\n"
    )
    program = Program.from_call(source, "f()")
    units = visible_lines(program.text, program.entry).units
    assert [unit.name for unit in units] == ["main", "f", "near", "far"]
    view = fit_view(program, units, CODEC.vocabulary, max_tokens=100)
    assert view.lines == tuple(sorted(line for unit in units[:3] for line in unit.lines))
    assert view.left_out == ("not shown to the model, for lack of room: far",)
    with pytest.raises(CodecError, match="f is too long for the model: 3 lines"):
        fit_view(program, units, CODEC.vocabulary, max_tokens=20)


def test_the_outcome_task_ends_with_the_value() -> None:
    program = Program.from_call("def f(a):\n    return a * 2\n", "f('ab')")
    document = CODEC.encode_outcome(record(program), whole_view(program))
    tail = document.ids[document.num_prompt :]
    assert tail[0] == Control.RETURN
    assert tail[-1] == Control.END
    assert CODEC.vocabulary.decode_text(tail[1:-1]) == "'abab'"
    assert document.classes[document.num_prompt + 1] is TokenClass.VALUE


@pytest.mark.parametrize("expressions", [False, True])
def test_golden_document(expressions: bool) -> None:
    program = Program.from_call(
        "def count(text, letter):\n    n = 0\n    for c in text:\n"
        "        if c == letter:\n            n += 1\n    return n\n",
        "count('straw', 'r')",
    )
    trace = record(program, TraceLimits(expressions=expressions))
    document = CODEC.encode(trace, whole_view(program), expressions=expressions)
    shown = "".join(CODEC.vocabulary.token_name(token) for token in document.ids)
    golden = GOLDEN / f"native_strawberry{'_expressions' * expressions}.txt"
    assert shown.replace("<|line_", "\n<|line_") + "\n" == golden.read_text()


def test_the_format_is_frozen() -> None:
    """A change to any golden document or to the vocabulary is another format: raise ``FORMAT_VERSION``."""
    texts = [path.read_bytes() for path in sorted(GOLDEN.glob("native_*.txt"))]
    digest = hashlib.sha256(b"".join([*texts, Vocabulary.default().to_json().encode()])).hexdigest()
    assert (FORMAT_VERSION, digest[:16]) == (1, "c5527bf256713f93")
