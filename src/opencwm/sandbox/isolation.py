"""Which protections are in force on this machine, found by trying to get past each of them.

A protection is never reported because it was asked for. Source of the attempts:
:mod:`opencwm.sandbox.probes`.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from opencwm.sandbox import launch
from opencwm.sandbox.limits import RunLimits, RunResult, RunStatus
from opencwm.sandbox.supervisor import Sandbox

_PROBES = "opencwm.sandbox.probes"
_SLOW = RunLimits(wall_s=10.0)
_DEADLINE = RunLimits(wall_s=0.3)
_MEMORY = RunLimits(wall_s=10.0, memory_bytes=128 << 20)
_PROCESSES = RunLimits(wall_s=10.0, num_processes=8)
_CPU = RunLimits(wall_s=10.0, cpu_s=1.0)
_FILE = RunLimits(wall_s=10.0, file_bytes=1 << 16)
_OUTPUT = RunLimits(wall_s=10.0, output_bytes=1 << 16)
MAX_TOLERATED_FORKS = 200
"""With resource limits alone, a user's other processes count too, and the limit leaves room for them."""


class Outcome(enum.StrEnum):
    """What trying to get past a protection showed."""

    HOLDS = "holds"
    BROKEN = "does not hold"
    UNTESTED = "could not be tested"


@dataclasses.dataclass(frozen=True)
class ProtectionReport:
    """One protection of programs run in a sandbox.

    Attributes:
        name: ``network``, ``file system``, ``your files``, ``your environment``, ``other processes``,
            ``left files``, ``privileges``, ``system calls``, ``memory``, ``processes``, ``file size``,
            ``output``, ``processor time`` or ``deadline``.
        outcome: whether it held.
        how: the attempt, one clause.
        detail: what came of it, one clause.
    """

    name: str
    outcome: Outcome
    how: str
    detail: str


class Runner(Protocol):
    """What a sandbox is to the probes."""

    def run(self, target: str, payload: bytes = b"", limits: RunLimits | None = None) -> RunResult:
        """Call ``target`` with ``payload``, as :meth:`Sandbox.run` does."""


Finding = tuple[Outcome, str]


def probe(sandbox: Runner | None = None) -> list[ProtectionReport]:
    """Try every protection of ``sandbox``, or of one made with the default settings. Takes about two seconds.

    Raises:
        SandboxError: no sandbox works here.
    """
    if sandbox is None:
        with Sandbox() as own:
            return probe(own)
    return [ProtectionReport(name, *_found(attempt, sandbox, how)) for name, how, attempt in _ATTEMPTS]


def _found(attempt: Callable[[Runner], Finding], sandbox: Runner, how: str) -> tuple[Outcome, str, str]:
    try:
        outcome, detail = attempt(sandbox)
    except _UntestedError as error:
        outcome, detail = Outcome.UNTESTED, str(error)
    return outcome, how, detail


class _UntestedError(Exception):
    """An attempt could not be made; the text says why."""


def _network(sandbox: Runner) -> Finding:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        is_reached = _ask(sandbox, "network", str(listener.getsockname()[1]))
    return _judge(not is_reached, "no address could be reached", "programs reach the network")


def _file_system(sandbox: Runner) -> Finding:
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
        try:
            _ask(sandbox, "write", json.dumps([str(place / name) for place in places.values()]))
        finally:
            written = [text for text, place in places.items() if (place / name).exists()]
            for place in places.values():
                (place / name).unlink(missing_ok=True)
    return _judge(not written, "no file could be created", f"programs can write to {', '.join(written)}")


def _your_files(sandbox: Runner) -> Finding:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"secret")
        file.flush()
        Path(file.name).chmod(0o644)
        is_readable = _ask(sandbox, "read", file.name)
    return _judge(not is_readable, "only Python can be read", "programs can read what their user can")


def _your_environment(sandbox: Runner) -> Finding:
    own = {"PWD", *launch.environment("")}  # names that mean something else inside
    names = sorted(set(os.environ) - own)
    if not names:
        raise _UntestedError("there are no variables to be seen")
    found = _ask(sandbox, "environment", json.dumps(names))
    num_seen = sum(os.environ[name] == value for name, value in found.items())
    return _judge(not num_seen, f"none of {len(names)} variables is seen", f"{num_seen} variables are seen")


def _other_processes(sandbox: Runner) -> Finding:
    sleep = shutil.which("sleep")
    if sleep is None:
        raise _UntestedError("there is no sleep command")
    with subprocess.Popen([sleep, "60"]) as victim:
        try:
            _ask(sandbox, "kill", str(victim.pid))
            is_killed = victim.poll() is not None
        finally:
            victim.kill()
    return _judge(not is_killed, "it was out of reach", "programs can end your processes")


