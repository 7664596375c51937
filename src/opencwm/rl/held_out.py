"""What a policy answers, greedily, to questions it never learned from; and a comparison of two policies.

The idea: where only the true answer is right, one pass over it tells both whether the greedy answer is that
one and how probable it is, which is what an answer drawn at temperature 1 earns on average. Elsewhere answers
are written and graded. Both answer the same questions, so that the difference is that of pairs, and its
standard error is far smaller than those of the two scores. Runs of one function are not independent: errors
are those of clusters, by the program's group.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from opencwm.rl.environment import NativeEnvironment
from opencwm.rl.trace_question import TraceQuestion


class Score(NamedTuple):
    """What a policy earns with a question.

    Attributes:
        greedy: with its greedy answer.
        expected: with an answer drawn at temperature 1, on average; None where it is not known.
    """

    greedy: float
    expected: float | None


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
) -> dict[str, Score]:
    """Return what a policy earns with each question, by key.

    Args:
        model: the policy.
        environment: grades.
        questions: in any order.
        together: questions that are answered at once, where answers are written.
        progress: told how many are done, of how many.

    Raises:
        OpenCWMError: an answer could not be graded.
    """
    from opencwm.rl.policy import answers

    truths = {question.key: len(environment.gold_ids(question)) for question in questions}
    ordered = sorted(questions, key=lambda question: truths[question.key])
    scores: dict[str, Score] = {}
    if environment.has_one_answer:
        together = 1
    for start in range(0, len(ordered), together):
        chosen = ordered[start : start + together]
        if environment.has_one_answer:
            [question] = chosen
            scores[question.key] = _of_truth(
                model, environment.prompt_ids(question), environment.gold_ids(question)
            )
            _show(progress, len(scores), len(ordered))
            continue
        drawn = answers(
            model,
            [environment.prompt_ids(question) for question in chosen],
            num_answers=1,
            stops=environment.stops,
            max_tokens=truths[chosen[-1].key] + _ROOM,
            temperature=0.0,
        )
        for question, [answer] in zip(chosen, drawn, strict=True):
            scores[question.key] = Score(environment.grade_ids(question, answer.ids).value, None)
        _show(progress, len(scores), len(ordered))
    return scores


def _of_truth(model: Any, prompt: Sequence[int], truth: Sequence[int]) -> Score:
    import torch

    from opencwm.rl.answer_tree import group_logits

    with torch.inference_mode():
        logits_NV, [path] = group_logits(model, prompt, [truth])
        logarithms_LV = torch.log_softmax(logits_NV[path].float(), dim=-1)
        is_greedy = logarithms_LV.argmax(dim=-1).tolist() == list(truth)
        logarithm = logarithms_LV[range(len(truth)), list(truth)].sum().item()
    return Score(float(is_greedy), math.exp(logarithm))


def _show(progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


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


def is_better(comparisons: Iterable[Comparison]) -> bool:
    """Whether a policy is to take the place of the one before.

    One comparison is better by more than twice its standard error, and none is worse by more than its own. Of
    two policies that are equal on a set, a rule that any loss breaks would refuse every other.
    """
    differences = [(one.difference, one.error) for one in comparisons]
    is_none_worse = all(difference >= -error for difference, error in differences)
    return is_none_worse and any(difference > 2 * error for difference, error in differences)
