from __future__ import annotations

import json
from pathlib import Path

import pytest
from cwm_recorder import record
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.codec.cwm_special import SPECIAL_IDS, VOCAB_SIZE
from opencwm.codec.cwm_text import (
    MARK,
    context_text,
    left_entry,
    locals_json,
    mark_lineno,
    prompt_text,
    source_lines,
    step_text,
    trace_text,
    value_json,
    written_steps,
)
from opencwm.core.errors import CodecError
from opencwm.traces import CodeInfo, Program, Status, Step, StepFlags, StepKind, Trace

GOLDEN = Path(__file__).parent / "golden"
CALL, LINE, RETURN, EXCEPTION = StepKind.CALL, StepKind.LINE, StepKind.RETURN, StepKind.EXCEPTION


def trace_of(source: str, steps: list[Step], status: Status = Status.RETURNED) -> Trace:
    names = tuple(dict.fromkeys(name for step in steps for name, _ in step.changed))
    return Trace(Program(source, "f"), (CodeInfo("f", 1, names),), tuple(steps), status)


def written(trace: Trace) -> list[dict[str, str]]:
    return [dict(step.bindings) for step in written_steps(trace) if step.kind in (CALL, LINE)]


def test_special_ids_are_the_published_ones() -> None:
    assert dict(SPECIAL_IDS) == {
        "<|begin_of_text|>": 128000,
        "<|end_of_text|>": 128001,
        "<|pad|>": 128004,
        "<|start_header_id|>": 128006,
        "<|end_header_id|>": 128007,
        "<|eom_id|>": 128008,
        "<|eot_id|>": 128009,
        "<|frame_sep|>": 128100,
        "<|action_sep|>": 128101,
        "<|return_sep|>": 128102,
        "<|call_sep|>": 128103,
        "<|line_sep|>": 128104,
        "<|exception_sep|>": 128105,
        "<|arg_sep|>": 128106,
        "<|trace_context_start|>": 128107,
        "<|reasoning_thinking_start|>": 128120,
        "<|reasoning_thinking_end|>": 128121,
    }
    assert max(SPECIAL_IDS.values()) < VOCAB_SIZE == 128256


def test_golden_trace_of_a_real_run() -> None:
    source = (GOLDEN / "cwm_pantry_source.txt").read_text(encoding="utf-8")
    trace = record(source, "cook({'müsli': 3, '🥚': 0}, ['müsli', '🥚'])")
    assert trace_text(trace) == (GOLDEN / "cwm_pantry_trace.txt").read_text(encoding="utf-8")


def test_prompt_of_a_call_has_the_wrapper_with_the_mark() -> None:
    program = Program.from_call("def f(a):\n    return a", "f(1)")
    assert prompt_text(program) == (
        "<|begin_of_text|><|trace_context_start|>"
        "def f(a):\n    return a\n"
        "def main():  # << START_OF_TRACE\n    return f(1)\n"
        "<|frame_sep|>"
    )


def test_prompt_of_an_entry_with_parameters_has_no_wrapper() -> None:
    text = context_text(Program("def f(a):\n    return a\n", "f"))
    assert text == "def f(a):  # << START_OF_TRACE\n    return a\n"


@pytest.mark.parametrize(
    ("source", "entry", "marked"),
    [
        ("def f(\n    a,\n    b,\n):\n    pass\n", "f", 1),
        ("@cache\n@wrap(\n    1)\ndef f():\n    pass\n", "f", 4),
        ("async def f():\n    pass\n", "f", 1),
        ("class A:\n    def f(self):\n        pass\nclass B:\n    def f(self):\n        pass\n", "B.f", 5),
        ("def f():\n    def g():\n        pass\n    return g\ndef g():\n    pass\n", "f.<locals>.g", 2),
        ("def f():\n    pass\n\ndef g():\n    pass\n\ndef f():\n    return 2\n", "f", 7),
        ("if True:\n    try:\n        def f():\n            pass\n    finally:\n        pass\n", "f", 3),
        ("match 1:\n    case 1:\n        def f():\n            pass\n", "f", 3),
        ("def f(): return 1\n", "f", 1),
        ("def f():  # note\n    pass\n", "f", 1),
        # Where a comment cannot stand, the next line that can take one has the mark.
        ("def f(a, \\\n      b):\n    pass\n", "f", 2),
        ('def f(a="""x\ny""", b=2,\n  c=3):\n    pass\n', "f", 2),
        ('s = """\ndef f():\n"""\ndef f():\n    pass\n', "f", 4),
    ],
)
def test_mark_stands_on_the_entry_def_line(source: str, entry: str, marked: int) -> None:
    program = Program(source, entry)
    lines = context_text(program).splitlines()
    assert mark_lineno(program) == marked
    assert [number for number, line in enumerate(lines, 1) if line.endswith("  # << START_OF_TRACE")] == [
        marked
    ]
    compile("\n".join(lines), "context", "exec")
    assert source_lines(program) == source.splitlines(keepends=True)


