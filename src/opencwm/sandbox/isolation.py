"""Which protections are in force on this machine, found by trying to get past each of them.

A protection is never reported because it was asked for. Source of the attempts:
:mod:`opencwm.sandbox.probes`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opencwm.sandbox.limits import RunLimits, RunResult, RunStatus
from opencwm.sandbox.supervisor import Sandbox

_PROBES = "opencwm.sandbox.probes"
_SLOW = RunLimits(wall_s=10.0)
_DEADLINE = RunLimits(wall_s=0.3)
_MEMORY = RunLimits(wall_s=10.0, memory_bytes=128 << 20)
_PROCESSES = RunLimits(wall_s=10.0, num_processes=8)
_CPU = RunLimits(wall_s=10.0, cpu_s=1.0)


@dataclasses.dataclass(frozen=True)
class ProtectionReport:
    """One protection of programs run in a sandbox.

    Attributes:
        name: ``network``, ``file system``, ``your files``, ``other processes``, ``memory``, ``processes``,
            ``processor time`` or ``deadline``.
        active: whether the attempt to get past it failed.
        how: the attempt, one clause.
        detail: what came of it, one clause.
    """

    name: str
    active: bool
    how: str
    detail: str


def probe(sandbox: Sandbox | None = None) -> list[ProtectionReport]:
    """Try every protection of ``sandbox``, or of one made with the default settings. Takes about two seconds.

    Raises:
        SandboxError: no sandbox works here.
    """
    if sandbox is None:
        with Sandbox() as own:
            return probe(own)
    return [attempt(sandbox) for attempt in _ATTEMPTS]


def _network(sandbox: Sandbox) -> ProtectionReport:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reached, said = _ask(sandbox, "network", str(listener.getsockname()[1]))
    detail = said or ("programs reach the network" if reached else "no address could be reached")
    return ProtectionReport("network", reached is False, "connect to this machine and out of it", detail)


def _file_system(sandbox: Sandbox) -> ProtectionReport:
    name = f".opencwm-probe-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory() as ours:
        Path(ours).chmod(0o777)
        places = {
            "a shared directory": Path(ours),
            "the home directory": Path.home(),
            "the current directory": Path.cwd(),
            "the package": Path(__file__).parent,
            "Python": Path(os.__file__).parent,
        }
        _, said = _ask(sandbox, "write", json.dumps([str(place / name) for place in places.values()]))
        written = [text for text, place in places.items() if (place / name).exists()]
        for place in places.values():
            (place / name).unlink(missing_ok=True)
    detail = said or (
        f"programs can write to {', '.join(written)}" if written else "no file could be created"
    )
    active = not said and not written
    return ProtectionReport("file system", active, "create files outside the run's directory", detail)


def _home(sandbox: Sandbox) -> ProtectionReport:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"secret")
        file.flush()
        Path(file.name).chmod(0o644)
        readable, said = _ask(sandbox, "read", file.name)
    detail = said or ("programs can read what their user can" if readable else "only Python can be read")
    return ProtectionReport("your files", readable is False, "read a file that others may read", detail)


def _other_processes(sandbox: Sandbox) -> ProtectionReport:
    sleep = shutil.which("sleep")
    if sleep is None:
        return ProtectionReport(
            "other processes", False, "kill a process of yours", "not tried: no sleep command"
        )
    with subprocess.Popen([sleep, "60"]) as victim:
        try:
            _, said = _ask(sandbox, "kill", str(victim.pid))
            is_killed = victim.poll() is not None
        finally:
            victim.kill()
    detail = said or ("programs can end your processes" if is_killed else "it was out of reach")
    return ProtectionReport("other processes", not said and not is_killed, "kill a process of yours", detail)


def _memory(sandbox: Sandbox) -> ProtectionReport:
    result = _run(sandbox, "memory", str(4 * _MEMORY.memory_bytes), _MEMORY)
    active = result.status is RunStatus.MEMORY
    detail = "refused" if active else _outcome(result)
    return ProtectionReport("memory", active, "allocate four times the limit", detail)


def _processes(sandbox: Sandbox) -> ProtectionReport:
    count, said = _ask(sandbox, "forks", "", _PROCESSES)
    active = isinstance(count, int) and count < MAX_TOLERATED_FORKS
    return ProtectionReport(
        "processes",
        active,
        "fork without end",
        said or f"{count} forks with a limit of {_PROCESSES.num_processes}",
    )


def _processor_time(sandbox: Sandbox) -> ProtectionReport:
    result = _run(sandbox, "spin", "", _CPU)
    active = result.status is RunStatus.TIMEOUT and result.wall_s < _CPU.wall_s
    return ProtectionReport("processor time", active, "compute past a limit of one second", _outcome(result))


def _deadline(sandbox: Sandbox) -> ProtectionReport:
    how = "ignore all signals and leave a daemon behind"
    result = _run(sandbox, "outlive", "", _DEADLINE)
    if result.status is not RunStatus.TIMEOUT or not result.outputs:
        return ProtectionReport("deadline", False, how, _outcome(result))
    is_left, said = _ask(sandbox, "process_exists", result.outputs[0].decode("ascii", "replace"))
    detail = said or (
        "the daemon is still there" if is_left else f"all ended {result.wall_s:.2f} s after the start"
    )
    return ProtectionReport("deadline", is_left is False, how, detail)


MAX_TOLERATED_FORKS = 200
"""With resource limits alone, a user's other processes count too, and the limit leaves room for them."""

_ATTEMPTS: tuple[Callable[[Sandbox], ProtectionReport], ...] = (
    _network,
    _file_system,
    _home,
    _other_processes,
    _memory,
    _processes,
    _processor_time,
    _deadline,
)


def _run(sandbox: Sandbox, name: str, payload: str, limits: RunLimits = _SLOW) -> RunResult:
    return sandbox.run(f"{_PROBES}:{name}", payload.encode(), limits)


def _ask(sandbox: Sandbox, name: str, payload: str, limits: RunLimits = _SLOW) -> tuple[Any, str]:
    """Return what a probe said, and an empty string; or None and how it ended instead."""
    result = _run(sandbox, name, payload, limits)
    if result.status is RunStatus.RETURNED and len(result.outputs) == 1:
        return json.loads(result.outputs[0]), ""
    return None, _outcome(result)


def _outcome(result: RunResult) -> str:
    return f"{result.status}: {result.detail}" if result.detail else str(result.status)
