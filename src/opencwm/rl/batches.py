"""Groups of answers to learn from: questions are asked until enough groups have something to tell apart.

The idea: a group whose answers all earned the same has no gradient. It costs its answers, is counted, and
another question is asked instead, so that every step learns from as many groups. The order of questions is a
permutation for each pass over them, drawn with the recipe's seed: where a run stands is one number.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

from opencwm.core.seeds import derive_rng
from opencwm.rl.environment import NativeEnvironment, Reward
from opencwm.rl.policy import Answer
from opencwm.rl.trace_question import TraceQuestion

Ask = Callable[[Sequence[Sequence[int]]], list[list[Answer]]]
"""Draws a group of answers to each of several prompts."""


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Answers to one question.

    Attributes:
        question: what was asked.
        prompt: as ids.
        answers: that were drawn.
        rewards: what each earned.
        truth: the true answer as ids.
    """

    question: TraceQuestion
    prompt: list[int]
    answers: list[Answer]
    rewards: list[Reward]
    truth: list[int]

    @property
    def is_mixed(self) -> bool:
        """Whether there is something to learn: the answers did not all earn the same."""
        return len({reward.value for reward in self.rewards}) > 1

    @property
    def mean(self) -> float:
        """Mean reward."""
        return sum(reward.value for reward in self.rewards) / len(self.rewards)


@dataclasses.dataclass(slots=True)
class Batches:
    """Makes the groups of one step after another.

    Attributes:
        environment: grades.
        questions: at least one.
        seed: of the order.
        position: questions asked so far; where a resumed run goes on.
        asked: all groups of the last batch, those that were skipped too.
    """

    environment: NativeEnvironment[TraceQuestion]
    questions: Sequence[TraceQuestion]
    seed: int
    position: int = 0
    asked: list[Group] = dataclasses.field(default_factory=list)

    def take(self, ask: Ask, num_groups: int, *, most: int, together: int) -> list[Group]:
        """Return groups to learn from, so many if they can be found; the rest are groups without a gradient.

        Args:
            ask: draws answers.
            num_groups: how many.
            most: questions that are asked at the most, at least ``num_groups``.
            together: questions whose answers are drawn at once.

        Raises:
            OpenCWMError: an answer could not be graded.
        """
        mixed: list[Group] = []
        self.asked = []
        while len(mixed) < num_groups and len(self.asked) < most:
            missing = num_groups - len(mixed)
            made = self._groups(ask, min(together, 2 * missing, most - len(self.asked)))
            self.asked += made
            mixed += [group for group in made if group.is_mixed]
        flat = (group for group in self.asked if not group.is_mixed)
        while len(mixed) < num_groups:
            mixed.append(next(flat))
        return mixed[:num_groups]

    def _groups(self, ask: Ask, number: int) -> list[Group]:
        questions = [self._question(self.position + index) for index in range(number)]
        self.position += number
        prompts = [self.environment.prompt_ids(question) for question in questions]
        made = []
        for question, prompt, answers in zip(questions, prompts, ask(prompts), strict=True):
            rewards = self._graded(question, answers)
            made.append(Group(question, prompt, answers, rewards, self.environment.gold_ids(question)))
        return made

    def _graded(self, question: TraceQuestion, answers: Sequence[Answer]) -> list[Reward]:
        """Grade answers, equal ones once."""
        distinct = {answer.ids: Reward(1) for answer in answers}
        for ids in distinct:
            distinct[ids] = self.environment.grade_ids(question, ids)
        return [distinct[answer.ids] for answer in answers]

    def _question(self, position: int) -> TraceQuestion:
        epoch, place = divmod(position, len(self.questions))
        return self.questions[_order(self.seed, epoch, len(self.questions))[place]]


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, number: int) -> list[int]:
    order = list(range(number))
    derive_rng(seed, "rl order", epoch).shuffle(order)
    return order
