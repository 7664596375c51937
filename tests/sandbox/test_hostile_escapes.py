"""Hostile programs that reach for files, the network, other namespaces, or rights they do not have."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_programs import FAILED, RETURNED, Hostile, attempt, check, hostile, name_of, run

from opencwm.sandbox import IsolationKind, Sandbox

LIBC = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
"""


def call(name: str, call: str) -> Hostile:
    """Describe a program that makes a system call by hand."""
    return attempt(name, f"{LIBC}call({call})", "filter")


SYSTEM = [
    call("a user namespace", "'unshare', 0x10000000"),
    call("a mount namespace", "'unshare', 0x20000"),
    call("cloning into namespaces", "'clone', None, None, 0x10000000 | 17"),
    call("mounting", "'mount', b'none', b'/tmp', b'tmpfs', 0, None"),
    call("unmounting", "'umount2', b'/proc', 2"),
    call("another root", "'pivot_root' if hasattr(libc, 'pivot_root') else 'chroot', b'.', b'.'"),
    call("joining a namespace", "'setns', 0, 0"),
    call("tracing a child", "'ptrace', 0, 0, None, None"),
    call("shared memory of System V", "'shmget', 0, 4096, 0o1600"),
    call("semaphores of System V", "'semget', 0, 1, 0o1600"),
    call("a queue of System V", "'msgget', 0, 0o1600"),
    call("a message queue", "'mq_open', b'/hostile', 0o102, 0o600, None"),
    call("a key", "'syscall', {'x86_64': 248}.get(os.uname().machine, 217), b'user', b'a', b'b', 1, -4"),
    call("input and output by the kernel", "'syscall', 425, 8, bytes(120)"),
    call("the kernel's log", "'klogctl', 3, bytes(99), 99"),
    attempt("chroot", "import os; os.chroot('.')"),
    attempt("becoming root", "import os; os.setresuid(0, 0, 0)"),
    attempt("another group", "import os; os.setgroups([0])"),
    attempt("another host name", "import socket; socket.sethostname('hostile')"),
    attempt("another time", "import time; time.clock_settime(time.CLOCK_REALTIME, 0)"),
    attempt("a device", "import os, stat; os.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(8, 0))"),
    attempt("the memory of the machine", "open('/dev/mem', 'rb')"),
    attempt("a setting of the kernel", "open('/proc/sys/kernel/hostname', 'w')"),
    attempt("the trigger of the kernel", "open('/proc/sysrq-trigger', 'w')"),
]

FILES = [
    attempt("a file beside", "open('../hostile', 'w')", "bubblewrap"),
    attempt("a file of the system", "open('/etc/hostile', 'w')"),
    attempt("a file of Python", "import os; open(os.path.dirname(os.__file__) + '/hostile.py', 'w')"),
    attempt(
        "a file of the package", "import os, opencwm; open(os.path.dirname(opencwm.__file__) + '/x.py', 'w')"
    ),
    attempt("passwords", "open('/etc/shadow')"),
    attempt("users", "open('/etc/passwd')", "Landlock"),
    attempt("through a link", "import os; os.symlink('/etc/passwd', 'x')\nopen('x')", "Landlock"),
    attempt("a hard link", "import os; os.link('/bin/sh', 'sh')"),
    attempt("through the root of the server", "import os; os.listdir(f'/proc/{os.getppid()}/root')"),
    attempt("through the root of the first process", "import os; os.listdir('/proc/1/root')"),
    attempt("a program with more rights", "import os; open('/usr/bin/su', 'r+b')"),
    attempt("the home of root", "import os; os.listdir('/root/.ssh')"),
]

