"""Programs that misbehave on purpose: each ends with a clear status, in time, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import os
import sys
import textwrap
import time

import pytest

from opencwm.sandbox import IsolationKind, RunLimits, RunResult, RunStatus, Sandbox, landlock, processes

EXECUTE = "opencwm.sandbox.testing:execute"
LIMITS = RunLimits(wall_s=0.25, memory_bytes=64 << 20, output_bytes=1 << 20)
LATE_S = 4.0
"""How much later than its deadline a run may be over on a busy machine."""


@dataclasses.dataclass(frozen=True)
class Hostile:
    """A program and the ways it may end; ``detail`` is part of what the status says."""

    name: str
    source: str
    statuses: tuple[RunStatus, ...]
    detail: str = ""

    @property
    def limits(self) -> RunLimits:
        """A short deadline for programs that are to meet it; others get time, for the machine may be busy."""
        return LIMITS if self.statuses[0] is TIMEOUT else dataclasses.replace(LIMITS, wall_s=8.0)


def hostile(name: str, source: str, *statuses: RunStatus, detail: str = "") -> Hostile:
    return Hostile(name, textwrap.dedent(source), statuses, detail)


TIMEOUT, MEMORY, FAILED = RunStatus.TIMEOUT, RunStatus.MEMORY, RunStatus.FAILED
EXITED, KILLED, GARBLED = RunStatus.EXITED, RunStatus.KILLED, RunStatus.GARBLED

PROGRAMS = [
    hostile("infinite loop", "while True: pass", TIMEOUT, detail="0.25 s"),
    hostile("sleeping", "import time; time.sleep(1e6)", TIMEOUT),
    hostile("waiting for nothing", "import threading; threading.Event().wait()", TIMEOUT),
    hostile(
        "ignoring every signal",
        """
        import signal, time
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            time.sleep(1)
        """,
        TIMEOUT,
    ),
    hostile(
        "swallowing everything",
        """
        import signal
        def refuse(*_):
            raise KeyboardInterrupt
        signal.signal(signal.SIGALRM, refuse)
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass
        """,
        TIMEOUT,
    ),
    hostile("one long operation", "10 ** 10 ** 9", TIMEOUT, MEMORY),
    hostile(
        "fork bomb",
        """
        import os
        while True:
            os.fork()
        """,
        FAILED,
        TIMEOUT,
    ),
    hostile(
        "patient fork bomb",
        """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """,
        TIMEOUT,
    ),
    hostile(
        "fork bomb of sessions",
        """
        import os
        while True:
            try:
                if os.fork() == 0:
                    os.setsid()
                else:
                    os._exit(0)
            except OSError:
                pass
        """,
        EXITED,
        TIMEOUT,
    ),
    hostile(
        "thread bomb",
        """
        import threading
        while True:
            threading.Thread(target=threading.Event().wait).start()
        """,
        FAILED,
        MEMORY,
    ),
    hostile("memory at once", "bytearray(1 << 40)", MEMORY),
    hostile("memory bit by bit", "x = []\nwhile True: x.append(bytearray(1 << 20))", MEMORY),
    hostile(
        "memory in many processes",
        """
        import os, time
        for _ in range(3):
            os.fork()
        x = bytearray(b"x") * (20 << 20)
        time.sleep(60)
        """,
        MEMORY,
        detail="together",
    ),
    hostile("os._exit(0)", "import os; os._exit(0)", EXITED, detail="before the end"),
    hostile("os._exit(7)", "import os; os._exit(7)", EXITED, detail="status 7"),
    hostile("SystemExit", "raise SystemExit(3)", FAILED, detail="SystemExit: 3"),
    hostile("sys.exit in a handler", "import atexit, time; atexit.register(time.sleep, 60); quit()", FAILED),
    hostile("SIGKILL", "import os; os.kill(os.getpid(), 9)", KILLED, detail="SIGKILL"),
    hostile("SIGTERM", "import os; os.kill(os.getpid(), 15)", KILLED, detail="SIGTERM"),
    hostile("segmentation fault", "import ctypes; ctypes.string_at(0)", KILLED, detail="SIGSEGV"),
    hostile("abort", "import os; os.abort()", KILLED, detail="SIGABRT"),
    hostile(
        "its own group",
        "import os; os.killpg(0, 9)",
        KILLED,
        detail="SIGKILL",
    ),
    hostile("deep recursion", "def f(): return f()\nf()", FAILED, detail="RecursionError"),
    hostile(
        "recursion without a limit",
        "import sys\nsys.setrecursionlimit(2**31 - 1)\ndef f(n): return sorted([n], key=f)\nf(0)",
        KILLED,
        MEMORY,
        FAILED,
        TIMEOUT,
    ),
    hostile("reading input", "input()", FAILED, detail="EOFError"),
    hostile("endless output", "import sys\nwhile True: sys.stdout.write('x' * 4096)", TIMEOUT),
    hostile("endless records", "while True: emit(b'x' * 4096)", RunStatus.OUTPUT_LIMIT, detail="1048576"),
    hostile("garbage in the pipe", "import os; os.write(3, b'garbage')", GARBLED),
    hostile("an early end in the pipe", "import os; os.write(3, b'E' + bytes(4)); emit(b'more')", GARBLED),
    hostile("a false length in the pipe", "import os; os.write(3, b'O' + b'\\xff' * 4)", GARBLED),
    hostile(
        "closing everything", "import os; os.closerange(0, 4096); emit(b'lost')", EXITED, detail="closed"
    ),
    hostile("a huge file", "open('big', 'wb').write(bytes(1 << 24))", FAILED, detail="File too large"),
    hostile("too many descriptors", "import os\nwhile True: os.dup(0)", FAILED, detail="Too many open files"),
    hostile(
        "unprintable detail", "raise ValueError('\\x1b[2J\\ud800\\n' * 999)", FAILED, detail="ValueError"
    ),
    hostile(
        "an exception that lies",
        "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
        FAILED,
        detail="payload.E",
    ),
    hostile("becoming root", "import os; os.setuid(0)", FAILED, detail="not permitted")
    if os.getuid() == 0
    else hostile("lifting a limit", "import resource; resource.setrlimit(0, (99, 99))", FAILED),
]


def num_processes() -> int:
    return len(processes.descendants(os.getpid()))


def run(sandbox: Sandbox, source: str, limits: RunLimits = LIMITS) -> RunResult:
    return sandbox.run(EXECUTE, textwrap.dedent(source).encode(), limits)


def wait_until_left(count: int) -> int:
    """The number of our processes, once it is ``count`` or two seconds have passed."""
    until = time.monotonic() + 2
    while (now := num_processes()) != count and time.monotonic() < until:
        time.sleep(0.01)
    return now


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name.replace(" ", "-"))
def test_it_ends_with_its_status_and_leaves_nothing(sandbox: Sandbox, program: Hostile) -> None:
    assert run(sandbox, "emit(b'before')").outputs == (b"before",)
    before = num_processes()
    result = run(sandbox, program.source, program.limits)
    assert result.status in program.statuses, result
    assert program.detail in result.detail
    assert result.detail.isprintable()
    assert 0 < len(result.detail) <= 300
    assert result.wall_s < program.limits.wall_s + LATE_S
    assert run(sandbox, "emit(b'after')").outputs == (b"after",)
    assert wait_until_left(before) == before


@pytest.mark.parametrize("number", [9, 19], ids=["SIGKILL", "SIGSTOP"])
def test_a_program_that_attacks_its_server_hurts_only_itself(sandbox: Sandbox, number: int) -> None:
    run(sandbox, "")
    before = num_processes()
    result = run(sandbox, f"import os, time; os.kill(os.getppid(), {number}); time.sleep(60)")
    # Another user's processes, and with Landlock's sixth version any other, cannot be signalled.
    is_refused = os.getuid() == 0 or landlock.version() >= 6
    expected = (FAILED,) if is_refused else (KILLED, TIMEOUT)
    assert result.status in expected, result
    assert run(sandbox, "emit(b'after')").outputs == (b"after",)
    assert wait_until_left(before) == before


def test_daemons_die_with_their_run(sandbox: Sandbox) -> None:
    result = run(
        sandbox,
        """
        import os, time
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(writer, str(os.getpid()).encode())
                time.sleep(60)
            os._exit(0)
        emit(os.read(reader, 20))
        """,
    )
    assert result.status is RunStatus.RETURNED
    daemon = int(result.outputs[0])
    again = run(sandbox, f"import os; emit(str(os.path.exists('/proc/{daemon}')).encode())")
    assert again.outputs == (b"False",)


def test_the_number_of_processes_is_limited(sandbox: Sandbox) -> None:
    source = """
        import os, time
        count = 0
        try:
            while count < 400:
                if os.fork() == 0:
                    time.sleep(60)
                count += 1
        except OSError:
            emit(str(count).encode())
        """
    few = run(sandbox, source, dataclasses.replace(LIMITS, num_processes=4, wall_s=5.0))
    many = run(sandbox, source, dataclasses.replace(LIMITS, num_processes=20, wall_s=5.0))
    assert (int(few.outputs[0]), int(many.outputs[0])) == (3, 19) or (
        sandbox.isolation.kind is IsolationKind.RLIMITS and int(few.outputs[0]) < int(many.outputs[0])
    )


def test_what_a_run_leaves_in_files_is_gone_for_the_next(sandbox: Sandbox) -> None:
    look = "import os; emit(' '.join(os.listdir()).encode())"
    run(sandbox, "import os; os.makedirs('a/b/c'); os.symlink('/', 'a/link'); open('file', 'w').write('x')")
    assert run(sandbox, look).outputs == (b"",)


@pytest.mark.parametrize(
    "source",
    [
        "for i in range(1000): open(str(i), 'w')",
        "import os\nfor _ in range(260): os.mkdir('d'); os.chdir('d')",
        "import os; os.mkdir('d'); open('d/f', 'w'); os.chmod('d', 0)",
    ],
    ids=["many", "deep", "locked"],
)
def test_files_that_resist_removal_cost_a_new_server_and_no_more(sandbox: Sandbox, source: str) -> None:
    run(sandbox, "")
    before = num_processes()
    result = run(sandbox, source, dataclasses.replace(LIMITS, wall_s=5.0))
    assert result.status is RunStatus.RETURNED, result
    assert run(sandbox, "import os; emit(' '.join(os.listdir()).encode())").outputs == (b"",)
    assert wait_until_left(before) == before


@pytest.mark.skipif(sys.platform != "linux", reason="SIGALRM at the deadline is tested on Linux")
def test_a_target_may_use_the_signal_at_the_deadline_to_say_what_it_has(sandbox: Sandbox) -> None:
    result = run(
        sandbox,
        """
        import os, signal, time
        def flush(*_):
            emit(b"so far")
            os._exit(0)
        signal.signal(signal.SIGALRM, flush)
        time.sleep(60)
        """,
    )
    assert (result.status, result.outputs, result.exit_code) == (EXITED, (b"so far",), 0)
