"""The recorder against a plain ``sys.settrace`` recorder of every repr, and the work it does per step."""

from __future__ import annotations

import dis
import sys
import types
from types import FrameType
from typing import Any

import pytest
from tracer_programs import PROGRAMS

from opencwm.source.code_facts import FOLDED_NAMES
from opencwm.tracer import TraceLimits, record
from opencwm.tracer.rendering import Renderer
from opencwm.traces import Program, StepFlags, StepKind, replay

Event = tuple[str, str, int, dict[str, str]]


def naive_events(source: str) -> list[Event]:
    """Return (event, function, line, locals) of all events, but those documented as no step."""
    code = compile(source, "<program>", "exec")
    module = types.ModuleType("program")
    assert "program" not in sys.modules
    sys.modules["program"] = module  # dataclasses look there
    exec(code, module.__dict__)
    events: list[Event] = []
    swallowing = {dis.opmap["FOR_ITER"], dis.opmap["SEND"]}

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if code.co_filename != "<program>" or code.co_name in FOLDED_NAMES:
            return None
        ends_loop = (
            event == "exception" and code.co_code[frame.f_lasti] in swallowing and arg[0] is StopIteration
        )
        if not ends_loop:
            values = {name: reading(value) for name, value in frame.f_locals.items() if name[:2] != "__"}
            events.append((event, code.co_qualname, frame.f_lineno, values))
        return trace

    sys.settrace(trace)
    try:
        module.main()
    finally:
        sys.settrace(None)
        sys.modules.pop("program", None)
    return events


def reading(value: object) -> str:
    """Return the repr where repr and text must agree, otherwise only the type's name."""
    if type(value) in (int, str, float, bool, type(None), bytes):
        return repr(value)
    if type(value) in (list, tuple) and all(type(item) in (int, str, bool) for item in value):  # type: ignore[attr-defined]
        return repr(value)
    return type(value).__name__


@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="later Pythons report comprehensions, which are folded"
)
@pytest.mark.parametrize(
    "name",
    [
        "loops",
        "exceptions",
        "recursion",
        "match",
        "unbound",
        "finally_flow",
        "scopes",
        "context_managers",
        "classes",
    ],
)
def test_the_same_events_and_texts_as_a_plain_recorder(name: str) -> None:
    source = (
        PROGRAMS[name].replace("    with (\n", "    with (\n")
        if name != "context_managers"
        else one_line_with()
    )
    trace = record(Program(source, "main"))
    ours: list[tuple[str, str, int]] = []
    states: list[dict[str, str]] = []
    for step, stack in replay(trace):
        ours.append((str(step.kind), trace.codes[step.code].qualname, step.lineno))
        states.append(dict(stack[-1].locals))
    naive = naive_events(source)
    assert ours == [event[:3] for event in naive]
    for (_, qualname, lineno, values), state in zip(naive, states, strict=True):
        assert set(values) == {key for key in state if key[:2] != "__"}, (qualname, lineno)
        for key, text in values.items():
            if text.isidentifier() and text not in ("None", "True", "False"):
                continue  # only its type's name
            assert state[key] == text, (qualname, lineno, key)


def one_line_with() -> str:
    """Return the program of context managers without the header on several lines, one step by rule."""
    head, _, tail = PROGRAMS["context_managers"].partition("    with (\n")
    return head + tail[tail.index("    return log") :]


def test_order_of_locals_is_varnames_cellvars_freevars() -> None:
    source = "def main(b, *c, a=1, **d):\n    z = y = 2\n    def g():\n        return z, b\n    return g()\n"
    trace = record(Program.from_call(source, "main(0)"))
    assert trace.codes[1].local_names == ("b", "a", "c", "d", "y", "g", "z")
    assert trace.codes[2].local_names == ("b", "z")


def test_a_growing_list_costs_the_same_work_at_every_length() -> None:
    """Counts the characters rendered and the elements fingerprinted per step, not the time."""
    work: list[int] = []

    class Counting(Renderer):
        def render(self, value: object, *, vetted: bool = False) -> str:
            text = super().render(value, vetted=vetted)
            work[-1] += len(text)
            return text

        def fingerprint(self, value: Any, kind: type) -> bytes | None:
            key = super().fingerprint(value, kind)
            work[-1] += len(key or b"")
            return key

    from opencwm.tracer.recorder import Recorder

    source = (
        "def main():\n    items = []\n    for i in range(20000):\n        items.append(i)\n    return None\n"
    )
    code = compile(source, "<program>", "exec")
    module: dict[str, Any] = {}
    exec(code, module)
    recorder = Recorder(code, source, TraceLimits(), lambda: None)
    recorder.renderer = Counting(TraceLimits())
    inner = recorder.trace

    def counting(frame: FrameType, event: str, arg: Any) -> Any:
        local = inner(frame, event, arg)
        if local is None:
            return None

        def counted(frame: FrameType, event: str, arg: Any) -> Any:
            work.append(0)
            local(frame, event, arg)
            return counted

        return counted

    limit = sys.getrecursionlimit()
    recorder.start(100)
    sys.settrace(counting)
    module["main"]()
    sys.settrace(None)
    sys.setrecursionlimit(limit)
    assert len(recorder.steps) > 40_000
    early, late = work[1000:3000], work[-3000:-1000]
    assert sum(late) <= 1.2 * sum(early)
    assert max(late) < 10_000


def test_a_change_beyond_the_bound_is_no_change() -> None:
    source = (
        "def main():\n    items = list(range(300))\n    items.append(1)\n"
        "    items[299] = 7\n    items[0] = 9\n    return 1\n"
    )
    trace = record(Program(source, "main"))
    changes = [step.lineno for step in trace.steps if step.changed]
    assert changes == [3, 6]
    assert all(StepFlags.TRUNCATED in step.flags for step in trace.steps if step.changed)


def test_equal_values_of_other_types_are_changes() -> None:
    source = (
        "def main():\n    x = [1]\n    x[0] = True\n    x[0] = 1.0\n    x[0] = '1'\n"
        "    x = (1,)\n    x = [1]\n    x = [1]\n    return 0\n"
    )
    trace = record(Program(source, "main"))
    found = [dict(step.changed).get("x") for step in trace.steps if step.kind is StepKind.LINE]
    assert found == [None, "[1]", "[True]", "[1.0]", "['1']", "(1,)", "[1]", None]


def test_an_empty_object_and_its_empty_dict_are_told_apart() -> None:
    source = (
        "class A:\n    pass\nclass B:\n    pass\ndef main():\n    x = A()\n    x = B()\n"
        "    x = {}\n    x = x.copy()\n    x['k'] = A()\n    x['k'].y = 1\n    return 0\n"
    )
    trace = record(Program(source, "main"))
    found = [dict(step.changed).get("x") for step in trace.steps if step.kind is StepKind.LINE]
    assert found == [None, "A()", "B()", "{}", None, "{'k': A()}", "{'k': A(y=1)}"]
