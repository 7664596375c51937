"""OpenCWM: predict what Python code does, line by line, without running it.

Importing this package loads neither torch nor onnxruntime; what is heavy is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from opencwm.core.version import __version__

if TYPE_CHECKING:
    from opencwm.core.errors import OpenCWMError
    from opencwm.debugger.assumed import assume
    from opencwm.debugger.compare import compare
    from opencwm.debugger.execution import RealExecution
    from opencwm.debugger.session import Session
    from opencwm.debugger.world_model import WorldModel
    from opencwm.sandbox import record
    from opencwm.traces import Program, Step, Trace

__all__ = [
    "OpenCWMError",
    "Program",
    "RealExecution",
    "Session",
    "Step",
    "Trace",
    "WorldModel",
    "__version__",
    "assume",
    "compare",
    "record",
]

_HOME = {
    "OpenCWMError": "opencwm.core.errors",
    "Program": "opencwm.traces",
    "RealExecution": "opencwm.debugger.execution",
    "Session": "opencwm.debugger.session",
    "Step": "opencwm.traces",
    "Trace": "opencwm.traces",
    "WorldModel": "opencwm.debugger.world_model",
    "assume": "opencwm.debugger.assumed",
    "compare": "opencwm.debugger.compare",
    "record": "opencwm.sandbox",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
