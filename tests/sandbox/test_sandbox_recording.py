"""Recording programs in the sandbox: every program yields a trace with a clear status."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.sandbox import RunLimits, RunResult, RunStatus, Sandbox, protocol, record, trace_of
from opencwm.traces import Program, Status, StepKind
from opencwm.traces.jsonl import trace_to_json

QUICK = RunLimits(wall_s=0.3)
PATIENT = RunLimits(wall_s=10.0)

PROGRAMS = {
    "returns": ("def f(): return 2", (Status.RETURNED,), PATIENT),
    "raises": ("def f(): return 1 // 0", (Status.RAISED,), PATIENT),
    "does not compile": ("def f(: pass", (Status.REFUSED,), PATIENT),
    "infinite loop": ("def f():\n    while True: pass", (Status.TIMEOUT, Status.STEP_LIMIT), QUICK),
    "sleeping": ("import time\ndef f(): time.sleep(1e6)", (Status.TIMEOUT,), QUICK),
    "fork bomb": (
        "import os\ndef f():\n    while True:\n        try: os.fork()\n        except OSError: pass",
        (Status.TIMEOUT, Status.STEP_LIMIT),
        QUICK,
    ),
    "memory bomb": ("def f(): return [0] * 10**10", (Status.MEMORY,), PATIENT),
    "os._exit": ("import os\ndef f(): os._exit(0)", (Status.EXITED,), PATIENT),
    "sys.exit": ("import sys\ndef f(): sys.exit(3)", (Status.EXITED,), PATIENT),
    "settrace(None)": (
        "import sys\ndef f():\n    sys.settrace(None)\n    return 1",
        (Status.UNTRACED,),
        PATIENT,
    ),
    "recursive repr": (
        "class A:\n    def __repr__(self): return repr(self)\ndef f():\n    a = A()\n    return a",
        (Status.RETURNED,),
        PATIENT,
    ),
    "raising repr": (
        "class A:\n    def __repr__(self): raise ValueError\ndef f():\n    a = A()\n    return a",
        (Status.RETURNED,),
        PATIENT,
    ),
    "deep recursion": ("def f(): return f()", (Status.RAISED,), PATIENT),
    "reading stdin": ("def f(): return input()", (Status.RAISED,), PATIENT),
    "10**5000": ("def f():\n    x = 10**5000\n    return x", (Status.RETURNED,), PATIENT),
    "a signal": ("import os\ndef f(): os.kill(os.getpid(), 11)", (Status.KILLED,), PATIENT),
    "garbage in the pipe": ("import os\ndef f(): os.write(3, b'x')", (Status.UNTRACED,), PATIENT),
    "closing everything": ("import os\ndef f(): os.closerange(0, 99)", (Status.EXITED,), PATIENT),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_yields_a_trace_with_a_status(sandbox: Sandbox, name: str) -> None:
    source, statuses, limits = PROGRAMS[name]
    program = Program(source, "main", "f()")
    trace = record(program, sandbox=sandbox, limits=limits)
    assert trace.status in statuses, trace
    assert trace.program is program
    assert trace.detail.isprintable()
    assert bool(trace.detail) == (trace.status is not Status.RETURNED)


def test_the_steps_of_a_run_come_through(sandbox: Sandbox) -> None:
    program = Program.from_call("def f(a):\n    b = a + 1\n    return b\n", "f(1)")
    trace = record(program, sandbox=sandbox, limits=PATIENT)
    assert trace.result == "2"
    assert [step.kind for step in trace.steps].count(StepKind.CALL) == 2
    assert ("b", "2") in [binding for step in trace.steps for binding in step.changed]


def test_bounds_of_the_recording_are_handed_on(sandbox: Sandbox) -> None:
    program = Program.from_call("def f():\n    for i in range(100): pass\n", "f()")
    trace = record(program, sandbox=sandbox, limits=PATIENT, trace_limits={"max_steps": 7})
    assert (trace.status, len(trace.steps)) == (Status.STEP_LIMIT, 7)


@pytest.mark.parametrize("body", ["while True: x = sum(range(9999))", "import time; time.sleep(1e6)"])
def test_what_was_recorded_until_the_deadline_comes_through(sandbox: Sandbox, body: str) -> None:
    program = Program(f"def f():\n    x = 0\n    {body}\n", "f")
    trace = record(program, sandbox=sandbox, limits=QUICK, trace_limits={"max_steps": 10**7})
    assert (trace.status, trace.detail[:12]) == (Status.TIMEOUT, "out of time ")
    assert [step.lineno for step in trace.steps[:3]] == [1, 2, 3]
    assert trace.steps[2].changed == (("x", "0"),)


def test_a_program_that_keeps_the_alarm_to_itself_is_killed(sandbox: Sandbox) -> None:
    source = (
        "import signal\ndef f():\n    signal.signal(signal.SIGALRM, signal.SIG_IGN)\n    while True: pass\n"
    )
    trace = record(Program(source, "f"), sandbox=sandbox, limits=QUICK, trace_limits={"max_steps": 10**7})
    assert (trace.status, trace.steps) == (Status.TIMEOUT, ())
    assert trace.detail == "0.3 s of wall-clock time"


def test_without_a_sandbox_one_is_made_for_the_call() -> None:
    assert record(Program.from_call("x = 1", "x + 1"), limits=PATIENT).result == "2"


def test_a_forged_record_of_another_program_is_not_believed(sandbox: Sandbox) -> None:
    honest = record(Program.from_call("x = 1", "x"), sandbox=sandbox, limits=PATIENT)
    forged = protocol.record(protocol.OUTPUT, json.dumps(trace_to_json(honest)).encode())
    forged += protocol.record(protocol.RETURNED)
    source = f"import os\ndef f():\n    os.write(3, {forged!r})\n    os._exit(0)"
    trace = record(Program.from_call(source, "f()"), sandbox=sandbox, limits=PATIENT)
    assert (trace.status, trace.steps) == (Status.UNTRACED, ())


JSON_VALUES = st.recursive(st.none() | st.integers() | st.text(), st.lists)
RESULTS = st.builds(
    RunResult,
    status=st.sampled_from(RunStatus),
    outputs=st.lists(
        st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()),
        max_size=3,
    ).map(tuple),
    detail=st.text(),
    exit_code=st.none() | st.integers(0, 255),
)


@given(RESULTS)
@settings(max_examples=60)
def test_no_result_of_a_run_breaks_the_parent(result: RunResult) -> None:
    program = Program("x = 1\n", "main", "x")
    trace = trace_of(result, program)
    assert trace.program is program
    assert trace.status is not Status.RETURNED
    assert trace.detail


@pytest.mark.parametrize("output", [b"[" * 200_000, b"1" * 10_000, b"\xff", b"{}", b'{"schema_version": 1}'])
def test_outputs_made_to_break_a_parser_are_refused(output: bytes) -> None:
    result = RunResult(status=RunStatus.RETURNED, outputs=(output,))
    trace = trace_of(result, Program("x = 1\n", "main", "x"))
    assert (trace.status, trace.steps) == (Status.UNTRACED, ())
    assert "cannot be read" in trace.detail


def test_limits_that_are_no_numbers_are_the_callers_error() -> None:
    with pytest.raises(ConfigError):
        RunLimits(cpu_s=0)
