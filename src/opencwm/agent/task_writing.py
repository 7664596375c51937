"""Writing Harbor task directories: whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from opencwm.agent.box import WORKDIR
from opencwm.agent.box_store import remove
from opencwm.agent.task import GOLD_PATCH, SCHEMA_VERSION, Task, read_task
from opencwm.core.errors import TaskError

_VERIFIER: Final = Path(__file__).parent / "verifier"
TEST_SCRIPT: Final = (
    '#!/bin/bash\n# Leaves the score in /logs/verifier/reward.json.\npython3 -I "$(dirname "$0")/verify.py"\n'
)
SOLVE_SCRIPT: Final = (
    '#!/bin/bash\nset -e\ncd {workdir}\ngit apply --whitespace=nowarn "$(dirname "$0")/gold.patch"\n'
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskDraft:
    """What a task directory is written from.

    Attributes:
        name: ``ORGANISATION/NAME``; the directory is called NAME.
        instruction: Markdown for the agent.
        command: shell text that ends in pytest, run in ``workdir``.
        fail_to_pass, pass_to_pass, test_files, oracle_files: as in :class:`~opencwm.agent.task.Task`.
        gold_patch: the solution; None when there is none.
        image: an image that holds the files.
        files: the files before the task is solved: path in ``workdir`` to a file to copy, or to its content.
        setup: see :class:`~opencwm.agent.box.BoxSpec`.
        restore: path in ``workdir`` to what the verifier puts there before it runs; as ``files``.
        scripts: further files of ``tests/``, by name; ``test.sh`` among them takes the place of ours.
        dockerfile: ``environment/Dockerfile``.
        metadata: further entries of ``[metadata.opencwm]``.
        timeout_s: seconds grading may take.
        is_networked: whether the box has a network.
    """

    name: str
    instruction: str
    command: str
    dockerfile: str
    fail_to_pass: Sequence[str] = ()
    pass_to_pass: Sequence[str] = ()
    test_files: Sequence[str] = ()
    oracle_files: Sequence[str] = ()
    gold_patch: str | None = None
    image: str | None = None
    files: Mapping[str, Path | str] | None = None
    setup: str = ""
    restore: Mapping[str, Path | str] = dataclasses.field(default_factory=dict)
    scripts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    workdir: str = WORKDIR
    timeout_s: float = 600.0
    is_networked: bool = False


def write_task(draft: TaskDraft, parent: Path) -> Task:
    """Write a task directory below ``parent``, in place of one of that name, and return it as read back.

    Raises:
        TaskError: the draft makes no valid task.
        OSError: it cannot be written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    name = draft.name.rpartition("/")[2]
    final = parent / name
    temporary = parent / f".{name}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    try:
        _fill(draft, temporary)
        read_task(temporary)
        if final.exists():
            remove(final)
        temporary.rename(final)
    finally:
        if temporary.exists():
            remove(temporary)
    return read_task(final)


def _fill(draft: TaskDraft, root: Path) -> None:
    ours: dict[str, Any] = {"workdir": draft.workdir}
    if draft.files is not None:
        ours["files"] = "environment/repo"
    if draft.setup:
        ours["setup"] = draft.setup
    for key in ("fail_to_pass", "pass_to_pass", "test_files", "oracle_files"):
        ours[key] = list(getattr(draft, key))
    environment: dict[str, Any] = {"allow_internet": draft.is_networked}
    if draft.image is not None:
        environment["docker_image"] = draft.image
    config = {
        "schema_version": SCHEMA_VERSION,
        "task": {"name": draft.name},
        "metadata": {"opencwm": {**ours, **draft.metadata}},
        "verifier": {"timeout_sec": float(draft.timeout_s)},
        "agent": {"timeout_sec": 3600.0},
        "environment": environment,
    }
    spec = {
        "command": draft.command,
        "workdir": draft.workdir,
        "fail_to_pass": list(draft.fail_to_pass),
        "pass_to_pass": list(draft.pass_to_pass),
    }
    _write(root / "task.toml", toml_text(config))
    _write(root / "instruction.md", draft.instruction.strip() + "\n")
    _write(root / "environment/Dockerfile", draft.dockerfile)
    _write_all(root / "environment/repo", draft.files or {})
    _write_all(root / "tests/restore", draft.restore)
    for source in ("verify.py", "opencwm_recorder.py"):
        _write(root / "tests" / source, (_VERIFIER / source).read_text())
    _write(root / "tests/spec.json", json.dumps(spec, indent=1) + "\n")
    _write_all(root / "tests", {"test.sh": TEST_SCRIPT, **draft.scripts})
    if draft.gold_patch is not None:
        _write(root / GOLD_PATCH, draft.gold_patch)
        _write(root / "solution/solve.sh", SOLVE_SCRIPT.format(workdir=draft.workdir))
    for script in root.glob("*/*.sh"):
        script.chmod(0o755)


def _write_all(root: Path, files: Mapping[str, Path | str]) -> None:
    for name, content in files.items():
        path = root / name
        if not Path(os.path.normpath(path)).is_relative_to(root):
            raise TaskError("a file would lie outside the task directory", where=name)
        if isinstance(content, str):
            _write(path, content)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(content, path, follow_symlinks=False)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(errors="surrogatepass"))


def toml_text(table: Mapping[str, Any]) -> str:
    """Write tables of texts, numbers, truths, lists and tables as TOML.

    Raises:
        TaskError: a value that TOML has no form for.
    """
    return "".join(_toml_lines(table, ())).lstrip("\n")


def _toml_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = []
    if path and (plain or not table):
        lines.append(f"\n[{'.'.join(map(_toml_key, path))}]\n")
    lines += [f"{_toml_key(key)} = {_toml_value(value)}\n" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _toml_lines(value, (*path, key))
    return lines


def _toml_key(key: str) -> str:
    is_bare = key != "" and key.isascii() and all(c.isalnum() or c in "-_" for c in key)
    return key if is_bare else _toml_value(key)


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    raise TaskError(f"TOML has no form for {type(value).__name__}")
