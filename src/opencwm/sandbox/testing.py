"""Targets for tests of code that uses a sandbox, and a sandbox that protects from nothing."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from opencwm.sandbox import processes, protocol
from opencwm.sandbox.limits import RunLimits, RunResult, RunStatus

PATIENCE_S = 2.0
"""How long after its deadline :class:`Unprotected` still waits for a run."""


def echo(payload: bytes, emit: Callable[[bytes], None]) -> None:
    """Emit the payload."""
    emit(payload)


def execute(payload: bytes, emit: Callable[[bytes], None]) -> None:
    """Run the payload as Python source in which ``emit`` is a global."""
    exec(compile(payload.decode(), "<payload>", "exec"), {"__name__": "payload", "emit": emit})  # noqa: S102


class Unprotected:
    """Runs targets with every right of this process, all in one directory, to see attempts succeed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def run(self, target: str, payload: bytes = b"", limits: RunLimits | None = None) -> RunResult:
        """Call ``target`` in a new interpreter; no limit is enforced, but it is not waited for for ever."""
        import subprocess
        import tempfile

        command = [sys.executable, "-c", f"from {__name__} import _serve; _serve({target!r})"]
        status, detail = RunStatus.RETURNED, ""
        started_s = time.monotonic()
        with tempfile.TemporaryFile() as records, tempfile.TemporaryFile() as given:
            given.write(payload)
            given.seek(0)
            with subprocess.Popen(command, stdin=given, stdout=records, cwd=self._directory) as process:
                try:
                    process.wait((limits or RunLimits()).wall_s + PATIENCE_S)
                except subprocess.TimeoutExpired:
                    status, detail = RunStatus.KILLED, "no limit ended it"
                    processes.kill_descendants(process.pid)
                    process.kill()
            records.seek(0)
            stream = protocol.ResultStream(protocol.MAX_BODY_BYTES)
            stream.feed(records.read())
        wall_s = time.monotonic() - started_s
        return RunResult(status=status, outputs=tuple(stream.outputs), detail=detail, wall_s=wall_s)


def _serve(target: str) -> None:
    """Call a target and end what it has started."""
    processes.process_control(processes.PR_SET_CHILD_SUBREAPER, 1)
    module, _, name = target.partition(":")

    def emit(data: bytes) -> None:
        protocol.write_all(1, protocol.record(protocol.OUTPUT, data))

    getattr(importlib.import_module(module), name)(sys.stdin.buffer.read(), emit)
    processes.kill_descendants(os.getpid())
