"""Hostile programs that use up time, memory, processes, descriptors, files or output."""

from __future__ import annotations

import dataclasses

import pytest
from hostile_programs import (
    EXITED,
    FAILED,
    KILLED,
    MEMORY,
    PATIENT,
    RETURNED,
    TIMEOUT,
    TOO_MUCH,
    Hostile,
    check,
    hostile,
    name_of,
    run,
)

from opencwm.sandbox import IsolationKind, Sandbox

TIME = [
    hostile("infinite loop", "while True: pass", TIMEOUT, detail="0.15 s"),
    hostile("sleeping", "import time; time.sleep(1e6)", TIMEOUT),
    hostile("waiting for nothing", "import threading; threading.Event().wait()", TIMEOUT),
    hostile(
        "waiting for itself", "import threading; x = threading.Lock(); x.acquire(); x.acquire()", TIMEOUT
    ),
    hostile("one long operation", "10 ** 10 ** 9", TIMEOUT, MEMORY),
    hostile("a hopeless pattern", "import re; re.match('(a+)+$', 'a' * 64 + 'b')", TIMEOUT),
    hostile("summing for ever", "sum(iter(int, 1))", TIMEOUT),
    hostile(
        "a finalizer without end",
        "class A:\n    def __del__(self):\n        while True: pass\ndel (a := A(), 0)[0]\ndel a",
        TIMEOUT,
        FAILED,
    ),
    hostile("switching the alarm off", "import signal; signal.alarm(0)\nwhile True: pass", TIMEOUT),
    hostile(
        "a flood of alarms",
        """
        import signal
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 1e-5, 1e-5)
        while True: pass
        """,
        TIMEOUT,
    ),
]

SPACE = [
    hostile("memory at once", "bytearray(1 << 40)", MEMORY),
    hostile("memory bit by bit", "x = []\nwhile True: x.append(bytearray(1 << 20))", MEMORY),
    hostile("a list without end", "import itertools; list(itertools.repeat('x'))", MEMORY),
    hostile("doubling a string", "x = 'x'\nwhile True: x += x", MEMORY),
    hostile("a huge integer", "1 << (1 << 33)", MEMORY),
    hostile("a mapping", "import mmap; mmap.mmap(-1, 1 << 40)", FAILED, detail="Cannot allocate"),
    hostile(
        "unpacking a bomb",
        "import zlib; zlib.decompress(zlib.compress(bytes(1 << 25)) * 1); bytes(1 << 26)",
        MEMORY,
    ),
    hostile(
        "an endless set of threads' stacks",
        "import threading; threading.stack_size(1 << 26)\nthreading.Thread(target=print).start()",
        FAILED,
    ),
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
    hostile("deep recursion", "def f(): return f()\nf()", FAILED, detail="RecursionError"),
    hostile(
        "recursion without a limit",
        "import sys\nsys.setrecursionlimit(2**31 - 1)\ndef f(n): return sorted([n], key=f)\nf(0)",
        KILLED,
        MEMORY,
        FAILED,
        TIMEOUT,
    ),
    hostile(
        "a deep repr", "x = []\nfor _ in range(10 ** 5): x = [x]\nrepr(x)", FAILED, detail="RecursionError"
    ),
    hostile("deep JSON", "import json; json.loads('[' * 10 ** 5)", FAILED, detail="RecursionError"),
    hostile("deep source", "eval('(' * 10 ** 4 + ')' * 10 ** 4)", FAILED, MEMORY),
    hostile("lifting the memory limit", "import resource as r; r.setrlimit(r.RLIMIT_AS, (-1, -1))", FAILED),
]

PROCESSES = [
    hostile("fork bomb", "import os\nwhile True: os.fork()", FAILED, TIMEOUT),
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
        "import threading\nwhile True: threading.Thread(target=threading.Event().wait).start()",
        FAILED,
        MEMORY,
    ),
    hostile("lifting a limit", "import resource as r; r.setrlimit(r.RLIMIT_NPROC, (999, 999))", FAILED),
]

FILES = [
    hostile("a huge file", "open('big', 'wb').write(bytes(1 << 24))", FAILED, detail="File too large"),
    hostile("a file full of holes", "open('big', 'wb').truncate(1 << 40)", FAILED, detail="File too large"),
    hostile("many descriptors", "import os\nwhile True: os.dup(0)", FAILED, detail="Too many open files"),
    hostile(
        "many large files", "for i in range(24): open(str(i), 'wb').write(bytes(1 << 20))", FAILED, RETURNED
    ),
    hostile("many empty files", "for i in range(1000): open(str(i), 'w')", RETURNED),
    hostile("deep directories", "import os\nfor _ in range(260): os.mkdir('d'); os.chdir('d')", RETURNED),
    hostile("a locked directory", "import os; os.mkdir('d'); open('d/f', 'w'); os.chmod('d', 0)", RETURNED),
    hostile("its own directory locked", "import os; os.chmod('.', 0)", RETURNED, FAILED),
    hostile("its own directory removed", "import os; os.rmdir(os.getcwd())", FAILED, RETURNED),
    hostile("a link to the root", "import os; os.symlink('/', 'link'); os.symlink('link', 'x')", RETURNED),
    hostile("a loop of links", "import os; os.symlink('a', 'b'); os.symlink('b', 'a')", RETURNED),
    hostile("names that are no text", "open(b'\\xff\\n', 'w'); open('-rf *', 'w')", RETURNED),
    hostile(
        "a pipe with a name", "import os; os.mkfifo('pipe'); os.mkdir('d'); os.mkfifo('d/pipe')", RETURNED
    ),
    hostile(
        "shared memory",
        "from multiprocessing.shared_memory import *; SharedMemory('x', create=True, size=1 << 19)",
        RETURNED,
        FAILED,
    ),
]

OUTPUT = [
    hostile("endless output", "import sys\nwhile True: sys.stdout.write('x' * 4096)", TIMEOUT),
    hostile("endless errors", "import os\nwhile True: os.write(2, b'x' * 4096)", TIMEOUT),
    hostile("endless records", "while True: emit(b'x' * 4096)", TOO_MUCH, detail="1048576"),
    hostile("endless empty records", "while True: emit(b'')", TOO_MUCH),
    hostile("one huge record", "emit(bytes(1 << 22))", TOO_MUCH),
]


@pytest.mark.parametrize("program", [*TIME, *SPACE, *PROCESSES, *FILES, *OUTPUT], ids=name_of)
def test_it_ends_with_its_status_and_leaves_nothing(sandbox: Sandbox, program: Hostile) -> None:
    check(sandbox, program)


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
    few = run(sandbox, source, dataclasses.replace(PATIENT, num_processes=4))
    many = run(sandbox, source, dataclasses.replace(PATIENT, num_processes=20))
    assert (int(few.outputs[0]), int(many.outputs[0])) == (3, 19) or (
        sandbox.isolation.kind is IsolationKind.RLIMITS and int(few.outputs[0]) < int(many.outputs[0])
    )
