"""The sandbox as its users see it: a warm server, replaced when it must be, and a status for every run."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import threading
from collections.abc import Sequence
from typing import NamedTuple, Self

from opencwm.core.errors import SandboxError
from opencwm.sandbox import child, launch, protocol
from opencwm.sandbox.config import Isolation, IsolationKind, SandboxConfig
from opencwm.sandbox.connection import Connection, Exchange, ServerGoneError
from opencwm.sandbox.limits import RunLimits, RunResult, RunStatus

_log = logging.getLogger("opencwm.sandbox")
_noticed: set[str] = set()
_DETAIL_CHARACTERS = 300
_GARBLED = "something else than the recorder wrote into the result pipe"
MAX_PAYLOADS = 64
"""Payloads that one process is asked to take."""


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
        return self.run_many(target, (payload,), limits)[0]

    def run_many(
        self, target: str, payloads: Sequence[bytes], limits: RunLimits | None = None
    ) -> list[RunResult]:
        """Call ``target`` with one payload after another, as :meth:`run` does, but several in one process.

        For payloads that may see what earlier ones left in the interpreter, such as inputs of one program: a
        process costs more than most runs in it. Before each, garbage is collected and the random numbers and
        the clocks are set back; ``limits`` hold for each payload. A process in which something else has
        changed (files, threads, processes, the environment, ``sys``, much memory) is replaced.

        A payload that ends its process has the status of that, and those after it get another process. If it
        was not the first and has said nothing, it is called again as the first, so that it is not blamed for
        what was left by others; not if its time was up.

        Returns:
            one result for each payload, in order.

        Raises:
            SandboxError: the sandbox failed.
        """
        limits = limits or RunLimits()
        results: list[RunResult] = []
        with self._lock:
            while len(results) < len(payloads):
                some = payloads[len(results) : len(results) + MAX_PAYLOADS]
                results += _results(self._exchange(target, some, limits), limits, len(some))
        return results

    def _exchange(self, target: str, payloads: Sequence[bytes], limits: RunLimits) -> Exchange:
        """Have a server start a child, a new server if need be."""
        for _ in range(3):
            connection = self._connect()
            try:
                seen = connection.exchange(target, payloads, limits)
            except ServerGoneError:
                self._disconnect()
                continue
            except BaseException:  # also Ctrl-C: the child may still be going
                connection.destroy()
                self._disconnect()
                raise
            if seen.report is None or seen.report.is_dirty:
                self._disconnect()
            return seen
        raise SandboxError("the sandbox's server ends as soon as it has started", where=target)

    def close(self) -> None:
        """End the server and everything below it. The sandbox cannot be used afterwards."""
        with self._lock:
            self._is_closed = True
            self._disconnect()
            self._plan = None  # and with it, what it claims

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
            more = [name for name in connection.obtained if name != "no network"]
            return Isolation(planned.kind, ", ".join([planned.description, *more]))
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


def _results(seen: Exchange, limits: RunLimits, num_payloads: int) -> list[RunResult]:
    """Make sense of what was seen of a child: results of its first payloads, of one at least."""
    stream = seen.stream
    num_ended = min(len(stream.ended), num_payloads)
    is_more = bool(stream.outputs) or not stream.is_clean or len(stream.ended) > num_payloads
    ending = _ending(seen, limits)
    results = [
        _told(part, wall_s) for part, wall_s in zip(stream.ended[:num_ended], seen.walls_s, strict=False)
    ]
    if not is_more and ending.status is None and num_ended:
        results[-1] = dataclasses.replace(results[-1], exit_code=0)
    elif num_ended == num_payloads:
        results[-1] = _cut_short(ending, results[-1].outputs, seen.walls_s[-1], is_garbled=True)
    elif not num_ended or stream.outputs or ending.status is RunStatus.TIMEOUT:
        outputs = tuple(stream.outputs)
        results.append(_cut_short(ending, outputs, seen.walls_s[-1], is_garbled=not stream.is_clean))
    rss_bytes = seen.report.max_rss_bytes if seen.report else 0
    return [dataclasses.replace(result, max_rss_bytes=rss_bytes) for result in results]


class _Ending(NamedTuple):
    """How a child ended; no status when it was by itself and without an error."""

    status: RunStatus | None
    detail: str
    exit_code: int | None = None
    signal: int | None = None


def _ending(seen: Exchange, limits: RunLimits) -> _Ending:
    if seen.stream.is_garbled:
        return _Ending(RunStatus.GARBLED, _GARBLED)
    if seen.ended_for == "output":
        return _Ending(RunStatus.OUTPUT_LIMIT, f"more than {limits.output_bytes} bytes of output")
    if seen.ended_for:
        return _Ending(RunStatus.TIMEOUT, f"{limits.wall_s:g} s of wall-clock time")
    if seen.report is None:
        return _Ending(RunStatus.KILLED, "the sandbox's server died during the run")
    if seen.report.is_over_memory:
        return _Ending(RunStatus.MEMORY, f"more than {limits.memory_bytes} bytes in all processes together")
    code = os.waitstatus_to_exitcode(seen.report.wait_status)
    if code < 0:
        return _signalled(-code, seen, limits)
    if code == child.EXIT_NOT_CONFINED:
        raise SandboxError("a run could not be given its limits, and was not started", where="sandbox")
    if code == child.EXIT_NO_PIPE:
        return _Ending(RunStatus.EXITED, "the result pipe was closed by the program", code)
    if code:
        return _Ending(RunStatus.EXITED, f"the process exited with status {code}", code)
    return _Ending(None, "", code)


def _signalled(number: int, seen: Exchange, limits: RunLimits) -> _Ending:
    if number == signal.SIGXCPU:
        return _Ending(RunStatus.TIMEOUT, f"{limits.cpu_s:g} s of processor time", None, number)
    if number == signal.SIGALRM and seen.walls_s[-1] >= limits.wall_s:
        return _Ending(RunStatus.TIMEOUT, f"{limits.wall_s:g} s of wall-clock time", None, number)
    with contextlib.suppress(ValueError):
        return _Ending(RunStatus.KILLED, signal.Signals(number).name, None, number)
    return _Ending(RunStatus.KILLED, f"signal {number}", None, number)


def _told(part: protocol.Part, wall_s: float) -> RunResult:
    """Make the result of a payload after which its process was still there, from its last record."""
    kind, body = part.end
    status, detail = RunStatus.RETURNED, ""
    if kind == protocol.NO_MEMORY:
        status, detail = RunStatus.MEMORY, "MemoryError"
    elif kind == protocol.RAISED:
        status, detail = RunStatus.FAILED, one_line(body.decode("utf-8", "replace"))
    return RunResult(status=status, outputs=part.outputs, detail=detail, wall_s=wall_s)


def _cut_short(ending: _Ending, outputs: tuple[bytes, ...], wall_s: float, *, is_garbled: bool) -> RunResult:
    """Make the result of a payload with which its process ended, or that said more than it should."""
    status, detail = ending.status, ending.detail
    if status is None and is_garbled:
        status, detail = RunStatus.GARBLED, _GARBLED
    elif status is None:
        status, detail = RunStatus.EXITED, "the process exited with status 0 before the end"
    return RunResult(
        status=status,
        outputs=outputs,
        detail=detail,
        exit_code=ending.exit_code,
        signal=ending.signal,
        wall_s=wall_s,
    )


def one_line(text: str) -> str:
    """``text`` of unknown origin as one bounded printable line."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 2 * _DETAIL_CHARACTERS])
    return " ".join(printable.split())[:_DETAIL_CHARACTERS]
