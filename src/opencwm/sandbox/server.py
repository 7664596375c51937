"""The fork-server: one warm interpreter that forks a confined process for every run and cleans up after it.

Started as a fresh interpreter by :mod:`opencwm.sandbox.launch`, inside bubblewrap or not; it runs no code of
a program itself. It holds one end of a control socket (records of :mod:`opencwm.sandbox.protocol`) and ends,
with everything below it, when the other end closes. It is the subreaper of all it forks, so that a run is
over only when no process of it is left.

What it does not do: keep the deadline. The parent does, by a KILL record, and by killing the server if that
is not obeyed.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opencwm.sandbox import child, landlock, processes, protocol, scratch, seccomp

WATCH_S = 0.05
"""How often the memory and the number of a run's processes are looked at, in seconds."""
RECOUNT_S = 5.0
"""How long a count of the user's other processes is good for, in seconds."""
MAX_CLEANED = 256
"""Files and directories of a run that the server removes itself; past that it asks to be replaced."""
MAX_KNOWN = 256
"""Combinations of target, limits and number of payloads that the server keeps in mind."""


_Understood = tuple[child.Target, dict[str, Any], list[tuple[int, tuple[int, int]]]]


class Server:
    """Serves runs one at a time over ``control``.

    Args:
        control: socket to the parent.
        settings: what :func:`opencwm.sandbox.launch.settings` wrote: ``uid`` (become it, or None),
            ``pid_namespace`` (everything visible is ours to kill), ``scratch`` (directories to empty after a
            run, the first is where runs start), ``tasks`` (processes RLIMIT_NPROC counts besides the run's,
            or None to count them here), ``preload`` (modules to import at once).
    """

    def __init__(self, control: socket.socket, settings: dict[str, Any]) -> None:
        self._control = control
        self._receiver = protocol.Receiver(control)
        self._settings = settings
        self._targets: dict[str, child.Target] = {}
        self._known: dict[tuple[bytes, int, int], _Understood] = {}
        self._confinement = child.Confinement((), settings["uid"], dies_with_server=True)
        self._obtained: list[str] = []
        self._counted: tuple[float, int] | None = None
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Announce readiness, then serve until the parent is gone."""
        self._prepare()
        _close_standard_streams()
        self._reply(protocol.HELLO, json.dumps(self._obtained).encode())
        while (message := self._receiver.receive()) is not None:
            kind, body = message
            if kind == protocol.RUN and (pipe := self._receiver.descriptor()) is not None:
                self._run(body, pipe)

    def end(self) -> None:
        """End the present run and remove the scratch directory, if no namespace takes both along."""
        if not self._settings["pid_namespace"]:
            self._end_rest()
            with contextlib.suppress(OSError):
                scratch.empty(self._settings["scratch"][0])
                Path(self._settings["scratch"][0]).rmdir()

    def _prepare(self) -> None:
        for name in self._settings["preload"]:
            importlib.import_module(name)
        os.chdir(self._settings["scratch"][0])
        kept: tuple[int, ...] = ()
        uid, has_namespace = self._settings["uid"], self._settings["pid_namespace"]
        if uid is not None:
            if has_namespace:
                for place in self._settings["scratch"]:
                    Path(place).chmod(0o1777)
            kept = _keep_imports_reachable(uid)
        restrict = self._landlock(has_namespace)
        is_network_closed = has_namespace or processes.separate_network()
        places = [(place, Path(place).stat().st_mode) for place in self._settings["scratch"]]
        self._confinement = child.Confinement(places, uid, not has_namespace, kept, restrict)
        # Out of memory, the kernel is to take a program before anybody else.
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        processes.process_control(processes.PR_SET_CHILD_SUBREAPER, 1)
        processes.process_control(processes.PR_SET_NO_NEW_PRIVS, 1)
        processes.process_control(processes.PR_SET_DUMPABLE, 0)  # a run may not trace or read its server
        if seccomp.restrict(is_network_closed=not is_network_closed):
            self._obtained.append("system-call filter")
            is_network_closed = True
        if is_network_closed:
            self._obtained.append("no network")
        _freeze()

    def _landlock(self, has_namespace: bool) -> Callable[[], None] | None:
        """Make the rules that runs are put under; in bubblewrap they keep runs from signalling the server."""
        readable = ["/"] if has_namespace else [*self._settings["readable"], "/proc"]
        try:
            rules = landlock.ruleset(readable, [*self._settings["scratch"], os.devnull])
        except OSError:
            return None
        if rules is None:
            return None
        self._obtained.append("Landlock")
        return landlock.restriction(_out_of_the_way(rules))

    def _run(self, body: bytes, pipe: int) -> None:
        """Fork one child, see it through, and report."""
        try:
            number, what, payloads = protocol.Request.decode(body)
            target, limits, resources = self._understand(what, len(payloads), self._num_tasks())
        except Exception as error:
            os.close(pipe)
            self._reply(protocol.REFUSED, f"{type(error).__name__}: {error}".encode())
            return
        try:
            pid = os.fork()
        except OSError as error:
            os.close(pipe)
            self._reply(protocol.REFUSED, f"cannot fork: {error.strerror}".encode())
            return
        if pid == 0:
            child.enter(target, payloads, pipe, limits, resources, self._confinement)
        os.close(pipe)
        status, max_rss_bytes, is_over_memory = self._supervise(pid, number, limits["memory_bytes"])
        self._end_rest()
        report = protocol.Report(status, max_rss_bytes, is_over_memory, is_dirty=not self._clean())
        self._reply(protocol.DONE, report.encode())

    def _understand(self, what: bytes, num_payloads: int, num_tasks: int) -> _Understood:
        """Return the target, the limits, and those of resources; mostly they are what they were before."""
        key = what, num_payloads, num_tasks
        if key not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            request = json.loads(what)
            resources = child.resource_limits(request["limits"], num_payloads, num_tasks)
            self._known[key] = self._target(request["target"]), request["limits"], resources
        return self._known[key]

    def _target(self, path: str) -> child.Target:
        if path not in self._targets:
            module, _, name = path.partition(":")
            target = getattr(importlib.import_module(module), name)
            if not callable(target):
                raise TypeError(f"{path} is not callable")
            if warm_up := getattr(sys.modules[module], "warm_up", None):
                warm_up()
            self._targets[path] = target
            _freeze()
        return self._targets[path]

    def _num_tasks(self) -> int:
        fixed = self._settings["tasks"]
        if fixed is not None:
            return int(fixed)
        now = time.monotonic()
        if self._counted is None or now - self._counted[0] > RECOUNT_S:
            self._counted = (now, processes.num_tasks(os.getuid()))
        return self._counted[1]

    def _supervise(self, pid: int, number: int, memory_bytes: int) -> tuple[int, int, bool]:
        """Wait for a child's first process: its wait status, peak memory, and whether all used too much."""
        is_over_memory = False
        end = processes.end_descriptor(pid)
        wait_ms = 1 if end is None else WATCH_S * 1000
        look_s = time.monotonic() + WATCH_S
        if end is not None:
            self._poll.register(end, select.POLLIN)
        try:
            while True:
                has_more = self._receiver.has_more()
                ready = [descriptor for descriptor, _ in self._poll.poll(0 if has_more else wait_ms)]
                if end is None or end in ready:
                    ended, status, usage = os.wait4(pid, os.WNOHANG)
                    if ended:
                        return status, usage.ru_maxrss * 1024, is_over_memory
                if has_more or self._control.fileno() in ready:
                    self._obey(number)
                elif time.monotonic() > look_s:
                    look_s = time.monotonic() + WATCH_S
                    if self._uses_too_much(memory_bytes):
                        is_over_memory = True
                        self._kill_all()
        finally:
            if end is not None:
                self._poll.unregister(end)
                os.close(end)

    def _obey(self, number: int) -> None:
        """Take what the parent says while child ``number`` runs: to end it, or that it is gone itself."""
        message = self._receiver.receive()
        if message is None:
            sys.exit(0)
        if message == (protocol.KILL, protocol.CHILD_NUMBER.pack(number)):
            self._kill_all()

    def _uses_too_much(self, memory_bytes: int) -> bool:
        below = processes.descendants(os.getpid())
        own_bytes = processes.resident_bytes(os.getpid())  # what a fork shares with its server is not its own
        used_bytes = sum(max(processes.resident_bytes(pid) - own_bytes, 0) for pid in below)
        return len(below) > 1 and used_bytes > memory_bytes

    def _kill_all(self) -> None:
        if self._settings["pid_namespace"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # atomic: no process escapes it by forking
        else:
            processes.kill_descendants(os.getpid())

    def _end_rest(self) -> None:
        """Leave nothing of the run alive: what its first process left behind is ours by now."""
        while not processes.reap_ready():
            self._kill_all()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, 0)

    def _clean(self) -> bool:
        """Empty the scratch directories; False when that is too much work, or they are not as they were."""
        try:
            for directory, mode in self._confinement.scratch:
                if not scratch.is_new(directory, mode):
                    if not scratch.empty(directory, MAX_CLEANED):
                        return False
                    if not scratch.is_new(directory, mode):
                        return False
        except OSError:
            return False
        return True

    def _reply(self, kind: bytes, body: bytes) -> None:
        protocol.write_all(self._control.fileno(), protocol.record(kind, body))


