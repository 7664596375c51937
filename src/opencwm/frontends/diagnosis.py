"""What is in force on this machine: Python, packages, the sandbox with each of its protections tried, and the model.

A protection is never reported because it was asked for: a probe (:mod:`opencwm.frontends.probes`) tried to get past it.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib.metadata
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from opencwm import __version__
from opencwm.core.errors import OpenCWMError
from opencwm.sandbox import RunLimits, RunResult, RunStatus, Sandbox

PACKAGES: Final = ("numpy", "onnxruntime", "pyarrow", "rich", "tokenizers", "typer", "torch")
OPTIONAL: Final = ("torch",)
_DEADLINE_S = 0.5
_PROBES = "opencwm.frontends.probes"


class Verdict(enum.StrEnum):
    """What a check found."""

    GOOD = "good"
    WEAK = "weak"  # works, with less protection than could be had
    BAD = "bad"


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: its area (``python``, ``sandbox``, ``model``), its name, the verdict and one line on it."""

    area: str
    name: str
    verdict: Verdict
    detail: str


def diagnose() -> Iterator[Check]:
    """Yield one check after another; takes a few seconds, because protections are tried."""
    yield from _python()
    yield from _sandbox()
    yield _model()


def _python() -> Iterator[Check]:
    found = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    is_known = (3, 11) <= sys.version_info[:2] <= (3, 14)
    yield Check("python", "python", Verdict.GOOD if is_known else Verdict.WEAK, found)
    yield Check("python", "opencwm", Verdict.GOOD, __version__)
    for name in PACKAGES:
        try:
            yield Check("python", name, Verdict.GOOD, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            if name in OPTIONAL:
                yield Check("python", name, Verdict.GOOD, "not installed; needed for training only")
            else:
                yield Check("python", name, Verdict.BAD, "not installed: pip install opencwm")


def _sandbox() -> Iterator[Check]:
    try:
        with Sandbox() as sandbox:
            isolation = sandbox.isolation
            verdict = Verdict.WEAK if isolation.notice else Verdict.GOOD
            yield Check("sandbox", "isolation", verdict, isolation.notice or isolation.description)
            for name, judge in _JUDGES.items():
                try:
                    yield Check("sandbox", name, *judge(sandbox))
                except OpenCWMError as error:
                    yield Check("sandbox", name, Verdict.BAD, str(error))
    except OpenCWMError as error:
        yield Check("sandbox", "isolation", Verdict.BAD, str(error))


Judgement = tuple[Verdict, str]


def _run(sandbox: Sandbox, probe: str, payload: str = "", limits: RunLimits | None = None) -> RunResult:
    return sandbox.run(f"{_PROBES}:{probe}", payload.encode(), limits)


def _said(result: RunResult) -> str:
    return result.outputs[0].decode() if result.outputs else f"{result.status}: {result.detail}"


def _judge_network(sandbox: Sandbox) -> Judgement:
    said = _said(_run(sandbox, "network"))
    return (Verdict.GOOD, "none") if said.startswith("blocked") else (Verdict.WEAK, "programs reach the network")


def _judge_writing(sandbox: Sandbox) -> Judgement:
    result = _run(sandbox, "files", "\n".join((str(Path.home()), str(Path.cwd()))))
    if result.status is not RunStatus.RETURNED:
        return Verdict.BAD, _said(result)
    written = _said(result).split("\n")
    if written == [""]:
        return Verdict.GOOD, "only a private scratch directory"
    return Verdict.WEAK, f"programs can write to {', '.join(written)}"


def _judge_reading(sandbox: Sandbox) -> Judgement:
    with tempfile.NamedTemporaryFile(prefix="opencwm-probe-", dir=Path.cwd() if os.access(".", os.W_OK) else None) as file:
        Path(file.name).chmod(0o644)
        said = _said(_run(sandbox, "reading", file.name))
    if said == "blocked":
        return Verdict.GOOD, "Python and its packages, not your files"
    return Verdict.WEAK, "programs can read your files"


def _judge_processes(sandbox: Sandbox) -> Judgement:
    said = _said(_run(sandbox, "processes", str(os.getpid())))
    if said == "blocked":
        return Verdict.GOOD, "programs see only their own"
    if said == "seen":
        return Verdict.WEAK, "programs see other processes, and cannot touch them"
    return Verdict.WEAK, "programs can signal your other processes"


def _judge_user(sandbox: Sandbox) -> Judgement:
    said = _said(_run(sandbox, "identity"))
    is_other = said.isdigit() and int(said) not in (0, os.getuid())
    return (Verdict.GOOD if is_other else Verdict.WEAK), f"programs run as user {said}"


def _judge_forks(sandbox: Sandbox) -> Judgement:
    limits = RunLimits()
    result = _run(sandbox, "forks", limits=limits)
    said = _said(result)
    if said.isdigit() and int(said) >= limits.num_processes:
        return Verdict.BAD, f"{said} processes could be started, the limit is {limits.num_processes}"
    return Verdict.GOOD, f"a fork bomb stops at {limits.num_processes} processes"


def _judge_memory(sandbox: Sandbox) -> Judgement:
    result = _run(sandbox, "memory")
    if result.status is RunStatus.MEMORY:
        return Verdict.GOOD, f"more than {RunLimits().memory_bytes >> 20} MiB are refused"
    return Verdict.BAD, f"a program could take {_said(result)} bytes"


def _judge_deadline(sandbox: Sandbox) -> Judgement:
    start_s = time.monotonic()
    result = _run(sandbox, "endless", limits=RunLimits(wall_s=_DEADLINE_S))
    took_s = time.monotonic() - start_s
    if result.status is RunStatus.TIMEOUT and took_s < 4 * _DEADLINE_S:
        return Verdict.GOOD, f"a program that ignores signals ended {took_s:.1f} s after its start, limit {_DEADLINE_S} s"
    return Verdict.BAD, f"a program that ignores signals: {result.status} after {took_s:.1f} s, limit {_DEADLINE_S} s"


def _judge_exit(sandbox: Sandbox) -> Judgement:
    result = _run(sandbox, "sudden_exit")
    if result.status is RunStatus.EXITED:
        return Verdict.GOOD, "a program that ends the process is noticed"
    return Verdict.BAD, f"a program that ends the process is taken for {result.status}"


_JUDGES: Final[dict[str, Callable[[Sandbox], Judgement]]] = {
    "network": _judge_network,
    "writing files": _judge_writing,
    "reading files": _judge_reading,
    "other processes": _judge_processes,
    "user": _judge_user,
    "process limit": _judge_forks,
    "memory limit": _judge_memory,
    "deadline": _judge_deadline,
    "sudden exit": _judge_exit,
}


def _model() -> Check:
    return Check("model", "model", Verdict.BAD, "none in this package")
