"""Process trees: who descends from whom, what they use, and how to end all of them.

Reads ``/proc``. A process whose parent has died is a child of the nearest *subreaper* above it, so below a
subreaper nothing can leave the tree, whether it forks twice, daemonises or starts a session. Linux only;
elsewhere the tree looks empty.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWIPC = 0x08000000
CLONE_NEWNET = 0x40000000
_STABLE_ROUNDS = 2
_DYING_S = 0.001


def process_control(option: int, value: int) -> bool:
    """Call ``prctl(option, value)``; False where it is refused or does not exist. Source: prctl(2)."""
    if sys.platform != "linux":
        return False
    return bool(_libc().prctl(option, value, 0, 0, 0) == 0)


def separate_network() -> bool:
    """Move this process to a network of its own that leads nowhere; False where that is not allowed."""
    return sys.platform == "linux" and bool(_libc().unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0)


def end_descriptor(pid: int) -> int | None:
    """Open a descriptor that becomes readable at the end of child ``pid``; None where there are none."""
    with contextlib.suppress(AttributeError, OSError):
        return os.pidfd_open(pid)
    return None


def trim_heap() -> None:
    """Give memory that the C library keeps in stock back to the system, where it can do that."""
    with contextlib.suppress(AttributeError):
        _libc().malloc_trim(0)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def parents() -> dict[int, int]:
    """Map each visible process to its parent, leaving out zombies: they are gone but for being waited for."""
    found: dict[int, int] = {}
    for entry in _process_entries():
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = _status_fields(int(entry.name))
            if fields[0] not in ("Z", "X"):
                found[int(entry.name)] = int(fields[1])
    return found


def _process_entries() -> list[Path]:
    with contextlib.suppress(OSError):
        return [entry for entry in PROC.iterdir() if entry.name.isdigit()]
    return []


def descendants(pid: int) -> list[int]:
    """Every living process below ``pid``, nearest first."""
    children_of = _children if _has_children_files() else _children_by_search()
    found: list[int] = []
    queue = [pid]
    for current in queue:
        below = children_of(current)
        found.extend(child for child in below if _is_alive(child))
        queue.extend(below)
    return found


@functools.cache
def _has_children_files() -> bool:
    """Whether the kernel lists children, which is much faster than to search: what forks away is caught."""
    return (PROC / "thread-self" / "children").exists()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                found.extend(map(int, (task / "children").read_text().split()))
    return found


def _children_by_search() -> Callable[[int], list[int]]:
    children: dict[int, list[int]] = {}
    for child, parent in parents().items():
        children.setdefault(parent, []).append(child)
    return lambda pid: children.get(pid, [])


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return _status_fields(pid)[0] not in ("Z", "X")
    return False


def _status_fields(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` after the name, which may hold anything, in parentheses."""
    return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, 0 when it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def num_tasks(uid: int) -> int:
    """Count the processes and threads that user ``uid`` runs now, which is what RLIMIT_NPROC counts."""
    total = 0
    for entry in _process_entries():
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == uid:
                total += sum(1 for _ in (entry / "task").iterdir())
    return total


def signal_all(pids: list[int], number: int) -> None:
    """Send a signal to each of ``pids``, passing over those that are gone or not ours."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def kill_descendants(pid: int) -> None:
    """End everything below ``pid``: stop all until no new one appears, so that none forks away, then kill.

    Its own children are left to be waited for.
    """
    stable = 0
    before: set[int] = set()
    for _ in range(1000):
        now = descendants(pid)
        signal_all(now, signal.SIGSTOP)
        stable = stable + 1 if set(now) <= before else 0
        before = set(now)
        if stable >= _STABLE_ROUNDS:
            break
    for _ in range(1000):
        if not (left := descendants(pid)):
            return
        signal_all(left, signal.SIGKILL)
        time.sleep(_DYING_S)


def reap_ready() -> bool:
    """Wait for every child that has ended, without blocking; True when there is no child at all."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False
