"""Debug actions and input prediction in the native format: documents against replays, rules, hostile ids."""

import copy
import dataclasses
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_programs import WRITTEN, traced, whole_view

from opencwm.codec.native import EncodedDocument, MalformedStep, NativeCodec, TokenClass
from opencwm.codec.native_input import decode_input, encode_input
from opencwm.codec.native_moves import Landing, action_ids, decode_moves, encode_moves
from opencwm.codec.vocabulary import Control, is_line
from opencwm.core.errors import CodecError
from opencwm.source.cfg import ControlFlow
from opencwm.tracer import record
from opencwm.traces import (
    Action,
    Activation,
    Move,
    Program,
    StateTree,
    Status,
    Step,
    StepKind,
    Trace,
    observed_outcome,
    replay,
)
from opencwm.traces.trajectory import DEBUGGING, sample_trajectory, target_of

CODEC = NativeCodec()
GOLDEN = Path(__file__).parent / "golden" / "native_moves.txt"

TALLY = """\
def double(n):
    twice = n * 2
    return twice

def tally(items):
    total = 0
    for item in items:
        total += double(item)
    return total
"""


def walk(trace: Trace, seed: int) -> list[Move]:
    lines = whole_view(trace.program).lines
    return sample_trajectory(StateTree(trace.steps), random.Random(seed), lines=lines, weights=DEBUGGING)


def moves_of(trace: Trace, *told: tuple[Action, int | None]) -> list[Move]:
    tree, index, moves = StateTree(trace.steps), 0, []
    for action, goal in told:
        target = target_of(tree, index, action, goal)
        moves.append(Move(action, target, goal))
        index = index if target is None else target
    return moves


def shown(document: EncodedDocument) -> str:
    return "".join(CODEC.vocabulary.token_name(token) for token in document.ids[document.num_prompt :])


def stacks(trace: Trace) -> list[list[Activation]]:
    return [copy.deepcopy(stack) for _, stack in replay(trace)]


def check_against_replay(trace: Trace, moves: list[Move]) -> None:
    """Everything that the document says is what the run says, at each place the walk stopped."""
    view = whole_view(trace.program)
    document = encode_moves(CODEC, trace, view, moves)
    control_flow = ControlFlow(trace.program.text)
    expected, true_stacks = [Move(Action.STEP_INTO, 0), *moves], stacks(trace)
    count = 0
    for record_, stack in decode_moves(CODEC, document.ids, view, control_flow):
        move = expected[count]
        count += 1
        assert not isinstance(record_, MalformedStep), record_.reason
        if move.target is None:
            assert isinstance(record_, Landing)
            assert record_.target == observed_outcome(trace)
            break
        told = (Action.STEP_INTO, None) if isinstance(record_, Step) else (record_.action, record_.goal)
        assert told == (move.action, move.goal)
        step = record_ if isinstance(record_, Step) else record_.target
        true, true_stack = trace.steps[move.target], true_stacks[move.target]
        assert isinstance(step, Step)
        assert (step.kind, step.lineno, step.depth, step.value) == (
            true.kind,
            true.lineno,
            true.depth,
            true.value,
        )
        live = true_stack[:-1] if true.kind is StepKind.RETURN else true_stack
        assert [(frame.lineno, frame.locals) for frame in stack] == [
            (frame.lineno, frame.locals) for frame in live
        ]
        assert [list(frame.locals) for frame in stack] == [list(frame.locals) for frame in live]
    assert document.ids[-1] == Control.END
    assert count == len(document.step_ends)
    assert count == len(expected) - (expected[-1].action not in (Action.BREAKPOINT, Action.CONTINUE))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_walks_through_generated_programs_round_trip(seed: int, walk_seed: int) -> None:
    trace = traced(seed)
    check_against_replay(trace, walk(trace, walk_seed))


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("seed", range(12))
def test_walks_through_exceptions_generators_and_recursion_round_trip(name: str, seed: int) -> None:
    trace = record(Program.from_call(WRITTEN[name], "f([(4, 2), (1, 0)])"))
    check_against_replay(trace, walk(trace, seed))


def test_stepping_into_everything_is_the_plain_document() -> None:
    trace = traced(3)
    view = whole_view(trace.program)
    into = moves_of(trace, *[(Action.STEP_INTO, None)] * len(trace.steps))
    assert encode_moves(CODEC, trace, view, into) == CODEC.encode(trace, view)