def test_mark_keeps_invalid_escapes_silent() -> None:
    program = Program('def f():\n    return "\\d", f"\\d{1}"\n', "f")
    assert context_text(program).startswith("def f():  # << START_OF_TRACE\n")


def test_mark_in_the_source_survives() -> None:
    source = (
        f'x = "{MARK}"{MARK}\ndef g(a="{MARK}"):{MARK}\n    return 1{MARK}\ndef f(a="{MARK}"):\n    pass\n'
    )
    program = Program(source, "f")
    assert context_text(program) == source.replace('"):\n    pass', f'"):{MARK}\n    pass')
    assert source_lines(program) == source.splitlines(keepends=True)


def test_a_context_given_as_program_is_not_marked_twice() -> None:
    program = Program("def f():  # << START_OF_TRACE\n    pass\n", "f")
    assert context_text(program) == program.source
    assert source_lines(program) == ["def f():\n", "    pass\n"]


def test_mark_is_cut_as_a_suffix_not_as_a_set_of_characters() -> None:
    steps = [Step(CALL, 0, 1, 0), Step(LINE, 0, 2, 0), Step(RETURN, 0, 2, 0, value="None")]
    text = trace_text(trace_of("def f():  # << START_OF_TRACE\n    y = STATE\n", steps))
    assert text.count("    y = STATE\n<|") == 2 + 1  # context, line, return
    assert "<|call_sep|>{}<|action_sep|>def f():\n<|frame_sep|>" in text


@pytest.mark.parametrize(
    ("source", "entry", "what"),
    [
        ("def g():\n    pass\n", "f", "no function named 'f'"),
        ("", "f", "no function named 'f'"),
        ("f = lambda: 1\n", "f", "no function named 'f'"),
        ("def f(:\n", "f", "not valid Python"),
        ("def f(): \x00\n", "f", "not valid Python"),
    ],
)
def test_no_entry_is_an_error(source: str, entry: str, what: str) -> None:
    with pytest.raises(CodecError, match=what):
        prompt_text(Program(source, entry, filename="some.py"))


def test_step_shapes() -> None:
    assert (
        step_text(CALL, "def f(a):\n", (("a", "1"),))
        == '<|call_sep|>{"a": "1"}<|action_sep|>def f(a):\n<|frame_sep|>'
    )
    assert (
        step_text(LINE, "  x = 1\n", (("a", ".."), ("b", "'q'")))
        == '<|line_sep|>{"a": "..", "b": "\'q\'"}<|action_sep|>  x = 1\n<|frame_sep|>'
    )
    assert step_text(LINE, "  x = 1\n") == "<|line_sep|>{}<|action_sep|>  x = 1\n<|frame_sep|>"
    assert (
        step_text(RETURN, "  return 'a'\n", value="'a'")
        == "<|return_sep|><|action_sep|>  return 'a'\n<|arg_sep|>\"'a'\"<|frame_sep|>"
    )
    assert (
        step_text(EXCEPTION, "  1/0\n", value='E("x")')
        == '<|exception_sep|><|action_sep|>  1/0\n<|arg_sep|>"E(\\"x\\")"<|frame_sep|>'
    )


@pytest.mark.parametrize(
    ("text", "written_text"),
    [
        ("'é'", "\"'\\u00e9'\""),
        ("'🐍'", "\"'\\ud83d\\udc0d'\""),
        ("'\ud800'", "\"'\\ud800'\""),
        ("'\\n'", "\"'\\\\n'\""),
        ('"', '"\\""'),
        ("\x7f\x00", '"\\u007f\\u0000"'),
        ("<|frame_sep|>", '"<|frame_sep|>"'),
    ],
)
def test_values_are_json_as_dumped_by_default(text: str, written_text: str) -> None:
    assert value_json(text) == written_text
    assert locals_json((("a", text),)) == f'{{"a": {written_text}}}'


