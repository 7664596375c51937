"""Greedy or sampled decoding over an engine, one decision at a time, with forced ids appended for free.

Forced ids wait until the next decision and then go to the engine in one forward pass. The probability of a
decision is taken after the mask: it is what the constrained model believes, given that something legal
happens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.engine import Logits, ScoringEngine
from opencwm.model.sampling import SamplingConfig, pick


class OutOfContextError(EngineError):
    """The engine's context is full. Internal: the caller starts anew from a state."""


class Sampler:
    """Appends to one engine.

    ``num_sampled`` counts decisions, ``logarithm`` adds up the logarithms of their probabilities.
    """

    def __init__(self, engine: ScoringEngine, config: SamplingConfig | None = None) -> None:
        self.engine = engine
        self.config = config or SamplingConfig()
        self.num_sampled = 0
        self.logarithm = 0.0
        self._rng = np.random.default_rng(self.config.seed)
        self._pending: list[int] = []
        self._logits: Logits | None = None

    @property
    def length(self) -> int:
        """Ids held by the engine and ids still to be appended."""
        return len(self.engine.ids) + len(self._pending)

    @property
    def ids(self) -> list[int]:
        """Ids held by the engine and ids still to be appended."""
        return [*self.engine.ids, *self._pending]

    def draw_by(self, config: SamplingConfig) -> None:
        """Pick tokens in another way from now on."""
        self.config = config
        self._rng = np.random.default_rng(config.seed)

    def restart(self, ids: Sequence[int]) -> None:
        """Make ``ids`` the whole sequence, keeping what the engine already computed for a common prefix."""
        held = self.engine.ids
        common = 0
        while common < min(len(held), len(ids)) and held[common] == ids[common]:
            common += 1
        self.engine.truncate(common)
        self._pending = list(ids[common:])
        self._logits = None
        if not self._pending and ids:  # nothing new: recompute the last id for its logits
            self.engine.truncate(common - 1)
            self._pending = [ids[-1]]

    def force(self, ids: Iterable[int]) -> None:
        """Append ids that were not decided here."""
        self._pending.extend(ids)

    def read(self) -> None:
        """Run the ids still to be appended but for the last, so that forks of the engine share them.

        Raises:
            OutOfContextError: they do not fit.
        """
        if self.length > self.engine.max_tokens:
            raise OutOfContextError("the engine's context is full", where=f"{self.length} ids")
        if len(self._pending) > 1:
            self.engine.append(self._pending[:-1])
            self._pending = self._pending[-1:]

    def take_back(self) -> None:
        """Remove the id that was decided last; it has not been run yet."""
        self._pending.pop()

    def accept(self, ids: Sequence[int], least: float) -> bool:
        """Append ids that were not decided here, unless the model gives one of them less than ``least``.

        Raises:
            OutOfContextError: they do not fit.
        """
        new = [*self._pending, *ids]
        before = len(self.engine.ids)
        if before + len(new) > self.engine.max_tokens:
            raise OutOfContextError("the engine's context is full", where=f"{before + len(new)} ids")
        rows = self.engine.append_all(new)
        num_given = len(self._pending)
        if num_given:
            given = rows[num_given - 1 : -1]
        elif self._logits is not None:
            given = np.concatenate([self._logits[np.newaxis], rows[:-1]])
        else:
            raise EngineError("nothing to predict from: no id was appended")
        self._pending = []
        chosen = given[np.arange(len(ids)), np.asarray(ids)].astype(np.float64)
        best = given.max(axis=-1).astype(np.float64)
        sums = np.exp(given.astype(np.float64) - best[:, np.newaxis]).sum(axis=-1)
        if bool((chosen - best - np.log(sums) >= math.log(least)).all()):
            self._logits = rows[-1]
            return True
        self.engine.truncate(before + num_given)
        self._logits = given[0]
        return False

    def probabilities(self, allowed: NDArray[np.bool_] | None) -> NDArray[np.float64]:
        """Return the distribution over the next id, shape (V,), zero where ``allowed`` is False.

        Raises:
            OutOfContextError: the pending ids do not fit.
        """
        if self._pending:
            if self.length > self.engine.max_tokens:
                raise OutOfContextError("the engine's context is full", where=f"{self.length} ids")
            self._logits = self.engine.append(self._pending)
            self._pending = []
        if self._logits is None:
            raise EngineError("nothing to predict from: no id was appended")
        logits = self._logits.astype(np.float64)
        if allowed is not None:
            logits = np.where(allowed, logits, -np.inf)
        logits -= logits.max()
        exponentials: NDArray[np.float64] = np.exp(logits)
        exponentials /= exponentials.sum()
        return exponentials

    def choose(self, allowed: NDArray[np.bool_] | None) -> tuple[int, NDArray[np.float64]]:
        """Decide the next id and append it; return it with the distribution it was taken from."""
        probabilities = self.probabilities(allowed)
        token = pick(probabilities, self.config, self._rng)
        self.num_sampled += 1
        self.logarithm += math.log(max(float(probabilities[token]), 1e-300))
        self._pending.append(token)
        return token, probabilities
