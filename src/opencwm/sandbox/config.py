"""Settings of a sandbox. Nothing is started here."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path

from opencwm.core.errors import ConfigError


class IsolationKind(enum.StrEnum):
    """How far a run is kept from the machine.

    With ``rlimits`` and without Landlock, files and the network can be reached, and a run not started by root
    can signal the processes of its user.
    """

    BUBBLEWRAP = "bubblewrap"  # own namespaces: no network, read-only files, no other processes; and limits
    RLIMITS = "rlimits"  # limits and deadline, another user for root; Landlock where the kernel has it


@dataclasses.dataclass(frozen=True, kw_only=True)
class SandboxConfig:
    """Settings of a :class:`~opencwm.sandbox.Sandbox`.

    Attributes:
        isolation: ``bubblewrap`` or ``rlimits`` demand that kind; ``auto`` takes bubblewrap where it works
            and otherwise the resource limits, says so once through ``logging``, and in ``Sandbox.isolation``.
        preload: modules imported once by the server, so that no run pays for them.
        python_path: directories that programs may read and import from, besides what this interpreter imports
            from.
        start_s: seconds the server may take to start.

    Raises:
        ConfigError: an unknown isolation, or a path that is no directory.
    """

    isolation: str = "auto"
    preload: tuple[str, ...] = ()
    python_path: tuple[Path, ...] = ()
    start_s: float = 30.0

    def __post_init__(self) -> None:
        known = ("auto", *IsolationKind)
        if self.isolation not in known:
            raise ConfigError(
                f"unknown isolation {self.isolation!r}",
                where="sandbox.isolation",
                hint=f"one of {', '.join(known)}",
            )
        for path in self.python_path:
            if not path.is_dir():
                raise ConfigError("not a directory", where=str(path))
        if not self.start_s > 0:
            raise ConfigError("must be positive", where="sandbox.start_s")


@dataclasses.dataclass(frozen=True)
class Isolation:
    """What a started sandbox obtained.

    Attributes:
        kind: see :class:`IsolationKind`.
        description: one line for people: namespaces, user, limits.
        notice: one line when this is less than bubblewrap would give, with the reason; otherwise empty.
    """

    kind: IsolationKind
    description: str
    notice: str = ""
