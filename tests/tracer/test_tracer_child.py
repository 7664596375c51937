from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from opencwm.core.errors import TraceFormatError
from opencwm.tracer import TraceLimits, record
from opencwm.tracer.child import decode_request, encode_request, main
from opencwm.traces import Program, Status, Trace
from opencwm.traces.jsonl import trace_from_json

SCRIPT = """
import os, sys
from opencwm.tracer.child import main
def emit(data):
    os.write(1, data)
main(sys.stdin.buffer.read(), emit)
sys.exit(9)
"""


def in_child(program: Program, limits: TraceLimits) -> tuple[Trace, int]:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
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


def test_requests_survive_their_encoding() -> None:
    program, limits = Program("x = 1\n", "main", filename="a.py"), TraceLimits(max_steps=7, user_repr=True)
    assert decode_request(encode_request(program, limits)) == (program, limits)


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b"\xff", b'{"program": {}, "limits": {"max_steps": "x"}}', b'{"limits": {"a": 1}}'],
)
def test_other_payloads_are_refused(payload: bytes) -> None:
    with pytest.raises(TraceFormatError):
        main(payload, lambda _: os.abort())
