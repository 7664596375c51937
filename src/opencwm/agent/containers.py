"""Boxes of podman or docker, for tasks that name an image. One container a box, driven by its command line.

The container idles; every command is an ``exec`` marked with a variable of its own, and ends with a search
for that mark among all processes inside, which are killed. Containers carry the name of their driver's folder
(:mod:`opencwm.agent.box_store`) as a label: what a dead driver left is removed by the next start.

Source: podman-exec(1), docker container exec, https://docs.docker.com/reference/cli/docker/
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from opencwm.agent.box import BoxKind, BoxSpec, RunResult, RunStatus
from opencwm.agent.box_process import Output, drain, result_of
from opencwm.agent.box_store import base_folder, is_alive, store
from opencwm.agent.box_template import GIT_ENVIRONMENT, SCRUB_SCRIPT
from opencwm.agent.file_commands import FILE_S, READ, WRITE, memory_input, raise_for
from opencwm.core.errors import SandboxError

_LABEL: Final = "opencwm.store"
_MARK: Final = "OPENCWM_RUN"
_CLIENT_S: Final = 600.0  # an image may have to be fetched
_END_S: Final = 30.0
# Every process that has the mark in its environment, until there is none. The shell that searches has none.
_END_SCRIPT: Final = (
    'for _ in 1 2 3 4 5 6 7 8 9 10; do found=$(grep -lzx "$1" /proc/[0-9]*/environ 2>/dev/null '
    '| cut -d/ -f3); [ -z "$found" ] && exit 0; kill -KILL $found 2>/dev/null; sleep 0.05; done; exit 1'
)


class ContainerBox:
    """A box of podman or docker. See :class:`opencwm.agent.box.Box`.

    Args:
        spec: what it is to be.
        kind: podman or docker.
        executable: its command.
    """

    def __init__(self, spec: BoxSpec, kind: BoxKind, executable: str) -> None:
        self.spec = spec
        self._kind = kind
        self._executable = executable
        self._container = ""
        self._images: dict[str, str] = {}
        self._running: list[_ContainerProcess] = []

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """See :meth:`opencwm.agent.box.Box.start`."""
        if self._container:
            raise SandboxError("the box has been started already")
        self._sweep()
        self._create(self.spec.image or "")
        if self.spec.files is not None:
            self._client("cp", f"{self.spec.files}/.", f"{self._container}:{self.spec.workdir}")
        if self.spec.setup:
            self._prepare(self.spec.setup, {})
        env = {name: value for name, value in GIT_ENVIRONMENT.items() if name.startswith("GIT_")}
        self._prepare(f"mkdir -p /logs/verifier && {SCRUB_SCRIPT}", env)

    def _prepare(self, script: str, env: Mapping[str, str]) -> None:
        done = self.run(script, timeout_s=_CLIENT_S, env=env)
        if not done.is_success:
            self.stop()
            said = done.output.strip().rpartition("\n")[2][:200]
            raise SandboxError(f"the image cannot be prepared: {said}", where=self.spec.image or "")

    def _create(self, image: str) -> None:
        if not image:
            raise SandboxError(f"a box of {self._kind} needs an image")
        self._container = self._client(*self._create_words(image)).strip()
        self._client("start", self._container)

    def _create_words(self, image: str) -> list[str]:
        limits = self.spec.limits
        words = ["create", "--init", "--label", f"{_LABEL}={store().name}", "--workdir", self.spec.workdir]
        words += [] if self.spec.is_networked else ["--network", "none"]
        words += ["--memory", str(limits.memory_bytes), "--pids-limit", str(limits.num_processes)]
        words += ["--ulimit", f"fsize={limits.file_bytes}", "--ulimit", "core=0"]
        words += [
            "--cap-drop",
            "ALL",
            "--cap-add",
            "DAC_OVERRIDE",
            "--cap-add",
            "CHOWN",
            "--cap-add",
            "FOWNER",
        ]
        words += ["--cap-add", "KILL", "--cap-add", "SETUID", "--cap-add", "SETGID"]
        words += ["--security-opt", "no-new-privileges", "--entrypoint", "sleep"]
        for name, value in self.spec.env.items():
            words += ["--env", f"{name}={value}"]
        return [*words, image, "infinity"]

    def _sweep(self) -> None:
        """Remove the containers of drivers that are gone."""
        store()
        for container in self._client("ps", "--all", "--quiet", "--filter", f"label={_LABEL}").split():
            name = self._client(
                "inspect", "--format", f'{{{{index .Config.Labels "{_LABEL}"}}}}', container
            ).strip()
            if not is_alive(base_folder(), name) and name != store().name:
                with contextlib.suppress(SandboxError):
                    self._client("rm", "--force", "--volumes", container)

    def stop(self) -> None:
        """See :meth:`opencwm.agent.box.Box.stop`."""
        if not self._container:
            return
        for process in list(self._running):
            process.kill()
        container, self._container = self._container, ""
        self._client("rm", "--force", "--volumes", container)
        for image in self._images.values():
            with contextlib.suppress(SandboxError):  # a fork may stand on it; its removal takes it along
                self._client("rmi", image)
        self._images.clear()

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
        limit = self.spec.limits.wall_s if timeout_s is None else timeout_s
        return self._run(words, Output(self.spec.limits.output_bytes), limit, cwd, env, stdin)

    def _run(
        self,
        words: list[str],
        output: Output,
        timeout_s: float,
        cwd: str | None,
        env: Mapping[str, str] | None,
        stdin: bytes,
    ) -> RunResult:
        started = time.monotonic()
        with memory_input(stdin) as descriptor:
            process = self._launch(words, cwd, env, descriptor)
        try:
            status = drain(process.popen, output, started + timeout_s, end=lambda: self._end(process))
            code = process.popen.wait() if status is RunStatus.EXITED else None
        finally:
            process.kill()
        return result_of(status, code, output, started)

    def spawn(
        self, command: Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> _ContainerProcess:
        """See :meth:`opencwm.agent.box.Box.spawn`."""
        return self._launch(command, cwd, env, subprocess.PIPE)

    def _launch(
        self, command: Sequence[str], cwd: str | None, env: Mapping[str, str] | None, stdin: int
    ) -> _ContainerProcess:
        mark = f"{_MARK}={secrets.token_hex(8)}"
        words = [
            self._executable,
            "exec",
            "--interactive",
            "--workdir",
            str(Path(self.spec.workdir) / (cwd or ".")),
        ]
        for name, value in (env or {}).items():
            words += ["--env", f"{name}={value}"]
        words += ["--env", mark, self._name(), *command]
        try:
            popen = subprocess.Popen(
                words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
            )
        except OSError as error:
            raise SandboxError(f"{self._kind} cannot be started: {error.strerror}") from error
        process = _ContainerProcess(popen, self, mark)
        self._running.append(process)
        return process

    def _end(self, process: _ContainerProcess) -> None:
        if process in self._running:
            self._running.remove(process)
            words = [self._executable, "exec", self._name(), "sh", "-c", _END_SCRIPT, "sh", process.mark]
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(words, capture_output=True, timeout=_END_S, check=False)

    def _name(self) -> str:
        if not self._container:
            raise SandboxError("the box has not been started")
        return self._container

    def _client(self, *words: str) -> str:
        """Run podman or docker and return what it prints.

        Raises:
            SandboxError: it fails; its last line.
        """
        try:
            done = subprocess.run(
                [self._executable, *words], capture_output=True, text=True, timeout=_CLIENT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SandboxError(f"{self._kind} {words[0]} does not end or start: {error}") from error
        if done.returncode:
            said = done.stderr.strip().rpartition("\n")[2] or f"status {done.returncode}"
            raise SandboxError(f"{self._kind} {words[0]} failed: {said[:300]}", where=self.spec.image or "")
        return done.stdout

    # -- files -------------------------------------------------------------------------------------

    def read_file(self, path: str) -> bytes:
        """See :meth:`opencwm.agent.box.Box.read_file`."""
        output = Output(None)
        raise_for(self._run(["bash", "-c", READ, "bash", path], output, FILE_S, None, None, b""), path)
        return output.data()

    def write_file(self, path: str, data: bytes | str) -> None:
        """See :meth:`opencwm.agent.box.Box.write_file`."""
        raw = data.encode() if isinstance(data, str) else data
        raise_for(
            self._run(["bash", "-c", WRITE, "bash", path], Output(1 << 12), FILE_S, None, None, raw), path
        )

    # -- snapshots ---------------------------------------------------------------------------------

    def snapshot(self) -> str:
        """See :meth:`opencwm.agent.box.Box.snapshot`."""
        name = secrets.token_hex(4)
        self._images[name] = self._commit()
        return name

    def _commit(self) -> str:
        return self._client("commit", self._name(), f"opencwm-box:{secrets.token_hex(8)}").strip()

    def restore(self, snapshot: str) -> None:
        """See :meth:`opencwm.agent.box.Box.restore`."""
        image = self._images[snapshot]
        for process in list(self._running):
            process.kill()
        self._client("rm", "--force", "--volumes", self._name())
        self._create(image)

    def fork(self) -> Self:
        """See :meth:`opencwm.agent.box.Box.fork`."""
        image = self._commit()
        other = type(self)(dataclasses.replace(self.spec, image=image), self._kind, self._executable)
        other._images["fork"] = image  # so that it is removed with it
        other._create(image)
        return other


class _ContainerProcess:
    """A program in a container. See :class:`opencwm.agent.box.Process`."""

    def __init__(self, popen: subprocess.Popen[bytes], box: ContainerBox, mark: str) -> None:
        self.popen = popen
        self.mark = mark
        self._box = box

    def kill(self) -> None:
        self._box._end(self)
        self.popen.kill()
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
