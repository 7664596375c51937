"""The first moments of a run: the forked process gives up what it must not have, then calls the target.

Everything here happens between ``fork`` and the target, in the process that the program will own, so the
order matters: descriptors first, limits before the change of user, the change of user before anything of the
program runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import resource
import signal
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from opencwm.sandbox import landlock, processes, protocol

Target = Callable[[bytes, Callable[[bytes], None]], None]

RESULT_FD = 3
EXIT_NO_PIPE = 121
"""Exit code of a run whose result pipe was closed under it."""
EXIT_NOT_CONFINED = 122
"""Exit code of a run that could not be given its limits, and was therefore not started."""
_exit, _getpid = os._exit, os.getpid  # bound now: a program may replace any attribute it finds


@dataclasses.dataclass(frozen=True)
class Confinement:
    """What every run of one server gives up.

    Attributes:
        directory: where it starts; writable.
        uid: user and group it becomes, or None to stay who it is.
        dies_with_server: ask for a signal when the server ends, where no namespace sees to that.
        kept_fds: descriptors that stay open besides the result pipe.
        landlock: descriptor of rules to put in force, see :mod:`opencwm.sandbox.landlock`.
    """

    directory: str
    uid: int | None
    dies_with_server: bool
    kept_fds: tuple[int, ...] = ()
    landlock: int | None = None


def enter(
    target: Target,
    payload: bytes,
    pipe: int,
    limits: Mapping[str, Any],
    num_tasks: int,
    confinement: Confinement,
) -> NoReturn:
    """Become the run: confine this process, call ``target``, report, and exit.

    No exit handler of anybody is run.

    Args:
        target: called with ``payload`` and the function that emits one output.
        payload: handed on as it is.
        pipe: write end of the result pipe.
        limits: the fields of :class:`~opencwm.sandbox.limits.RunLimits`.
        num_tasks: processes that RLIMIT_NPROC counts and that are none of the run's.
        confinement: what is given up.
    """
    try:
        if confinement.landlock is not None:
            landlock.restrict(confinement.landlock)
        _arrange_descriptors(pipe, confinement.kept_fds)
        _arrange_signals(limits["wall_s"])
        os.chdir(confinement.directory)
        _limit_resources(limits, num_tasks)
        if confinement.uid is not None:
            _become(confinement.uid)
        if confinement.dies_with_server:
            processes.process_control(processes.PR_SET_PDEATHSIG, signal.SIGKILL)
    except BaseException:  # nothing of the program may run half confined
        _exit(EXIT_NOT_CONFINED)
    _call(target, payload)


def _arrange_descriptors(pipe: int, kept: tuple[int, ...]) -> None:
    """Null standard streams, the result pipe as descriptor 3, and nothing else but ``kept``."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    if pipe != RESULT_FD:
        os.dup2(pipe, RESULT_FD, inheritable=False)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    lowest = RESULT_FD + 1
    for descriptor in sorted(kept):
        os.closerange(lowest, descriptor)
        lowest = descriptor + 1
    os.closerange(lowest, os.sysconf("SC_OPEN_MAX"))


def _arrange_signals(wall_s: float) -> None:
    """Undo what the server arranged, and ask for SIGALRM at the deadline, which a target may handle."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def _limit_resources(limits: Mapping[str, Any], num_tasks: int) -> None:
    cpu_s = math.ceil(limits["cpu_s"])
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"], limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["num_files"], limits["num_files"]),
        (resource.RLIMIT_NPROC, limits["num_processes"] + num_tasks, limits["num_processes"] + num_tasks),
    ):
        allowed = resource.getrlimit(kind)[1]
        if allowed != resource.RLIM_INFINITY:
            soft, hard = min(soft, allowed), min(hard, allowed)
        resource.setrlimit(kind, (int(soft), int(hard)))


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _call(target: Target, payload: bytes) -> NoReturn:
    """Call the target and report how it ended; a process that the program forks meanwhile reports nothing."""
    own = _getpid()

    def emit(data: bytes) -> None:
        if _getpid() != own:
            _exit(0)
        protocol.write_all(RESULT_FD, protocol.record(protocol.OUTPUT, data))

    try:
        try:
            target(payload, emit)
            end = protocol.record(protocol.RETURNED)
        except MemoryError:
            end = protocol.record(protocol.NO_MEMORY)
        except BaseException as error:  # also SystemExit: what the target lets out is data
            end = protocol.record(protocol.RAISED, _describe(error).encode("utf-8", "backslashreplace"))
        if _getpid() == own:
            with contextlib.suppress(MemoryError):
                protocol.write_all(RESULT_FD, end)
    except OSError:
        _exit(EXIT_NO_PIPE)
    finally:
        _exit(0)


def _describe(error: BaseException) -> str:
    """One bounded line. ``__str__`` can be user code, so it is called for built-in exceptions only."""
    kind = type(error)
    if kind.__module__ != "builtins":
        return f"{kind.__module__}.{kind.__qualname__}"
    return " ".join(f"{kind.__name__}: {error}".split())[:300]
