"""Several inputs in one process: the same records as in a process each, and none is blamed for another."""

from __future__ import annotations

import pytest

from opencwm.sandbox import RunLimits, RunStatus, Sandbox, record, record_many
from opencwm.traces import Program, Status

EXECUTE = "opencwm.sandbox.testing:execute"
PATIENT = RunLimits(wall_s=10.0)
QUICK = RunLimits(wall_s=0.3)

SOURCE = """
import os, random, time
calls = []
def f(x):
    calls.append(x)
    return [*calls, random.random()]
def pid():
    return os.getpid()
def endless(signals=()):
    import signal
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    while True:
        pass
"""


def programs(*calls: str, source: str = SOURCE) -> list[Program]:
    return [Program.from_call(source, call) for call in calls]


def test_records_are_those_of_a_process_each(sandbox: Sandbox) -> None:
    several = programs("f(1)", "f(2)", "1 // 0", "g", "f(1)", "[x for x in f(3)]")
    traces = record_many(several, sandbox=sandbox, limits=PATIENT)
    assert traces == [record(program, sandbox=sandbox, limits=PATIENT) for program in several]
    assert [trace.program for trace in traces] == several


def test_inputs_of_a_source_share_a_process_and_sources_do_not(sandbox: Sandbox) -> None:
    several = [*programs("pid()", "pid()"), *programs("pid()", source=SOURCE + "# another")]
    first, second, other = (trace.result for trace in record_many(several, sandbox=sandbox, limits=PATIENT))
    assert first == second != other


def test_more_inputs_than_a_process_takes(sandbox: Sandbox) -> None:
    traces = record_many(programs(*(f"len('{'x' * i}')" for i in range(70))), sandbox=sandbox, limits=PATIENT)
    assert [trace.result for trace in traces] == [str(i) for i in range(70)]


def test_no_programs_are_no_traces() -> None:
    assert record_many([]) == []


BAD = {
    "os._exit(0)": (Status.EXITED, "status 0 before the end"),
    "os._exit(9)": (Status.EXITED, "status 9"),
    "os.kill(os.getpid(), 9)": (Status.KILLED, "SIGKILL"),
    "bytearray(1 << 40)": (Status.MEMORY, "MemoryError"),
    "endless()": (Status.STEP_LIMIT, "1000 steps"),
    "endless([14])": (Status.STEP_LIMIT, "1000 steps"),
    "time.sleep(60)": (Status.TIMEOUT, "0.3 s"),
    "endless([14]) if sum(range(10 ** 9)) else 0": (Status.TIMEOUT, "0.3 s"),
    "os.write(3, b'garbage')": (Status.UNTRACED, "result pipe"),
    "os.closerange(3, 9)": (Status.EXITED, "result pipe"),
}


@pytest.mark.parametrize("call", BAD)
def test_an_input_that_ends_the_process_has_the_status_of_that_and_no_other_has(
    sandbox: Sandbox, call: str
) -> None:
    several = programs("f(1)", "f(2)", call, "f(3)", "f(4)")
    traces = record_many(several, sandbox=sandbox, limits=QUICK, trace_limits={"max_steps": 1000})
    status, detail = BAD[call]
    assert traces[2].status is status
    assert detail in traces[2].detail
    del several[2], traces[2]
    assert traces == [record(program, sandbox=sandbox, limits=PATIENT) for program in several]


def pid_after(sandbox: Sandbox, source: str) -> bool:
    """Whether the process goes on to a further payload after ``source``."""
    own = "import os; emit(str(os.getpid()).encode())"
    payloads = [f"{own}\n{source}".encode(), own.encode()]
    first, second = sandbox.run_many(EXECUTE, payloads, PATIENT)
    assert first.status is second.status is RunStatus.RETURNED
    return first.outputs == second.outputs


def test_a_process_goes_on(sandbox: Sandbox) -> None:
    assert pid_after(sandbox, "import decimal, random; random.random()")


@pytest.mark.parametrize(
    "source",
    [
        "open('left', 'w')",
        "import os; os.mkdir('d'); os.chdir('d')",
        "import os; os.environ['X'] = '1'",
        "import os, time\nif os.fork() == 0: time.sleep(60)",
        "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        "import sys; sys.setprofile(lambda *_: None)",
        "import sys; sys.stdout = None",
        "import gc; gc.disable()",
        "import gc; gc.callbacks.append(len)",
        "import signal; signal.signal(signal.SIGALRM, signal.SIG_IGN)",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])",
        "import os; os.x = bytearray(200 << 20)",
    ],
)
def test_a_process_that_is_not_as_good_as_new_is_replaced(sandbox: Sandbox, source: str) -> None:
    assert not pid_after(sandbox, source)


def test_the_clock_is_set_back_for_each_payload(sandbox: Sandbox) -> None:
    payloads = [b"import time; time.sleep(0.25)"] * 3
    results = sandbox.run_many(EXECUTE, payloads, RunLimits(wall_s=0.5))
    assert [result.status for result in results] == [RunStatus.RETURNED] * 3
    assert all(0.2 < result.wall_s < 0.5 for result in results)


def test_processor_time_is_counted_for_each_payload(sandbox: Sandbox) -> None:
    spin = b"import time\nwhile time.process_time() < %f: pass"
    results = sandbox.run_many(EXECUTE, [spin % 0.6, spin % 1.2], RunLimits(wall_s=20.0, cpu_s=1.0))
    assert [result.status for result in results] == [RunStatus.RETURNED] * 2


def test_outputs_are_limited_for_each_payload(sandbox: Sandbox) -> None:
    payloads = [
        b"emit(b'x' * 600)",
        b"emit(b'x' * 600)",
        b"emit(b'x' * 600); emit(b'x' * 600)",
        b"emit(b'y')",
    ]
    results = sandbox.run_many(EXECUTE, payloads, RunLimits(wall_s=10.0, output_bytes=1000))
    statuses = [RunStatus.RETURNED] * 2 + [RunStatus.OUTPUT_LIMIT, RunStatus.RETURNED]
    assert [result.status for result in results] == statuses
    assert results[3].outputs == (b"y",)


def test_ends_that_a_program_forges_are_told_from_the_rest(sandbox: Sandbox) -> None:
    forged = b"import os; os.write(3, b'E' + bytes(4)); os._exit(0)"
    results = sandbox.run_many(EXECUTE, [b"emit(b'1')", forged, b"emit(b'2')"], PATIENT)
    assert [result.outputs for result in results] == [(b"1",), (), (b"2",)]
    extra = b"import os; os.write(3, b'E' + bytes(4))"
    results = sandbox.run_many(EXECUTE, [b"emit(b'1')", extra], PATIENT)
    assert [result.status for result in results] == [RunStatus.RETURNED, RunStatus.GARBLED]
