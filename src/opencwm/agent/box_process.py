"""One command in bubblewrap: started so that it cannot outlive its driver, and ended with all it started.

The order of events leaves no moment at which a killed driver leaves a process: bubblewrap ties itself to the
driver first and then reports the first process inside; that one says it is ready and waits for a word from
the driver before the command begins, and takes the end of the connection for a no. The first process is the
root of a process namespace: killing it kills whatever was started below it, wherever that moved.

Source: bwrap(1), pid_namespaces(7), prctl(2) PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Final

from opencwm.agent.box import RunResult, RunStatus
from opencwm.core.errors import SandboxError

_START_S: Final = 30.0
_CHECK_S: Final = 0.25
_CHUNK_BYTES: Final = 1 << 16
_MAX_REPORT_BYTES: Final = 4096

INNER_SCRIPT: Final = (
    'talk=$1; shift; printf r >&"$talk"; read -r _ <&"$talk" || exit 125; exec {talk}<&-; '
    'ulimit -v "$1" -u "$2" -f "$3" -c 0 || exit 125; shift 3; exec "$@"'
)
"""What bash does in the box before the command: say that it is there, wait for the word, set limits."""


class BoxProcess:
    """A command in a box, running.

    Attributes:
        popen: its outermost process; ``stdout`` carries standard error too.
    """

    def __init__(
        self,
        command: Callable[[int, int], Sequence[str]],
        *,
        stdin: int = subprocess.DEVNULL,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        """Start it, and return when it is about to begin.

        Args:
            command: makes the command line, given the descriptors for ``--info-fd`` and of the connection.
            stdin: as for :class:`subprocess.Popen`.
            pass_fds: further descriptors the command line names.

        Raises:
            SandboxError: the box could not be made; what bubblewrap said.
        """
        self._pidfd: int | None = None
        report, report_end = os.pipe()
        talk, talk_end = socket.socketpair()
        try:
            try:
                self.popen = subprocess.Popen(
                    command(report_end, talk_end.fileno()),
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env={},
                    pass_fds=(report_end, talk_end.fileno(), *pass_fds),
                    bufsize=0,
                )
            except OSError as error:
                raise SandboxError(f"a box cannot be started: {error.strerror}") from error
            finally:
                os.close(report_end)
                talk_end.close()
            self._await_start(report, talk)
        finally:
            os.close(report)
            talk.close()

    def _await_start(self, report: int, talk: socket.socket) -> None:
        try:
            pid = json.loads(_read_report(report))["child-pid"]
            self._pidfd = os.pidfd_open(pid)
            talk.settimeout(_START_S)
            if talk.recv(1) != b"r":
                raise ConnectionError
            talk.sendall(b"\n")
        except (OSError, ValueError, KeyError) as error:
            self.kill()
            said = self._last_words()
            raise SandboxError(f"a box cannot be started: {said or type(error).__name__}") from error

    def _last_words(self) -> str:
        stdout = self.popen.stdout
        text = stdout.read(_CHUNK_BYTES).decode(errors="replace") if stdout else ""
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                pipe.close()
        return " ".join(text.split())[:500]

    def kill(self) -> None:
        """End all its processes and wait until they are gone; a second time does nothing."""
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            select.select([self._pidfd], [], [], _START_S)
            os.close(self._pidfd)
            self._pidfd = None
        else:
            self.popen.kill()
        self.popen.wait()

    def close(self) -> None:
        """End it, and close its pipes."""
        self.kill()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def finish(
        self, output: Output, *, timeout_s: float, is_full: Callable[[], bool], started: float
    ) -> RunResult:
        """Read its output to the end of its first process, end the rest, and tell how it went.

        Args:
            output: takes what it writes.
            timeout_s: seconds it may take.
            is_full: looked at now and then; True ends it.
            started: :func:`time.monotonic` at its start.
        """
        try:
            status = drain(self.popen, output, started + timeout_s, end=self.kill, is_full=is_full)
            code = self.popen.wait() if status is RunStatus.EXITED else None
        finally:
            self.close()
        return result_of(status, code, output, started)


def result_of(status: RunStatus, code: int | None, output: Output, started: float) -> RunResult:
    """Put together what came of a command; ``code`` as :mod:`subprocess` tells it."""
    return RunResult(
        status=status,
        exit_code=128 - code if code is not None and code < 0 else code,
        output=output.text(),
        num_output_bytes=output.num_bytes,
        wall_s=time.monotonic() - started,
    )


def drain(
    popen: subprocess.Popen[bytes],
    output: Output,
    deadline: float,
    *,
    end: Callable[[], object],
    is_full: Callable[[], bool] = lambda: False,
) -> RunStatus:
    """Read what a command writes until its first process ends, and then what is left.

    Args:
        popen: the command, with a pipe as its output.
        output: takes it.
        deadline: by :func:`time.monotonic`.
        end: ends everything the command left behind, which may hold the pipe.
        is_full: looked at now and then; True ends it.
    """
    stdout = popen.stdout
    if stdout is None:
        raise AssertionError("started with a pipe")
    ended = os.pidfd_open(popen.pid)
    try:
        status = _watch(stdout.fileno(), ended, output, deadline, is_full)
    finally:
        os.close(ended)
    if status is not RunStatus.EXITED:
        return status
    end()
    while chunk := os.read(stdout.fileno(), _CHUNK_BYTES):
        output.add(chunk)
    return RunStatus.DISK_FULL if is_full() else RunStatus.EXITED


def _watch(
    stdout: int, ended: int, output: Output, deadline: float, is_full: Callable[[], bool]
) -> RunStatus:
    poller = select.poll()
    poller.register(stdout, select.POLLIN)
    poller.register(ended, select.POLLIN)
    next_check = time.monotonic() + _CHECK_S
    while True:
        now = time.monotonic()
        if now >= deadline:
            return RunStatus.TIMEOUT
        if now >= next_check:
            if is_full():
                return RunStatus.DISK_FULL
            next_check = time.monotonic() + _CHECK_S
        ready = dict(poller.poll(max(0.0, min(deadline, next_check) - now) * 1000))
        if stdout in ready:
            if chunk := os.read(stdout, _CHUNK_BYTES):
                output.add(chunk)
            else:
                poller.unregister(stdout)
        elif ended in ready:
            return RunStatus.EXITED


class Output:
    """What a command wrote, its middle dropped past a limit.

    Attributes:
        num_bytes: how much there was.
    """

    def __init__(self, max_bytes: int | None) -> None:
        self._max_bytes = max_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self.num_bytes = 0

    def add(self, chunk: bytes) -> None:
        """Take the next piece."""
        self.num_bytes += len(chunk)
        if self._max_bytes is None:
            self._head += chunk
            return
        room = max(0, self._max_bytes // 2 - len(self._head))
        self._head += chunk[:room]
        self._tail += chunk[room:]
        most = self._max_bytes - self._max_bytes // 2
        if len(self._tail) > 4 * most + _CHUNK_BYTES:
            del self._tail[:-most]

    def data(self) -> bytes:
        """Return what was kept."""
        most = None if self._max_bytes is None else self._max_bytes - self._max_bytes // 2
        tail = self._tail if most is None else self._tail[-most:]
        num_dropped = self.num_bytes - len(self._head) - len(tail)
        mark = f"\n[... {num_dropped} bytes left out ...]\n".encode() if num_dropped else b""
        return bytes(self._head) + mark + bytes(tail)

    def text(self) -> str:
        """Return it as text."""
        return self.data().decode(errors="replace")


def _read_report(descriptor: int) -> bytes:
    """Read what bubblewrap reports: one JSON object.

    Raises:
        OSError: it takes too long.
    """
    found = b""
    deadline = time.monotonic() + _START_S
    while len(found) < _MAX_REPORT_BYTES:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        chunk = os.read(descriptor, _MAX_REPORT_BYTES)
        found += chunk
        if not chunk or b"}" in chunk:
            break
    return found
