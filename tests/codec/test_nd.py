"""The nd codec: ids are the text, everything comes back, hostile ids become malformed states."""

from __future__ import annotations

import functools
import random

import pytest
from cwm_programs import programs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nd_programs import ND_PROGRAMS

from opencwm.codec.bpe import train_bpe
from opencwm.codec.cwm_special import ACTION_SEP, END_OF_TEXT, FRAME_SEP, SPECIAL_IDS
from opencwm.codec.cwm_step import MalformedStep
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer
from opencwm.codec.nd import NdCodec, ReservedTokens
from opencwm.codec.nd_special import ND_IDS, ND_TOKENS
from opencwm.codec.nd_text import NdExit, NdStep, Trajectory, resolved, trajectory_text
from opencwm.codec.nd_walk import inverse_trajectory, trajectory
from opencwm.codec.testing import tiny_tokenizer
from opencwm.core.errors import CodecError
from opencwm.tracer import record
from opencwm.traces import Action, Program, StepKind, Trace, replay

CODEC = NdCodec(ReservedTokens(tiny_tokenizer()))
SLOW = [HealthCheck.too_slow]


@functools.cache
def run_of(name: str) -> Trace:
    source, call = ND_PROGRAMS[name]
    return record(Program.from_call(source, call))


def walks(trace: Trace, seed: int) -> list[Trajectory]:
    return [
        trajectory(trace, random.Random(seed)),
        inverse_trajectory(trace, random.Random(seed)),
    ]


def ids_of(text: str) -> list[int]:
    """Ids of text in which the names of special tokens stand for the tokens."""
    ids: list[int] = []
    while text:
        cuts = [(text.find(name), name) for name in ND_TOKENS if name in text]
        position, name = min(cuts, default=(len(text), ""))
        ids += CODEC.tokenizer.encode(text[:position])
        ids += [CODEC.tokenizer.special_id(name)] if name else []
        text = text[position + len(name) :]
    return ids


def check_round_trip(trace: Trace, written: Trajectory) -> None:
    encoded = CODEC.encode_trajectory(written)
    assert CODEC.to_text(encoded.ids) == trajectory_text(written)
    without_code = encoded.ids[encoded.ids.index(CODEC.tokenizer.special_id(FRAME_SEP)) + 1 :]
    for ids in (encoded.ids, without_code):
        read = CODEC.decode(ids)
        assert read.is_finished
        assert tuple(item.state for item in read.states) == written.states
        assert tuple(item.action for item in read.states[:-1]) == written.actions
        assert [item.locals for item in read.states] == list(resolved(written.states))
    true_locals = [dict(stack[-1].locals) for _, stack in replay(trace)]
    for item, index in zip(read.states, written.indices, strict=False):
        assert item.locals is None or item.locals == true_locals[index]
    for span, item in zip(encoded.spans, read.states, strict=True):
        assert encoded.ids[span.start : span.stop - 1] == list(item.ids)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(programs(unique_lines=False), st.integers(0, 1000))
def test_walks_through_random_programs_come_back(source: str, seed: int) -> None:
    trace = record(Program(source, "main"))
    for written in walks(trace, seed):
        check_round_trip(trace, written)


@pytest.mark.parametrize("name", ND_PROGRAMS)
@pytest.mark.parametrize("seed", range(10))
def test_walks_through_example_programs_come_back(name: str, seed: int) -> None:
    for written in walks(run_of(name), seed):
        check_round_trip(run_of(name), written)


def test_without_more_a_run_is_encoded_with_every_step_stepped_into() -> None:
    trace = run_of("nd_function")
    encoded = CODEC.encode(trace)
    assert CODEC.to_text(encoded.ids) == trajectory_text(trajectory(trace))
    assert [span.index for span in encoded.spans] == [*range(len(trace.steps)), None]