def test_golden_walk() -> None:
    trace = record(Program.from_call(TALLY, "tally([1, 2, 3])"))
    walks: dict[str, list[tuple[Action, int | None]]] = {
        "over, over, over, over, over, out": [
            *[(Action.STEP_INTO, None)] * 2,
            *[(Action.STEP_OVER, None)] * 4,
            (Action.STEP_RETURN, None),
            (Action.STEP_OVER, None),
            (Action.STEP_OVER, None),
        ],
        "run to another activation, twice, then out of it": [
            (Action.BREAKPOINT, 3),
            (Action.BREAKPOINT, 3),
            (Action.STEP_RETURN, None),
            (Action.STEP_INTO, None),
            (Action.STEP_RETURN, None),
            (Action.CONTINUE, None),
        ],
        "run to a line of this activation, then to one that does not come again": [
            (Action.STEP_INTO, None),
            (Action.STEP_INTO, None),
            (Action.BREAKPOINT, 9),
            (Action.BREAKPOINT, 6),
        ],
    }
    text = ""
    for title, told in walks.items():
        document = encode_moves(CODEC, trace, whole_view(trace.program), moves_of(trace, *told))
        assert document.ids[-1] == Control.END
        text += f"{title}\n" + shown(document).replace("<|jump|>", "\n<|jump|>") + "\n\n"
    assert text == GOLDEN.read_text()


def test_a_told_action_carries_no_loss_and_what_it_ends_at_does() -> None:
    trace = record(Program.from_call(TALLY, "tally([1, 2])"))
    document = encode_moves(
        CODEC,
        trace,
        whole_view(trace.program),
        moves_of(trace, (Action.BREAKPOINT, 3), (Action.CONTINUE, None)),
    )
    jumps = [i for i, token in enumerate(document.ids) if token == Control.JUMP]
    assert len(jumps) == 2
    for jump in jumps:
        assert document.classes[jump : jump + 2] == [TokenClass.PROMPT] * 2
        assert document.classes[jump + 2] is TokenClass.CONTROL
    later = document.classes[document.num_prompt :]
    assert later.count(TokenClass.PROMPT) == 4


def test_documents_are_cut_before_a_landing_that_does_not_fit() -> None:
    trace = record(Program.from_call(TALLY, "tally([1, 2])"))
    view = whole_view(trace.program)
    moves = moves_of(trace, *[(Action.STEP_OVER, None)] * 3)
    whole = encode_moves(CODEC, trace, view, moves)
    part = encode_moves(CODEC, trace, view, moves, max_tokens=whole.step_ends[1] + 3)
    assert part.ids == whole.ids[: whole.step_ends[1]]
    assert part.step_ends == whole.step_ends[:2]


def test_where_a_run_was_cut_no_move_goes_past_its_record() -> None:
    trace = record(Program.from_call(TALLY, "tally([1, 2])"))
    cut = dataclasses.replace(trace, steps=trace.steps[:6], status=Status.STEP_LIMIT)
    moves = moves_of(cut, (Action.STEP_INTO, None), (Action.CONTINUE, None))
    document = encode_moves(CODEC, cut, whole_view(cut.program), moves)
    assert len(document.step_ends) == 2
    assert Control.JUMP not in document.ids
    assert document.ids[-1] != Control.END


