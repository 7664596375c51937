"""A place for Harbor to work in where there is no Docker: a folder as the root, under bubblewrap.

Harbor's own Python imports this file, so that it imports nothing of OpenCWM or of the tests.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from harbor.environments.base import BaseEnvironment, ExecResult

READ_ONLY = ("/usr", "/etc", "/bin", "/lib", "/lib64", "/sbin")
MADE = ("app", "logs/agent", "logs/verifier", "logs/artifacts", "tests", "tmp", "root", "proc", "dev")


class Room(BaseEnvironment):  # type: ignore[misc]
    """The tools of this machine and none of its files; what is written goes with the folder, at the end."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.root = Path(tempfile.mkdtemp(prefix="room-"))

    @staticmethod
    def type() -> str:
        return "room"

    def _validate_definition(self) -> None:
        pass

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    async def start(self, force_build: bool) -> None:  # noqa: ARG002
        for name in MADE:
            (self.root / name).mkdir(parents=True, exist_ok=True)

    async def stop(self, delete: bool) -> None:  # noqa: ARG002
        await self.exec("tmux kill-server")
        shutil.rmtree(self.root)

    async def upload_file(self, source_path: Path | str, target_path: str) -> None:
        self._at(target_path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source_path, self._at(target_path))

    async def upload_dir(self, source_dir: Path | str, target_dir: str) -> None:
        shutil.copytree(source_dir, self._at(target_dir), dirs_exist_ok=True)

    async def download_file(self, source_path: str, target_path: Path | str) -> None:
        Path(target_path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._at(source_path), target_path)

    async def download_dir(self, source_dir: str, target_dir: Path | str) -> None:
        shutil.copytree(self._at(source_dir), target_dir, dirs_exist_ok=True)

    async def exec(
        self,
        command: str,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        timeout_sec: int | None = None,
        user: str | int | None = None,  # noqa: ARG002
    ) -> Any:
        held = [part for path in READ_ONLY if Path(path).exists() for part in ("--ro-bind", path, path)]
        variables = {"PATH": "/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8", **(env or {})}
        given = [part for name, value in variables.items() for part in ("--setenv", name, value)]
        process = await asyncio.create_subprocess_exec(
            *("bwrap", "--bind", str(self.root), "/", *held, "--dev", "/dev", "--unshare-net", "--clearenv"),
            *(*given, "--chdir", cwd or "/app", "bash", "-c", command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), timeout_sec)
        return ExecResult(stdout=out.decode(), stderr=err.decode(), return_code=process.returncode)
