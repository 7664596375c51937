"""Prompts and replies written by hand from the published rules, each in a file of its own.

A file has a title, a program, the prompt it makes, replies one by one, and what a debugger shows of them.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from cwm_replies import CODEC, Playback, followed, ids_of, oracle, saying, step
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.codec.cwm_special import TRACE_TOKENS
from opencwm.codec.testing import tiny_tokenizer
from opencwm.debugger.cwm_execution import CwmConfig, CwmExecution
from opencwm.debugger.execution import Execution
from opencwm.tracer import record
from opencwm.traces import Program, StepFlags, StepKind

FOLDER = Path(__file__).parent / "conformance"
CALL, LINE, RETURN = StepKind.CALL, StepKind.LINE, StepKind.RETURN


@dataclasses.dataclass
class Case:
    program: Program
    prompt: str
    replies: list[str]
    shows: list[str]


def read_case(path: Path) -> Case:
    source, call, entry, prompt, shows = "", None, "main", "", ""
    replies: list[str] = []
    for part in re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        name, _, rest = head.partition(" ")
        if name == "source":
            source = body
        elif name == "call":
            call = rest
        elif name == "entry":
            entry = rest
        elif name == "prompt":
            prompt = body.removesuffix("\n")
        elif name == "reply":
            replies.append(body.removesuffix("\n"))
        else:
            shows = body
    program = Program(source, entry) if call is None else Program.from_call(source, call)
    return Case(program, prompt, replies, shows.splitlines())


def shown(execution: Execution, index: int) -> str:
    view = execution.get(index)
    assert view is not None
    if view.malformed is not None:
        return f"malformed: {view.malformed}"
    frame = execution.stack_at(index)[-1]
    values = ", ".join(f"{name}={value.text}" for name, value in frame.locals.items())
    kind = "unwind" if view.step.flags & StepFlags.UNWIND else str(view.step.kind)
    text = f"{kind} {view.step.lineno} {frame.function}({values})"
    text += "" if view.step.value is None else f" -> {view.step.value}"
    return text + ("" if view.objection is None else f" ! {view.objection}")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_replies_are_shown_as_the_rules_say(path: Path) -> None:
    case = read_case(path)
    if case.prompt:
        assert CODEC.to_text(CODEC.encode_prompt(case.program)) == case.prompt
    playback = saying(*case.replies)
    execution = CwmExecution(case.program, CODEC, playback, CwmConfig(constrained=False))
    said: list[str] = []
    while (execution.get(len(said))) is not None:
        said.append(shown(execution, len(said)))
    assert [*said, execution.status] == case.shows
    shown_before = CODEC.encode_prompt(case.program)
    for prompt, reply in zip(playback.prompts, case.replies, strict=False):
        assert list(prompt) == shown_before, "the model is shown what it wrote, and nothing that is no step"
        shown_before = shown_before + ids_of(reply)


def test_a_step_without_end_is_cut_off_and_told() -> None:
    program = Program("def f(a):\n    return a\n", "f")
    endless = Playback(lambda _: ids_of('<|call_sep|>{"a": "') + [ids_of("9")[0]] * 10_000)
    execution = CwmExecution(program, CODEC, endless, CwmConfig(constrained=False))
    assert shown(execution, 0) == "malformed: the step has no end within 2048 ids"


def test_a_malformed_step_is_drawn_anew_before_it_is_shown_and_never_fed_back() -> None:
    program = Program("def f(a):\n    return a\n", "f")
    good = step(CALL, "def f(a):", '{"a": "1"}')
    playback = saying(f"<|line_sep|>{good}", "x<|frame_sep|>", good)
    execution = CwmExecution(program, CODEC, playback)
    assert shown(execution, 0) == "call 1 f(a=1)"
    assert playback.prompts == [tuple(CODEC.encode_prompt(program))] * 3
    assert [sampling.temperature for sampling in playback.samplings] == [0.0, 0.6, 0.6]
    assert len({sampling.seed for sampling in playback.samplings}) == 3
    bad = saying(*["x<|frame_sep|>"] * 9)
    execution = CwmExecution(program, CODEC, bad)
    assert shown(execution, 0).startswith("malformed")
    assert len(bad.prompts) == 4


def test_ids_stay_as_they_were_sampled() -> None:
    """The same text has other ids here than the tokenizer gives it; they are what the model is shown."""
    program = Program("def f(a):\n    return a\n", "f")
    source = "    return a\n"
    singly = [id_ for char in source for id_ in CODEC.tokenizer.encode(char)]
    assert singly != CODEC.tokenizer.encode(source)
    odd = [*ids_of('<|line_sep|>{"a": ".."}<|action_sep|>'), *singly, CODEC.frame_sep_id]
    replies = [
        ids_of(step(CALL, "def f(a):", '{"a": "1"}')),
        odd,
        ids_of(step(RETURN, "    return a", '"1"')),
    ]
    playback = Playback(lambda _: replies[len(playback.prompts) - 1])
    execution = CwmExecution(program, CODEC, playback)
    assert execution.get(2) is not None
    assert list(playback.prompts[2][-len(odd) :]) == odd
    twin = execution.fork(1, {"a": "2"})
    replies.append(replies[2])
    assert twin.get(2) is not None
    assert list(playback.prompts[3][-len(singly) - 1 :]) == odd[-len(singly) - 1 :]


def test_text_that_looks_like_a_special_token_is_text() -> None:
    source = "def f(a):\n    b = '<|frame_sep|>'\n    return b\n"
    trace = record(Program.from_call(source, "f('<|end_of_text|>')"))
    execution = CwmExecution(trace.program, CODEC, oracle(trace))
    assert shown(execution, 2) == "call 1 f(a='<|end_of_text|>')"
    assert shown(execution, 4) == "line 3 f(a='<|end_of_text|>', b='<|frame_sep|>')"
    assert execution.get(99) is None
    assert execution.status == "the program returned '<|frame_sep|>'"


def test_functions_that_were_compiled_on_the_way_are_none_of_the_program() -> None:
    source = "def f():\n    space = {}\n    exec('def g():\\n    return 1', space)\n    return space['g']()\n"
    trace = record(Program.from_call(source, "f()"))
    execution = CwmExecution(trace.program, CODEC, oracle(trace))
    assert execution.get(99) is None
    assert execution.num_known == len(trace.steps)
    foreign = followed(Program(source, "f"), step(CALL, "def f():"), step(CALL, "def g():"))
    assert shown(foreign, 1) == "malformed: the source line is not in the program"


PARTS = st.sampled_from(
    [
        step(CALL, "def f(a):", '{"a": "1"}'),
        step(LINE, "    b = a", '{"a": ".."}'),
        step(LINE, "    return b", '{"a": "..", "b": "1"}'),
        step(RETURN, "    return b", '"1"'),
        step(StepKind.EXCEPTION, "    b = a", '"E()"'),
        '{"a": "1"}',
        '"1"',
        "    b = a\n",
    ]
)
ANY = st.lists(
    st.one_of(PARTS.map(ids_of), st.sampled_from(TRACE_TOKENS).map(ids_of),
              st.lists(st.integers(0, tiny_tokenizer().vocab_size - 1), max_size=3)),
    max_size=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY, max_size=6), st.booleans())
def test_whatever_a_model_writes_there_is_an_execution(
    replies: list[list[list[int]]], constrained: bool
) -> None:
    program = Program("def f(a):\n    b = a\n    return b\n", "f")
    written = [[id_ for part in reply for id_ in part] for reply in replies]
    playback = Playback(lambda _: written[len(playback.prompts) % max(1, len(written))] if written else [])
    execution = CwmExecution(program, CODEC, playback, CwmConfig(constrained=constrained))
    for index in range(12):
        view = execution.get(index)
        if view is None:
            assert execution.ended()
            assert execution.status
            break
        assert view.probability is None or 0 < view.probability <= 1
        if view.malformed is None:
            assert execution.stack_at(index)
            if view.step.kind in (CALL, LINE):
                assert execution.fork(index, {}).get(index) == view
