from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from opencwm.core.errors import TraceFormatError
from opencwm.tracer import TraceLimits, record
from opencwm.tracer.child import DEADLINES, decode_request, encode_request, main, warm_up
from opencwm.traces import Program, Status, Trace
from opencwm.traces.jsonl import trace_from_json

SCRIPT = """
import os, signal, sys
from opencwm.tracer.child import main
def emit(data):
    os.write(1, data)
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
main(sys.stdin.buffer.read(), emit)
sys.exit(9)
"""


def in_child(program: Program, limits: TraceLimits, seconds: float = 60.0) -> tuple[Trace, int]:
    """Record in another process, to which SIGALRM comes after so many seconds; return its exit status too."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(seconds)],
        input=encode_request(program, limits),
        capture_output=True,
        check=False,
    )
    return trace_from_json(json.loads(run.stdout)), run.returncode


def test_the_child_emits_what_record_returns() -> None:
    program = Program.from_call(
        "def f(x):\n    return [x, 'é\\ud800']\n", "f({1: 2})", filename="f.py", origin="test"
    )
    emitted: list[bytes] = []
    main(encode_request(program), emitted.append)
    (data,) = emitted
    assert data.isascii()
    assert trace_from_json(json.loads(data)) == record(program)


@pytest.mark.parametrize(
    "source",
    [
        (
            "def main():\n    while True:\n        try:\n            x = 1\n"
            "        except BaseException:\n            pass\n"
        ),
        "def f():\n    try:\n        f()\n    finally:\n        f()\ndef main():\n    f()\n",
        "import os, json\ndef main():\n    os._exit = json.dumps = print\n    while True:\n        x = 1\n",
    ],
)
def test_a_limit_ends_the_process(source: str) -> None:
    trace, status = in_child(Program(source, "main"), TraceLimits(max_steps=3000))
    assert (trace.status, len(trace.steps), status) == (Status.STEP_LIMIT, 3000, 0)


def test_a_run_within_the_limits_returns() -> None:
    trace, status = in_child(Program("def main():\n    print('x')\n    return 1\n", "main"), TraceLimits())
    assert (trace.status, trace.stdout, status) == (Status.RETURNED, "x\n", 9)


def test_no_memory_is_a_status() -> None:
    source = (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))\n"
        "def main():\n    x = []\n    while True:\n        x.append(' ' * 2**24)\n"
    )
    if sys.platform != "linux":
        pytest.skip("address space limits are Linux's")
    trace, _ = in_child(Program(source, "main"), TraceLimits())
    assert trace.status is Status.MEMORY
    assert trace.steps


TIMELESS = {
    "a loop": "def main():\n    while True:\n        x = sum(range(9999))\n",
    "asleep": "import time\ndef main():\n    x = 1\n    time.sleep(60)\n",
    "swallows": (
        "import time\ndef main():\n    while True:\n        try:\n            time.sleep(60)\n"
        "        except BaseException:\n            pass\n"
    ),
    "patches": (
        "import builtins, gc, os, sys, time\ndef main():\n    x = 1\n"
        "    os._exit = gc.disable = sys.settrace = sys.setprofile = time.monotonic = None\n"
        "    builtins.list = builtins.str = builtins.int = builtins.getattr = builtins.len = None\n"
        "    time.sleep(60)\n"
    ),
    "profiles": (
        "import sys, time\ndef hang(frame, event, arg):\n    while event == 'call': pass\n"
        "def main():\n    x = 1\n    sys.setprofile(lambda f, e, a: hang(f, e, a) if 'json' in f.f_code"
        ".co_filename else None)\n    time.sleep(60)\n"
    ),
    "finalizers": (
        "import gc, time\nclass Hanging:\n    def __init__(self):\n        self.cycle = self\n"
        "    def __del__(self):\n        while True: pass\n"
        "def main():\n    for i in range(3000): pass\n    gc.disable()\n    gc.collect()\n"
        "    kept = [Hanging() for _ in range(9)]\n    del kept\n"
        "    gc.set_threshold(2000)\n    gc.enable()\n    time.sleep(60)\n"
    ),
}


@pytest.mark.parametrize("name", TIMELESS)
def test_the_deadline_ends_the_process_with_what_was_recorded(name: str) -> None:
    trace, status = in_child(Program(TIMELESS[name], "main"), TraceLimits(), seconds=0.4)
    assert (trace.status, status) == (Status.TIMEOUT, 0)
    assert trace.detail.startswith("out of time after 0.")
    assert len(trace.steps) >= 3
    assert trace.steps[0].lineno == trace.codes[0].firstlineno


def test_a_deadline_while_the_module_is_loaded_gives_no_steps() -> None:
    trace, status = in_child(Program("while True: pass\ndef main(): pass\n", "main"), TraceLimits(), 0.4)
    assert (trace.status, trace.steps, status) == (Status.TIMEOUT, (), 0)


def test_processor_time_is_a_deadline_as_well() -> None:
    source = "import os, signal\ndef main():\n    os.kill(os.getpid(), signal.SIGXCPU)\n    return 1\n"
    trace, status = in_child(Program(source, "main"), TraceLimits())
    assert (trace.status, status) == (Status.TIMEOUT, 0)


def test_a_program_may_have_an_alarm_of_its_own() -> None:
    source = (
        "import signal, time\ndef main():\n    rung = []\n"
        "    signal.signal(signal.SIGALRM, lambda *_: rung.append(1))\n"
        "    while not rung: time.sleep(0.01)\n    return rung\n"
    )
    trace, status = in_child(Program(source, "main"), TraceLimits(), seconds=0.4)
    assert (trace.status, trace.result, status) == (Status.RETURNED, "[1]", 9)


def test_a_deadline_after_the_end_changes_nothing() -> None:
    before = [signal.getsignal(number) for number in DEADLINES]
    emitted: list[bytes] = []

    def emit(data: bytes) -> None:
        for number in DEADLINES:
            os.kill(os.getpid(), number)
        emitted.append(data)

    main(encode_request(Program("def main():\n    return 1\n", "main")), emit)
    (data,) = emitted
    assert trace_from_json(json.loads(data)).status is Status.RETURNED
    assert [signal.getsignal(number) for number in DEADLINES] == before


def test_warming_up_leaves_nothing_behind() -> None:
    def surroundings() -> list[object]:
        return [
            sys.gettrace(),
            sys.getrecursionlimit(),
            sys.stdin,
            sys.stdout,
            sys.stderr,
            sys.argv,
            set(sys.modules),
            *map(signal.getsignal, DEADLINES),
        ]

    warm_up()
    before = surroundings()
    warm_up()
    assert surroundings() == before


def test_warming_up_loads_all_that_a_run_needs() -> None:
    script = (
        "import sys\nfrom opencwm.tracer.child import encode_request, main, warm_up\n"
        "from opencwm.traces import Program\nwarm_up()\nbefore = set(sys.modules)\n"
        "source = 'class C: pass\\ndef main():\\n    x = {1: [C()]}\\n    return [y for y in x]\\n'\n"
        "main(encode_request(Program(source, 'main')), lambda _: None)\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_requests_survive_their_encoding() -> None:
    program, limits = Program("x = 1\n", "main", filename="a.py"), TraceLimits(max_steps=7, user_repr=True)
    assert decode_request(encode_request(program, limits)) == (program, limits, False)
    assert decode_request(encode_request(program, limits, accelerate=True)) == (program, limits, True)


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b"\xff", b'{"program": {}, "limits": {"max_steps": "x"}}', b'{"limits": {"a": 1}}'],
)
def test_other_payloads_are_refused(payload: bytes) -> None:
    with pytest.raises(TraceFormatError):
        main(payload, lambda _: os.abort())
