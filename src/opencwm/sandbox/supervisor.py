"""The sandbox as its users see it: a warm server, replaced when it must be, and a status for every run."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import threading
from typing import Self

from opencwm.core.errors import SandboxError
from opencwm.sandbox import child, launch, protocol
from opencwm.sandbox.config import Isolation, IsolationKind, SandboxConfig
from opencwm.sandbox.connection import Connection, Exchange, ServerGoneError
from opencwm.sandbox.limits import RunLimits, RunResult, RunStatus

_log = logging.getLogger("opencwm.sandbox")
_noticed: set[str] = set()
_DETAIL_CHARACTERS = 300


class Sandbox:
    """Runs functions in confined processes, about two milliseconds each.

    A context manager; it starts when entered or first used, and ends, with every process below it, on
    :meth:`close`, when it is collected, or with the interpreter. Runs begin in an empty writable directory
    with ``random.seed(0)`` and ``PYTHONHASHSEED=0``; what one leaves there is gone before the next.
    Thread-safe: runs wait for one another, so use one sandbox for each worker. A process forked while it is
    idle may use it as well and gets a server of its own.

    Args:
        config: see :class:`~opencwm.sandbox.SandboxConfig`.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.config = config or SandboxConfig()
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._isolation: Isolation | None = None
        self._plan: launch.Plan | None = None
        self._is_closed = False

    def __enter__(self) -> Self:
        with self._lock:
            self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def isolation(self) -> Isolation:
        """The isolation obtained; starts the sandbox if need be.

        Raises:
            SandboxError: no permitted isolation works.
        """
        with self._lock:
            self._connect()
            assert self._isolation is not None  # noqa: S101 - set by _connect
            return self._isolation

    def run(self, target: str, payload: bytes = b"", limits: RunLimits | None = None) -> RunResult:
        """Call ``target`` in a process of its own and wait until that process and all it started are gone.

        Args:
            target: ``package.module:function``, importable without the program; called as
                ``function(payload, emit)`` where ``emit(data)`` sends a record of bytes back. If its module
                has a function ``warm_up()``, the server calls that once, before the first run.
            payload: handed to the target.
            limits: what the run may use.

        Raises:
            SandboxError: the sandbox failed; a failing target is a status of the result.
        """
        limits = limits or RunLimits()
        with self._lock:
            for _ in range(3):
                connection = self._connect()
                try:
                    seen = connection.exchange(target, payload, limits)
                except ServerGoneError:
                    self._disconnect()
                    continue
                except BaseException:  # also Ctrl-C: the run may still be going
                    connection.destroy()
                    self._disconnect()
                    raise
                if seen.report is None or seen.report["dirty"]:
                    self._disconnect()
                return _result(seen, limits)
            raise SandboxError("the sandbox's server ends as soon as it has started", where=target)

    def close(self) -> None:
        """End the server and everything below it. The sandbox cannot be used afterwards."""
        with self._lock:
            self._is_closed = True
            self._disconnect()

    def _connect(self) -> Connection:
        if self._is_closed:
            raise SandboxError("the sandbox is closed", where="sandbox")
        connection = self._connection
        if connection is not None and connection.owner == os.getpid() and connection.is_alive():
            return connection
        self._disconnect()
        self._connection = self._start()
        return self._connection

    def _start(self) -> Connection:
        """Start a server in the way found to work, or find one."""
        if self._plan is not None:
            return Connection.open(self._plan, self.config)
        failures: list[str] = []
        for plan in launch.plans(self.config):
            try:
                connection = Connection.open(plan, self.config)
            except SandboxError as error:
                failures.append(error.what)
                continue
            self._plan, self._isolation = plan, self._obtained(connection, failures)
            return connection
        raise SandboxError(
            failures[-1] if failures else "bubblewrap is not installed",
            where=f"isolation {self.config.isolation}",
            hint="install bubblewrap, or allow isolation 'rlimits'"
            if self.config.isolation != "rlimits"
            else "",
        )

    def _obtained(self, connection: Connection, failures: list[str]) -> Isolation:
        """Say what a server gives, with a notice, logged once in a process, if that is not bubblewrap."""
        planned = connection.plan.isolation
        if planned.kind is IsolationKind.BUBBLEWRAP:
            return planned
        missing = {"Landlock": "files are reachable", "no network": "the network is reachable"}
        parts = [planned.description, *connection.obtained]
        parts += [text for name, text in missing.items() if name not in connection.obtained]
        isolation = Isolation(planned.kind, ", ".join(parts))
        if self.config.isolation != "auto":
            return isolation
        reason = (
            f"bubblewrap does not work here: {failures[-1]}" if failures else "bubblewrap is not installed"
        )
        notice = f"programs run with {isolation.description} ({reason})"
        if notice not in _noticed:
            _noticed.add(notice)
            _log.warning("%s", notice)
        return dataclasses.replace(isolation, notice=notice)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _result(seen: Exchange, limits: RunLimits) -> RunResult:
    """Make sense of what was seen of a run; ``seen.data`` may hold anything."""
    records, is_clean = protocol.split_records(seen.data)
    outputs = tuple(body for kind, body in records if kind == protocol.OUTPUT)
    status, detail, code, number = _ending(seen, limits, records, is_clean)
    rss_bytes = int(seen.report["max_rss_bytes"]) if seen.report else 0
    return RunResult(
        status=status,
        outputs=outputs,
        detail=detail,
        exit_code=code,
        signal=number,
        wall_s=seen.wall_s,
        max_rss_bytes=rss_bytes,
    )