def test_locals_keep_their_order() -> None:
    assert locals_json((("b", "1"), ("a", "2"))) == '{"b": "1", "a": "2"}'


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), st.text()))
def test_locals_are_one_flat_ascii_object(locals_: dict[str, str]) -> None:
    text = locals_json(tuple(locals_.items()))
    assert text.isascii()
    assert "\n" not in text
    assert list(json.loads(text).items()) == list(locals_.items())


def test_last_line_without_newline_is_written_with_one() -> None:
    steps = [Step(CALL, 0, 1, 0), Step(LINE, 0, 2, 0), Step(RETURN, 0, 2, 0, value="1")]
    assert trace_text(trace_of("def f():\n\treturn 1", steps)).endswith(
        "<|line_sep|>{}<|action_sep|>\treturn 1\n<|frame_sep|>"
        '<|return_sep|><|action_sep|>\treturn 1\n<|arg_sep|>"1"<|frame_sep|><|end_of_text|>'
    )


def test_unchanged_locals_are_carried_over_and_calls_write_all() -> None:
    source = "def f(n):\n    if n:\n        f(n - 1)\n    n = n\n"
    steps = [
        Step(CALL, 0, 1, 0, (("n", "1"),)),
        Step(LINE, 0, 2, 0),
        Step(LINE, 0, 3, 0),
        Step(CALL, 0, 1, 1, (("n", "1"),)),  # recursion: another activation, so nothing is carried into it
        Step(LINE, 0, 2, 1),
        Step(RETURN, 0, 4, 1, value="None"),
        Step(LINE, 0, 4, 0),  # after the return it is again compared with its own previous step
        Step(RETURN, 0, 4, 0, value="None"),
    ]
    assert written(trace_of(source, steps)) == [
        {"n": "1"},
        {"n": ".."},
        {"n": ".."},
        {"n": "1"},
        {"n": ".."},
        {"n": ".."},
    ]


def test_what_a_callee_changed_is_written_after_its_return() -> None:
    trace = record("def g(x):\n    x.append(1)\n\ndef f():\n    a = []\n    g(a)\n    return a\n", entry="f")
    assert written(trace) == [{}, {}, {"a": "[]"}, {"x": "[]"}, {"x": ".."}, {"a": "[1]"}]


def test_a_change_reported_with_an_exception_is_written_at_the_next_line() -> None:
    steps = [
        Step(CALL, 0, 1, 0),
        Step(LINE, 0, 2, 0, (("a", "1"), ("b", "2"))),
        Step(EXCEPTION, 0, 2, 0, (("a", "5"),), value="E()"),
        Step(LINE, 0, 3, 0),
        Step(RETURN, 0, 3, 0, value="None"),
    ]
    assert written(trace_of("def f():\n    g()\n    pass\n", steps))[-1] == {"a": "5", "b": ".."}


def test_a_deleted_local_is_not_written_and_comes_back_with_its_value() -> None:
    source = "def f():\n    a = 1\n    del a\n    a = 1\n    return a\n"
    assert written(record(source, entry="f")) == [{}, {}, {"a": "1"}, {}, {"a": "1"}]


def test_a_resumed_generator_writes_all_locals() -> None:
    trace = record("def g(n):\n    yield n\n    yield 2\n\ndef f():\n    return list(g(7))\n", entry="f")
    calls = [dict(step.bindings) for step in written_steps(trace) if step.kind is CALL]
    assert calls == [{}, {"n": "7"}, {"n": "7"}, {"n": "7"}]
    values = [step.value for step in written_steps(trace) if step.kind is RETURN]
    assert values == ["7", "2", "None", "[7, 2]"]  # a yield is written as a return