def _close_standard_streams() -> None:
    """Make them null for this process and all it forks; until now, standard error told why it ended."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _import_random() -> None:
    """Import ``random`` so that every run begins with the state of ``random.seed(0)``, at no cost.

    By itself the module would seed anew in every forked process.
    """
    register, os.register_at_fork = os.register_at_fork, lambda **_: None
    try:
        import random
    finally:
        os.register_at_fork = register
    random.seed(0)


def _freeze() -> None:
    """Put all objects out of the collector's reach, so that no run copies their pages by collecting.

    And give unused pages back: what a process has, a fork copies the table of.
    """
    gc.collect()
    gc.freeze()
    processes.trim_heap()


def _keep_imports_reachable(uid: int) -> tuple[int, ...]:
    """Let user ``uid`` import from directories it cannot walk to, such as below ``/root``.

    Such a directory is opened now, and its entry in ``sys.path`` replaced by the descriptor's name under
    ``/proc``, through which it can be used without passing its parents. Returns the descriptors.
    """
    descriptors: dict[str, int] = {}
    for position, entry in enumerate(sys.path):
        if Path(entry).is_dir() and not _can_reach(entry, uid):
            descriptors[entry] = _out_of_the_way(os.open(entry, os.O_PATH | os.O_DIRECTORY))
            sys.path[position] = f"/proc/self/fd/{descriptors[entry]}"
    for entry, descriptor in sorted(descriptors.items(), key=lambda item: -len(item[0])):
        for module in list(sys.modules.values()):
            places = getattr(module, "__path__", None)
            if isinstance(places, list):
                places[:] = [_moved(place, entry, f"/proc/self/fd/{descriptor}") for place in places]
    if descriptors:
        sys.path_importer_cache.clear()
    return tuple(sorted(descriptors.values()))


def _out_of_the_way(descriptor: int) -> int:
    """Move a descriptor to where it is not taken for one that a run starts with."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, child.RESULT_FD + 1)
    os.close(descriptor)
    return moved


def _moved(place: str, old: str, new: str) -> str:
    return new + place[len(old) :] if place == old or place.startswith(old + os.sep) else place


def _can_reach(directory: str, uid: int) -> bool:
    """Whether a user without any groups may search every directory down to ``directory``."""
    path = Path(directory).resolve()
    return all(
        status.st_mode & (0o100 if status.st_uid == uid else 0o001)
        for status in (place.stat() for place in (path, *path.parents))
    )


def main(argument: str) -> None:
    """Serve on the descriptor and with the settings that ``argument``, a JSON object, names."""
    _import_random()
    del os.environ["LD_BIND_NOW"]
    settings = json.loads(argument)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the parent's mask is inherited
    signal.signal(signal.SIGINT, signal.default_int_handler)  # so is what a job in the background ignores
    with socket.socket(fileno=_out_of_the_way(settings["control_fd"])) as control:
        server = Server(control, settings)
        try:
            server.serve()
        finally:
            server.end()