def _ending(
    seen: Exchange, limits: RunLimits, records: list[tuple[bytes, bytes]], is_clean: bool
) -> tuple[RunStatus, str, int | None, int | None]:
    """Status, detail, exit code, signal."""
    if seen.ended_for == "output":
        return RunStatus.OUTPUT_LIMIT, f"more than {limits.output_bytes} bytes of output", None, None
    if seen.ended_for:
        return RunStatus.TIMEOUT, f"{limits.wall_s:g} s of wall-clock time", None, None
    if seen.report is None:
        return RunStatus.KILLED, "the sandbox's server died during the run", None, None
    if seen.report["reason"] == "memory":
        return (
            RunStatus.MEMORY,
            f"more than {limits.memory_bytes} bytes in all processes together",
            None,
            None,
        )
    code = os.waitstatus_to_exitcode(seen.report["wait"])
    if code < 0:
        return _signalled(-code, seen, limits)
    if code == child.EXIT_NOT_CONFINED:
        raise SandboxError("a run could not be given its limits, and was not started", where="sandbox")
    if code == child.EXIT_NO_PIPE:
        return RunStatus.EXITED, "the result pipe was closed by the program", code, None
    if code:
        return RunStatus.EXITED, f"the process exited with status {code}", code, None
    return (*_reported(records, is_clean), code, None)


def _signalled(
    number: int, seen: Exchange, limits: RunLimits
) -> tuple[RunStatus, str, int | None, int | None]:
    if number == signal.SIGXCPU:
        return RunStatus.TIMEOUT, f"{limits.cpu_s:g} s of processor time", None, number
    if number == signal.SIGALRM and seen.wall_s >= limits.wall_s:
        return RunStatus.TIMEOUT, f"{limits.wall_s:g} s of wall-clock time", None, number
    with contextlib.suppress(ValueError):
        return RunStatus.KILLED, signal.Signals(number).name, None, number
    return RunStatus.KILLED, f"signal {number}", None, number


def _reported(records: list[tuple[bytes, bytes]], is_clean: bool) -> tuple[RunStatus, str]:
    """Status and detail of a run whose process exited with 0, from its last record."""
    ends = [index for index, (kind, _) in enumerate(records) if kind != protocol.OUTPUT]
    if not is_clean or (ends and ends[0] != len(records) - 1):
        return RunStatus.GARBLED, "something else than the recorder wrote into the result pipe"
    if not ends:
        return RunStatus.EXITED, "the process exited with status 0 before the end"
    kind, body = records[-1]
    if kind == protocol.RETURNED:
        return RunStatus.RETURNED, ""
    if kind == protocol.NO_MEMORY:
        return RunStatus.MEMORY, "MemoryError"
    return RunStatus.FAILED, one_line(body.decode("utf-8", "replace"))


def one_line(text: str) -> str:
    """``text`` of unknown origin as one bounded printable line."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 2 * _DETAIL_CHARACTERS])
    return " ".join(printable.split())[:_DETAIL_CHARACTERS]
