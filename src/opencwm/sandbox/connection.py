"""The parent's end of one running fork-server: start it, exchange one child with it, end it.

The parent keeps the deadline, for one payload after another. It asks the server to end a child; a server that
does not obey within a second is itself ended, and with it everything below it. What comes through the result
pipe is collected up to a limit. One exchange at a time; :class:`opencwm.sandbox.Sandbox` holds the lock.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import os
import select
import socket
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from opencwm.core.errors import SandboxError
from opencwm.sandbox import launch, processes, protocol
from opencwm.sandbox.config import SandboxConfig
from opencwm.sandbox.limits import RunLimits
from opencwm.sandbox.scratch import empty

FLUSH_S = 1.0
"""Seconds from SIGALRM at the deadline, which a target may use to emit what it has, to the end by force."""
OBEY_S = 1.0
"""Seconds the server has to end a run when told to, and to answer after it."""
_STOP_S = 2.0
_READ_BYTES = 1 << 16


class ServerGoneError(Exception):
    """The server ended before the request reached it; it can be sent again to another."""


@dataclasses.dataclass(frozen=True)
class Exchange:
    """What the parent saw of one child.

    Attributes:
        stream: what came through the result pipe.
        walls_s: seconds that each ended part of the stream took, and then those from there to the end.
        report: the server's account, or None when it gave none.
        ended_for: why the parent had the child ended: ``deadline``, ``output``, ``garbage``, or empty.
    """

    stream: protocol.ResultStream
    walls_s: tuple[float, ...]
    report: protocol.Report | None
    ended_for: str


class Connection:
    """A started server. Use :meth:`open`.

    Attributes:
        plan: how it was started.
        obtained: what holds runs back besides what ``plan`` says.
        owner: id of the process that started it; a fork of that process must leave it alone.
    """

    def __init__(
        self,
        plan: launch.Plan,
        process: subprocess.Popen[bytes],
        control: socket.socket,
        scratch: Path | None,
    ) -> None:
        self.plan = plan
        self.owner = os.getpid()
        self.obtained: tuple[str, ...] = ()
        self._process = process
        self._control = control
        self._receiver = protocol.Receiver(control)
        self._num_children = 0
        self._said: tuple[str, RunLimits] | None = None
        self._what = b""
        has_namespace = plan.settings["pid_namespace"]
        self._end = weakref.finalize(self, _end, process, control, has_namespace, scratch, self.owner)

    @classmethod
    def open(cls, plan: launch.Plan, config: SandboxConfig) -> Connection:
        """Start a server and wait until it answers.

        Raises:
            SandboxError: it ended instead of answering, or did not answer in time.
        """
        scratch = None if plan.settings["pid_namespace"] else _make_scratch(plan.settings["uid"])
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as errors:
            with theirs:
                try:
                    command = plan.command(theirs.fileno(), scratch, config)
                    directory = scratch or launch.private_scratch(config)[0]
                    process = _spawn(command, theirs.fileno(), launch.environment(directory), errors)
                except OSError as error:
                    ours.close()
                    _remove(scratch)
                    raise SandboxError(
                        f"cannot start the sandbox: {error}", where=plan.isolation.kind
                    ) from None
            connection = cls(plan, process, ours, scratch)
            ours.settimeout(config.start_s)
            try:
                message = connection._receiver.receive()
            except OSError as error:
                message, late = None, str(error)
            else:
                late = ""
            if message is None or message[0] != protocol.HELLO:
                connection.close()
                errors.seek(0)
                lines = errors.read(1 << 16).decode(errors="replace").strip().splitlines()
                reason = late or (lines[-1] if lines else f"exit status {process.returncode}")
                raise SandboxError(f"the sandbox did not start: {reason[:300]}", where=plan.isolation.kind)
        connection.obtained = tuple(json.loads(message[1]))
        return connection

    def exchange(self, target: str, payloads: Sequence[bytes], limits: RunLimits) -> Exchange:
        """Have ``target`` called with each payload, in one child, and collect what comes back.

        Raises:
            ServerGoneError: the server was gone before the child was started.
            SandboxError: the server refused the request.
        """
        self._num_children += 1
        if self._said != (target, limits):
            self._said = target, limits
            self._what = json.dumps({"target": target, "limits": dataclasses.asdict(limits)}).encode()
        body = protocol.Request(self._num_children, self._what, payloads).encode()
        started_s = time.monotonic()
        self._control.settimeout(limits.wall_s + OBEY_S)
        reader, writer = os.pipe()
        try:
            try:
                request = protocol.record(protocol.RUN, body)
                sent = socket.send_fds(self._control, [request], [writer])
                if sent < len(request):
                    self._control.sendall(memoryview(request)[sent:])
            except OSError as error:
                raise ServerGoneError from error
            finally:
                os.close(writer)
            os.set_blocking(reader, False)
            return _Collector(self, reader, started_s, limits, len(payloads)).collect()
        finally:
            os.close(reader)

    def ask_to_end_child(self) -> None:
        """Tell the server to end the present child; it answers when that is done."""
        number = protocol.CHILD_NUMBER.pack(self._num_children)
        with contextlib.suppress(OSError):
            self._control.sendall(protocol.record(protocol.KILL, number))

    def answer(self) -> protocol.Report | None:
        """Receive the server's account of the child; None when the server is gone.

        Raises:
            SandboxError: the server refused the run.
        """
        try:
            message = self._receiver.receive()
            if message is None:
                return None
            kind, body = message
            if kind == protocol.REFUSED:
                raise SandboxError(f"the run was refused: {body.decode(errors='replace')}", where="sandbox")
            return protocol.Report.decode(body)
        except OSError:
            return None

    def fileno(self) -> int:
        """Descriptor of the control socket, for polling."""
        return self._control.fileno()

    def is_alive(self) -> bool:
        """Whether the server's process runs."""
        return self._end.alive and self._process.poll() is None

    def close(self) -> None:
        """End the server and all below it; nothing happens the second time."""
        self._end()

    def destroy(self) -> None:
        """End a server that does not obey."""
        _kill(self._process, self.plan.settings["pid_namespace"])
        self._end()