@pytest.mark.parametrize("is_inverse", [False, True])
def test_the_model_predicts_states_and_the_user_tells_actions(is_inverse: bool) -> None:
    trace = run_of("nd_function")
    written = walks(trace, 4)[is_inverse]
    encoded = CODEC.encode_trajectory(written)
    mask = encoded.is_predicted()
    given_ = CODEC.to_text([id_ for id_, is_own in zip(encoded.ids, mask, strict=True) if not is_own])
    own = CODEC.to_text([id_ for id_, is_own in zip(encoded.ids, mask, strict=True) if is_own])
    assert given_.count(FRAME_SEP) == len(written.states)
    assert all(action.token in given_ for action in written.actions)
    assert own.count(ACTION_SEP) == len(written.actions) - is_inverse
    assert own.endswith(END_OF_TEXT)
    assert FRAME_SEP not in own
    assert "step" not in own
    prompt = CODEC.to_text(encoded.ids[: encoded.num_prompt])
    assert prompt.endswith(ACTION_SEP if is_inverse else FRAME_SEP)
    assert CODEC.tokenizer.special_id(ACTION_SEP) == CODEC.action_sep_id


def test_a_tokenizer_may_have_the_tokens_by_name_or_in_reserved_ids() -> None:
    names = (*SPECIAL_IDS, *ND_IDS)
    own = HuggingFaceTokenizer(train_bpe(["def f(x):\n    return x\n"], 320, names), required=ND_TOKENS)
    written = trajectory(run_of("nd_exception"))
    codec = NdCodec(own)
    encoded = codec.encode_trajectory(written)
    assert max(encoded.ids) < own.vocab_size
    assert codec.to_text(encoded.ids) == trajectory_text(written)
    assert tuple(item.state for item in codec.decode(encoded.ids).states) == written.states
    with pytest.raises(CodecError, match="no special token"):
        NdCodec(tiny_tokenizer())
    assert CODEC.tokenizer.special_id("<|src_sep|>") == 128_200

    class Full:
        """A tokenizer to which every id is text."""

        def encode(self, text: str) -> list[int]:
            return [ord(char) for char in text]

        def decode(self, ids: object) -> str:
            return str(ids)

        def special_id(self, name: str) -> int:
            return SPECIAL_IDS[name]

    with pytest.raises(CodecError, match="id 128200 is not free"):
        ReservedTokens(Full())


CALL = '<|call_sep|><|src_sep|>def f(a):\n<|arg_sep|>{"a": "1"}'
LINE = '<|line_sep|><|arg_sep|>{"..": "..", "b": "2"}<|src_sep|>    b = a\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CALL, NdStep("<|call_sep|>", "def f(a):\n", (("a", "1"),))),
        (LINE, NdStep("<|line_sep|>", "    b = a\n", (("..", ".."), ("b", "2")))),
        ('<|return_sep|><|src_sep|>x\n<|arg_sep|>"1"', NdStep("<|return_sep|>", "x\n", value="1")),
        ("<|inv_line_sep|><|src_sep|>x\n<|arg_sep|>{}", NdStep("<|inv_line_sep|>", "x\n")),
        ("<|exit_never|><|trace_end|>", NdExit("<|exit_never|>")),
    ],
)
def test_one_state(text: str, expected: NdStep | NdExit) -> None:
    assert CODEC.decode_state(ids_of(text)) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not start with a kind of step"),
        ("x", "does not start with a kind of step"),
        ("<|step_into|>", "does not start with a kind of step"),
        ("<|exit_normal|>", "is followed by <|trace_end|> and nothing else"),
        ("<|exit_normal|><|trace_end|>x", "is followed by <|trace_end|> and nothing else"),
        ("<|line_sep|>", "is not <|line_sep|> <|arg_sep|> ... <|src_sep|>"),
        ("<|line_sep|><|src_sep|>x\n<|arg_sep|>{}", "is not <|line_sep|> <|arg_sep|> ... <|src_sep|>"),
        ("<|inv_line_sep|><|arg_sep|>{}<|src_sep|>x\n", "is not <|inv_line_sep|> <|src_sep|> ..."),
        ("<|line_sep|>x<|arg_sep|>{}<|src_sep|>x\n", "is not <|line_sep|>"),
        ("<|line_sep|><|arg_sep|>{}<|src_sep|>x\n<|step_over|>", "is not <|line_sep|>"),
        ("<|line_sep|><|arg_sep|>{]<|src_sep|>x\n", "locals are not JSON"),
        ("<|line_sep|><|arg_sep|>[]<|src_sep|>x\n", "locals are not a JSON object"),
        ('<|line_sep|><|arg_sep|>{"a": 1}<|src_sep|>x\n', "is not a JSON string"),
        ('<|line_sep|><|arg_sep|>{"..": "1"}<|src_sep|>x\n', "unchanged locals does not read"),
        ("<|line_sep|><|arg_sep|>{}<|src_sep|>x\ny\n", "source is more than one line"),
        ("<|return_sep|><|src_sep|>x\n<|arg_sep|>1", "value is not a JSON string"),
    ],
)
def test_a_malformed_state_keeps_its_ids_and_says_why(text: str, reason: str) -> None:
    ids = ids_of(text)
    state = CODEC.decode_state(ids)
    assert isinstance(state, MalformedStep)
    assert reason in state.reason
    assert state.ids == tuple(ids)


