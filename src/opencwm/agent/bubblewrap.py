"""Boxes of bubblewrap: neither root nor images, the programs of this machine, read-only.

A box is a folder (:mod:`opencwm.agent.box_files`); every command runs in namespaces of its own with that
folder as its root, so between two commands a box has no process and no mount that could leak. Started by
root, commands become a user that owns nothing else; otherwise they are the driver's user in a user
namespace. What of the machine can be seen: ``/usr``, the libraries, the Python that runs this and its
packages.

Source: bwrap(1), mount_namespaces(7), overlayfs in the kernel's documentation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from opencwm.agent.box import BoxLimits, BoxSpec, RunResult
from opencwm.agent.box_files import BoxFiles, CopiedFiles, OverlayFiles
from opencwm.agent.box_process import INNER_SCRIPT, BoxProcess, Output
from opencwm.agent.box_store import BoxStore, Layer, store
from opencwm.agent.box_template import HOME, template
from opencwm.agent.file_commands import FILE_S, READ, WRITE, memory_input, raise_for
from opencwm.core.errors import ConfigError, SandboxError
from opencwm.sandbox import seccomp
from opencwm.sandbox.config import SandboxConfig
from opencwm.sandbox.launch import FIRST_UID, readable_paths

_SYSTEM_PATHS: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_ETC_PATHS: Final = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
)
_NETWORK_PATHS: Final = ("/etc/resolv.conf", "/etc/ssl", "/etc/nsswitch.conf", "/etc/ca-certificates")


@dataclasses.dataclass(frozen=True)
class BoxPlan:
    """How boxes are made on this machine.

    Attributes:
        is_root: root starts them, and commands become user :data:`FIRST_UID`.
        is_overlay: files are overlays; otherwise copies.
    """

    is_root: bool
    is_overlay: bool

    @property
    def owner(self) -> int | None:
        """User id that must own the files in a box; None for the driver's."""
        return FIRST_UID if self.is_root else None

    @property
    def description(self) -> str:
        """One line for people."""
        who = "commands become a user of their own" if self.is_root else "in an unprivileged user namespace"
        files = (
            "over overlay folders"
            if self.is_overlay
            else "over copied folders (this kernel refuses overlays)"
        )
        return f"bubblewrap {files}, {who}"


