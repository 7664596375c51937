"""Many attempts at small tasks at once, at desks: what a model learns from.

Threads speak with one scheduler, so that the passes of all attempts are run together.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from opencwm.agent.conversation import Occasion
from opencwm.agent.episode import Episode
from opencwm.agent.loop import run_agent
from opencwm.agent.small.actor import MAX_REPLY_TOKENS, SharedGenerator
from opencwm.agent.small.desk import TOOLS, Desk
from opencwm.agent.small.lessons import LIMITS, Lesson
from opencwm.agent.small.phrases import tokenizer_of
from opencwm.agent.small.runner import Runner
from opencwm.agent.token_policy import TokenPolicy
from opencwm.agent.token_segments import Segment, segments
from opencwm.core.seeds import derive_seed
from opencwm.model.folder import ModelFolder
from opencwm.model.scheduler import Scheduler


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
    folder: ModelFolder,
    lessons: Sequence[Lesson],
    runner: Runner,
    *,
    num_each: int,
    seed: int,
    temperature: float = 1.0,
    num_rows: int = 16,
    progress: Callable[[int], object] = lambda _: None,
) -> list[list[Attempt]]:
    """Make attempts and return them by lesson, in order.

    Args:
        folder: of a model that acts.
        lessons: what to attempt.
        runner: entered.
        num_each: attempts at each.
        seed: fixes what is sampled, up to the rounding of passes that run together.
        temperature: of sampling.
        num_rows: attempts at once.
        progress: told how many are over.

    Raises:
        EngineError: the model broke.
        SandboxError: the runner failed.
    """
    bank = folder.bank(num_rows)
    scheduler = Scheduler(bank, max_jobs=4 * num_rows)
    generator = SharedGenerator(scheduler, vocab_size=bank.vocab_size, max_tokens=bank.max_tokens)
    policy = TokenPolicy(
        lambda: generator,
        tokenizer_of(folder),
        temperature=temperature,
        top_p=1.0,
        max_tokens=MAX_REPLY_TOKENS,
    )

    def attempt(lesson: Lesson, number: int) -> Attempt:
        name = lesson.task.name
        occasion = Occasion(task=name, rollout=number, seed=derive_seed(seed, name, number), tools=TOOLS)
        desk = Desk(lesson.files, runner, LIMITS)
        return _attempt(name, run_agent(policy.begin(occasion), desk, lesson.opening, LIMITS), desk)

    try:
        with concurrent.futures.ThreadPoolExecutor(num_rows) as pool:
            futures = [[pool.submit(attempt, lesson, n) for n in range(num_each)] for lesson in lessons]
            for count, _ in enumerate(
                concurrent.futures.as_completed([one for group in futures for one in group]), 1
            ):
                progress(count)
            return [[future.result() for future in group] for group in futures]
    finally:
        scheduler.close()


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
