"""Attempt a step again where the model is not sure of it, and keep what most attempts came to.

The idea: the work that leads to a step, its sub-expressions, may go wrong in many ways and right in one, so a
step that comes out of several ways of working is likelier to be right than the likeliest single way. Sure
steps, most of them, cost nothing more.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

from opencwm.codec.vocabulary import Control, is_text
from opencwm.core.errors import ConfigError
from opencwm.model.sampling import SamplingConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """When and how often a step is attempted again.

    Attributes:
        samples: attempts beside the first; 0 never searches.
        below: a first attempt of which all decisions together have a lower probability is not enough, 0 to 1.
        temperature: of the further attempts, above 0.
        seed: of their random choices; those of a step depend on nothing but it and the step before.

    Raises:
        ConfigError: a number outside of these ranges.
    """

    samples: int = 0
    below: float = 0.7
    temperature: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 0 or not 0 <= self.below <= 1 or self.temperature <= 0:
            raise ConfigError(
                "samples is at least 0, below lies in [0, 1], temperature is above 0", where="search"
            )

    def sampling(self, length: int, number: int) -> SamplingConfig:
        """Return how attempt ``number`` of the step after ``length`` tokens is drawn."""
        return SamplingConfig(temperature=self.temperature, seed=(self.seed * 2**20 + length) * 64 + number)


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """One way of writing a step, and the probabilities of its parts as in :class:`Prediction`.

    Attributes:
        ids: of the step.
        malformed: why they are none; empty when they are.
        logarithm: of the probability of all decisions.
    """

    ids: tuple[int, ...]
    malformed: str
    logarithm: float
    probabilities: Mapping[str, float]
    control_probability: float
    value_probability: float | None
    supplied: frozenset[str]


def elected(attempts: Sequence[Attempt]) -> Attempt:
    """Return the likeliest of the attempts at the step that most of them came to, whatever led to it.

    Of steps with equally many attempts it is the one with the likeliest attempt.
    """
    groups: dict[tuple[int, ...], list[Attempt]] = collections.defaultdict(list)
    for attempt in attempts:
        if not attempt.malformed:
            groups[proper(attempt.ids)].append(attempt)
    if not groups:
        return attempts[0]
    likeliest = [max(group, key=lambda attempt: attempt.logarithm) for group in groups.values()]
    sizes = map(len, groups.values())
    return max(zip(sizes, likeliest, strict=True), key=lambda pair: (pair[0], pair[1].logarithm))[1]


def proper(ids: Sequence[int]) -> tuple[int, ...]:
    """Return the ids of a step without the sub-expressions before it."""
    position = 0
    while position < len(ids) and ids[position] == Control.EVAL:
        position += 1
        while position < len(ids) and (is_text(ids[position]) or ids[position] == Control.IS):
            position += 1
    return tuple(ids[position:])
