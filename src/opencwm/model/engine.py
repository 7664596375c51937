"""The interface to weights: token ids in, logits out, with a cache that can be cut back and copied.

An engine holds one sequence of token ids and what the model computed for them. It knows nothing of traces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
"""Shape (V,), V the vocabulary size: unnormalised log-probabilities of the next token."""


class Engine(Protocol):
    """A causal language model with a rewindable cache.

    Keys and values of every id stay cached: :meth:`append` computes only what is new, :meth:`truncate`
    forgets a suffix without recomputing the rest, :meth:`fork` gives an independent copy.
    """

    @property
    def vocab_size(self) -> int:
        """Number of token ids, V."""
        ...

    @property
    def max_tokens(self) -> int:
        """Most ids the sequence may hold."""
        ...

    @property
    def ids(self) -> Sequence[int]:
        """The ids held now; not to be changed."""
        ...

    @property
    def num_passes(self) -> int:
        """Forward passes it has made, from 0 in a fork."""
        ...

    def append(self, ids: Sequence[int]) -> Logits:
        """Add ``ids`` (at least one) in one forward pass; return the logits after the last of them.

        Raises:
            EngineError: an id is out of range, or the sequence would exceed :attr:`max_tokens`.
        """
        ...

    def truncate(self, length: int) -> None:
        """Keep the first ``length`` ids, 0 <= length <= len(ids)."""
        ...

    def fork(self) -> Engine:
        """Return an independent engine that holds the same ids."""
        ...


class ScoringEngine(Engine, Protocol):
    """An engine that gives the logits at every position it appends."""

    def append_all(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add ``ids`` in one forward pass; return (T, V) logits, row t being those after ``ids[t]``.

        Raises:
            EngineError: as :meth:`append`.
        """
        ...

    def fork(self) -> ScoringEngine:
        """Return an independent engine that holds the same ids."""
        ...
