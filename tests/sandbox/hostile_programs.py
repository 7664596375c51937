"""What the hostile programs have in common: how one is described, run, and found to have left nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import textwrap
import time
from pathlib import Path

from opencwm.sandbox import RunLimits, RunResult, RunStatus, Sandbox, processes

EXECUTE = "opencwm.sandbox.testing:execute"
QUICK = RunLimits(wall_s=0.15, memory_bytes=64 << 20, output_bytes=1 << 20)
PATIENT = dataclasses.replace(QUICK, wall_s=10.0)
LATE_S = 6.0
"""How much later than its deadline a run may be over on a busy machine."""
MAX_GROWTH_BYTES = 4 << 20
"""How much a server may grow while all hostile programs run."""

RETURNED, FAILED, TIMEOUT, MEMORY = (
    RunStatus.RETURNED,
    RunStatus.FAILED,
    RunStatus.TIMEOUT,
    RunStatus.MEMORY,
)
EXITED, KILLED, GARBLED, TOO_MUCH = (
    RunStatus.EXITED,
    RunStatus.KILLED,
    RunStatus.GARBLED,
    RunStatus.OUTPUT_LIMIT,
)

LEFT_BEHIND = """
import json, os
def attempt(function, *arguments):
    try:
        return function(*arguments)
    except OSError:
        return []
def lines(path):
    return [line.split() for line in attempt(lambda: open(path).read().splitlines()[1:])]
def is_own(path):
    return attempt(os.stat, path) and os.stat(path).st_uid == os.getuid() != SERVER_UID
emit(json.dumps({
    "files": os.listdir() + [name for name in attempt(os.listdir, "/dev/shm") if is_own(f"/dev/shm/{name}")],
    "processes": [
        name for name in os.listdir("/proc")
        if name.isdigit() and int(name) != os.getpid() and is_own(f"/proc/{name}")
    ],
    "sockets": [line[-1] for line in lines("/proc/net/unix") if "hostile" in line[-1]],
    "shared memory": [line[1] for line in lines("/proc/sysvipc/shm")],
}).encode())
"""
"""Reports what a run finds that an earlier one left: all lists are to be empty."""


@dataclasses.dataclass(frozen=True)
class Hostile:
    """A program, the ways it may end, part of the detail, and what it says, if that matters.

    ``needs`` is part of the description of an isolation without which it may say something else.
    """

    name: str
    source: str
    statuses: tuple[RunStatus, ...]
    detail: str = ""
    says: bytes | None = None
    needs: str = ""

    @property
    def limits(self) -> RunLimits:
        """A short deadline for programs that are to meet it; others get time, for the machine may be busy."""
        return QUICK if self.statuses[0] is TIMEOUT else PATIENT


def hostile(
    name: str, source: str, *statuses: RunStatus, detail: str = "", says: bytes | None = None
) -> Hostile:
    return Hostile(name, textwrap.dedent(source), statuses, detail, says)


def attempt(name: str, source: str, needs: str = "") -> Hostile:
    """Describe a program whose last statement must be refused by the system."""
    *before, last = textwrap.dedent(source).strip().splitlines()
    lines = [*before, "try:", f"    {last}", "except OSError:", "    emit(b'refused')"]
    lines += ["except ValueError as error:", "    emit(str(error).encode())", "else:", "    emit(b'done')"]
    return Hostile(name, "\n".join(lines), (RETURNED,), says=b"refused", needs=needs)


def name_of(program: Hostile) -> str:
    return program.name.replace(" ", "-")


def run(sandbox: Sandbox, source: str, limits: RunLimits = PATIENT) -> RunResult:
    return sandbox.run(EXECUTE, textwrap.dedent(source).encode(), limits)


def check(sandbox: Sandbox, program: Hostile, before_it: str = "") -> None:
    """Run it, after other source: the status says what happened, in time, and the next run finds nothing."""
    num_before = len(processes.descendants(os.getpid()))
    result = run(sandbox, before_it + program.source, program.limits)
    assert result.status in program.statuses, result
    assert program.detail in result.detail
    assert result.detail.isprintable() or not result.detail
    assert bool(result.detail) == (result.status is not RETURNED)
    assert len(result.detail) <= 300
    assert result.wall_s < program.limits.wall_s + LATE_S
    if program.says is not None and program.needs in sandbox.isolation.description:
        assert result.outputs == (program.says,), result
    assert left_behind(sandbox) == {}
    assert wait_until_left(num_before) == num_before


def left_behind(sandbox: Sandbox) -> dict[str, list[str]]:
    """What the next run finds of earlier ones, by kind."""
    source = f"SERVER_UID = {os.getuid()}\n{LEFT_BEHIND}"
    result = run(sandbox, source)
    assert result.status is RETURNED, result
    return {kind: found for kind, found in json.loads(result.outputs[0]).items() if found}


def wait_until_left(count: int) -> int:
    """The number of our processes, once it is ``count`` or two seconds have passed."""
    until = time.monotonic() + 2
    while (now := len(processes.descendants(os.getpid()))) != count and time.monotonic() < until:
        time.sleep(0.01)
    return now


@dataclasses.dataclass(frozen=True)
class Footprint:
    """What a sandbox holds: open descriptors here, and directories it may have left in the place for them."""

    num_descriptors: int
    directories: frozenset[str]

    @classmethod
    def now(cls) -> Footprint:
        directories = Path(tempfile.gettempdir()).glob("opencwm-sandbox-*")
        return cls(len(list(Path("/proc/self/fd").iterdir())), frozenset(path.name for path in directories))
