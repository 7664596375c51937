"""Hostile programs that use signals, die, hide from their end, or attack the processes around them."""

from __future__ import annotations

import os

import pytest
from hostile_programs import (
    EXITED,
    FAILED,
    KILLED,
    RETURNED,
    TIMEOUT,
    Hostile,
    attempt,
    check,
    hostile,
    left_behind,
    name_of,
    run,
    wait_until_left,
)

from opencwm.sandbox import RunLimits, RunStatus, Sandbox, landlock, processes

SIGNALS = [
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
        "blocking every signal",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
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
    hostile("SIGKILL", "import os; os.kill(os.getpid(), 9)", KILLED, detail="SIGKILL"),
    hostile("SIGTERM", "import os; os.kill(os.getpid(), 15)", KILLED, detail="SIGTERM"),
    hostile("an alarm too early", "import os; os.kill(os.getpid(), 14)", KILLED, detail="SIGALRM"),
    hostile("a real-time signal", "import os; os.kill(os.getpid(), 40)", KILLED, detail="signal 40"),
    hostile("stopping itself", "import os; os.kill(os.getpid(), 19)", TIMEOUT),
    hostile("its own group", "import os; os.killpg(0, 9)", KILLED, detail="SIGKILL"),
    hostile(
        "interrupting itself", "import _thread; _thread.interrupt_main()\nfor _ in range(99): pass", FAILED
    ),
]

ENDS = [
    hostile("os._exit(0)", "import os; os._exit(0)", EXITED, detail="before the end"),
    hostile("os._exit(7)", "import os; os._exit(7)", EXITED, detail="status 7"),
    hostile("a status of the sandbox", "import os; os._exit(121)", EXITED, detail="pipe was closed"),
    hostile("SystemExit", "raise SystemExit(3)", FAILED, detail="SystemExit: 3"),
    hostile("segmentation fault", "import ctypes; ctypes.string_at(0)", KILLED, detail="SIGSEGV"),
    hostile("abort", "import os; os.abort()", KILLED, detail="SIGABRT"),
    hostile(
        "a fault handler that exits",
        "import faulthandler as f, time; f.dump_traceback_later(0.01, exit=True, file=2); time.sleep(60)",
        EXITED,
        detail="status 1",
    ),
    hostile("an exit handler", "import atexit, time; atexit.register(time.sleep, 60); quit()", FAILED),
    hostile("an exit handler, returning", "import atexit, time; atexit.register(time.sleep, 60)", RETURNED),
    hostile(
        "a finalizer at the end",
        "import sys, time\nclass A:\n    def __del__(self): time.sleep(60)\nsys.a = A()",
        RETURNED,
    ),
    hostile("becoming another program", "import os; os.execv('/bin/sleep', ['sleep', '60'])", TIMEOUT),
    hostile("becoming a program that ends", "import os; os.execv('/bin/true', ['true'])", EXITED),
]

SURVIVORS = [
    hostile(
        "a thread that stays",
        "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()",
        RETURNED,
    ),
    hostile("a child that stays", "import subprocess; subprocess.Popen(['sleep', '60'])", RETURNED),
    hostile("a child with the pipe", "import os, time\nif os.fork() == 0: time.sleep(60)", RETURNED),
    hostile("a child that answers too", "import os; os.fork(); emit(b'once')", RETURNED, says=b"once"),
    hostile("a child that never ends", "import os\nif os.fork() == 0:\n    while True: pass", RETURNED),
    hostile(
        "a child that is waited for",
        "import os, time\nif os.fork(): os.wait()\nelse: time.sleep(60)",
        TIMEOUT,
    ),
    hostile(
        "a daemon",
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(60)
            os._exit(0)
        os.wait()
        """,
        RETURNED,
    ),
    hostile(
        "daemons that start daemons",
        """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            while True:
                try:
                    if os.fork():
                        os._exit(0)
                    os.setsid()
                except OSError:
                    pass
        time.sleep(0.05)
        """,
        RETURNED,
    ),
    hostile(
        "stopped children",
        "import os, time\nfor _ in range(3):\n    if os.fork() == 0: os.kill(os.getpid(), 19)",
        RETURNED,
    ),
    hostile(
        "children left as zombies",
        "import os\nfor _ in range(5):\n    if os.fork() == 0: os._exit(0)",
        RETURNED,
    ),
]

ATTACKS = [
    attempt("signalling the first process", "import os; os.kill(1, 9)"),
    attempt(
        "tracing the server",
        "import ctypes, os; x = ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)\nif x: raise OSError",
        "filter",
    ),
    attempt("reading the server's environment", "import os; open(f'/proc/{os.getppid()}/environ').read()"),
    attempt("reading the server's memory", "import os; open(f'/proc/{os.getppid()}/mem', 'rb')"),
    attempt("reading the server's descriptors", "import os; os.listdir(f'/proc/{os.getppid()}/fd')"),
    attempt("limiting the server", "import os, resource; resource.prlimit(os.getppid(), 7, (1, 1))"),
    attempt("a higher priority", "import os; os.nice(-5)"),
    attempt("a real-time priority", "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"),
    attempt("moving the server", "import os; os.sched_setaffinity(os.getppid(), [0])"),
]


@pytest.mark.parametrize("program", [*SIGNALS, *ENDS, *SURVIVORS, *ATTACKS], ids=name_of)
def test_it_ends_with_its_status_and_leaves_nothing(sandbox: Sandbox, program: Hostile) -> None:
    if program in ATTACKS and os.getuid() != 0 and "kernel" not in program.needs:
        pytest.skip("only root gives runs another user than the server's")
    check(sandbox, program)


@pytest.mark.parametrize("number", [9, 15, 19], ids=["SIGKILL", "SIGTERM", "SIGSTOP"])
@pytest.mark.parametrize("victim", ["os.getppid()", "-1"])
def test_a_program_that_attacks_its_server_hurts_only_itself(
    sandbox: Sandbox, number: int, victim: str
) -> None:
    run(sandbox, "")
    before = len(processes.descendants(os.getpid()))
    source = f"import os, time; os.kill({victim}, {number})"
    result = run(sandbox, source, RunLimits(wall_s=0.5))
    # Another user's processes, and with Landlock's sixth version any other, cannot be signalled.
    is_refused = os.getuid() == 0 or landlock.version() >= 6
    if victim == "-1":
        is_nobody_else = (RunStatus.RETURNED, FAILED)
        assert result.status in (is_nobody_else if is_refused else (*is_nobody_else, KILLED, TIMEOUT)), result
    else:
        assert result.status in ((FAILED,) if is_refused else (KILLED, TIMEOUT)), result
    assert left_behind(sandbox) == {}
    assert wait_until_left(before) == before
