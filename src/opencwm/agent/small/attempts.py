"""Many attempts at small tasks, at desks: what a model learns from.

Attempts at one task follow each other, so that what they have in common is computed once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opencwm.agent.conversation import Occasion
from opencwm.agent.episode import Episode
from opencwm.agent.loop import run_agent
from opencwm.agent.small.actor import open_actor
from opencwm.agent.small.desk import TOOLS, Desk
from opencwm.agent.small.lessons import LIMITS, Lesson
from opencwm.agent.small.runner import Runner
from opencwm.agent.token_segments import Segment, segments
from opencwm.core.seeds import derive_seed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attempt:
    """What came of an attempt.

    Attributes:
        task: its name.
        is_solved: whether what was submitted passes all examples.
        stop: why it ended.
        num_turns: replies.
        num_backtracks: turns after which the file was as after an earlier one.
        segment: its tokens.
    """

    task: str
    is_solved: bool
    stop: str
    num_turns: int
    num_backtracks: int
    segment: Segment

    def to_json(self) -> dict[str, Any]:
        """Return it without its tokens."""
        return {field: getattr(self, field) for field in list(self.__dataclass_fields__)[:-1]}


def make_attempts(
    path: Path,
    lessons: Sequence[Lesson],
    runner: Runner,
    *,
    num_each: int,
    seed: int,
    temperature: float = 1.0,
) -> list[list[Attempt]]:
    """Make attempts and return them by lesson, in order; one after the other, on one thread.

    Args:
        path: folder of a model that acts.
        lessons: what to attempt.
        runner: entered.
        num_each: attempts at each.
        seed: fixes what is sampled.
        temperature: of sampling.

    Raises:
        EngineError: it is no such model, or it broke.
        SandboxError: the runner failed.
    """
    policy = open_actor(path, temperature=temperature)

    def attempt(lesson: Lesson, number: int) -> Attempt:
        name = lesson.task.name
        occasion = Occasion(task=name, rollout=number, seed=derive_seed(seed, name, number), tools=TOOLS)
        desk = Desk(lesson.files, runner, LIMITS)
        return _attempt(name, run_agent(policy.begin(occasion), desk, lesson.opening, LIMITS), desk)

    return [[attempt(lesson, number) for number in range(num_each)] for lesson in lessons]


def _attempt(name: str, episode: Episode, desk: Desk) -> Attempt:
    (segment,) = segments(turn.reply.tokens for turn in episode.turns)
    return Attempt(
        task=name,
        is_solved=episode.submitted is not None and desk.is_solved(),
        stop=str(episode.stop),
        num_turns=len(episode.turns),
        num_backtracks=sum(turn.backtracked_to is not None for turn in episode.turns),
        segment=segment,
    )