NETWORK = [
    attempt("a port", "import socket; socket.create_connection(('127.0.0.1', PORT), 1)", "no network"),
    attempt("an address", "import socket; socket.create_connection(('192.0.2.1', 9), 0.1)"),
    attempt("a name", "import socket; socket.getaddrinfo('example.org', 80)"),
    attempt(
        "a route",
        "import socket; socket.socket(2, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))",
        "no network",
    ),
    attempt("a raw socket", "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)"),
    attempt("a packet socket", "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
    attempt(
        "a socket of the host", "import socket; socket.socket(socket.AF_UNIX).connect(SOCKET)", "Landlock"
    ),
    attempt(
        "an abstract socket",
        "import socket; socket.socket(socket.AF_UNIX).connect('\\0' + ABSTRACT)",
        "scope",
    ),
    hostile(
        "sockets that stay",
        """
        import socket
        keep = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        keep[0].bind("\\0opencwm-hostile")
        keep[1].bind("hostile-socket")
        for one in keep:
            one.listen()
        """,
        RETURNED,
    ),
]

LEAKS = [
    hostile(
        "descriptors",
        """
        import os
        kinds = set()
        for number in os.listdir("/proc/self/fd"):
            path = f"/proc/self/fd/{number}"
            # Where an interpreter is out of its user's reach, its own directories come in as descriptors.
            if os.path.lexists(path) and not os.path.isdir(path):
                kinds.add(os.readlink(path).partition(":")[0])
        emit(" ".join(sorted(kinds)).encode())
        """,
        RETURNED,
        says=b"/dev/null pipe",
    ),
    hostile(
        "the environment",
        "import os; emit(str('HOSTILE_SECRET' in os.environ).encode())",
        RETURNED,
        says=b"False",
    ),
    hostile(
        "the environment at its start",
        "try:\n    text = open('/proc/self/environ').read()\nexcept OSError:\n    text = ''\n"
        "emit(str('HOSTILE_SECRET' in text).encode())",
        RETURNED,
        says=b"False",
    ),
    hostile("a terminal", "import os; os.ttyname(0)", FAILED),
    hostile("the controlling terminal", "open('/dev/tty')", FAILED),
    hostile(
        "privileges",
        "import re; status = open('/proc/self/status').read()\n"
        "emit(str(re.findall('Cap(?:Eff|Prm|Amb):\\t0*([1-9a-f])', status)).encode())",
        RETURNED,
        says=b"[]",
    ),
]


@pytest.fixture
def neighbours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Things of this process that programs try to reach, as assignments in Python."""
    monkeypatch.setenv("HOSTILE_SECRET", "1")
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o777)
    with contextlib.ExitStack() as stack:
        name = f"neighbour-{os.getpid()}"
        path = str(tmp_path / "socket")
        addresses: list[tuple[int, Any]] = [
            (socket.AF_INET, ("127.0.0.1", 0)),
            (socket.AF_UNIX, path),
            (socket.AF_UNIX, f"\0{name}"),
        ]
        listeners = [stack.enter_context(socket.socket(family)) for family, _ in addresses]
        for listener, (_, address) in zip(listeners, addresses, strict=True):
            listener.bind(address)
            listener.listen()
        Path(path).chmod(0o777)
        yield f"PORT, SOCKET, ABSTRACT = {listeners[0].getsockname()[1]}, {path!r}, {name!r}\n"


@pytest.mark.parametrize("program", [*SYSTEM, *FILES, *NETWORK, *LEAKS], ids=name_of)
def test_it_does_not_get_there(sandbox: Sandbox, program: Hostile, neighbours: str) -> None:
    check(sandbox, program, neighbours)


def test_a_program_that_gains_rights_when_it_is_started_gains_none(sandbox: Sandbox) -> None:
    result = run(
        sandbox, "import subprocess; emit(subprocess.run(['su', '-c', 'id'], capture_output=True).stdout)"
    )
    assert result.status in (RETURNED, FAILED)
    assert result.outputs in ((), (b"",))


def test_a_run_in_bubblewrap_sees_no_process_but_its_own(bubblewrap: Sandbox) -> None:
    assert bubblewrap.isolation.kind is IsolationKind.BUBBLEWRAP
    result = run(bubblewrap, "import os; emit(str(sum(n.isdigit() for n in os.listdir('/proc'))).encode())")
    assert result.outputs == (b"3",)  # bubblewrap's first process, the server, the run
