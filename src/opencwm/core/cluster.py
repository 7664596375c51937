"""The way to a Ray cluster: what imports Ray, says what to install, and starts it where there is none."""

from __future__ import annotations

import os
from typing import Any

from opencwm.core.errors import ConfigError


def connect_ray(option: str, *, num_cpus: int) -> Any:
    """Return the module ``ray``, connected to the cluster of ``RAY_ADDRESS`` or to a Ray of this machine.

    The connection lasts as long as this process.

    Args:
        option: what asked for Ray, for the error.
        num_cpus: of a Ray of this machine; a cluster decides itself.

    Raises:
        ConfigError: Ray is not installed.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError("Ray is not installed", where=option, hint="pip install 'opencwm[ray]'") from None
    if not ray.is_initialized():
        here: dict[str, Any] = {"num_cpus": max(1, num_cpus), "include_dashboard": False}
        ray.init(
            runtime_env={"env_vars": {"PYTHONHASHSEED": "0"}},
            log_to_driver=False,
            logging_level="ERROR",
            **({} if "RAY_ADDRESS" in os.environ else here),
        )
    return ray
