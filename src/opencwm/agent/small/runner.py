"""Runs small programs in one box, hundreds a second: a Python there forks a child for each.

A job is a few files and the program among them to run; what comes back is what the command line
``python PROGRAM`` would have printed. Each child has a folder of its own; the box has no network, and a child
that runs too long is killed with all it started.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from opencwm.agent.box import BoxSpec, open_box
from opencwm.core.errors import SandboxError

_SERVER: Final = Path(__file__).with_name("fork_server.py")
_MAX_LINE_BYTES: Final = 1 << 22
_MOST_KNOWN: Final = 20_000


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """What came of a job.

    Attributes:
        output: what it printed, both streams, shortened past 4,000 characters.
        exit_code: None when it ran too long.
    """

    output: str
    exit_code: int | None


class Runner:
    """The box and the Python in it. A context manager; several threads may use it, one after the other.

    Args:
        kind: of box.
        timeout_s: seconds a job may take.
    """

    def __init__(self, kind: str = "auto", *, timeout_s: float = 2.0) -> None:
        self._box = open_box(BoxSpec(kind=kind))
        self._timeout_s = timeout_s
        self._known: dict[str, Ran] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._box.start()
        self._box.write_file("/tmp/fork_server.py", _SERVER.read_bytes())  # noqa: S108 - in the box
        self._process = self._box.spawn(["python3", "-I", "/tmp/fork_server.py"])  # noqa: S108
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._box.stop()

    def run(self, files: Mapping[str, str], program: str) -> Ran:
        """Run a program among some files; the same job is run once.

        Raises:
            SandboxError: the box failed.
        """
        job = json.dumps({"files": dict(files), "program": program, "timeout_s": self._timeout_s})
        with self._lock:
            if job not in self._known:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[job] = self._asked(job)
            return self._known[job]

    def _asked(self, job: str) -> Ran:
        pipes = self._process.popen
        if pipes.stdin is None or pipes.stdout is None:
            raise AssertionError("spawned with pipes")
        try:
            data = memoryview(job.encode("utf-8", "replace") + b"\n")
            while data:
                data = data[pipes.stdin.write(data) or 0 :]
            answer = b""
            while not answer.endswith(b"\n"):
                piece = pipes.stdout.readline(_MAX_LINE_BYTES)
                if not piece:
                    raise SandboxError("the Python in the box has ended")
                answer += piece
            found = json.loads(answer)
            return Ran(found["output"], found["exit_code"])
        except (OSError, ValueError, KeyError) as error:
            raise SandboxError(f"the Python in the box gave no answer: {error}") from None
