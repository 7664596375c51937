"""The system-call filter: what it names is refused, and nothing that programs need."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from opencwm.sandbox import RunStatus, Sandbox, seccomp

EXECUTE = "opencwm.sandbox.testing:execute"
COLUMN = {"x86_64": 0, "aarch64": 1}.get(os.uname().machine)

pytestmark = pytest.mark.skipif(COLUMN is None, reason="the filter does not know this processor")


def test_every_call_that_is_named_is_refused(sandbox: Sandbox) -> None:
    if "filter" not in sandbox.isolation.description:
        pytest.skip("this kernel takes no filter")
    assert COLUMN is not None
    numbers = {name: columns[COLUMN] for name, columns in seccomp.REFUSED.items()}
    source = f"""
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        for name, number in {numbers!r}.items():
            if libc.syscall(number, -1, -1, -1, -1, -1) >= 0 or ctypes.get_errno() != errno.EPERM:
                emit(name.encode())
    """
    result = sandbox.run(EXECUTE, textwrap.dedent(source).encode())
    assert (result.status, result.outputs) == (RunStatus.RETURNED, ())


def test_threads_processes_and_local_sockets_work(sandbox: Sandbox) -> None:
    source = """
        import socket, subprocess, threading
        thread = threading.Thread(target=lambda: emit(b"thread"))
        thread.start()
        thread.join()
        emit(subprocess.run(["echo", "process"], capture_output=True).stdout)
        one, other = socket.socketpair()
        one.send(b"socket")
        emit(other.recv(6))
    """
    result = sandbox.run(EXECUTE, textwrap.dedent(source).encode())
    assert result.outputs == (b"thread", b"process\n", b"socket")


def test_without_a_network_of_its_own_only_local_sockets_can_be_had() -> None:
    script = """
        import socket
        from opencwm.sandbox import processes, seccomp
        processes.process_control(processes.PR_SET_NO_NEW_PRIVS, 1)
        assert seccomp.restrict(is_network_closed=True)
        socket.socketpair()
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                try:
                    socket.socket(family, kind)
                except PermissionError:
                    print("refused")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert finished.stdout == "refused\n" * 6, finished.stderr
