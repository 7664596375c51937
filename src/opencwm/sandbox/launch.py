"""How the fork-server is started: inside bubblewrap, or with resource limits alone.

:func:`plans` lists the ways to try on this machine, best first; each is a command line and what the server
has to know about it. The first whose server answers is the isolation obtained. A root user gets another one:
root starts bubblewrap with its own rights and every run becomes a user id that owns nothing, because
RLIMIT_NPROC does not bind root.

Source: bwrap(1), setrlimit(2), user_namespaces(7).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import site
import socket
import subprocess
import sys
import sysconfig
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opencwm.core.version import PACKAGE
from opencwm.sandbox import processes
from opencwm.sandbox.config import Isolation, IsolationKind, SandboxConfig

FIRST_UID, NUM_UIDS = 60578, 606
"""User ids that nobody assigns. Source: systemd, "Users, Groups, UIDs and GIDs on systemd Systems"."""
_FIRST_KERNEL_WITH_NPROC_PER_NAMESPACE = (5, 14)
_SCRATCH_PLACES = ("/tmp", "/var/tmp", "/scratch")  # noqa: S108 - made inside the sandbox
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - made inside the sandbox
_SCRATCH_BYTES = 16 << 20
_SYSTEM_PATHS = ("/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/nix/store")
_ETC_PATHS = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
)
_ROOT_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_DAC_OVERRIDE")
_BOOTSTRAP = (
    "import sys; sys.path += [p for p in sys.argv[2:] if p not in sys.path]; "
    "from opencwm.sandbox.server import main; main(sys.argv[1])"
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """One way to start the server.

    Attributes:
        isolation: what it gives when it works.
        wrapper: the command before the interpreter's own, empty without bubblewrap.
        settings: for :class:`opencwm.sandbox.server.Server`: ``uid``, ``pid_namespace``, ``tasks``,
            ``readable``.
    """

    isolation: Isolation
    wrapper: tuple[str, ...]
    settings: dict[str, Any]

    def command(self, control_fd: int, scratch: Path | None, config: SandboxConfig) -> list[str]:
        """Build the command line of the server, which talks on descriptor ``control_fd``.

        ``scratch`` is an empty directory for the runs, needed unless they get a private one.
        """
        settings = {**self.settings, "control_fd": control_fd, "preload": list(config.preload)}
        settings["scratch"] = [str(scratch)] if scratch else list(private_scratch(config))
        # Not -I, which would ignore PYTHONHASHSEED too. The environment is ours, so -s -P amount to the same.
        python = [sys.executable, "-s", "-P", "-B", "-c", _BOOTSTRAP, json.dumps(settings)]
        return [*self.wrapper, *python, str(PACKAGE.parent), *map(str, config.python_path)]


def private_scratch(config: SandboxConfig) -> tuple[str, str]:
    """Choose where runs in bubblewrap may write, the place they start in first.

    That is ``/tmp``, unless something they have to read is installed below it: a bind there could neither be
    removed after a run nor be told from what the run left.
    """
    readable = readable_paths(config)
    for place in _SCRATCH_PLACES[:-1]:
        if not any(path.is_relative_to(place) for path in readable):
            return place, _SHARED_MEMORY
    return _SCRATCH_PLACES[-1], _SHARED_MEMORY


def environment(directory: Path | str) -> dict[str, str]:
    """Build the environment of the server and of every run, which starts in ``directory``."""
    directory = str(directory)
    variables = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": directory,
        "TMPDIR": directory,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "MALLOC_ARENA_MAX": "1",  # an arena for each thread would use up the address space
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "LD_BIND_NOW": "1",  # what a fork would look up again and again; the server takes it out
    }
    if library_path := os.environ.get("LD_LIBRARY_PATH"):
        variables["LD_LIBRARY_PATH"] = library_path
    return variables


def plans(config: SandboxConfig) -> Iterator[Plan]:
    """Yield the ways to try, best first; none when bubblewrap is demanded and not installed."""
    bubblewrap = shutil.which("bwrap")
    if config.isolation != IsolationKind.RLIMITS and bubblewrap and sys.platform == "linux":
        if os.getuid() == 0:
            yield _bubblewrap_as_root(bubblewrap, config)
        yield _bubblewrap(bubblewrap, config)
    if config.isolation != IsolationKind.BUBBLEWRAP:
        yield _rlimits(config)


def _bubblewrap(executable: str, config: SandboxConfig) -> Plan:
    uid = FIRST_UID  # in a user namespace of its own
    namespaces = ("--unshare-all", "--uid", str(uid), "--gid", str(uid))
    per_namespace = _kernel_version() >= _FIRST_KERNEL_WITH_NPROC_PER_NAMESPACE
    # In the namespace are bubblewrap's first process and the server.
    tasks = 2 if per_namespace else processes.num_tasks(os.getuid()) + 2
    return Plan(
        Isolation(IsolationKind.BUBBLEWRAP, "bubblewrap in an unprivileged user namespace"),
        _bubblewrap_command(executable, namespaces, config),
        {"uid": None, "pid_namespace": True, "tasks": tasks},
    )


def _bubblewrap_as_root(executable: str, config: SandboxConfig) -> Plan:
    uid, claim = _unused_uid()
    namespaces = ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
    capabilities = (
        "--cap-drop",
        "ALL",
        *(word for name in _ROOT_CAPABILITIES for word in ("--cap-add", name)),
    )
    plan = Plan(
        Isolation(
            IsolationKind.BUBBLEWRAP, "bubblewrap started by root, every run becomes a user of its own"
        ),
        _bubblewrap_command(executable, (*namespaces, *capabilities), config),
        {"uid": uid, "pid_namespace": True, "tasks": 0},
    )
    weakref.finalize(plan, claim.close)
    return plan


def _rlimits(config: SandboxConfig) -> Plan:
    readable = ["/usr", *_SYSTEM_PATHS, *_ETC_PATHS, "/dev/urandom", *map(str, readable_paths(config))]
    settings: dict[str, Any] = {"uid": None, "pid_namespace": False, "tasks": None, "readable": readable}
    if os.getuid() != 0:
        isolation = Isolation(IsolationKind.RLIMITS, "resource limits and deadline, runs keep their user")
        return Plan(isolation, (), settings)
    uid, claim = _unused_uid()
    who = "every run becomes a user of its own"
    isolation = Isolation(IsolationKind.RLIMITS, f"resource limits and deadline, {who}")
    plan = Plan(isolation, (), {**settings, "uid": uid, "tasks": 0})
    weakref.finalize(plan, claim.close)
    return plan


def _bubblewrap_command(
    executable: str, namespaces: tuple[str, ...], config: SandboxConfig
) -> tuple[str, ...]:
    """Bind what Python needs read-only; a small private scratch and ``/dev/shm``; a read-only root."""
    scratch = private_scratch(config)
    known = _known_options(executable)
    words = [executable, *namespaces, "--die-with-parent", "--new-session", "--hostname", "sandbox"]
    if "--clearenv" in known:  # older ones pass on the environment, which is ours anyway
        words.append("--clearenv")
        for name, value in environment(scratch[0]).items():
            words += ["--setenv", name, value]
    words += ["--ro-bind", "/usr", "/usr"]
    for path in map(Path, _SYSTEM_PATHS):
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            words += ["--ro-bind", str(path), str(path)]
    for name in _ETC_PATHS:
        words += ["--ro-bind-try", name, name]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for directory in scratch:
        words += ["--size", str(_SCRATCH_BYTES)] if "--size" in known else []
        words += ["--tmpfs", directory]
    # After the scratch, so that what is installed below it stays visible.
    readable = readable_paths(config)
    if "--perms" in known:  # without this the directories above a bind are for their owner alone
        above = {parent for path in readable for parent in path.parents}
        above -= {Path("/"), *map(Path, scratch)}
        for path in sorted(above):
            words += ["--perms", "0755", "--dir", str(path)]
    for path in readable:
        words += ["--ro-bind", str(path), str(path)]
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", scratch[0], "--"]
    return tuple(words)


def _known_options(executable: str) -> frozenset[str]:
    """List the options this bubblewrap has; Debian 11's has no ``--clearenv``, ``--perms`` and ``--size``."""
    try:
        text = subprocess.run([executable, "--help"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    return frozenset(re.findall(r"--[a-z0-9-]+", text))


def readable_paths(config: SandboxConfig) -> list[Path]:
    """List the directories outside ``/usr`` that Python, this package and ``config.python_path`` need.

    Both the names used and the places they lead to are listed, so that symbolic links on the way do not
    matter.
    """
    wanted = [Path(p) for p in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)]
    wanted += [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    wanted += [Path(p) for p in site.getsitepackages()]
    wanted += [PACKAGE, *(path.absolute() for path in config.python_path)]
    link = Path(sys.executable)
    while link.is_symlink():
        link = link.parent / link.readlink()
        wanted.append(link.parent.parent if link.parent.name == "bin" else link.parent)
    found: list[Path] = []
    for path in sorted({p for w in wanted for p in (Path(os.path.normpath(w)), w.resolve())}):
        covered = any(path.is_relative_to(outer) for outer in (Path("/usr"), *found))
        if path != Path("/") and path.is_dir() and not covered:
            found.append(path)
    return found


def _unused_uid() -> tuple[int, socket.socket]:
    """Choose a user id that no other sandbox has; it is ours for as long as the socket is open.

    The socket has a name that one process at a time can bind.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    first = int.from_bytes(os.urandom(4))
    for uid in (FIRST_UID + (first + index) % NUM_UIDS for index in range(NUM_UIDS)):
        with contextlib.suppress(OSError):
            claim.bind(f"\0opencwm-sandbox-uid-{uid}")
            return uid, claim
    return FIRST_UID + first % NUM_UIDS, claim  # as many sandboxes as ids: some must share


def _kernel_version() -> tuple[int, ...]:
    numbers = os.uname().release.split("-")[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())
