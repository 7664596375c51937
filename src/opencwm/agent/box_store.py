"""Where boxes keep their files, and how nothing of them outlives its driver for long.

Every process that makes boxes (a driver) has one folder, named in a lock file that it holds as long as it
lives. The next driver removes what it finds unlocked, so ``kill -9`` leaves files only until then. Processes
and mounts end with the driver (see :mod:`opencwm.agent.box_process`), but for what was only being started.

Layers are folders that no box writes to any more; boxes share them, and the last to let go removes them.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import secrets
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from opencwm.core.errors import SandboxError
from opencwm.sandbox import scratch

_LOCK_SUFFIX = ".lock"
_SWEEP_S = 2.0


class Layer:
    """A folder that stays as it is, and how many use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_users = 0


class BoxStore:
    """One driver's folder.

    Attributes:
        name: unlike any other's, on this machine.
        path: the folder.
    """

    def __init__(self, base: Path) -> None:
        self._mutex = threading.Lock()
        self._numbers = 0
        self.name, self._lock = _locked_name(base)
        self._lock_path = base / f"{self.name}{_LOCK_SUFFIX}"
        self.path = base / self.name
        self.path.mkdir(mode=0o700)

    def new_folder(self) -> Path:
        """Make an empty folder."""
        with self._mutex:
            self._numbers += 1
            number = self._numbers
        path = self.path / f"{number:x}"  # short: hundreds of them stand in one mount option
        path.mkdir()
        return path

    def take(self, layers: list[Layer]) -> None:
        """Count one more user of each layer."""
        with self._mutex:
            for layer in layers:
                layer.num_users += 1

    def drop(self, layers: list[Layer]) -> None:
        """Count one user less, and remove what nobody uses."""
        with self._mutex:
            for layer in layers:
                layer.num_users -= 1
            unused = [layer for layer in layers if layer.num_users == 0]
        for layer in unused:
            remove(layer.path)

    def close(self) -> None:
        """Remove everything and let go of the lock."""
        remove(self.path)
        self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)


def remove(path: Path) -> None:
    """Remove a folder, whatever a program built there; nothing happens when it is gone.

    Raises:
        SandboxError: it cannot be removed.
    """
    try:
        scratch.empty(path)
        path.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        raise SandboxError(f"a box's files cannot be removed: {error.strerror}", where=str(path)) from error


def store() -> BoxStore:
    """Return this process's store; make it, and sweep what dead drivers left, on first use.

    Raises:
        SandboxError: no folder can be made.
    """
    return _store_of(os.getpid())


@functools.cache
def _store_of(pid: int) -> BoxStore:
    base = base_folder()
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        status = base.lstat()
        if status.st_uid != os.getuid() or not base.is_dir() or base.is_symlink():
            raise SandboxError("the folder for boxes belongs to somebody else", where=str(base))
        sweep(base)
        made = BoxStore(base)
    except OSError as error:
        raise SandboxError(f"no folder for boxes: {error.strerror}", where=str(base)) from error

    def close() -> None:
        if os.getpid() == pid:
            with contextlib.suppress(SandboxError):
                made.close()

    atexit.register(close)
    return made


def base_folder() -> Path:
    """Return where all drivers of this user have their folders."""
    return Path(tempfile.gettempdir()) / f"opencwm-boxes-{os.getuid()}"


def sweep(base: Path) -> list[str]:
    """Remove the folders of drivers that are gone; return their names."""
    swept = []
    for lock_path in base.glob(f"*{_LOCK_SUFFIX}"):
        with _lock_if_free(lock_path) as is_free:
            if is_free:
                name = lock_path.name.removesuffix(_LOCK_SUFFIX)
                _end_processes_of(base / name)
                with contextlib.suppress(
                    SandboxError
                ):  # another user's files, perhaps; the next driver tries again
                    remove(base / name)
                    lock_path.unlink(missing_ok=True)
                    swept.append(name)
    return swept


def _end_processes_of(folder: Path) -> None:
    """Kill what a gone driver left in the middle of starting.

    A bubblewrap that is killed with its driver just after it has forked leaves a child that waits for it for
    ever: that child has the folder in its command line, and nothing of a box runs in it yet. A process that
    ends while we look may just have forked it, so only a second look that finds nothing ends the search.
    """
    mark = os.fsencode(f"{folder}/")
    deadline = time.monotonic() + _SWEEP_S
    num_quiet_looks = 0
    while num_quiet_looks < 2 and time.monotonic() < deadline:
        num_quiet_looks = 0 if _kill_all_with(mark) else num_quiet_looks + 1


def _kill_all_with(mark: bytes) -> bool:
    """Kill the processes with ``mark`` in their command lines; tell whether one was there or may be yet."""
    is_found = False
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended, or is somebody else's
            words = (entry / "cmdline").read_bytes()
            if mark in words:
                is_found = True
                os.kill(int(entry.name), signal.SIGKILL)
            elif not words and (entry / "exe").exists():  # not the kernel's, not ended: in the middle of exec
                is_found = True
    return is_found


def is_alive(base: Path, name: str) -> bool:
    """Whether the driver that has the folder ``name`` lives."""
    path = base / f"{name}{_LOCK_SUFFIX}"
    with _lock_if_free(path) as is_free:
        return path.exists() and not is_free


def _locked_name(base: Path) -> tuple[str, int]:
    """Make a lock file and lock it; again when a sweep removed it in between."""
    while True:
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        path = base / f"{name}{_LOCK_SUFFIX}"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)


@contextlib.contextmanager
def _lock_if_free(path: Path) -> Iterator[bool]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
