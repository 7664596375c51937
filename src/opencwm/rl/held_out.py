"""What a policy answers, greedily, to questions it never learned from; and a comparison of two policies.

The idea: both answer the same questions, so that the difference is that of pairs, and its standard error is
far smaller than those of the two scores. Runs of one function are not independent: errors are those of
clusters, by the program's group.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opencwm.rl.environment import NativeEnvironment
from opencwm.rl.trace_question import TraceQuestion


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Two policies on the same questions.

    Attributes:
        num_questions: n.
        before: mean reward of the first, 0 to 1.
        after: of the second.
        error: standard error of the difference, clustered; 0 with a single cluster.
        gained: questions that only the second answered better.
        lost: likewise the first.
    """

    num_questions: int
    before: float
    after: float
    error: float
    gained: int
    lost: int

    @property
    def difference(self) -> float:
        """After less before."""
        return self.after - self.before


_ROOM: Final = 8
"""Ids that an answer may have more than the longest true one of its batch; one that goes on is wrong."""


def answer_all(
    model: Any,
    environment: NativeEnvironment[TraceQuestion],
    questions: Sequence[TraceQuestion],
    *,
    together: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Return the reward of the greedy answer to each question, by key.

    Args:
        model: the policy.
        environment: grades.
        questions: in any order.
        together: questions that are answered at once.
        progress: told how many are done, of how many.

    Raises:
        OpenCWMError: an answer could not be graded.
    """
    from opencwm.rl.policy import answers

    truths = {question.key: len(environment.gold_ids(question)) for question in questions}
    ordered = sorted(questions, key=lambda question: truths[question.key])
    rewards: dict[str, float] = {}
    for start in range(0, len(ordered), together):
        chosen = ordered[start : start + together]
        drawn = answers(
            model,
            [environment.prompt_ids(question) for question in chosen],
            num_answers=1,
            stops=environment.stops,
            max_tokens=truths[chosen[-1].key] + _ROOM,
            temperature=0.0,
        )
        for question, [answer] in zip(chosen, drawn, strict=True):
            rewards[question.key] = environment.grade_ids(question, answer.ids).value
        if progress is not None:
            progress(len(rewards), len(ordered))
    return rewards


def compare(
    questions: Sequence[TraceQuestion], before: Mapping[str, float], after: Mapping[str, float]
) -> Comparison:
    """Compare rewards by key; every question has both, and there is at least one question."""
    differences = {question.key: after[question.key] - before[question.key] for question in questions}
    number = len(differences)
    mean = sum(differences.values()) / number
    clusters: dict[str, float] = defaultdict(float)
    for question in questions:
        clusters[question.trace.program.group or question.key] += differences[question.key] - mean
    spread = sum(value * value for value in clusters.values())
    correction = len(clusters) / (len(clusters) - 1) if len(clusters) > 1 else 0.0
    return Comparison(
        number,
        sum(before[key] for key in differences) / number,
        sum(after[key] for key in differences) / number,
        math.sqrt(spread * correction) / number,
        sum(value > 0 for value in differences.values()),
        sum(value < 0 for value in differences.values()),
    )
