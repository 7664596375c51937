"""Random choices built on ``Random.random()`` alone.

``Random.choice``, ``shuffle`` and ``choices`` may change between Python versions; ``random()`` may not.
The same seed so gives the same program on every supported version, and the choices are faster.
"""

from __future__ import annotations

import bisect
import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Table(Generic[T]):
    """Items with weights, drawn by :meth:`Dice.weighted`."""

    __slots__ = ("bounds", "items", "total")

    def __init__(self, entries: Iterable[tuple[float, T]]) -> None:
        pairs = list(entries)
        self.items = tuple(item for _, item in pairs)
        self.bounds = list(itertools.accumulate(weight for weight, _ in pairs))
        self.total = self.bounds[-1]


class Dice:
    """Draws from one stream of random numbers."""

    __slots__ = ("random",)

    def __init__(self, rng: random.Random) -> None:
        self.random = rng.random

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.random() < probability

    def integer(self, low: int, high: int) -> int:
        """Return an integer in [low, high], both ends included; ``low`` when the range is empty."""
        return low + int(self.random() * (high - low + 1)) if high > low else low

    def pick(self, items: Sequence[T]) -> T:
        """Return one item of a sequence that is not empty."""
        return items[int(self.random() * len(items))]

    def weighted(self, table: Table[T]) -> T:
        """Return one item in proportion to its weight."""
        return table.items[bisect.bisect_right(table.bounds, self.random() * table.total)]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """Return the items in random order."""
        result = list(items)
        for index in range(len(result) - 1, 0, -1):
            other = int(self.random() * (index + 1))
            result[index], result[other] = result[other], result[index]
        return result

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Return ``count`` items at distinct positions; all of them, shuffled, when there are fewer."""
        return self.shuffled(items)[:count]
