"""How the session of a page was started, and how it is started again with something else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from opencwm.frontends.models import Models
from opencwm.frontends.programs import load_assumed
from opencwm.frontends.sessions import Opened, SessionConfig, open_program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """What a user said of the start.

    Attributes:
        call: that starts the program; None where the function ``entry`` does.
        entry: function; None for ``main``, or where there is a call.
        assumptions: as :mod:`opencwm.debugger.assumptions` describes them.
    """

    call: str | None = None
    entry: str | None = None
    assumptions: tuple[str, ...] = ()

    def changed(self, call: str | None, assumptions: tuple[str, ...] | None) -> Start:
        """Return another start.

        Args:
            call: another call; empty for none, so that ``entry`` starts it; None to keep what there is.
            assumptions: others; None to keep them.
        """
        kept = self.assumptions if assumptions is None else assumptions
        if call is None:
            return dataclasses.replace(self, assumptions=kept)
        return Start(call=call or None, entry=None if call else self.entry, assumptions=kept)


Opens = Callable[[Start], Opened]
"""Makes the executions of a start, from the file as it is now."""


def opens(file: Path, config: SessionConfig, models: Models) -> Opens:
    """Return what opens a file.

    What it returns raises ConfigError, EngineError and SandboxError as
    :func:`opencwm.frontends.sessions.open_program` does.
    """

    def opened(start: Start) -> Opened:
        assumed = load_assumed(file, call=start.call, entry=start.entry, assumptions=start.assumptions)
        return open_program(assumed, config, models)

    return opened
