"""The bottom layer of boxes: the folders a machine has, and a task's files with a git history of one commit.

Nothing of a ``.git`` is copied, wherever it lies: no branch, tag, reflog, remote, stash, hook, worktree,
alternate or unreachable object of the original can be in the box. The commit is always made by the same
name at the same time, so its id depends on the files alone.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from opencwm.agent.box_store import BoxStore, Layer, remove
from opencwm.core.errors import SandboxError, TaskError

HOME: Final = "/home/agent"
FOLDERS: Final = (
    HOME,
    "/tmp",  # noqa: S108 - in the box
    "/var/tmp",  # noqa: S108
    "/logs/verifier",
    "/tests",
    "/solution",
    "/proc",
    "/dev",
    "/run",
    "/usr",
)
_SKIPPED: Final = (
    ".git",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".venv",
    ".tox",
    ".nox",
    "node_modules",
)
_GIT_SETTINGS: Final = (
    "[user]\n\tname = agent\n\temail = agent@example.invalid\n[safe]\n\tdirectory = *\n[gc]\n\tauto = 0\n"
)
_DATE: Final = "2000-01-01T00:00:00Z"
GIT_ENVIRONMENT: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "task",
    "GIT_AUTHOR_EMAIL": "task@example.invalid",
    "GIT_COMMITTER_NAME": "task",
    "GIT_COMMITTER_EMAIL": "task@example.invalid",
    "GIT_AUTHOR_DATE": _DATE,
    "GIT_COMMITTER_DATE": _DATE,
    "LC_ALL": "C",
}
SCRUB_SCRIPT: Final = (
    "find . -name .git -prune -exec rm -rf {} + && git init -q -b main --template= . && git add -A -f . "
    "&& git commit -q --allow-empty --no-verify -m task"
)
"""Shell text that gives the current folder a history of one commit, and nothing of the one it had."""


def template(
    store: BoxStore, files: Path | None, workdir: str, mount_points: Iterable[str], owner: int | None
) -> Layer:
    """Return the layer for a folder of files; the same one as long as the files are the same.

    Args:
        store: where it is kept, until the driver ends.
        files: the folder; None for an empty one.
        workdir: where it lies in the box.
        mount_points: paths at which the box will bind something.
        owner: user id that owns all of it; None for this process's.

    Raises:
        TaskError: there is no such folder.
        SandboxError: it cannot be copied, or git is missing.
    """
    if files is not None and not files.is_dir():
        raise TaskError("no such folder", where=str(files))
    signature = "" if files is None else _signature(files)
    return _made(store, files, signature, workdir, tuple(mount_points), owner)


@functools.lru_cache(maxsize=64)
def _made(
    store: BoxStore,
    files: Path | None,
    signature: str,  # noqa: ARG001 - a part of the cache's key
    workdir: str,
    mount_points: tuple[str, ...],
    owner: int | None,
) -> Layer:
    path = store.new_folder()
    try:
        path.chmod(0o755)
        _furnish(path, mount_points, owner)
        inside = path / workdir.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        if files is None:
            inside.mkdir(exist_ok=True)
        else:
            shutil.copytree(files, inside, symlinks=True, ignore=_ignored, dirs_exist_ok=True)
        scrub(inside)
        if owner is not None:
            _give(path, owner)
    except (OSError, shutil.Error) as error:
        remove(path)
        said = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror
        raise SandboxError(f"a task's files cannot be copied: {said}", where=str(files or "")) from error
    except SandboxError:
        remove(path)
        raise
    layer = Layer(path)
    store.take([layer])
    return layer


def _ignored(folder: str, names: list[str]) -> set[str]:
    """Tell what is not copied: histories, caches, environments, and what is neither file, folder nor link."""
    return {name for name in names if not is_copied(Path(folder, name))}


def is_copied(path: Path) -> bool:
    """Whether a path comes into a box: no history, cache or environment; a file, a folder or a link."""
    return path.name not in _SKIPPED and (path.is_symlink() or path.is_file() or path.is_dir())


def _furnish(root: Path, mount_points: tuple[str, ...], owner: int | None) -> None:
    for name in (*FOLDERS, "/etc"):
        (root / name.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    uid = os.getuid() if owner is None else owner
    (root / "etc/passwd").write_text(f"root:x:0:0::/root:/bin/bash\nagent:x:{uid}:{uid}::{HOME}:/bin/bash\n")
    (root / "etc/group").write_text(f"root:x:0:\nagent:x:{uid}:\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (root / HOME.lstrip("/") / ".gitconfig").write_text(_GIT_SETTINGS)
    for name in mount_points:
        point, source = root / name.lstrip("/"), Path(name)
        if point.exists() or point.is_symlink():
            continue
        point.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() and source.parent == Path("/"):
            point.symlink_to(source.readlink())
        elif source.is_dir():
            point.mkdir()
        else:
            point.touch()


def scrub(folder: Path) -> None:
    """Give a folder a git history of one commit, whatever it had.

    Raises:
        SandboxError: git is missing or fails.
    """
    git = shutil.which("git")
    if git is None:
        raise SandboxError("git is not installed")
    done = subprocess.run(
        ["sh", "-c", SCRUB_SCRIPT],  # noqa: S607 - a shell is everywhere
        cwd=folder,
        env={**GIT_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SandboxError(
            f"git fails on a task's files: {' '.join(done.stderr.split())[:200]}", where=str(folder)
        )


def _give(root: Path, owner: int) -> None:
    os.chown(root, owner, owner)
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            os.chown(Path(folder, name), owner, owner, follow_symlinks=False)


def _signature(folder: Path) -> str:
    """Return what changes when a file below a folder does."""
    digest = hashlib.sha256()
    for path, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if name not in _SKIPPED)
        for name in (*names, *sorted(files)):
            status = os.lstat(Path(path, name))
            digest.update(repr((path, name, status.st_mode, status.st_size, status.st_mtime_ns)).encode())
    return digest.hexdigest()
