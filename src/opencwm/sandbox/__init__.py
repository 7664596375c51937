"""Run untrusted Python in confined processes and say how each run ended.

Names are imported when first used: the fork-server is part of this package, and every module it holds costs
every fork time (``threading`` alone a third of a millisecond).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencwm.sandbox.config import Isolation, IsolationKind, SandboxConfig
    from opencwm.sandbox.isolation import Outcome, ProtectionReport, probe
    from opencwm.sandbox.limits import RunLimits, RunResult, RunStatus
    from opencwm.sandbox.recording import record, record_many, trace_of
    from opencwm.sandbox.supervisor import Sandbox

__all__ = [
    "Isolation",
    "IsolationKind",
    "Outcome",
    "ProtectionReport",
    "RunLimits",
    "RunResult",
    "RunStatus",
    "Sandbox",
    "SandboxConfig",
    "probe",
    "record",
    "record_many",
    "trace_of",
]

_MODULES = {
    "Isolation": "config",
    "IsolationKind": "config",
    "Outcome": "isolation",
    "ProtectionReport": "isolation",
    "RunLimits": "limits",
    "RunResult": "limits",
    "RunStatus": "limits",
    "Sandbox": "supervisor",
    "SandboxConfig": "config",
    "probe": "isolation",
    "record": "recording",
    "record_many": "recording",
    "trace_of": "recording",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