def _left_files(sandbox: Runner) -> Finding:
    name = f"probe-{secrets.token_hex(8)}"
    _ask(sandbox, "leave_file", name)
    is_left = _ask(sandbox, "leave_file", name)
    return _judge(not is_left, "it was gone", "runs see what earlier ones left")


def _privileges(sandbox: Runner) -> Finding:
    found = _ask(sandbox, "privileges")
    return _judge(not found, "none, and no way to get any", f"programs have {', '.join(found)}")


def _system_calls(sandbox: Runner) -> Finding:
    is_moved = _ask(sandbox, "user_namespace")
    return _judge(not is_moved, "refused", "programs get rights in a namespace of their own")


def _memory(sandbox: Runner) -> Finding:
    result = _run(sandbox, "memory", str(4 * _MEMORY.memory_bytes), _MEMORY)
    return _judge(result.status is RunStatus.MEMORY, "refused", _outcome(result))


def _processes(sandbox: Runner) -> Finding:
    count = _ask(sandbox, "forks", "", _PROCESSES)
    told = f"{count} forks with a limit of {_PROCESSES.num_processes}"
    return _judge(count < MAX_TOLERATED_FORKS, told, told)


def _file_size(sandbox: Runner) -> Finding:
    size = _ask(sandbox, "write_much", str(4 * _FILE.file_bytes), _FILE)
    told = f"{size} bytes were written with a limit of {_FILE.file_bytes}"
    return _judge(size <= _FILE.file_bytes, told, told)


def _output(sandbox: Runner) -> Finding:
    result = _run(sandbox, "emit_much", str(4 * _OUTPUT.output_bytes), _OUTPUT)
    return _judge(result.status is RunStatus.OUTPUT_LIMIT, result.detail, _outcome(result))


def _processor_time(sandbox: Runner) -> Finding:
    result = _run(sandbox, "spin", str(1.5 * _CPU.cpu_s), _CPU)
    if result.status is RunStatus.TIMEOUT and result.wall_s >= _CPU.wall_s:
        raise _UntestedError(f"the machine is busy: {_outcome(result)} came first")
    return _judge(result.status is RunStatus.TIMEOUT, _outcome(result), _outcome(result))


def _deadline(sandbox: Runner) -> Finding:
    result = _run(sandbox, "outlive", "", _DEADLINE)
    if result.status is not RunStatus.TIMEOUT:
        return Outcome.BROKEN, _outcome(result)
    if not result.outputs:
        raise _UntestedError("the machine is busy: the deadline came before the daemon had started")
    is_left = _ask(sandbox, "process_exists", result.outputs[0].decode("ascii", "replace"))
    ended = f"all ended {result.wall_s:.2f} s after the start"
    return _judge(not is_left, ended, "the daemon is still there")


_ATTEMPTS: tuple[tuple[str, str, Callable[[Runner], Finding]], ...] = (
    ("network", "connect to this machine and out of it", _network),
    ("file system", "create files outside the run's directory", _file_system),
    ("your files", "read a file that others may read", _your_files),
    ("your environment", "look for your variables", _your_environment),
    ("other processes", "kill a process of yours", _other_processes),
    ("left files", "leave a file for the next run", _left_files),
    ("privileges", "look for any", _privileges),
    ("system calls", "move to a user namespace", _system_calls),
    ("memory", "allocate four times the limit", _memory),
    ("processes", "fork without end", _processes),
    ("file size", "write four times the limit", _file_size),
    ("output", "emit four times the limit", _output),
    ("processor time", "compute past a limit of one second", _processor_time),
    ("deadline", "ignore all signals and leave a daemon behind", _deadline),
)


def _judge(holds: bool, good: str, bad: str) -> Finding:
    return (Outcome.HOLDS, good) if holds else (Outcome.BROKEN, bad)


def _run(sandbox: Runner, name: str, payload: str, limits: RunLimits) -> RunResult:
    return sandbox.run(f"{_PROBES}:{name}", payload.encode(), limits)


def _ask(sandbox: Runner, name: str, payload: str = "", limits: RunLimits = _SLOW) -> Any:
    """Return what a probe said.

    Raises:
        _UntestedError: it said nothing; why.
    """
    result = _run(sandbox, name, payload, limits)
    if result.status is RunStatus.RETURNED and len(result.outputs) == 1:
        return json.loads(result.outputs[0])
    raise _UntestedError(f"the attempt ended early: {_outcome(result)}")


def _outcome(result: RunResult) -> str:
    return f"{result.status}: {result.detail}" if result.detail else str(result.status)