def test_special_tokens_of_other_formats_and_unknown_ids_are_no_text() -> None:
    for id_, reason in ((tiny_tokenizer().special_id("<|pad|>"), "inside text"), (99_999, "vocabulary")):
        state = CODEC.decode_state([*ids_of("<|line_sep|><|arg_sep|>{}<|src_sep|>x"), id_])
        assert isinstance(state, MalformedStep)
        assert reason in state.reason


def test_a_malformed_state_does_not_change_how_the_others_are_read() -> None:
    steps = [CALL, '<|line_sep|><|arg_sep|>{"a": "1"}<|src_sep|>    b = a\n', "<|line_sep|>oops", LINE]
    text = "".join(f"<|frame_sep|>{step}<|action_sep|><|step_into|>" for step in steps)
    read = CODEC.decode(ids_of(text))
    assert [type(item.state) for item in read.states] == [NdStep, NdStep, MalformedStep, NdStep]
    assert [item.locals for item in read.states] == [{"a": "1"}, {"a": "1"}, None, {"a": "1", "b": "2"}]
    assert not read.is_finished


def test_what_is_no_action_is_none() -> None:
    for told in ("", "x", "<|step_into|>x", "<|breakpoint|><|src_sep|>", "<|exit_normal|>"):
        (item,) = CODEC.decode(ids_of(f"<|frame_sep|>{CALL}<|action_sep|>{told}")).states
        assert isinstance(item.state, NdStep)
        assert item.action is None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.integers(-1, 450) | st.sampled_from([CODEC.tokenizer.special_id(name) for name in ND_TOKENS]),
        max_size=40,
    ),
    st.integers(0, 200),
)
def test_any_ids_are_read(ids: list[int], keep: int) -> None:
    encoded = CODEC.encode(run_of("nd_function"))
    read = CODEC.decode([*encoded.ids[:keep], *ids])
    for item in read.states:
        assert isinstance(item.state, NdStep | NdExit) or item.state.reason
    assert not read.is_finished or isinstance(read.states[-1].state, NdExit)


def test_output_prediction_is_a_jump_to_the_return() -> None:
    trace = run_of("nd_function")
    told = [(Action.STEP_INTO, None), (Action.STEP_INTO, None), (Action.STEP_RETURN, None)]
    states = trajectory(trace, told=told).states
    assert isinstance(states[3], NdStep)
    assert (states[3].kind, states[3].value) == (StepKind.RETURN, trace.result)
    back = inverse_trajectory(trace, told=[(Action.STEP_RETURN, None)], hides_call=True).states
    assert isinstance(back[1], NdStep)
    assert dict(back[1].bindings) == {"text": "'a-ü-a'", "mark": "'-'"}
    assert len(back) == 3
