"""The characters of the nd format: golden files, and each rule by itself."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest
from nd_programs import ND_PROGRAMS

from opencwm.codec.cwm_special import SPECIAL_IDS, VOCAB_SIZE
from opencwm.codec.nd_special import ND_IDS, ND_TOKENS
from opencwm.codec.nd_text import (
    NdAction,
    NdExit,
    NdStep,
    Trajectory,
    action_text,
    collapsed,
    resolved,
    state_text,
    trajectory_text,
)
from opencwm.codec.nd_walk import inverse_trajectory, sample_walks, trajectory
from opencwm.core.errors import CodecError
from opencwm.tracer import record
from opencwm.traces import Action, Program, Status, StepKind, Trace
from opencwm.traces.trajectory import Told

GOLDEN = Path(__file__).parent / "golden"

INTO, OVER = Action.STEP_INTO, Action.STEP_OVER
LOOP = """\
def g(x):
    y = x + 1
    return y

def f(a):
    b = g(a)
    c = g(b)
    return c
"""


def run_of(name: str) -> Trace:
    source, call = ND_PROGRAMS[name]
    return record(Program.from_call(source, call))


def walks(trace: Trace) -> dict[str, Trajectory]:
    return {
        "forward, into everything": trajectory(trace),
        "forward, walk 1": trajectory(trace, random.Random(1)),
        "forward, walk 6": trajectory(trace, random.Random(6)),
        "backward, into everything": inverse_trajectory(trace),
        "backward, walk 2, without the call": inverse_trajectory(trace, random.Random(2), hides_call=True),
    }


def states_of(source: str, call: str, *told: Action | int) -> list[str]:
    """The states of the walk by some actions, a number being a breakpoint on that line, as text."""
    trace = record(Program.from_call(source, call))
    actions: list[Told] = [
        (one, None) if isinstance(one, Action) else (Action.BREAKPOINT, one) for one in told
    ]
    return [state_text(state) for state in trajectory(trace, told=actions).states]


@pytest.mark.parametrize("name", ND_PROGRAMS)
def test_golden_trajectories(name: str) -> None:
    text = "".join(
        f"--- {title}\n{trajectory_text(written)}\n" for title, written in walks(run_of(name)).items()
    )
    assert text == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_ids_are_free_in_the_published_vocabulary() -> None:
    assert len(ND_IDS) == 17
    assert len(set(ND_IDS.values())) == 17
    assert set(ND_IDS.values()).isdisjoint(SPECIAL_IDS.values())
    assert set(ND_IDS).isdisjoint(SPECIAL_IDS)
    assert all(128_121 < id_ < VOCAB_SIZE for id_ in ND_IDS.values())
    assert len(set(ND_TOKENS)) == len(ND_TOKENS)


def test_the_published_skeleton_byte_for_byte() -> None:
    trace = record(Program.from_call("def f(a):\n    return a\n", "f('é')"))
    assert trajectory_text(trajectory(trace)) == (
        "<|begin_of_text|><|trace_context_start|>def f(a):\n    return a\ndef main():\n    return f('é')\n"
        "<|frame_sep|><|call_sep|><|src_sep|>def main():\n<|arg_sep|>{}"
        "<|action_sep|><|step_into|>"
        "<|frame_sep|><|line_sep|><|arg_sep|>{}<|src_sep|>    return f('é')\n"
        "<|action_sep|><|step_into|>"
        "<|frame_sep|><|call_sep|><|src_sep|>def f(a):\n<|arg_sep|>" + '{"a": "\'\\u00e9\'"}'
        "<|action_sep|><|step_into|>"
        "<|frame_sep|><|line_sep|><|arg_sep|>" + '{"a": "\'\\u00e9\'"}' + "<|src_sep|>    return a\n"
        "<|action_sep|><|step_into|>"
        "<|frame_sep|><|return_sep|><|src_sep|>    return a\n<|arg_sep|>" + "\"'\\u00e9'\""
        "<|action_sep|><|step_into|>"
        "<|frame_sep|><|return_sep|><|src_sep|>    return f('é')\n<|arg_sep|>" + "\"'\\u00e9'\""
        "<|action_sep|><|step_into|>"
        "<|frame_sep|><|exit_normal|><|trace_end|><|end_of_text|>"
    )


def test_backward_source_comes_before_locals_and_the_entry_exit_last() -> None:
    trace = record(Program.from_call("def f(a):\n    return a\n", "f(1)"))
    written = inverse_trajectory(trace)
    assert [state_text(state) for state in written.states] == [
        '<|inv_return_sep|><|src_sep|>    return f(1)\n<|arg_sep|>"1"',
        "<|inv_line_sep|><|src_sep|>    return f(1)\n<|arg_sep|>{}",  # the call it made hangs below
        '<|inv_return_sep|><|src_sep|>    return a\n<|arg_sep|>"1"',
        '<|inv_line_sep|><|src_sep|>    return a\n<|arg_sep|>{"a": "1"}',
        '<|inv_call_sep|><|src_sep|>def f(a):\n<|arg_sep|>{"a": "1"}',
        "<|inv_line_sep|><|src_sep|>    return f(1)\n<|arg_sep|>{}",
        "<|inv_call_sep|><|src_sep|>def main():\n<|arg_sep|>{}",
        "<|inv_exit_entry|><|trace_end|>",
    ]
    assert {action.token for action in written.actions} == {"<|inv_step_into|>"}


def test_unchanged_locals_collapse_into_one_entry() -> None:
    assert collapsed({"a": "1", "b": "2"}, None) == (("a", "1"), ("b", "2"))
    assert collapsed({"a": "1", "b": "2", "c": "3"}, {"a": "0", "b": "2", "c": "3"}) == (
        ("a", "1"),
        ("..", ".."),
    )
    assert collapsed({"a": "1", "b": "2"}, {"a": "1"}) == (("..", ".."), ("b", "2"))
    assert collapsed({"a": "1"}, {"a": "1"}) == (("..", ".."),)
    assert collapsed({}, {}) == ()
    assert collapsed({"a": "1"}, {}) == (("a", "1"),)


def test_where_a_local_has_vanished_all_are_written() -> None:
    assert collapsed({"a": "1"}, {"a": "1", "b": "2"}) == (("a", "1"),)


def test_all_locals_are_written_after_a_call_and_after_a_return() -> None:
    trace = record(Program.from_call(LOOP, "f(5)"))
    states = [state_text(state) for state in trajectory(trace).states]
    assert states[3:5] == [
        '<|line_sep|><|arg_sep|>{"a": "5"}<|src_sep|>    b = g(a)\n',
        '<|call_sep|><|src_sep|>def g(x):\n<|arg_sep|>{"x": "5"}',
    ]
    assert states[5:9] == [
        '<|line_sep|><|arg_sep|>{"x": "5"}<|src_sep|>    y = x + 1\n',
        '<|line_sep|><|arg_sep|>{"..": "..", "y": "6"}<|src_sep|>    return y\n',
        '<|return_sep|><|src_sep|>    return y\n<|arg_sep|>"6"',
        '<|line_sep|><|arg_sep|>{"a": "5", "b": "6"}<|src_sep|>    c = g(b)\n',
    ]


def test_after_stepping_over_a_call_only_changed_locals_are_written() -> None:
    states = states_of(LOOP, "f(5)", INTO, INTO, INTO, OVER, OVER)
    assert states[4:6] == [
        '<|line_sep|><|arg_sep|>{"..": "..", "b": "6"}<|src_sep|>    c = g(b)\n',
        '<|line_sep|><|arg_sep|>{"..": "..", "c": "7"}<|src_sep|>    return c\n',
    ]


def test_all_locals_are_written_after_a_breakpoint() -> None:
    states = states_of(LOOP, "f(5)", INTO, INTO, INTO, 8)
    assert states[4] == '<|line_sep|><|arg_sep|>{"a": "5", "b": "6", "c": "7"}<|src_sep|>    return c\n'


def test_breakpoints_go_by_the_text_of_the_line() -> None:
    source = "def f(a):\n    a += 1\n    a += 1\n    return a\n"
    states = states_of(source, "f(5)", 3, 2)
    assert states[1:3] == [
        '<|line_sep|><|arg_sep|>{"a": "5"}<|src_sep|>    a += 1\n',
        '<|line_sep|><|arg_sep|>{"a": "6"}<|src_sep|>    a += 1\n',
    ]


def test_a_breakpoint_that_is_not_reached_and_continue_end_in_the_exit_state() -> None:
    for told in (5, Action.CONTINUE):
        states = states_of(LOOP, "f(5)", INTO, INTO, INTO, told)
        assert states[4:] == ["<|exit_normal|><|trace_end|>"]


def test_exceptions_are_written_like_returns_and_unwound_returns_not_at_all() -> None:
    source = "def g(x):\n    return 1 / x\n\ndef f(a):\n    b = 2\n    return g(a)\n"
    trace = record(Program.from_call(source, "f(0)"))
    states = [state_text(state) for state in trajectory(trace).states]
    value = "\"ZeroDivisionError('division by zero')\""
    assert states[-4:] == [
        f"<|exception_sep|><|src_sep|>    return 1 / x\n<|arg_sep|>{value}",
        f"<|exception_sep|><|src_sep|>    return g(a)\n<|arg_sep|>{value}",
        f"<|exception_sep|><|src_sep|>    return f(0)\n<|arg_sep|>{value}",
        "<|exit_error|><|trace_end|>",
    ]
    back = [state_text(state) for state in inverse_trajectory(trace).states]
    assert back[0] == states[-2]
    over = states_of(source, "f(0)", *[INTO] * 4, Action.STEP_RETURN, Action.STEP_RETURN)
    assert over[5:7] == states[-3:-1]


def test_after_an_exception_has_left_a_call_all_locals_are_written() -> None:
    source = "def g():\n    raise KeyError\n"
    source += "def f(a):\n    try:\n        g()\n    except KeyError:\n        b = a\n"
    trace = record(Program.from_call(source, "f(1)"))
    written = trajectory(trace)
    lines = [state for state in written.states if isinstance(state, NdStep) and "except" in state.source]
    assert [line.bindings for line in lines] == [(("a", "1"),)]


def test_a_run_that_was_cut_ends_in_exit_never_and_has_no_backward_walk() -> None:
    trace = record(Program.from_call(LOOP, "f(5)"))
    cut = dataclasses.replace(trace, steps=trace.steps[:6], status=Status.STEP_LIMIT)
    assert trajectory(cut).states[-1] == NdExit("<|exit_never|>")
    with pytest.raises(CodecError, match="ended with status step_limit"):
        inverse_trajectory(cut)


def test_a_hidden_call_is_not_in_the_code_and_its_arguments_come_last() -> None:
    trace = record(Program.from_call(LOOP, "f(g(5))"))
    written = inverse_trajectory(trace, hides_call=True)
    assert written.code == LOOP
    assert [state_text(state) for state in (*written.states[:1], *written.states[-2:])] == [
        '<|inv_return_sep|><|src_sep|>    return c\n<|arg_sep|>"8"',
        '<|inv_call_sep|><|src_sep|>def f(a):\n<|arg_sep|>{"a": "6"}',
        "<|inv_exit_entry|><|trace_end|>",
    ]


def test_a_run_gives_a_walk_forward_and_one_backward_if_it_ended() -> None:
    trace = record(Program.from_call(LOOP, "f(5)"))
    forward, backward = sample_walks(trace, random.Random(3))
    assert forward == trajectory(trace, random.Random(3))
    assert (backward.is_inverse, backward.code) == (True, LOOP)
    assert [*sample_walks(trace, random.Random(3))] == [forward, backward]
    no_call = record(Program("def f():\n    return 1\n", "f"))
    assert [walk.is_inverse for walk in sample_walks(no_call, random.Random(0))] == [False, True]
    cut = dataclasses.replace(trace, status=Status.TIMEOUT)
    assert [walk.is_inverse for walk in sample_walks(cut, random.Random(0))] == [False]


def test_what_cannot_be_written_is_an_error() -> None:
    trace = record(Program.from_call(LOOP, "f(5)"))
    with pytest.raises(CodecError, match="nothing was recorded"):
        trajectory(dataclasses.replace(trace, steps=()))
    far = dataclasses.replace(trace.steps[0], lineno=99)
    with pytest.raises(CodecError, match="line 99 is not in the program of 10 lines"):
        trajectory(dataclasses.replace(trace, steps=(far,)))
    with pytest.raises(CodecError, match="enters no function of the program"):
        inverse_trajectory(record(Program.from_call(LOOP, "len('a')")), hides_call=True)
    with pytest.raises(CodecError, match="no call to hide"):
        inverse_trajectory(record(Program("def f():\n    return 1\n", "f")), hides_call=True)


def test_indices_are_those_of_the_trace() -> None:
    trace = run_of("nd_exception")
    for written in walks(trace).values():
        for state, index in zip(written.states, written.indices, strict=False):
            assert isinstance(state, NdStep)
            step = trace.steps[index]
            assert state.source == f"{trace.program.lines[step.lineno - 1]}\n"
            assert state.kind is step.kind
        assert len(written.indices) == len(written.states) - 1 == len(written.actions)


def test_carried_locals_are_filled_in_from_the_state_before() -> None:
    line = "<|line_sep|>"
    states: list[NdStep | NdExit] = [
        NdStep(line, "x\n", (("a", "1"), ("b", "2"))),
        NdStep("<|exception_sep|>", "x\n", value="E()"),
        NdStep(line, "x\n", (("..", ".."), ("b", "3"))),
        NdStep(line, "x\n", (("a", "5"),)),
        NdStep(line, "x\n", (("..", ".."),)),
        NdStep("<|return_sep|>", "x\n", value="1"),
        NdStep(line, "x\n", (("..", ".."),)),  # nothing to carry
        NdExit("<|exit_normal|>"),
    ]
    assert list(resolved(states)) == [
        {"a": "1", "b": "2"},
        None,
        {"a": "1", "b": "3"},
        {"a": "5"},
        {"a": "5"},
        None,
        {"..": ".."},
        None,
    ]
    assert [state.kind for state in states if isinstance(state, NdStep)][:2] == [
        StepKind.LINE,
        StepKind.EXCEPTION,
    ]
    assert action_text(NdAction("<|breakpoint|>", "x\n")) == "<|action_sep|><|breakpoint|>x\n"
