"""A task: a Harbor task directory, read and checked.

``task.toml`` follows schema version 1.1 as Harbor publishes it; 1.0, which calls the field ``version``, is
read too. What is ours stands in ``[metadata.opencwm]``, which Harbor passes over. Writing:
:mod:`.task_writing`.

Source: https://www.harborframework.com/docs/tasks and ``src/harbor/models/task/config.py`` of Harbor
"""

from __future__ import annotations

import dataclasses
import enum
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from opencwm.agent.box import MIB, WORKDIR, BoxLimits, BoxSpec
from opencwm.core.errors import TaskError

SCHEMA_VERSION: Final = "1.1"
KNOWN_VERSIONS: Final = ("1.0", "1.1")
GOLD_PATCH: Final = "solution/gold.patch"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*")
_SECTIONS: Final[dict[str, dict[str, type | tuple[type, ...]]]] = {
    "task": {"name": str, "description": str, "authors": list, "keywords": list},
    "verifier": {"timeout_sec": (int, float), "env": dict, "user": (str, int)},
    "agent": {"timeout_sec": (int, float), "user": (str, int)},
    "environment": {
        "build_timeout_sec": (int, float),
        "docker_image": str,
        "cpus": int,
        "memory_mb": int,
        "storage_mb": int,
        "gpus": int,
        "allow_internet": bool,
        "network_mode": str,
        "env": dict,
    },
    "solution": {"env": dict},
}
"""The fields that are looked at, and of which types they are; others are Harbor's own business."""
_NETWORK_MODES: Final = ("public", "no-network", "allowlist")
_OURS: Final[dict[str, type]] = {
    "files": str,
    "workdir": str,
    "setup": str,
    "fail_to_pass": list,
    "pass_to_pass": list,
    "test_files": list,
    "oracle_files": list,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One task.

    Attributes:
        name: ``ORGANISATION/NAME``, which names it in records; the folder's name where the task has none.
        directory: where it lies.
        instruction: what the agent is told, Markdown.
        config: ``task.toml`` as read.
        workdir: where the files lie in the box.
        fail_to_pass: tests that fail before the task is solved and pass after.
        pass_to_pass: tests that pass before and after.
        test_files: paths in ``workdir`` that a submission must not touch.
        oracle_files: paths in ``workdir`` that the gold solution changes; empty when unknown.
    """

    name: str
    directory: Path
    instruction: str
    config: Mapping[str, Any]
    workdir: str
    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()
    test_files: tuple[str, ...] = ()
    oracle_files: tuple[str, ...] = ()

    @property
    def agent_timeout_s(self) -> float | None:
        """Seconds an agent may work on it, None when the task does not say."""
        return _section(self.config, "agent").get("timeout_sec")

    @property
    def verifier_timeout_s(self) -> float:
        """Seconds that grading may take."""
        return float(_section(self.config, "verifier").get("timeout_sec", 600.0))

    @property
    def gold_patch(self) -> str | None:
        """The gold solution as a patch, None when there is only a script."""
        path = self.directory / GOLD_PATCH
        return path.read_text() if path.is_file() else None

    def box_spec(self, kind: str = "auto") -> BoxSpec:
        """Describe the box an agent works in: the files before the task is solved, no test of the verifier.

        Raises:
            TaskError: the task has neither files nor an image.
        """
        environment = _section(self.config, "environment")
        ours = _ours(self.config)
        image = environment.get("docker_image")
        files = self.directory / ours["files"] if "files" in ours else None
        if files is None and image is None:
            raise TaskError(
                "the task names neither an image nor files",
                where=str(self.directory / "task.toml"),
                hint="build environment/ and name the image as environment.docker_image",
            )
        mode = environment.get(
            "network_mode", "public" if environment.get("allow_internet") else "no-network"
        )
        defaults = BoxLimits()
        limits = BoxLimits(
            memory_bytes=environment.get("memory_mb", defaults.memory_bytes // MIB) * MIB,
            disk_bytes=environment.get("storage_mb", defaults.disk_bytes // MIB) * MIB,
        )
        return BoxSpec(
            files=files,
            image=image if files is None else None,
            kind=kind,
            workdir=self.workdir,
            setup=ours.get("setup", ""),
            is_networked=mode == "public",
            env=environment.get("env", {}),
            limits=limits,
        )


class VerdictStatus(enum.StrEnum):
    """What became of a submission."""

    GRADED = "graded"  # the tests ran; the score says how
    EMPTY_PATCH = "empty_patch"
    BINARY_PATCH = "binary_patch"
    TOUCHES_TESTS = "touches_tests"
    DOES_NOT_APPLY = "does_not_apply"
    MALFORMED_PATCH = "malformed_patch"  # not a patch, or one that leaves the folder
    TIMEOUT = "timeout"  # the verifier ran too long on it
    NO_REWARD = "no_reward"  # the verifier left no score
    BOX_FAILED = "box_failed"  # the machinery, not the submission


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on one submission.

    Attributes:
        status: what became of it.
        score: 0 to 1; None when the machinery failed, which is never a score of 0.
        reason: one line; empty when the score is 1.
        tests: outcome of each test that the task names: ``passed``, ``failed``, ``missing``.
        output: what the verifier printed, shortened.
        wall_s: seconds it took.
    """

    status: VerdictStatus
    score: float | None
    reason: str = ""
    tests: Mapping[str, str] = dataclasses.field(default_factory=dict)
    output: str = ""
    wall_s: float = 0.0

    @property
    def is_resolved(self) -> bool:
        """Whether the submission solves the task."""
        return self.score == 1.0


def grade(task: Task, patch: str | bytes, *, kind: str = "auto") -> Verdict:
    """Grade a patch (``git diff``) in a fresh box that has only it applied; never raises for a bad one."""
    from opencwm.agent.grading import grade_patch

    return grade_patch(task, patch, kind=kind)


def read_task(directory: Path) -> Task:
    """Read a task directory.

    Raises:
        TaskError: a file is missing or does not make sense; the error names it and the field.
    """
    if not directory.is_dir():
        raise TaskError("no such task directory", where=str(directory))
    for name in ("task.toml", "instruction.md", "environment", "tests/test.sh"):
        if not (directory / name).exists():
            raise TaskError(f"a task directory needs {name}", where=str(directory))
    config = read_config(directory / "task.toml")
    ours = _ours(config)
    instruction = _text(directory / "instruction.md").strip()
    if not instruction:
        raise TaskError("the instruction is empty", where=str(directory / "instruction.md"))
    if "files" in ours and not _inside(directory, ours["files"]).is_dir():
        raise TaskError(f"no folder {ours['files']}", where=f"{directory}/task.toml: metadata.opencwm.files")
    return Task(
        name=_section(config, "task").get("name", directory.resolve().name),
        directory=directory,
        instruction=instruction,
        config=config,
        workdir=ours.get("workdir") or _docker_workdir(directory),
        fail_to_pass=tuple(ours.get("fail_to_pass", ())),
        pass_to_pass=tuple(ours.get("pass_to_pass", ())),
        test_files=tuple(ours.get("test_files", ())),
        oracle_files=tuple(ours.get("oracle_files", ())),
    )


def find_tasks(path: Path) -> list[Path]:
    """Return the task directories at or directly below a path, by name.

    Raises:
        TaskError: there is none.
    """
    if (path / "task.toml").is_file():
        return [path]
    found = (
        sorted(folder for folder in path.iterdir() if (folder / "task.toml").is_file())
        if path.is_dir()
        else []
    )
    if not found:
        raise TaskError("no task.toml here or one level below", where=str(path))
    return found


def read_config(path: Path) -> dict[str, Any]:
    """Read and check a ``task.toml``.

    Raises:
        TaskError: it is no TOML, of another version, or a field has another type.
    """
    try:
        config = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise TaskError(f"not TOML: {error}", where=str(path)) from error
    version = config.get("schema_version", config.get("version", KNOWN_VERSIONS[0]))
    if version not in KNOWN_VERSIONS:
        raise TaskError(
            f"schema version {version!r} is not known",
            where=str(path),
            hint=f"known: {', '.join(KNOWN_VERSIONS)}",
        )
    for section, fields in _SECTIONS.items():
        _check(path, section, _table(path, config, section), fields)
    _check(path, "metadata.opencwm", _table(path, _table(path, config, "metadata"), "opencwm"), _OURS)
    name = _section(config, "task").get("name")
    if name is not None and not _NAME.fullmatch(name):
        raise TaskError(f"not ORGANISATION/NAME: {name!r}", where=f"{path}: task.name")
    mode = _section(config, "environment").get("network_mode")
    if mode is not None and mode not in _NETWORK_MODES:
        hint = f"one of {', '.join(_NETWORK_MODES)}"
        raise TaskError(f"unknown mode {mode!r}", where=f"{path}: environment.network_mode", hint=hint)
    return config


def _check(path: Path, section: str, table: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    for name, value in table.items():
        kind = fields.get(name)
        where = f"{path}: {section}.{name}"
        if kind is None:
            continue
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TaskError(f"not of the right type: {value!r}", where=where)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and name != "gpus"
            and not value > 0
        ):
            raise TaskError(f"not positive: {value!r}", where=where)
        if isinstance(value, list) and section != "task" and not all(isinstance(item, str) for item in value):
            raise TaskError("not a list of texts", where=where)
        if name == "env" and not all(isinstance(item, str) for item in value.values()):
            raise TaskError("a variable that is no text", where=where)


def _table(path: Path, config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name, {})
    if not isinstance(found, dict):
        raise TaskError("not a table", where=f"{path}: {name}")
    return found


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section: Mapping[str, Any] = config.get(name, {})
    return section


def _ours(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return _section(_section(config, "metadata"), "opencwm")


def _inside(directory: Path, name: str) -> Path:
    path = directory / name
    if not path.resolve().is_relative_to(directory.resolve()):
        raise TaskError(f"{name} leads out of the task directory", where=str(directory))
    return path


def _docker_workdir(directory: Path) -> str:
    path = directory / "environment/Dockerfile"
    found = re.findall(r"(?im)^\s*WORKDIR\s+(/\S*)", _text(path)) if path.is_file() else []
    return found[-1] if found else WORKDIR


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError as error:
        raise TaskError("not UTF-8", where=str(path)) from error
    except OSError as error:
        raise TaskError(f"cannot be read: {error.strerror}", where=str(path)) from error
