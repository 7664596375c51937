"""A box: a small machine of its own in which an agent works on one task, and in which its patch is graded.

One interface, :class:`Box`, for every way to make one (:func:`open_box`): bubblewrap over a copy-on-write
folder, which needs neither root nor images, and podman or docker for tasks that name an image. A box keeps
its files from one command to the next; its processes end with the command, but for those of
:meth:`Box.spawn`.

A command that fails is a :class:`RunResult`. :class:`~opencwm.core.errors.SandboxError` means that the box
itself failed, which says nothing about what was run in it.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from opencwm.core.errors import ConfigError

MIB = 1 << 20
WORKDIR: Final = "/testbed"
"""Where the files of a task lie in a box, unless the task says otherwise."""


class BoxKind(enum.StrEnum):
    """The ways to make a box."""

    BUBBLEWRAP = "bubblewrap"
    PODMAN = "podman"
    DOCKER = "docker"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BoxLimits:
    """What commands in a box may use.

    Attributes:
        wall_s: seconds one command may take, unless :meth:`Box.run` is told otherwise.
        memory_bytes: address space of one process (bubblewrap) or memory of the whole box (podman, docker).
        num_processes: processes and threads alive at once.
        file_bytes: size of one file written.
        disk_bytes: all that a box may write; looked at while a command runs.
        output_bytes: output kept of one command: its first and its last half. The rest is read and dropped.

    Raises:
        ConfigError: a limit is not a positive finite number.
    """

    wall_s: float = 60.0
    memory_bytes: int = 2048 * MIB
    num_processes: int = 256
    file_bytes: int = 256 * MIB
    disk_bytes: int = 1024 * MIB
    output_bytes: int = 64 << 10

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise ConfigError(f"not a positive number: {value!r}", where=f"box.{field.name}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BoxSpec:
    """What a box is to be.

    Attributes:
        files: folder whose content is copied to ``workdir`` (never written to); its git history is scrubbed.
            None: an empty folder, or what the image holds.
        image: the image of podman or docker; None: the programs of this machine, read-only.
        kind: ``auto`` is bubblewrap, or podman or docker when there is an image.
        workdir: where commands start.
        setup: shell text run in an image before its history is scrubbed; not for bubblewrap, whose files
        are there. is_networked: whether the network can be reached.
        env: variables of every command, besides the box's own.
        limits: see :class:`BoxLimits`.
    """

    files: Path | None = None
    image: str | None = None
    kind: str = "auto"
    workdir: str = WORKDIR
    setup: str = ""
    is_networked: bool = False
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    limits: BoxLimits = dataclasses.field(default_factory=BoxLimits)


class RunStatus(enum.StrEnum):
    """How a command ended."""

    EXITED = "exited"  # by itself; see ``exit_code``
    TIMEOUT = "timeout"
    DISK_FULL = "disk_full"  # it wrote more than the box may hold


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunResult:
    """What came of one command.

    Attributes:
        status: how it ended.
        exit_code: its exit status, 128 + N when signal N ended it; None unless EXITED.
        output: standard output and standard error in the order written, as text (bytes that are no UTF-8 are
            replaced); shortened in the middle, with a line that says so, past ``BoxLimits.output_bytes``.
        num_output_bytes: how much it wrote in all.
        wall_s: seconds from its start to the end of the last process.
    """

    status: RunStatus
    exit_code: int | None
    output: str
    num_output_bytes: int
    wall_s: float

    @property
    def is_success(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.exit_code == 0


class Box(Protocol):
    """One box. Not for several threads at once; several boxes may be used by several threads.

    A context manager: starts on entry, stops on exit. Paths are absolute in the box, or relative to
    ``spec.workdir``.
    """

    spec: BoxSpec

    def start(self) -> None:
        """Make the box.

        Raises:
            SandboxError: it cannot be made here: nothing to make it with, disk full, unknown image.
        """

    def run(
        self,
        command: str | Sequence[str],
        *,
        timeout_s: float | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> RunResult:
        """Run a command to its end, and then end every process it left behind.

        Args:
            command: a line for ``bash -c``, or a program with its arguments.
            timeout_s: seconds after which all its processes are killed; ``limits.wall_s`` when None.
            cwd: where it starts; the box's workdir when None.
            env: further variables.
            stdin: what it reads.

        Raises:
            SandboxError: the box failed, not the command.
        """

    def spawn(
        self,
        command: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program that stays (a shell, say) and talk to it through its pipes.

        It ends with :meth:`Process.kill`, :meth:`stop`, or the thread that started it. Other commands see the
        files it writes, and not its processes.

        Raises:
            SandboxError: the box failed.
        """

    def read_file(self, path: str) -> bytes:
        """Return what is in a file.

        Raises:
            FileNotFoundError: there is none; IsADirectoryError, PermissionError: likewise.
            SandboxError: the box failed.
        """

    def write_file(self, path: str, data: bytes | str) -> None:
        """Write a file whole, and the folders above it; text is UTF-8.

        Raises:
            OSError: it cannot be written (a folder is there, disk full).
            SandboxError: the box failed.
        """

    def snapshot(self) -> str:
        """Keep all files as they are now; return the snapshot's name. Spawned programs must have ended.

        Raises:
            SandboxError: the box failed.
        """

    def restore(self, snapshot: str) -> None:
        """Bring back all files as :meth:`snapshot` kept them; it can be restored again.

        Raises:
            KeyError: unknown snapshot.
            SandboxError: the box failed.
        """

    def fork(self) -> Self:
        """Start another box with the same files, that changes on its own from here.

        Raises:
            SandboxError: the box failed.
        """

    def stop(self) -> None:
        """End all processes and remove all files; a second time does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Process(Protocol):
    """A program started by :meth:`Box.spawn`.

    ``popen.stdin`` and ``popen.stdout``, which carries standard error too, are pipes of bytes.
    """

    popen: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it and every process below it; a second time does nothing."""


def open_box(spec: BoxSpec) -> Box:
    """Choose the way to make a box and return one that is not started yet.

    Raises:
        ConfigError: an unknown kind, or an image with bubblewrap.
        SandboxError: what it needs is not installed.
    """
    from opencwm.agent.boxes import choose

    return choose(spec)
