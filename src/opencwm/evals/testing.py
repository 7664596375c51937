"""Public fakes: an engine that can score, and one that knows its documents by heart.

Everything an evaluation measures on an :func:`oracle` must come out right; one that was taught otherwise in
one place must come out wrong in exactly what hangs on that place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from opencwm.codec.native import NativeCodec
from opencwm.codec.view import SourceView
from opencwm.core.errors import EngineError
from opencwm.model.testing import ScriptedEngine
from opencwm.traces import Status, Trace


class PositionalEngine:
    """A :class:`opencwm.model.engine.ScoringEngine` that only looks at how many ids it holds.

    Args:
        table: (T, V) logits, row t those after t + 1 ids; 1 <= T.

    """

    def __init__(self, table: NDArray[np.float32]) -> None:
        self._table = table
        self._ids: list[int] = []
        self._num_passes = 0

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return int(self._table.shape[1])

    @property
    def max_tokens(self) -> int:
        """Rows of the table."""
        return len(self._table)

    @property
    def ids(self) -> Sequence[int]:
        """The ids held now."""
        return self._ids

    @property
    def num_passes(self) -> int:
        """Appends."""
        return self._num_passes

    def append(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add ``ids``; return the logits after the last.

        Raises:
            EngineError: no id, or more than there are rows.

        """
        logits: NDArray[np.float32] = self.append_all(ids)[-1]
        return logits

    def append_all(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add ``ids``; return the logits after each, (T, V).

        Raises:
            EngineError: as :meth:`append`.

        """
        if not ids or len(self._ids) + len(ids) > self.max_tokens:
            raise EngineError(f"append needs 1 to {self.max_tokens - len(self._ids)} ids, not {len(ids)}")
        self._ids.extend(ids)
        self._num_passes += 1
        return self._table[len(self._ids) - len(ids) : len(self._ids)]

    def truncate(self, length: int) -> None:
        """Keep the first ``length`` ids."""
        del self._ids[length:]

    def fork(self) -> PositionalEngine:
        """Return an independent engine that holds the same ids."""
        other = PositionalEngine(self._table)
        other._ids = list(self._ids)
        return other


def oracle(
    codec: NativeCodec,
    documents: Iterable[Sequence[int]],
    *,
    probability: float = 0.99,
    max_tokens: int = 4096,
) -> ScriptedEngine:
    """Return an engine that continues any prefix of a document, the first that fits, with its next id."""
    size = len(codec.vocabulary)
    return ScriptedEngine.saying(size, list(documents), probability=probability, max_tokens=max_tokens)


def trace_documents(
    codec: NativeCodec, trace: Trace, view: SourceView, *, expressions: bool = False
) -> list[list[int]]:
    """Return what an oracle must know to be right about ``trace``: its run and, if it ended, its outcome."""
    documents = [codec.encode(trace, view, expressions=expressions).ids]
    if trace.status in (Status.RETURNED, Status.RAISED):
        documents.append(codec.encode_outcome(trace, view).ids)
    return documents
