"""The first moments of a child: the forked process gives up what it must not have, then calls the target.

Everything here happens between ``fork`` and the target, in the process that the program will own, so the
order matters: limits before the change of user, the change of user before anything of the program runs. What
can be done by the server, once, is: every page that is touched after a fork costs some microseconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from opencwm.sandbox import processes, protocol, scratch

Target = Callable[[bytes, Callable[[bytes], None]], None]

RESULT_FD = 3
EXIT_NO_PIPE = 121
"""Exit code of a child whose result pipe was closed under it."""
EXIT_NOT_CONFINED = 122
"""Exit code of a child that could not be given its limits, and was therefore not started."""
MAX_GROWTH = 0.25
"""Part of its memory limit that a child may have taken when it goes on to a further payload."""
_MAX_DESCRIPTOR = os.sysconf("SC_OPEN_MAX")
_exit, _getpid = os._exit, os.getpid  # bound now: a program may replace any attribute it finds


@dataclasses.dataclass(frozen=True)
class Confinement:
    """What every child of one server gives up.

    Attributes:
        scratch: the writable directories with their modes. It starts in the first, where the server is.
        uid: user and group it becomes, or None to stay who it is.
        dies_with_server: ask for a signal when the server ends, where no namespace sees to that.
        kept_fds: descriptors that stay open besides the result pipe, in ascending order.
        restrict: called first; see :func:`opencwm.sandbox.landlock.restriction`.
    """

    scratch: Sequence[tuple[str, int]]
    uid: int | None
    dies_with_server: bool
    kept_fds: tuple[int, ...] = ()
    restrict: Callable[[], None] | None = None


def enter(
    target: Target,
    payloads: Sequence[bytes],
    pipe: int,
    limits: Mapping[str, Any],
    resources: Sequence[tuple[int, tuple[int, int]]],
    confinement: Confinement,
) -> NoReturn:
    """Become the child: confine this process, call ``target``, report, and exit.

    No exit handler of anybody is run.

    Args:
        target: called with each payload in turn and the function that emits one output, for as long as the
            process is as good as new.
        payloads: handed on as they are.
        pipe: write end of the result pipe.
        limits: the fields of :class:`~opencwm.sandbox.limits.RunLimits`.
        resources: what :func:`resource_limits` made of the limits.
        confinement: what is given up.
    """
    try:
        if confinement.restrict is not None:
            confinement.restrict()
        os.setsid()
        _arrange_descriptors(pipe, confinement.kept_fds)
        signal.setitimer(signal.ITIMER_REAL, limits["wall_s"])  # SIGALRM, which a target may handle
        for kind, soft_and_hard in resources:
            resource.setrlimit(kind, soft_and_hard)
        if confinement.uid is not None:
            _become(confinement.uid)
        if confinement.dies_with_server:
            processes.process_control(processes.PR_SET_PDEATHSIG, signal.SIGKILL)
        renew = _Renewal(limits, confinement.scratch).renew if len(payloads) > 1 else None
    except BaseException:  # nothing of the program may run half confined
        _exit(EXIT_NOT_CONFINED)
    _call(target, payloads, renew)


def _arrange_descriptors(pipe: int, kept: Sequence[int]) -> None:
    """Keep the standard streams, which are null, the result pipe as descriptor 3, and ``kept``."""
    if pipe != RESULT_FD:
        os.dup2(pipe, RESULT_FD, inheritable=False)
    lowest = RESULT_FD + 1
    for descriptor in kept:
        os.closerange(lowest, descriptor)
        lowest = descriptor + 1
    os.closerange(lowest, _MAX_DESCRIPTOR)


def resource_limits(
    limits: Mapping[str, Any], num_payloads: int, num_tasks: int
) -> list[tuple[int, tuple[int, int]]]:
    """Say which resource is to have which (soft, hard) limit, within what this process is allowed.

    Args:
        limits: the fields of :class:`~opencwm.sandbox.limits.RunLimits`.
        num_payloads: how many payloads share the process; its processor time is counted for each.
        num_tasks: processes that RLIMIT_NPROC counts and that are none of the child's.
    """
    cpu_s = math.ceil(limits["cpu_s"])
    wanted = (
        (resource.RLIMIT_CPU, cpu_s, cpu_s * num_payloads + 1),
        (resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"], limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["num_files"], limits["num_files"]),
        (resource.RLIMIT_NPROC, limits["num_processes"] + num_tasks, limits["num_processes"] + num_tasks),
    )
    found = []
    for kind, soft, hard in wanted:
        allowed = resource.getrlimit(kind)[1]
        if allowed != resource.RLIM_INFINITY:
            soft, hard = min(soft, allowed), min(hard, allowed)
        found.append((kind, (int(soft), int(hard))))
    return found


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


class _Renewal:
    """Makes a child ready for a further payload, or finds that it is not as it was at its start.

    What a program leaves in modules other than ``sys`` (an attribute, an entry of a cache) is not noticed.
    """

    def __init__(self, limits: Mapping[str, Any], places: Sequence[tuple[str, int]]) -> None:
        from _thread import _count
        from random import seed  # is there already: see the server

        self._limits = limits
        # By its path the first may be out of reach, but this process is in it.
        self._places = [(".", places[0][1]), *places[1:]]
        self._seed, self._num_threads = seed, _count
        self._max_bytes = _address_space_bytes() + MAX_GROWTH * limits["memory_bytes"]
        self._seen = self._look()

    def renew(self) -> bool:
        """Collect garbage, set clocks and random numbers back; False if this process should not go on."""
        gc.collect()  # finalizers of what is over must not run within what comes
        if self._look() != self._seen or _address_space_bytes() > self._max_bytes or _has_children():
            return False
        self._seed(0)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        soft = math.ceil(time.process_time() + self._limits["cpu_s"])
        resource.setrlimit(resource.RLIMIT_CPU, (min(soft, hard), hard))
        signal.setitimer(signal.ITIMER_REAL, self._limits["wall_s"])
        return True

    def _look(self) -> tuple[object, ...]:
        """Look at what programs change, as far as that is cheap."""
        return (
            self._num_threads(),
            os.getcwd(),  # noqa: PTH109 - as a string, to compare it
            dict(os.environ),
            dict(vars(sys)),
            sys.gettrace(),
            sys.getprofile(),
            gc.isenabled(),
            list(gc.callbacks),
            signal.getsignal(signal.SIGALRM),
            signal.getsignal(signal.SIGXCPU),
            signal.pthread_sigmask(signal.SIG_BLOCK, ()),
            all(scratch.is_new(place, mode) for place, mode in self._places),
        )


def _address_space_bytes() -> int:
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _call(target: Target, payloads: Sequence[bytes], renew: Callable[[], bool] | None) -> NoReturn:
    """Call the target and report how it ended; a process that the program forks meanwhile reports nothing."""
    own = _getpid()

    def emit(data: bytes) -> None:
        if _getpid() != own:
            _exit(0)
        protocol.write_all(RESULT_FD, protocol.record(protocol.OUTPUT, data))

    try:
        for position, payload in enumerate(payloads):
            if position and renew is not None and not renew():
                break
            try:
                target(payload, emit)
                end = protocol.record(protocol.RETURNED)
            except MemoryError:
                end = protocol.record(protocol.NO_MEMORY)
                renew = _stop
            except BaseException as error:  # also SystemExit: what the target lets out is data
                end = protocol.record(protocol.RAISED, _describe(error).encode("utf-8", "backslashreplace"))
            if _getpid() != own:
                break
            with contextlib.suppress(MemoryError):
                protocol.write_all(RESULT_FD, end)
    except OSError:
        _exit(EXIT_NO_PIPE)
    finally:
        _exit(0)


def _stop() -> bool:
    return False


def _describe(error: BaseException) -> str:
    """One bounded line. ``__str__`` can be user code, so it is called for built-in exceptions only."""
    kind = type(error)
    if kind.__module__ != "builtins":
        return f"{kind.__module__}.{kind.__qualname__}"[:300]
    return " ".join(f"{kind.__name__}: {error}".split())[:300]