def test_a_caught_exception_does_not_end_its_activation() -> None:
    source = "def f():\n    a = 1\n    try:\n        1 / 0\n    except ZeroDivisionError:\n"
    source += "        a = 2\n    return a\n"
    trace = record(source, entry="f")
    assert [(step.kind, step.lineno) for step in written_steps(trace)] == [
        (CALL, 1),
        (LINE, 2),
        (LINE, 3),
        (LINE, 4),
        (EXCEPTION, 4),
        (LINE, 5),
        (LINE, 6),
        (LINE, 7),
        (RETURN, 7),
    ]
    assert written(trace)[4:] == [{"a": ".."}, {"a": ".."}, {"a": "2"}]


def test_unwound_returns_are_written_only_when_asked_for() -> None:
    trace = record("def g():\n    raise OSError\n\ndef f():\n    g()\n", entry="f")
    assert [step.flags & StepFlags.UNWIND for step in trace.steps if step.kind is RETURN] == [
        StepFlags.UNWIND
    ] * 2
    assert trace_text(trace).endswith(
        '<|exception_sep|><|action_sep|>    raise OSError\n<|arg_sep|>"OSError()"<|frame_sep|>'
        '<|exception_sep|><|action_sep|>    g()\n<|arg_sep|>"OSError()"<|frame_sep|><|end_of_text|>'
    )
    assert trace_text(trace, unwind_returns=True).endswith(
        '<|exception_sep|><|action_sep|>    raise OSError\n<|arg_sep|>"OSError()"<|frame_sep|>'
        '<|return_sep|><|action_sep|>    raise OSError\n<|arg_sep|>"None"<|frame_sep|>'
        '<|exception_sep|><|action_sep|>    g()\n<|arg_sep|>"OSError()"<|frame_sep|>'
        '<|return_sep|><|action_sep|>    g()\n<|arg_sep|>"None"<|frame_sep|><|end_of_text|>'
    )


@pytest.mark.parametrize("status", list(Status))
def test_only_a_run_that_left_its_entry_ends(status: Status) -> None:
    trace = trace_of("def f():\n    pass\n", [Step(CALL, 0, 1, 0)], status)
    ends = status in (Status.RETURNED, Status.RAISED)
    assert left_entry(trace) is ends
    assert trace_text(trace).endswith("<|end_of_text|>") is ends
    assert not left_entry(trace_of("def f():\n    pass\n", [], status))


def test_programs_named_in_angle_brackets_lose_no_step() -> None:
    source = "def f():\n    return g()\n\ndef g():\n    return 1\n"
    base = record(source, entry="f")
    for filename in ("<string>", "<program>", "<stdin>"):
        trace = Trace(Program(source, "f", filename=filename), base.codes, base.steps, base.status)
        assert len(list(written_steps(trace))) == len(base.steps) == 6


@pytest.mark.parametrize("lineno", [0, -1, 3])
def test_a_line_that_is_not_in_the_program_is_an_error(lineno: int) -> None:
    with pytest.raises(CodecError, match=f"line {lineno} is not in the program"):
        trace_text(trace_of("def f():\n    pass\n", [Step(LINE, 0, lineno, 0)]))


def test_depths_that_do_not_fit_are_taken_as_they_come() -> None:
    steps = [
        Step(LINE, 0, 2, 3, (("a", "1"),)),
        Step(RETURN, 0, 2, 5, value="1"),
        Step(LINE, 0, 2, 0, (("a", "1"),)),
    ]
    assert written(trace_of("def f():\n    pass\n", steps)) == [{"a": "1"}, {"a": ".."}]


NAMES = st.sampled_from(["a", "b", "é"])
STEPS = st.builds(
    Step,
    st.sampled_from(StepKind),
    st.integers(-1, 2),
    st.integers(0, 4),
    st.integers(0, 3),
    st.lists(st.tuples(NAMES, st.text(max_size=3)), max_size=3).map(tuple),
    st.lists(NAMES, max_size=1).map(tuple),
    st.none() | st.text(max_size=3),
    st.sampled_from([StepFlags.NONE, StepFlags.UNWIND, StepFlags.YIELD]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=8))
def test_any_trace_is_written_or_refused(steps: list[Step]) -> None:
    trace = trace_of("def f():\n    pass\n    pass", steps)
    if all(1 <= step.lineno <= 3 for step in steps):
        num_written = sum(StepFlags.UNWIND not in step.flags or step.kind in (CALL, LINE) for step in steps)
        assert trace_text(trace).count("<|frame_sep|>") == 1 + num_written
    else:
        with pytest.raises(CodecError):
            trace_text(trace)