class BubblewrapBox:
    """A box of bubblewrap. See :class:`opencwm.agent.box.Box`."""

    def __init__(self, spec: BoxSpec, plan: BoxPlan | None = None) -> None:
        if spec.image is not None:
            raise ConfigError("bubblewrap knows no images", where=spec.image, hint="use podman or docker")
        self.spec = spec
        self._plan = plan
        self._files: BoxFiles | None = None
        self._store: BoxStore | None = None
        self._snapshots: dict[str, list[Layer]] = {}
        self._running: list[_Spawned] = []

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """See :meth:`opencwm.agent.box.Box.start`."""
        self._begin(None)

    def _begin(self, layers: list[Layer] | None) -> None:
        if self._files is not None:
            raise SandboxError("the box has been started already")
        plan = self._plan or obtained_plan()
        self._plan, self._store = plan, store()
        with _told_as_sandbox_error():
            if layers is None:
                points = [path for path, _ in _binds(self.spec.is_networked)]
                layers = [template(self._store, self.spec.files, self.spec.workdir, points, plan.owner)]
            made = OverlayFiles if plan.is_overlay else CopiedFiles
            self._files = made(self._store, layers, owner=plan.owner)

    def stop(self) -> None:
        """See :meth:`opencwm.agent.box.Box.stop`."""
        if self._files is None or self._store is None:
            return
        for spawned in list(self._running):
            spawned.kill()
        for layers in self._snapshots.values():
            self._store.drop(layers)
        self._snapshots.clear()
        self._files.remove()
        self._files = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # -- commands ----------------------------------------------------------------------------------

    def run(
        self,
        command: str | Sequence[str],
        *,
        timeout_s: float | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> RunResult:
        """See :meth:`opencwm.agent.box.Box.run`."""
        words = ["bash", "-c", command] if isinstance(command, str) else list(command)
        output = Output(self.spec.limits.output_bytes)
        return self._run(words, output, timeout_s, cwd, env, stdin)

    def _run(
        self,
        words: list[str],
        output: Output,
        timeout_s: float | None,
        cwd: str | None,
        env: Mapping[str, str] | None,
        stdin: bytes,
    ) -> RunResult:
        started = time.monotonic()
        with memory_input(stdin) as descriptor:
            process = self._launch(words, cwd, env, descriptor)
        limit = self.spec.limits.wall_s if timeout_s is None else timeout_s
        return process.finish(output, timeout_s=limit, is_full=self._is_full, started=started)

    def spawn(
        self, command: Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> _Spawned:
        """See :meth:`opencwm.agent.box.Box.spawn`."""
        spawned = _Spawned(self._launch(list(command), cwd, env, subprocess.PIPE), self._running)
        self._running.append(spawned)
        return spawned

    def _launch(
        self, words: list[str], cwd: str | None, env: Mapping[str, str] | None, stdin: int
    ) -> BoxProcess:
        files, plan = self._started(), self._plan
        kept = self._store
        if plan is None or kept is None:
            raise AssertionError("started")
        start = str(Path(self.spec.workdir) / (cwd or "."))
        inner = [*_become(plan), "sh", "-c", 'cd -- "$0" && exec "$@"', start, *words]
        variables = {**environment(), **self.spec.env, **(env or {})}
        limits = _limit_words(self.spec.limits, len(self._running) + 1)
        with _seccomp_filter() as filter_fd:

            def command(report: int, talk: int) -> list[str]:
                seccomp_words = [] if filter_fd is None else ["--seccomp", str(filter_fd)]
                bwrap = [
                    *_bubblewrap(plan, files.root(), self.spec, variables),
                    *("--info-fd", str(report), *seccomp_words, "--"),
                    *("bash", "-c", INNER_SCRIPT, "bash", str(talk), *limits, *inner),
                ]
                return _mounted(files.mount(), kept, plan, bwrap)

            fds = () if filter_fd is None else (filter_fd,)
            return BoxProcess(command, stdin=stdin, pass_fds=fds)

    def _started(self) -> BoxFiles:
        if self._files is None:
            raise SandboxError("the box has not been started")
        return self._files

    def _is_full(self) -> bool:
        return self._started().num_bytes() > self.spec.limits.disk_bytes

    # -- files -------------------------------------------------------------------------------------

    def read_file(self, path: str) -> bytes:
        """See :meth:`opencwm.agent.box.Box.read_file`."""
        output = Output(None)
        result = self._run(["bash", "-c", READ, "bash", path], output, FILE_S, None, None, b"")
        raise_for(result, path)
        return output.data()

    def write_file(self, path: str, data: bytes | str) -> None:
        """See :meth:`opencwm.agent.box.Box.write_file`."""
        raw = data.encode() if isinstance(data, str) else data
        result = self._run(["bash", "-c", WRITE, "bash", path], Output(1 << 12), FILE_S, None, None, raw)
        raise_for(result, path)

    # -- snapshots ---------------------------------------------------------------------------------

    def snapshot(self) -> str:
        """See :meth:`opencwm.agent.box.Box.snapshot`."""
        with _told_as_sandbox_error():
            layers = self._started().freeze(is_live=bool(self._running))
        name = secrets.token_hex(4)
        self._snapshots[name] = layers
        return name

    def restore(self, snapshot: str) -> None:
        """See :meth:`opencwm.agent.box.Box.restore`."""
        layers = self._snapshots[snapshot]
        for spawned in list(self._running):
            spawned.kill()
        with _told_as_sandbox_error():
            self._started().reset(layers)

    def fork(self) -> Self:
        """See :meth:`opencwm.agent.box.Box.fork`."""
        with _told_as_sandbox_error():
            layers = self._started().freeze(is_live=bool(self._running))
        other = type(self)(self.spec, self._plan)
        try:
            other._begin(layers)
        finally:
            if self._store is not None:
                self._store.drop(layers)
        return other


class _Spawned:
    """A program that stays. See :class:`opencwm.agent.box.Process`."""

    def __init__(self, process: BoxProcess, running: list[_Spawned]) -> None:
        self._process = process
        self._running = running
        self.popen = process.popen

    def kill(self) -> None:
        if self in self._running:
            self._running.remove(self)
            self._process.close()


# -- the plan --------------------------------------------------------------------------------------


@functools.cache
def obtained_plan() -> BoxPlan:
    """Find, by trying, how boxes are made on this machine.

    Raises:
        SandboxError: bubblewrap is not installed, or refused; what it said.
    """
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        raise SandboxError(
            "bubblewrap is not installed", hint="install the package bubblewrap, or use podman or docker"
        )
    said = ""
    for is_overlay in (True, False):
        plan = BoxPlan(is_root=os.getuid() == 0, is_overlay=is_overlay)
        try:
            with BubblewrapBox(BoxSpec(), plan) as box:
                result = box.run([sys.executable, "-I", "-S", "-c", ""], timeout_s=FILE_S)
            if result.is_success:
                return plan
            said = result.output
        except SandboxError as error:
            said = error.what
    raise SandboxError(f"bubblewrap does not work here: {said.strip()[:300]}")


def environment() -> dict[str, str]:
    """Return the variables of every command in a box."""
    bin_folder = str(Path(sys.executable).parent)
    return {
        "PATH": f"{bin_folder}:/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME,
        "USER": "agent",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "PYTHONDONTWRITEBYTECODE": "1",  # an edit within the same second, of the same size, would not be seen
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _become(plan: BoxPlan) -> list[str]:
    if not plan.is_root:
        return []
    ids = ["--reuid", str(FIRST_UID), "--regid", str(FIRST_UID), "--clear-groups"]
    return ["setpriv", *ids, "--inh-caps=-all", "--no-new-privs", "--"]


def _limit_words(limits: BoxLimits, num_commands: int) -> list[str]:
    """Return the limits as ulimit of bash counts them: KiB, processes, KiB."""
    num_processes = limits.num_processes * num_commands + 8  # bubblewrap's and bash's own
    return [str(limits.memory_bytes >> 10), str(num_processes), str(limits.file_bytes >> 10)]


def _mounted(mount: str, store_: BoxStore, plan: BoxPlan, bwrap: list[str]) -> list[str]:
    """Put the mount of the files before bubblewrap, in a mount namespace that ends with it."""
    if not mount:
        return bwrap
    namespace = [] if plan.is_root else ["--user", "--map-root-user"]
    script = f'cd "$0" && {mount} && cd / && exec "$@"'
    return ["unshare", "--mount", *namespace, "--", "sh", "-c", script, str(store_.path), *bwrap]


def _bubblewrap(plan: BoxPlan, root: Path, spec: BoxSpec, env: Mapping[str, str]) -> list[str]:
    words = ["bwrap", "--die-with-parent", "--new-session", "--hostname", "box"]
    words += ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    words += [] if spec.is_networked else ["--unshare-net"]
    if plan.is_root:
        words += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        words += ["--unshare-user", "--uid", str(FIRST_UID), "--gid", str(FIRST_UID)]
    words += ["--clearenv"]
    for name, value in env.items():
        words += ["--setenv", name, value]
    words += ["--bind", str(root), "/"]
    for path, is_link in _binds(spec.is_networked):
        words += [] if is_link else ["--ro-bind", path, path]
    return [*words, "--proc", "/proc", "--dev", "/dev", "--chdir", "/"]


@functools.cache
def _binds(is_networked: bool) -> tuple[tuple[str, bool], ...]:
    """List what of the machine is in every box, and whether it is a link that the layer holds."""
    system = [path for path in _SYSTEM_PATHS if os.path.lexists(path)]
    extra = [path for path in (*_ETC_PATHS, *(_NETWORK_PATHS if is_networked else ())) if Path(path).exists()]
    python = [str(path) for path in readable_paths(SandboxConfig())]
    return tuple(
        (path, Path(path).is_symlink() and Path(path).parent == Path("/"))
        for path in (*system, *extra, *python)
    )


@contextlib.contextmanager
def _seccomp_filter() -> Iterator[int | None]:
    """Yield a descriptor of the filter of :mod:`opencwm.sandbox.seccomp`; None where it knows none."""
    # The namespace has no network; local ports are the business of tests.
    program = seccomp.program(is_network_closed=False)
    if program is None:
        yield None
        return
    with memory_input(program) as descriptor:
        yield descriptor


@contextlib.contextmanager
def _told_as_sandbox_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "free some space, or set TMPDIR" if error.errno == errno.ENOSPC else ""
        raise SandboxError(
            f"a box failed: {error.strerror}", where=str(error.filename or ""), hint=hint
        ) from error
