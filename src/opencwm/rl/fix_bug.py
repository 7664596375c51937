"""``fix-bug``: work on a repository in a box until its hidden tests pass.

The question is a task directory, the answer a patch. A policy comes to it through many turns with tools
(:meth:`FixBug.play`); the patch alone is graded, in a fresh box, by the task's own tests. One that does not
solve the task may earn partial credit by what it has in common with the task's solution (see
:mod:`.patch_similarity`), unless it is no patch, or touches the tests. What is nobody's answer (a box that
does not start, a server that is down) is an error and no reward.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Final

from opencwm.agent.conversation import Policy
from opencwm.agent.episode import Episode
from opencwm.agent.rollout import Rollout, RolloutConfig, opening, run_episode, run_rollout
from opencwm.agent.rollouts import find_tasks
from opencwm.agent.task import Task, Verdict, VerdictStatus, grade, read_task
from opencwm.codec.cwm_chat import Message
from opencwm.core.errors import ConfigError, SandboxError, TaskError
from opencwm.rl.environment import Environment, Question, Reward
from opencwm.rl.patch_similarity import credit

CREDITED: Final = frozenset(
    {VerdictStatus.GRADED, VerdictStatus.DOES_NOT_APPLY, VerdictStatus.TIMEOUT, VerdictStatus.NO_REWARD}
)
"""Verdicts whose patch was one to look at: it was readable and left the tests alone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bug(Question):
    """A task.

    Attributes:
        name: of the task, unique.
        directory: where it lies.
    """

    name: str
    directory: str

    @property
    def key(self) -> str:
        """The task's name."""
        return self.name

    @property
    def task(self) -> Task:
        """The task as its files say it.

        Raises:
            TaskError: they do not make sense.
        """
        return read_task(Path(self.directory))


@dataclasses.dataclass(frozen=True, kw_only=True)
class FixBugConfig:
    """How a bug is worked on, and what a patch earns.

    Attributes:
        rollout: limits, tools, box and prompt of an attempt.
        threshold: similarity to the solution's patch from which one that does not solve the task earns this
            much; None gives nothing for those. The code of facebook/cwm leaves the value to its runs.

    Raises:
        ConfigError: a threshold that is not between 0 and 1.
    """

    rollout: RolloutConfig = dataclasses.field(default_factory=RolloutConfig)
    threshold: float | None = 0.5

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ConfigError("must be above 0 and below 1", where="threshold")


class FixBug(Environment[Bug]):
    """See the module.

    Args:
        config: see :class:`FixBugConfig`.
    """

    name: ClassVar[str] = "fix-bug"

    def __init__(self, config: FixBugConfig | None = None) -> None:
        self.config = config or FixBugConfig()

    def messages(self, question: Bug) -> list[Message]:
        """Return the system prompt and the task, after which the first call is to come.

        Raises:
            TaskError: the task's files do not make sense.
        """
        return [Message(said.role, said.text) for said in opening(question.task, self.config.rollout)]

    def grade(self, question: Bug, answer: str) -> Reward:
        """Return what a patch earns, graded in a fresh box.

        Raises:
            SandboxError: the box failed.
            TaskError: the task's files do not make sense.
        """
        verdict = self._verdict(question.task, answer)
        if verdict.score is None:
            raise SandboxError(f"no grade: {verdict.reason}", where=question.name)
        return Reward(
            verdict.score,
            "" if verdict.is_resolved else verdict.reason or str(verdict.status),
            {"verdict": str(verdict.status), "tests": dict(verdict.tests)},
        )

    def gold(self, question: Bug) -> str:
        """Return the solution's patch.

        Raises:
            TaskError: there is none.
        """
        patch = question.task.gold_patch
        if patch is None:
            raise TaskError("the solution is no patch", where=question.name)
        return patch

    def work(self, question: Bug, policy: Policy, number: int = 0) -> Episode:
        """Let a policy work on a bug; what it submits is not graded.

        Raises:
            EngineError: the policy cannot be asked.
            SandboxError: the box failed.
            TaskError: the task's files do not make sense.
        """
        return run_episode(question.task, policy, number, self.config.rollout)

    def play(self, question: Bug, policy: Policy, number: int = 0) -> Rollout:
        """Let a policy work on a bug and grade what it submits; whatever goes wrong becomes a record.

        Args:
            question: the bug.
            policy: who acts.
            number: of the attempt at this task, from 0.

        Raises:
            TaskError: the task's files do not make sense.
        """
        return run_rollout(question.task, policy, number, self.config.rollout, grader=self._verdict)

    def _verdict(self, task: Task, patch: str) -> Verdict:
        """Grade a patch; one that does not solve the task has its partial credit as its score."""
        verdict = grade(task, patch, kind=self.config.rollout.kind)
        oracle, threshold = task.gold_patch, self.config.threshold
        if verdict.is_resolved or verdict.status not in CREDITED or oracle is None or threshold is None:
            return verdict
        earned = credit(oracle, patch, threshold)
        if earned <= (verdict.score or 0.0):
            return verdict
        reason = f"{verdict.reason or verdict.status}; as credit, the patch is like the solution's"
        return dataclasses.replace(verdict, score=earned, reason=reason)


def read_bugs(paths: Iterable[Path]) -> list[Bug]:
    """Return the tasks at and directly below some paths, by name.

    Raises:
        ConfigError: two have one name.
        TaskError: there is none, or one does not make sense.
    """
    bugs = [Bug(name, str(directory)) for name, directory in find_tasks(paths).items()]
    for bug in bugs:
        bug.task  # noqa: B018 - what cannot be read is said now, and not in the middle of a run
    return bugs