def test_a_goal_that_is_not_shown_is_an_error() -> None:
    view = whole_view(Program.from_call(TALLY, "tally([1, 2])"))
    assert action_ids(Action.STEP_INTO, view) == []
    for goal in (4, None):
        with pytest.raises(CodecError, match=f"line {goal} is not shown"):
            action_ids(Action.BREAKPOINT, view, goal)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, len(CODEC.vocabulary) - 1) | st.sampled_from(list(Control)), max_size=25),
    st.integers(0, 40),
    st.sampled_from([[], [Control.JUMP], [Control.JUMP, Control.BODY], [Control.JUMP, 26, Control.STATE]]),
)
def test_any_ids_decode_to_records_or_one_malformed_step(ids: list[int], keep: int, told: list[int]) -> None:
    trace = record(Program.from_call(TALLY, "tally([1, 2])"))
    view = whole_view(trace.program)
    document = encode_moves(CODEC, trace, view, moves_of(trace, (Action.BREAKPOINT, 3)))
    hostile = [*document.ids[: document.num_prompt + keep], *told, *ids]
    records = [item for item, _ in decode_moves(CODEC, hostile, view, ControlFlow(trace.program.text))]
    bad = [item for item in records if isinstance(item, MalformedStep)]
    assert len(bad) <= 1
    assert all(item.reason for item in bad)
    assert not bad or records[-1] is bad[0]


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        ([Control.JUMP], "breaks off"),
        ([Control.JUMP, Control.SET], "is no action"),
        ([Control.JUMP, 24 + 100], "is no action"),
        ([Control.JUMP, Control.END, Control.UNWIND], "ends with RETURN or RAISE"),
        ([Control.JUMP, 26, Control.STATE, Control.FRAME, 25], "no function starts at line 2"),
        ([Control.JUMP, 26, Control.STATE], "does not end at line 3"),
        ([Control.JUMP, Control.RETURN, Control.YIELD], None),
        ([Control.JUMP, 26, Control.YIELD], "does not end at line 3"),
    ],
)
def test_a_malformed_jump_says_why_and_leaves_the_stack(tail: list[int], reason: str | None) -> None:
    trace = record(Program.from_call(TALLY, "tally([1, 2])"))
    view = whole_view(trace.program)
    start = CODEC.encode(trace, view)
    ids = [*start.ids[: start.step_ends[2]], *tail]
    records = list(decode_moves(CODEC, ids, view, ControlFlow(trace.program.text)))
    last, stack = records[-1]
    if reason is None:
        assert isinstance(last, Landing)
        assert len(stack) == 1
        return
    assert isinstance(last, MalformedStep)
    assert reason in last.reason
    assert last.ids == tuple(tail)
    assert [frame.lineno for frame in stack] == [11, 5]


def test_a_jump_ends_at_no_call() -> None:
    trace = record(Program.from_call(TALLY, "tally([1, 2])"))
    view = whole_view(trace.program)
    document = CODEC.encode(trace, view)
    call = document.ids[document.step_ends[1] : document.step_ends[2]]
    for landing in (call, [Control.EVAL, Control.IS, *call]):
        ids = [*document.ids[: document.step_ends[1]], Control.JUMP, Control.BODY, *landing]
        *_, (last, stack) = decode_moves(CODEC, ids, view, ControlFlow(trace.program.text))
        assert isinstance(last, MalformedStep)
        assert last.reason == "a jump ends at no call"
        assert len(stack) == 1


def test_the_input_task_asks_for_the_arguments_and_hides_the_call() -> None:
    program = Program.from_call(TALLY, "tally([7, 8])")
    trace = record(program)
    document = encode_input(CODEC, trace, whole_view(program))
    names = [CODEC.vocabulary.token_name(token) for token in document.ids]
    given_, answer = document.ids[: document.num_prompt], document.ids[document.num_prompt :]
    assert names[:2] == ["<|begin|>", "<|input|>"]
    assert "7" not in names[: document.num_prompt]
    assert "".join(names[: document.num_prompt]).endswith("<|start|><|return|>30<|call|>tally")
    assert "".join(names[document.num_prompt :]) == "([7, 8])<|end|>"
    assert sum(map(is_line, given_)) == len(TALLY.split("\n")) - 2  # a blank line and the end
    assert set(document.classes[: document.num_prompt]) == {TokenClass.PROMPT}
    assert TokenClass.PROMPT not in document.classes[document.num_prompt :]
    assert decode_input(CODEC, "tally", answer) == "tally([7, 8])"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_inputs_of_generated_programs_round_trip(seed: int) -> None:
    trace = traced(seed)
    document = encode_input(CODEC, trace, whole_view(trace.program, 2))
    call = trace.program.call or ""
    assert decode_input(CODEC, call.partition("(")[0], document.ids[document.num_prompt :]) == call


def test_inputs_that_cannot_be_asked_for_are_errors_and_bad_answers_are_malformed() -> None:
    without_call = record(Program("def f():\n    return 1\n", "f"))
    with pytest.raises(CodecError, match="not entered by a call"):
        encode_input(CODEC, without_call, whole_view(without_call.program))
    trace = record(Program.from_call(TALLY, "tally([7, 8])"))
    with pytest.raises(CodecError, match="status timeout"):
        encode_input(CODEC, dataclasses.replace(trace, status=Status.TIMEOUT), whole_view(trace.program))
    for answer in ([], [Control.END], [Control.SET, Control.END]):
        assert isinstance(decode_input(CODEC, "tally", answer), MalformedStep)
