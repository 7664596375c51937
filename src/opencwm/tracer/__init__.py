"""Records what a Python program does, one :class:`~opencwm.traces.Step` per event. Standard library only."""

from opencwm.tracer.limits import TraceLimits
from opencwm.tracer.run import record

__all__ = ["TraceLimits", "record"]
