"""A task: a Harbor task directory, read, checked and written; and the verdict on what an agent made of it.

``task.toml`` follows schema version 1.1 as Harbor publishes it (``version = "1.0"`` is read too). What is ours
stands in ``[metadata.opencwm]``, which Harbor passes over.

Source: https://www.harborframework.com/docs/tasks
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opencwm.agent.box import BoxSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One task.

    Attributes:
        name: ``ORGANISATION/NAME``, which names it in records.
        directory: where it lies.
        instruction: what the agent is told, Markdown.
        config: ``task.toml`` as read, with the defaults filled in.
        workdir: where the files lie in the box.
        fail_to_pass: tests that fail before the task is solved and pass after.
        pass_to_pass: tests that pass before and after.
        test_files: paths in ``workdir`` that the task's own copy replaces before grading.
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
        raise NotImplementedError

    @property
    def gold_patch(self) -> str | None:
        """The gold solution as a patch (``solution/gold.patch``), None when there is only a script."""
        raise NotImplementedError

    def box_spec(self, kind: str = "auto") -> BoxSpec:
        """Describe the box an agent works in: the files before the task is solved, no tests of the verifier."""
        raise NotImplementedError


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


def read_task(directory: Path) -> Task:
    """Read a task directory.

    Raises:
        TaskError: a file is missing or does not make sense; the error names it and the field.
    """
    raise NotImplementedError


def grade(task: Task, patch: str | bytes, *, kind: str = "auto") -> Verdict:
    """Grade a patch (``git diff``) in a fresh box in which only it is applied. Never raises for bad patches."""
    raise NotImplementedError
