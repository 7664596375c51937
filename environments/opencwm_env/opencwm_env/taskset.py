"""The taskset: questions of ``opencwm.rl`` as rows, and what their answers earn."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import verifiers.v1 as vf
from pydantic import Field

from opencwm.codec.cwm_chat import END_THINK
from opencwm.rl.environment import Environment, Reward
from opencwm.rl.fix_bug import Bug, FixBug, FixBugConfig
from opencwm.rl.wire import (
    generated_questions,
    make_environment,
    question_from_json,
    question_to_json,
    read_questions,
)
from opencwm_env.threads import THREADS

INFO = "opencwm"
"""Where a trace keeps what is ours: in ``trace.info``."""


class OpenCWMData(vf.TaskData):
    """One question."""

    environment: str
    """Name of the environment."""
    question: dict[str, Any]
    """As ``opencwm.rl.wire`` writes it; for ``fix-bug`` the task's folder, which every worker must see."""


class OpenCWMTaskConfig(vf.TaskConfig):
    """What an answer earns; under ``--env.taskset.task.*``."""

    threshold: float | None = Field(0.5, gt=0, lt=1)
    """``fix-bug``: likeness to the solution from which a patch that fails earns this much; None: nothing."""


class OpenCWMTask(vf.Task[OpenCWMData, vf.State, OpenCWMTaskConfig]):
    """Grades in a thread, so that other episodes go on."""

    @property
    def key(self) -> str:
        """The question's key, with the environment's name."""
        return f"{self.data.environment}:{self.data.id}"

    @vf.reward
    async def reward(self, trace: vf.Trace) -> float:
        """Return the reward of the answer; raise when there is none to give, for that is no 0."""
        told = trace.info.setdefault(INFO, {})
        if self.data.environment != FixBug.name:
            answer = trace.last_reply.rpartition(END_THINK)[2]
        elif "submitted" not in told:
            raise RuntimeError("fix-bug is played by this package's harness: leave env.agent.harness unset")
        elif told["submitted"] is None:
            told["reason"] = f"nothing submitted: {told['stop']}"
            trace.record_metric("solved", 0.0)
            return 0.0
        else:
            answer = told["submitted"]
        earned = await asyncio.get_running_loop().run_in_executor(THREADS, self._earned, answer)
        trace.record_metric("solved", float(earned.is_right))
        told["reason"], told["details"] = earned.reason, dict(earned.details)
        return earned.value

    def _earned(self, answer: str) -> Reward:
        environment, lock = _environment(self.data.environment, self.config.threshold)
        question = question_from_json(self.data.environment, self.data.question)
        if isinstance(environment, FixBug) and isinstance(question, Bug):  # each patch has a box of its own
            return environment.grade(question, answer)
        with lock:
            return environment.grade(question, answer)


class OpenCWMTasksetConfig(vf.TasksetConfig):
    """Which questions; under ``--env.taskset.*``."""

    environment: Literal["predict-output", "predict-input", "predict-trace", "fix-bug"] = "predict-output"
    path: Path | None = None
    """A folder of tasks for ``fix-bug``, otherwise a file of traces or a corpus; None generates programs."""
    splits: list[str] = Field(default_factory=lambda: ["train"])
    """Of a corpus."""
    num_programs: int = Field(100, ge=1)
    """How many programs are generated."""
    seed: int = 0
    """Of the generated programs."""
    task: OpenCWMTaskConfig = OpenCWMTaskConfig()


class OpenCWMTaskset(vf.Taskset[OpenCWMTask, OpenCWMTasksetConfig]):
    """See the module."""

    def load(self) -> Iterator[OpenCWMTask]:
        """Yield the questions."""
        config = self.config
        environment, _ = _environment(config.environment, config.task.threshold)
        if config.path is None:
            questions = generated_questions(config.environment, config.num_programs, config.seed)
        else:
            questions = read_questions(config.environment, config.path, splits=config.splits)
        for question in questions:
            *system, said = environment.messages(question)
            data = OpenCWMData(
                id=question.key,
                environment=config.environment,
                question=question_to_json(question),
                prompt=said.content,
                system_prompt=system[0].content if system and config.environment != FixBug.name else None,
            )
            yield OpenCWMTask(data, config.task)


@functools.cache
def _environment(name: str, threshold: float | None) -> tuple[Environment[Any], threading.Lock]:
    """Return an environment of this process, and the lock of those that one thread at a time may use."""
    return make_environment(name, FixBugConfig(threshold=threshold)), threading.Lock()
