"""What several predicted runs of one program agree on.

The idea: the first run takes the likeliest token each time, the others are drawn. Each that comes to an end
has a vote for its outcome; mistakes scatter, so the outcome of most runs is right more often than that of
the first, and the share of its votes says how sure to be. With one run it is that run's own outcome.

Source: Wang et al., "Self-consistency improves chain of thought reasoning in language models", arXiv
2203.11171.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator

from opencwm.debugger.execution import Execution
from opencwm.evals.rollout import Rollout, RolloutBounds, roll_out
from opencwm.evals.values import is_same_value
from opencwm.model.sampling import SamplingConfig
from opencwm.model.together import Worker, one_by_one
from opencwm.traces import Outcome

TEMPERATURE = 0.5
"""Of the runs after the first."""


@dataclasses.dataclass(frozen=True, slots=True)
class Agreement:
    """What the runs came to.

    Attributes:
        outcome: of most runs, in the words of the first of them; None when none came to its end.
        num_votes: runs with this outcome.
        rollouts: all runs, the greedy one first.
    """

    outcome: Outcome | None
    num_votes: int
    rollouts: tuple[Rollout, ...]

    @property
    def share(self) -> float:
        """Votes for the outcome as a share of all runs, 0 to 1."""
        return self.num_votes / len(self.rollouts)


def agree(
    execution: Callable[[SamplingConfig | None], Execution],
    bounds: RolloutBounds,
    *,
    num_rollouts: int,
    seed: int = 0,
    worker: Worker = one_by_one,
    on_step: Callable[[], object] = lambda: None,
) -> Agreement:
    """Predict ``num_rollouts`` runs, at least one, and count what they come to.

    Runs stop as soon as those that are left cannot change the outcome: always as many are predicted as it
    takes at least to settle it, so none is in vain, whatever does them. Of outcomes with equally many votes
    it is the one that came first.

    Args:
        execution: returns a fresh predicted execution with tokens picked in this way, greedily for None.
        bounds: of each run.
        num_rollouts: most runs.
        seed: of the runs that are drawn.
        worker: does the runs, one after the other or several together.
        on_step: called after each step of any run.

    Raises:
        EngineError: the engine broke.
    """

    def run(sampling: SamplingConfig | None) -> Rollout:
        return roll_out(
            execution(sampling),
            max_steps=bounds.max_steps,
            max_seconds=bounds.max_seconds,
            on_step=on_step,
        )

    samplings = list(_samplings(num_rollouts, seed))
    rollouts: list[Rollout] = []
    votes: list[tuple[Outcome, int]] = []
    while num_needed := _num_needed(votes, num_rollouts - len(rollouts)):
        next_ones = samplings[len(rollouts) : len(rollouts) + num_needed]
        made = dict(worker(functools.partial(run, sampling) for sampling in next_ones))
        for number in sorted(made):
            rollouts.append(made[number])
            _vote(votes, made[number].outcome)
    if not votes:
        return Agreement(None, 0, tuple(rollouts))
    outcome, count = max(votes, key=lambda vote: vote[1])
    return Agreement(outcome, count, tuple(rollouts))


def _samplings(num_rollouts: int, seed: int) -> Iterator[SamplingConfig | None]:
    yield None
    for number in range(1, num_rollouts):
        yield SamplingConfig(temperature=TEMPERATURE, seed=seed * 1000 + number)


def _vote(votes: list[tuple[Outcome, int]], outcome: Outcome | None) -> None:
    if outcome is None:
        return
    for place, (other, count) in enumerate(votes):
        if other.kind is outcome.kind and is_same_value(other.value, outcome.value):
            votes[place] = other, count + 1
            return
    votes.append((outcome, 1))


def _num_needed(votes: list[tuple[Outcome, int]], num_left: int) -> int:
    """Return how many more runs it takes at least until those left then cannot change the outcome."""
    first, second = sorted((*(count for _, count in votes), 0, 0), reverse=True)[:2]
    return max(0, (num_left + second - first + 1) // 2)
