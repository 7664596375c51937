"""What tests of boxes share."""

from __future__ import annotations

from opencwm.agent.bubblewrap import obtained_plan
from opencwm.core.errors import SandboxError


def why_no_boxes() -> str:
    """Return why bubblewrap makes no box here; empty when it does."""
    try:
        obtained_plan()
    except SandboxError as error:
        return str(error)
    return ""
