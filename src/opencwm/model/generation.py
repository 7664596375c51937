"""The interface to what writes whole stretches of ids: an engine here, or a server elsewhere.

A server that hosts a large model gives no logits of a whole vocabulary, and a round trip a token is too
slow; but it goes on from token ids until a stop id. That is all a step in the ``cwm`` format needs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np

from opencwm.core.errors import EngineError
from opencwm.model.engine import Engine
from opencwm.model.sampling import SamplingConfig, log_probabilities, pick


@dataclasses.dataclass(frozen=True, slots=True)
class Generation:
    """What was written after a prompt.

    Attributes:
        ids: the written ids, a stop id included when one was reached.
        logarithms: natural logarithm of the probability of each id, at temperature 1; as many as ``ids``.
        stopped: whether it ends with a stop id; False when the bound on ids or the context ended it.
    """

    ids: tuple[int, ...]
    logarithms: tuple[float, ...]
    stopped: bool


class Generator(Protocol):
    """Goes on from token ids. It keeps what was computed for a prompt that grows, so send it whole."""

    @property
    def vocab_size(self) -> int:
        """Number of token ids, V."""
        ...

    @property
    def max_tokens(self) -> int:
        """Most ids of prompt and what is written together."""
        ...

    def generate(
        self, prompt: Sequence[int], *, stops: Collection[int], max_tokens: int, sampling: SamplingConfig
    ) -> Generation:
        """Write ids after ``prompt`` (at least one id) until one of ``stops``, at most ``max_tokens``.

        Raises:
            EngineError: the prompt does not fit, or the engine broke.
        """
        ...

    def fork(self) -> Generator:
        """Return one for another sequence that begins alike; a server serves all, and returns itself."""
        ...


class EngineGenerator:
    """A :class:`Generator` that picks ids from an engine's logits.

    Args:
        engine: is changed; what it holds in common with the next prompt is not computed again.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """What gives the logits; running it changes what is held."""
        return self._engine

    @property
    def vocab_size(self) -> int:
        """Number of token ids, V."""
        return self._engine.vocab_size

    @property
    def max_tokens(self) -> int:
        """Most ids of prompt and what is written together."""
        return self._engine.max_tokens

    def generate(
        self, prompt: Sequence[int], *, stops: Collection[int], max_tokens: int, sampling: SamplingConfig
    ) -> Generation:
        """Write ids after ``prompt``; see :meth:`Generator.generate`."""
        if not 0 < len(prompt) < self.max_tokens:
            raise EngineError(
                f"a prompt of {len(prompt)} ids does not fit", where=f"context {self.max_tokens}"
            )
        rng = np.random.default_rng(sampling.seed)
        pending = self._rewind(prompt)
        ids: list[int] = []
        logarithms: list[float] = []
        for _ in range(min(max_tokens, self.max_tokens - len(prompt))):
            logarithms_v = log_probabilities(self._engine.append(pending))
            chosen = pick(np.exp(logarithms_v), sampling, rng)
            ids.append(chosen)
            logarithms.append(float(logarithms_v[chosen]))
            if chosen in stops:
                return Generation(tuple(ids), tuple(logarithms), stopped=True)
            pending = [chosen]
        return Generation(tuple(ids), tuple(logarithms), stopped=False)

    def fork(self) -> EngineGenerator:
        """Return one over a fork of the engine, which holds what was computed so far."""
        return EngineGenerator(self._engine.fork())

    def _rewind(self, prompt: Sequence[int]) -> list[int]:
        """Cut the engine back to what it shares with ``prompt``; return the rest, at least one id."""
        held = self._engine.ids
        common = 0
        while common < min(len(held), len(prompt) - 1) and held[common] == prompt[common]:
            common += 1
        self._engine.truncate(common)
        return list(prompt[common:])
