"""Hostile programs that turn on the interpreter, on what records them, or on the pipe they answer through."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hostile_programs import (
    EXITED,
    FAILED,
    GARBLED,
    KILLED,
    PATIENT,
    QUICK,
    RETURNED,
    TIMEOUT,
    TOO_MUCH,
    Footprint,
    Hostile,
    check,
    hostile,
    left_behind,
    name_of,
    run,
)

from opencwm.sandbox import Sandbox, SandboxConfig, processes, protocol, record, record_many
from opencwm.traces import Program, Status

MAX_GROWTH_BYTES = 2 << 20
"""How much a server may grow over some hundred runs."""

PIPE = [
    hostile("garbage in the pipe", "import os; os.write(3, b'garbage')", GARBLED),
    hostile("endless garbage", "import os\nwhile True: os.write(3, b'garbage' * 999)", GARBLED, TOO_MUCH),
    hostile("garbage, then sleep", "import os, time; os.write(3, b'garbage'); time.sleep(60)", GARBLED),
    hostile("an early end", "import os; os.write(3, b'E' + bytes(4)); emit(b'more')", GARBLED),
    hostile("many ends", "import os; os.write(3, (b'E' + bytes(4)) * 999)", GARBLED),
    hostile("a false length", "import os; os.write(3, b'O' + b'\\xff' * 4)", GARBLED),
    hostile("a record of the server", "import os; os.write(3, b'D' + bytes(4))", GARBLED),
    hostile("half a record", "import os; os.write(3, b'O' + bytes(2)); os._exit(0)", GARBLED),
    hostile("the pipe closed", "import os; os.close(3); emit(b'lost')", EXITED, detail="closed"),
    hostile(
        "closing everything", "import os; os.closerange(0, 4096); emit(b'lost')", EXITED, detail="closed"
    ),
    hostile("another file in its place", "import os; os.dup2(os.open('x', 65), 3); emit(b'lost')", EXITED),
    hostile(
        "a pipe that does not block",
        "import os; os.set_blocking(3, False); emit(bytes(1 << 19))",
        RETURNED,
    ),
    hostile("a pipe that is read", "import os; os.read(3, 1)", FAILED, detail="Bad file"),
    hostile("a pipe made huge", "import fcntl; fcntl.fcntl(3, 1031, 1 << 20)", RETURNED, FAILED),
    hostile("no function to write with", "import os; os.write = None; emit(b'x')", RETURNED, says=b"x"),
]

INTERPRETER = [
    hostile(
        "other built-ins",
        "import builtins\nfor name in ('len', 'open', 'str', 'max'): delattr(builtins, name)",
        RETURNED,
        FAILED,
        EXITED,
    ),
    hostile("no modules", "import sys; sys.modules.clear()", RETURNED, FAILED),
    hostile("another import", "import builtins; builtins.__import__ = None\nimport os", FAILED),
    hostile(
        "an audit hook", "import sys\ndef f(*_): raise SystemExit\nsys.addaudithook(f)\nopen('x')", FAILED
    ),
    hostile(
        "a trace function",
        "import sys\ndef f(*_): raise SystemExit\nsys.settrace(f)\n(lambda: 0)()",
        FAILED,
        EXITED,
    ),
    hostile(
        "a profile function",
        "import sys\ndef f(*_): raise SystemExit\nsys.setprofile(f)\nlen('')",
        FAILED,
        EXITED,
    ),
    hostile(
        "a collector's callback",
        "import gc\ndef f(*_):\n    while True: pass\ngc.callbacks.append(f)\ngc.collect()",
        TIMEOUT,
    ),
    hostile("no collector", "import gc; gc.disable(); gc.unfreeze(); gc.collect()", RETURNED),
    hostile(
        "its frames",
        "import sys; sys._getframe(2).f_locals.clear(); sys._getframe(1).f_globals.clear()",
        RETURNED,
        FAILED,
        EXITED,
    ),
    hostile(
        "the function that leaves",
        "import os; os._exit = print; raise ValueError",
        FAILED,
        detail="ValueError",
    ),
    hostile("no output", "import sys; sys.stdout = sys.stderr = None; print('x')", RETURNED),
    hostile("reading input", "input()", FAILED, detail="EOFError"),
    hostile("a breakpoint", "breakpoint()", FAILED, RETURNED),
    hostile("an interactive session", "import code; code.interact()", FAILED, RETURNED),
    hostile(
        "a hook for errors",
        "import sys\ndef f(*_):\n    while True: pass\nsys.excepthook = f\nraise ValueError",
        FAILED,
    ),
    hostile(
        "an object that kills when pickled",
        "import pickle\nclass A:\n    def __reduce__(self): return exit, (3,)\n"
        "pickle.loads(pickle.dumps(A()))",
        FAILED,
    ),
    hostile(
        "unprintable detail", "raise ValueError('\\x1b[2J\\ud800\\n' * 999)", FAILED, detail="ValueError"
    ),
    hostile(
        "an exception that lies",
        "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
        FAILED,
        detail="payload.E",
    ),
    hostile(
        "an exception of a false kind",
        "class E(Exception): pass\nE.__module__ = E.__qualname__ = 'x' * 10 ** 6\nraise E",
        FAILED,
    ),
    hostile(
        "another class for an exception",
        "class M(type):\n    __module__ = property(lambda c: 1 / 0)\n"
        "class E(Exception, metaclass=M): pass\nraise E",
        FAILED,
        EXITED,
    ),
    hostile("emitting no bytes", "emit('text')", FAILED, detail="TypeError"),
    hostile(
        "corrupting the interpreter",
        "import ctypes\nfor i in range(256): ctypes.memset(id(i), 255, 32)",
        RETURNED,
        FAILED,
        EXITED,
        KILLED,
        TIMEOUT,
    ),
]


@pytest.mark.parametrize("program", [*PIPE, *INTERPRETER], ids=name_of)
def test_it_ends_with_its_status_and_leaves_nothing(sandbox: Sandbox, program: Hostile) -> None:
    check(sandbox, program)


FORGED = protocol.record(protocol.OUTPUT, b"{}") + protocol.record(protocol.RETURNED)

RECORDED = {
    "a record that is none": (
        f"import os\ndef f():\n    os.write(3, {FORGED!r})\n    os._exit(0)",
        Status.UNTRACED,
    ),
    "deep JSON": (
        (
            "import os\ndef f():\n    os.write(3, b'O\\0\\1\\0\\0' + b'[' * 65536 + b'E\\0\\0\\0\\0')\n"
            "    os._exit(0)"
        ),
        Status.UNTRACED,
    ),
    "no trace function": ("import sys\ndef f(): sys.settrace(None)", Status.UNTRACED),
    "a trace function of a thread": (
        "import sys, threading\ndef f(): threading.settrace(None); return 1",
        Status.RETURNED,
    ),
    "a lone surrogate": ("def f(): return '\\ud800'", Status.RETURNED),
    "a null": ("def f(): return '\\0'", Status.RETURNED),
    "a repr that never ends": (
        "class A:\n    def __repr__(self):\n        while True: pass\ndef f(): return A()",
        Status.RETURNED,
    ),
    "a repr of itself": ("def f():\n    x = []\n    x.append(x)\n    return x", Status.RETURNED),
    "a hash that never ends": (
        "class A:\n    def __hash__(self):\n        while True: pass\ndef f(): return [A()]",
        Status.RETURNED,
    ),
    "an attribute that never ends": (
        (
            "class A:\n    def __getattribute__(self, n):\n        while True: pass\n"
            "def f():\n    a = A()\n    return 1"
        ),
        Status.RETURNED,
    ),
    "a class that lies": (
        (
            "class A:\n    @property\n    def __class__(self): raise SystemExit\n"
            "def f():\n    a = A()\n    return 1"
        ),
        Status.RETURNED,
    ),
    "a dictionary that lies": (
        "class D(dict):\n    def items(self): raise SystemExit\ndef f():\n    d = D(a=1)\n    return 1",
        Status.RETURNED,
    ),
    "JSON that was replaced": (
        "import json\njson.dumps = json.loads = None\ndef f(): return 1",
        Status.RETURNED,
    ),
    "a long line": (f"def f(): return {'+'.join('1' * 2000)}", Status.RETURNED),
    "too deep to compile": (f"def f(): return {'(' * 5000}{')' * 5000}", Status.REFUSED),
    "a null in the source": ("def f(): return 1\0", Status.REFUSED),
    "leaving from a finalizer": (
        "import os\nclass A:\n    def __del__(self): os._exit(5)\ndef f(): A()",
        Status.EXITED,
    ),
    "an alarm that is taken": (
        "import signal\ndef f():\n    signal.signal(14, signal.SIG_IGN)\n    while True: pass",
        Status.TIMEOUT,
    ),
}


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_recorded_of_it_has_a_status(sandbox: Sandbox, name: str) -> None:
    source, status = RECORDED[name]
    limits = QUICK if status is Status.TIMEOUT else PATIENT
    program = Program(source, "f")
    trace = record(program, sandbox=sandbox, limits=limits, trace_limits={"max_steps": 10**7})
    assert trace.status is status, trace.detail
    assert bool(trace.detail) == (status is not Status.RETURNED)
    trace.program.text.encode("utf-8", "surrogatepass")
    assert left_behind(sandbox) == {}


def test_after_all_that_nothing_is_left(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox goes through some of everything; then it is as small as at its start, and then gone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    sources = [
        "x = 1",
        "open('x', 'w')",
        "raise ValueError",
        "import os; os._exit(3)",
        "import os; os.fork()",
    ]
    sources += ["import socket; s = socket.socket(socket.AF_UNIX); s.bind('x')", "emit(bytes(9999))"]
    programs = [Program.from_call("def f(x): return 1 // x", f"f({x})") for x in (0, 1, 2)]
    own_before = Footprint.now()
    num_before = len(processes.descendants(os.getpid()))
    with Sandbox(SandboxConfig(isolation=sandbox.isolation.kind)) as own:

        def all_of_it() -> None:
            for source in sources:
                run(own, source)
            record_many(programs, sandbox=own)

        for _ in range(5):
            all_of_it()
        server = processes.descendants(os.getpid())[-1]
        bytes_before, held_before = processes.resident_bytes(server), Footprint.now()
        for _ in range(10):
            all_of_it()
        assert processes.descendants(os.getpid())[-1] == server
        assert processes.resident_bytes(server) - bytes_before < MAX_GROWTH_BYTES
        assert Footprint.now() == held_before
        own_fds = run(
            own, "import os; emit(str(max(map(int, os.listdir('/proc/self/fd')))).encode())"
        ).outputs
        assert int(own_fds[0]) < 16
    assert len(processes.descendants(os.getpid())) == num_before
    assert Footprint.now() == own_before
