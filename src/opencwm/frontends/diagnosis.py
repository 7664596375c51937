"""What is in force on this machine: Python, packages, the sandbox with its protections, and the model.

Nothing is reported because it was asked for: protections are attacked (:mod:`opencwm.sandbox.isolation`), the
model predicts.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib.metadata
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from opencwm.core.errors import OpenCWMError
from opencwm.core.version import __version__
from opencwm.sandbox import IsolationKind, Sandbox
from opencwm.sandbox.isolation import Outcome, ProtectionReport, probe
from opencwm.tracer import accelerator

PACKAGES: Final = ("numpy", "onnxruntime", "pyarrow", "rich", "tokenizers", "typer")
TRAINING_PACKAGES: Final = ("torch", "onnx", "safetensors", "matplotlib")
_ONLY_IN_BUBBLEWRAP: Final = frozenset({"network", "file system", "your files", "other processes"})
"""Those that need more without bubblewrap, root or Landlock, and may not hold."""
_ON_SOME_MACHINES: Final = frozenset({"system calls"})
"""Those for which the sandbox has to know the processor."""


class Verdict(enum.StrEnum):
    """What a check found."""

    GOOD = "good"
    WEAK = "weak"  # works, with less than could be had
    BAD = "bad"


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    Attributes:
        area: python, sandbox or model.
        name: what it is.
        verdict: what to think of it.
        detail: one line on it.
        tested: for a protection, what trying to get past it showed, in words; otherwise empty.
    """

    area: str
    name: str
    verdict: Verdict
    detail: str
    tested: str = ""


def diagnose(model: str | Path | None = None) -> Iterator[Check]:
    """Yield one check after another; takes a few seconds, because protections are tried.

    Args:
        model: which, as :mod:`opencwm.model.spec` says; the one in the package when None.
    """
    yield from _python()
    yield from _sandbox()
    yield check_model(model)


def _python() -> Iterator[Check]:
    is_supported = (3, 11) <= sys.version_info[:2] <= (3, 14)
    found = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    yield Check("python", "python", Verdict.GOOD if is_supported else Verdict.WEAK, found)
    yield Check("python", "opencwm", Verdict.GOOD, __version__)
    yield check_accelerator()
    for name in (*PACKAGES, *TRAINING_PACKAGES):
        try:
            yield Check("python", name, Verdict.GOOD, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            if name in TRAINING_PACKAGES:
                yield Check("python", name, Verdict.GOOD, "not installed; only training needs it")
            else:
                yield Check("python", name, Verdict.BAD, "not installed: pip install opencwm")


def _sandbox() -> Iterator[Check]:
    try:
        with Sandbox() as sandbox:
            isolation = sandbox.isolation
            verdict = Verdict.WEAK if isolation.notice else Verdict.GOOD
            yield Check("sandbox", "isolation", verdict, isolation.notice or isolation.description)
            for report in probe(sandbox):
                yield Check(
                    "sandbox",
                    report.name,
                    judge_protection(report, isolation.kind),
                    f"{report.outcome}: {report.detail} (tried: {report.how})",
                    report.outcome,
                )
    except OpenCWMError as error:
        yield Check("sandbox", "isolation", Verdict.BAD, str(error))


def judge_protection(report: ProtectionReport, kind: IsolationKind) -> Verdict:
    """Say how bad it is that a protection does not hold: only what the isolation promises must."""
    if report.outcome is Outcome.HOLDS:
        return Verdict.GOOD
    is_promised = report.name not in _ON_SOME_MACHINES and (
        kind is IsolationKind.BUBBLEWRAP or report.name not in _ONLY_IN_BUBBLEWRAP
    )
    return Verdict.BAD if is_promised and report.outcome is Outcome.BROKEN else Verdict.WEAK


def check_accelerator() -> Check:
    """Say whether the tracer's accelerator was built; without it recording takes longer and is the same."""
    if accelerator.is_available():
        return Check("python", "accelerator", Verdict.GOOD, "built")
    detail = "not built: recording is slower and otherwise the same; install opencwm where a C compiler is"
    return Check("python", "accelerator", Verdict.GOOD, detail)


def check_model(spec: str | Path | None) -> Check:
    """Open a model, the one in the package when None, and let it predict one token."""
    from opencwm.debugger.world_model import WorldModel

    try:
        model = WorldModel.load(spec)
        return Check("model", model.name, Verdict.GOOD, model.try_out())
    except OpenCWMError as error:
        return Check("model", "model", Verdict.BAD, str(error))
