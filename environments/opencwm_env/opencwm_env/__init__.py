"""OpenCWM's environments for verifiers, prime-rl and verl.

``verifiers`` finds the taskset, the harness that plays it, and the environment that runs both where it is
called, by this list. They are loaded when asked for: verl's loop and prime-rl's renderer do without them.
"""

import importlib

_PLACES = {
    "OpenCWMEnv": "opencwm_env.environment",
    "OpenCWMHarness": "opencwm_env.harness",
    "OpenCWMTaskset": "opencwm_env.taskset",
}

__all__ = ["OpenCWMEnv", "OpenCWMHarness", "OpenCWMTaskset"]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(name)
    return getattr(importlib.import_module(_PLACES[name]), name)
