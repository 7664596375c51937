"""From launch arguments to a session that can begin.

The one idea: everything that can be wrong is found here, before the client is told that the launch worked.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from opencwm.core.errors import ConfigError
from opencwm.frontends.dap.arguments import Launch
from opencwm.frontends.dap.messages import RequestError
from opencwm.frontends.dap.places import Dialect
from opencwm.frontends.dap.snippets import assumed_snippet
from opencwm.frontends.models import Models
from opencwm.frontends.programs import load_assumed
from opencwm.frontends.sessions import Mode, Opened, SessionConfig, open_program
from opencwm.traces import Program


@dataclasses.dataclass(frozen=True)
class Launched:
    """What was launched.

    Attributes:
        path: of the file; None for a snippet.
        program: what is debugged.
        opened: its executions; nothing is predicted yet.
        mode: what is stepped through.
    """

    path: Path | None
    program: Program
    opened: Opened
    mode: Mode


def launch(wanted: Launch, dialect: Dialect, models: Models) -> Launched:
    """Make ready what a client wants to debug; a real run is recorded now.

    Raises:
        RequestError: an argument makes no sense.
        OpenCWMError: the program, the model or the sandbox is not as it should be.
    """
    if bool(wanted.program) == bool(wanted.source):
        raise RequestError("give the path of a file as program, or a text as source")
    path = dialect.path_in(wanted.program) if wanted.program else None
    call, entry = wanted.call.strip() or None, wanted.entry.strip() or None
    if path is not None:
        assumed = load_assumed(path, call=call, entry=entry, assumptions=wanted.assume)
    else:
        assumed = assumed_snippet(wanted.source, call=call, entry=entry, assumptions=wanted.assume)
    config = _config(wanted, dialect)
    opened = open_program(assumed, config, models)
    return Launched(path, opened.execution.program, opened, config.mode)


def _config(wanted: Launch, dialect: Dialect) -> SessionConfig:
    if wanted.mode not in tuple(Mode):
        raise RequestError(f"no mode {wanted.mode!r}", where="mode", hint=f"one of: {', '.join(Mode)}")
    if wanted.max_steps < 1:
        raise RequestError("must be at least 1", where="maxSteps")
    if not (math.isfinite(wanted.timeout_s) and wanted.timeout_s >= 0.01):
        raise RequestError("must be at least 0.01", where="timeout")
    return SessionConfig(
        mode=Mode(wanted.mode),
        model=_model(wanted.model, dialect),
        max_steps=wanted.max_steps,
        timeout_s=wanted.timeout_s,
    )


def _model(text: str, dialect: Dialect) -> str | None:
    """Return the model that a client names: as everywhere, or by the address of a folder."""
    return str(dialect.path_in(text)) if text.startswith("file://") else text or None


def refusal(error: ConfigError | Exception) -> RequestError:
    """Return an error as an answer, in which options of the command line are launch arguments."""
    what = getattr(error, "what", str(error))
    where = getattr(error, "where", "").removeprefix("--")
    return RequestError(what, where=where, hint=getattr(error, "hint", "").replace("--", ""), shows=True)
