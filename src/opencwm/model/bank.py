"""Sequences side by side: what a scheduler that serves many requests asks of an engine.

The idea: a bank has a fixed number of rows, each a sequence of ids with its cache. A row is extended alone,
by any number of ids, or together with others, by one id each, which is where serving many at once gains. A
row that nobody uses keeps what it holds, for the next request that begins alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from opencwm.model.engine import ScoringEngine


class Bank(Protocol):
    """Rows of ids over one model; used from one thread. V is the vocabulary size."""

    @property
    def vocab_size(self) -> int:
        """Number of token ids, V."""
        ...

    @property
    def max_tokens(self) -> int:
        """Most ids of a row."""
        ...

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        ...

    def held(self, row: int) -> Sequence[int]:
        """Return the ids of a row; not to be changed."""
        ...

    def truncate(self, row: int, length: int) -> None:
        """Keep the first ``length`` ids of a row."""
        ...

    def copy(self, source: int, target: int, length: int) -> None:
        """Make a row hold the first ``length`` ids of another."""
        ...

    def extend(self, row: int, ids: Sequence[int], *, every: bool) -> NDArray[np.float32]:
        """Add ids to a row; return the logits after each of them, or after the last alone, (K, V).

        Raises:
            EngineError: no id, one out of range, too many of them, or the engine broke; the row is as before.
        """
        ...

    def step(self, rows: Sequence[int], ids: Sequence[int]) -> NDArray[np.float32]:
        """Add one id to each of several different rows; return the logits after it, (B, V).

        Raises:
            EngineError: as :meth:`extend`; all rows are as before.
        """
        ...


class EngineBank:
    """A :class:`Bank` over forks of any engine, whose passes are run one after the other."""

    def __init__(self, engine: ScoringEngine, num_rows: int) -> None:
        self._engines = [engine.fork() for _ in range(num_rows)]
        for mine in self._engines:
            mine.truncate(0)

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self._engines[0].vocab_size

    @property
    def max_tokens(self) -> int:
        """Most ids of a row."""
        return self._engines[0].max_tokens

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self._engines)

    def held(self, row: int) -> Sequence[int]:
        """Return the ids of a row; not to be changed."""
        return self._engines[row].ids

    def truncate(self, row: int, length: int) -> None:
        """Keep the first ``length`` ids of a row."""
        self._engines[row].truncate(length)

    def copy(self, source: int, target: int, length: int) -> None:
        """Make a row hold the first ``length`` ids of another."""
        self._engines[target] = self._engines[source].fork()
        self._engines[target].truncate(length)

    def extend(self, row: int, ids: Sequence[int], *, every: bool) -> NDArray[np.float32]:
        """Add ids to a row; see :meth:`Bank.extend`."""
        mine = self._engines[row]
        return mine.append_all(ids) if every else mine.append(ids)[np.newaxis]

    def step(self, rows: Sequence[int], ids: Sequence[int]) -> NDArray[np.float32]:
        """Add one id to each of several rows; see :meth:`Bank.step`."""
        lengths = [len(self.held(row)) for row in rows]
        try:
            return np.stack(
                [self._engines[row].append([token]) for row, token in zip(rows, ids, strict=True)]
            )
        except BaseException:
            for row, length in zip(rows, lengths, strict=True):
                self.truncate(row, min(length, len(self.held(row))))
            raise