class _Collector:
    """Watches one child from the request to the end of its last process."""

    def __init__(
        self, connection: Connection, reader: int, started_s: float, limits: RunLimits, num_payloads: int
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._limits = limits
        self._num_payloads = num_payloads
        self._stream = protocol.ResultStream(limits.output_bytes)
        self._times_s = [started_s]
        self._ended_for = ""
        self._until_s = started_s + limits.wall_s + FLUSH_S
        self._poll = select.poll()
        self._poll.register(reader, select.POLLIN)
        self._poll.register(connection, select.POLLIN)

    def collect(self) -> Exchange:
        """Read until the server has answered and every holder of the pipe has closed it."""
        report: protocol.Report | None = None
        is_open, is_over = True, False
        while is_open or not is_over:
            ready = dict(self._poll.poll(max(0.0, self._until_s - time.monotonic()) * 1000 + 1))
            if self._reader in ready:
                is_open = self._read()
                if not (is_over or self._ended_for):
                    self._follow()
            if self._connection.fileno() in ready:
                report, is_over = self._connection.answer(), True
                self._poll.unregister(self._connection)
                if report is None:
                    self._connection.destroy()
                self._until_s = time.monotonic() + OBEY_S
            if time.monotonic() >= self._until_s:
                if is_over:
                    break  # something unseen holds the pipe
                if self._ended_for:
                    self._poll.unregister(self._connection)
                    self._connection.destroy()
                    is_over, self._until_s = True, time.monotonic() + OBEY_S
                else:
                    self._end_child("deadline")
        self._times_s.append(time.monotonic())
        walls_s = tuple(after - before for before, after in itertools.pairwise(self._times_s))
        return Exchange(self._stream, walls_s, report, self._ended_for)

    def _read(self) -> bool:
        """Take what is there; False at the end of the pipe."""
        part = os.read(self._reader, _READ_BYTES)
        if not part:
            self._poll.unregister(self._reader)
            return False
        num_ended = len(self._stream.ended)
        self._stream.feed(part)
        num_more = min(len(self._stream.ended), self._num_payloads - 1) - num_ended
        self._times_s += [time.monotonic()] * num_more
        return True

    def _follow(self) -> None:
        """Give the present payload its time; end the child that says too much, or what nobody understands."""
        if self._stream.is_garbled:
            self._end_child("garbage")
        elif self._stream.is_too_long:
            self._end_child("output")
        else:
            self._until_s = self._times_s[-1] + self._limits.wall_s + FLUSH_S

    def _end_child(self, reason: str) -> None:
        self._ended_for = reason
        self._connection.ask_to_end_child()
        self._until_s = time.monotonic() + OBEY_S


_spawner: tuple[int, concurrent.futures.ThreadPoolExecutor] | None = None


def _make_scratch(uid: int | None) -> Path:
    scratch = Path(tempfile.mkdtemp(prefix="opencwm-sandbox-"))
    if uid is not None:  # who may then write to it, and not change what it is
        os.chown(scratch, os.getuid(), uid)
        scratch.chmod(0o1770)
    return scratch


def _remove(scratch: Path | None) -> None:
    if scratch is not None:
        with contextlib.suppress(OSError):
            empty(scratch)
            scratch.rmdir()


def _spawn(
    command: list[str], control_fd: int, environment: dict[str, str], errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a process from a thread that lives as long as this one's process.

    A parent-death signal, which ``--die-with-parent`` asks for, is sent at the end of the *thread* that
    forked: prctl(2).
    """
    global _spawner
    if _spawner is None or _spawner[0] != os.getpid():
        _spawner = os.getpid(), concurrent.futures.ThreadPoolExecutor(1, "opencwm-sandbox")
    return (
        _spawner[1]
        .submit(
            subprocess.Popen[bytes],
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            cwd="/",
            pass_fds=(control_fd,),
            start_new_session=True,
        )
        .result()
    )


def _end(
    process: subprocess.Popen[bytes],
    control: socket.socket,
    pid_namespace: bool,
    scratch: Path | None,
    owner: int,
) -> None:
    """Close the socket, upon which the server ends, and see to it that it does."""
    control.close()
    if os.getpid() != owner:
        return
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        _kill(process, pid_namespace)
    _remove(scratch)


def _kill(process: subprocess.Popen[bytes], pid_namespace: bool) -> None:
    if not pid_namespace and process.poll() is None:
        processes.kill_descendants(process.pid)
    process.kill()
    process.wait()
