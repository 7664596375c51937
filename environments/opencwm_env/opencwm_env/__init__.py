"""OpenCWM's environments for verifiers and prime-rl.

``verifiers`` finds the taskset, the harness that plays it, and the environment that runs both where it is
called, by this list.
"""

from opencwm_env.environment import OpenCWMEnv
from opencwm_env.harness import OpenCWMHarness
from opencwm_env.taskset import OpenCWMTaskset

__all__ = ["OpenCWMEnv", "OpenCWMHarness", "OpenCWMTaskset"]
