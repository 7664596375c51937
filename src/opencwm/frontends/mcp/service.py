"""What all tools share: the model, the programs they are given, and the open sessions, within bounds.

Nothing of a program runs but in a mode that asks for it, and then in the sandbox.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from opencwm.core.errors import ConfigError
from opencwm.frontends.models import Models
from opencwm.frontends.programs import assumed_of_source, read_source
from opencwm.frontends.sessions import Mode, Opened, SessionConfig, open_program

if TYPE_CHECKING:
    from opencwm.debugger.assumed import AssumedProgram
    from opencwm.debugger.session import Session
    from opencwm.debugger.world_model import WorldModel


@dataclasses.dataclass(frozen=True, kw_only=True)
class McpConfig:
    """Bounds of the server.

    Attributes:
        root: files below it may be named instead of sending their text.
        model: which, as :mod:`opencwm.model.spec` says; None for the one in the package.
        max_source_chars: longest program.
        max_sessions: most open sessions.
        idle_s: a session that nobody used for so many seconds is closed.
        max_call_s: a call of a tool stops where it is after so many seconds.

    Raises:
        ConfigError: a bound that is not positive, or a root that is no folder.
    """

    root: Path = dataclasses.field(default_factory=Path.cwd)
    model: str | None = None
    max_source_chars: int = 200_000
    max_sessions: int = 16
    idle_s: float = 1_800.0
    max_call_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("max_source_chars", "max_sessions", "idle_s", "max_call_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive, not {getattr(self, name)}", where="mcp")
        if not self.root.is_dir():
            raise ConfigError("is no folder", where=str(self.root), hint="name one with --root")


@dataclasses.dataclass(frozen=True, slots=True)
class ProgramRequest:
    """A program as a tool is given it.

    Attributes:
        source: its text; or
        file: its path, below the root.
        call: what starts it; or
        entry: the function it starts in.
        assume: assumptions, see :mod:`opencwm.debugger.assumptions`.
        mode: what is looked at.
    """

    source: str | None = None
    file: str | None = None
    call: str | None = None
    entry: str | None = None
    assume: tuple[str, ...] = ()
    mode: Mode = Mode.PREDICTED


@dataclasses.dataclass(slots=True)
class OpenSession:
    """A session that a client holds.

    Attributes:
        name: what the client calls it by.
        session: the debugger's session.
        notices: what the client should know of it.
        used_at: when it was used last, by the service's clock.
    """

    name: str
    session: Session
    notices: tuple[str, ...]
    used_at: float


class Service:
    """The state of one server.

    Args:
        config: its bounds.
        models: where its model is taken from; by default it is loaded when it is needed first.
        clock: seconds from any fixed moment.

    Attributes:
        busy: held while the model or a session is used: both are for one thread at a time.
    """

    NUM_KEPT = 8

    def __init__(
        self, config: McpConfig, models: Models | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.config = config
        self.busy = threading.Lock()
        self._models = models or Models()
        self._clock = clock
        self._sessions: dict[str, OpenSession] = {}
        self._numbers = itertools.count(1)
        self._kept: collections.OrderedDict[ProgramRequest, Opened] = collections.OrderedDict()

    @property
    def world(self) -> WorldModel:
        """The model.

        Raises:
            EngineError: it cannot be loaded.
        """
        return self._models.get(self.config.model)

    # Programs

    def source_of(self, source: str | None, file: str | None) -> tuple[str, str]:
        """Return the text of a program, and what it is called.

        Raises:
            ConfigError: not exactly one of both is given, the text is too long, or the file lies elsewhere or
                cannot be read.
        """
        if (source is None) == (file is None):
            raise ConfigError("give either source or file", hint="source is the text of a Python program")
        if source is None:
            path = self._below_root(file or "")
            if path.is_file() and path.stat().st_size > 4 * self.config.max_source_chars:
                raise self._too_long(str(file))
            source = read_source(path)
        if len(source) > self.config.max_source_chars:
            raise self._too_long(file or "source")
        if "\0" in source:
            raise ConfigError("holds a NUL character", where=file or "source")
        return source, file or "<source>"

    def _too_long(self, where: str) -> ConfigError:
        bound = self.config.max_source_chars
        return ConfigError(
            f"has more than {bound} characters", where=where, hint="send the part that matters"
        )

    def _below_root(self, file: str) -> Path:
        root = self.config.root.resolve()
        try:
            path = (root / file).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigError(f"is no path: {error}", where="file") from None
        if not path.is_relative_to(root):
            raise ConfigError("lies outside of the server's root", where=file, hint="send its text as source")
        return path

    def program_of(self, request: ProgramRequest) -> AssumedProgram:
        """Return the program of a request, with its assumptions in place.

        Raises:
            ConfigError: as for :func:`opencwm.frontends.programs.load_assumed`.
        """
        source, name = self.source_of(request.source, request.file)
        return assumed_of_source(
            source, name, call=request.call, entry=request.entry, assumptions=request.assume
        )

    def opened(self, request: ProgramRequest) -> Opened:
        """Return the executions of a request, as far as they are known from earlier requests for them.

        Raises:
            ConfigError: the request makes no sense, or a real run left nothing.
            EngineError: the model cannot be loaded.
            SandboxError: the sandbox failed.
        """
        source, _ = self.source_of(request.source, request.file)
        key = dataclasses.replace(request, source=source)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        opened = self.open_anew(request)
        self._kept[key] = opened
        while len(self._kept) > self.NUM_KEPT:
            self._kept.popitem(last=False)
        return opened

    def open_anew(self, request: ProgramRequest) -> Opened:
        """Return fresh executions of a request.

        Raises:
            ConfigError: as for :meth:`opened`; EngineError and SandboxError likewise.
        """
        assumed = self.program_of(request)
        return open_program(assumed, SessionConfig(mode=request.mode, model=self.config.model), self._models)

    # Sessions

    def open_session(self, request: ProgramRequest) -> OpenSession:
        """Open a session.

        Raises:
            ConfigError: as for :meth:`opened`, or too many are open.
        """
        self._close_idle()
        if len(self._sessions) >= self.config.max_sessions:
            raise ConfigError(
                f"{len(self._sessions)} sessions are open, which is the most there may be",
                hint=f"close one with close_session: {', '.join(self._sessions)}",
            )
        opened = self.open_anew(request)
        name = f"s{next(self._numbers)}"
        held = OpenSession(name, opened.session(), opened.notices, self._clock())
        self._sessions[name] = held
        return held

    def session(self, name: str) -> OpenSession:
        """Return an open session, which counts as used now.

        Raises:
            ConfigError: there is none of that name, or it was closed for lack of use.
        """
        self._close_idle()
        held = self._sessions.get(name)
        if held is None:
            known = ", ".join(self._sessions) or "none"
            raise ConfigError(
                f"there is no open session {name[:40]!r}",
                hint=f"open: {known}; one is closed after {self.config.idle_s:g} s without use",
            )
        held.used_at = self._clock()
        return held

    def close_session(self, name: str) -> None:
        """Close a session.

        Raises:
            ConfigError: there is none of that name.
        """
        self.session(name)
        del self._sessions[name]

    @property
    def sessions(self) -> list[OpenSession]:
        """The open sessions, oldest first."""
        self._close_idle()
        return list(self._sessions.values())

    def _close_idle(self) -> None:
        oldest = self._clock() - self.config.idle_s
        for held in list(self._sessions.values()):
            if held.used_at < oldest:
                del self._sessions[held.name]
