"""From launch arguments to a session that can begin.

The one idea: everything that can be wrong is found here, before the client is told that the launch worked.
"""

from __future__ import annotations

import dataclasses
import math
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opencwm.core.errors import ConfigError
from opencwm.debugger.expressions import Undecided, literal
from opencwm.frontends.dap.arguments import Launch
from opencwm.frontends.dap.messages import RequestError
from opencwm.frontends.dap.places import Dialect
from opencwm.frontends.dap.snippets import call_with, snippet_program
from opencwm.frontends.programs import load_program
from opencwm.frontends.sessions import Mode, Opened, SessionConfig, open_program
from opencwm.traces import Program

if TYPE_CHECKING:
    from opencwm.debugger.world_model import WorldModel

_ASSUMPTION: Final = re.compile(r"([^\W\d]\w*)\s*[:=]\s*(.+)", re.DOTALL)


class Models:
    """Models that are loaded once and serve all clients of a server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[Path | None, WorldModel] = {}

    def get(self, path: Path | None) -> WorldModel:
        """Return the model at ``path``, or the one in the package.

        Raises:
            EngineError: it cannot be loaded.
        """
        from opencwm.debugger.world_model import WorldModel

        with self._lock:
            if path not in self._loaded:
                self._loaded[path] = WorldModel.load(path)
            return self._loaded[path]


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
    assumed = _assumed(wanted)
    if assumed and entry:
        call, entry = call_with(entry, assumed), None
    if path is not None:
        program = load_program(path, call=call, entry=entry)
    else:
        program = snippet_program(wanted.source, call=call, entry=entry, assumed=assumed)
    config = _config(wanted, dialect)
    world = None if config.mode is Mode.REAL else models.get(config.model)
    return Launched(path, program, open_program(program, config, world), config.mode)


def _assumed(wanted: Launch) -> dict[str, str]:
    """Return name -> literal of what is assumed.

    Raises:
        RequestError: something is no literal, or there is nothing that it could be about.
    """
    if wanted.assume and (wanted.call.strip() or not (wanted.entry.strip() or wanted.source)):
        raise RequestError("says what entry or a source without a call begins with", where="assume")
    found = {}
    for index, text in enumerate(wanted.assume):
        match = _ASSUMPTION.fullmatch(text.strip())
        if match is None:
            raise RequestError("must be NAME: VALUE", where=f"assume[{index}]")
        try:
            literal(match[2])
        except Undecided as error:
            raise RequestError(f"{match[1]}: {error}", where=f"assume[{index}]") from None
        found[match[1]] = " ".join(match[2].splitlines())
    return found


def _config(wanted: Launch, dialect: Dialect) -> SessionConfig:
    if wanted.mode not in tuple(Mode):
        raise RequestError(f"no mode {wanted.mode!r}", where="mode", hint=f"one of: {', '.join(Mode)}")
    if wanted.max_steps < 1:
        raise RequestError("must be at least 1", where="maxSteps")
    if not (math.isfinite(wanted.timeout_s) and wanted.timeout_s >= 0.01):
        raise RequestError("must be at least 0.01", where="timeout")
    return SessionConfig(
        mode=Mode(wanted.mode),
        model=dialect.path_in(wanted.model) if wanted.model else None,
        max_steps=wanted.max_steps,
        timeout_s=wanted.timeout_s,
    )


def refusal(error: ConfigError | Exception) -> RequestError:
    """Return an error as an answer, in which options of the command line are launch arguments."""
    what = getattr(error, "what", str(error))
    where = getattr(error, "where", "").removeprefix("--")
    return RequestError(what, where=where, hint=getattr(error, "hint", "").replace("--", ""), shows=True)
