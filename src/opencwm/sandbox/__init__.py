"""Run untrusted Python in confined processes and say how each run ended."""

from opencwm.sandbox.config import Isolation, IsolationKind, SandboxConfig
from opencwm.sandbox.limits import RunLimits, RunResult, RunStatus
from opencwm.sandbox.recording import record, trace_of
from opencwm.sandbox.supervisor import Sandbox

__all__ = [
    "Isolation",
    "IsolationKind",
    "RunLimits",
    "RunResult",
    "RunStatus",
    "Sandbox",
    "SandboxConfig",
    "record",
    "trace_of",
]
