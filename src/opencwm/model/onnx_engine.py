"""The default engine: onnxruntime on a CPU core, int8 weights, keys and values kept between calls.

The idea: a pass extends the cache in place, ``truncate`` only lowers a counter (what lies behind it is
overwritten later; sliding layers mask old entries but keep them, so going back is exact), and ``fork`` shares
the memory until one of the two writes. Passes are run by :mod:`opencwm.model.together`: forks that are used
in jobs have theirs run in one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.config import ModelConfig
from opencwm.model.engine import Logits
from opencwm.model.graph import Cache, Graph, Pass
from opencwm.model.together import Together

ROWS_NAME = "rows.onnx"
_MIN_CAPACITY = 256
MAX_CALL_TOKENS = 512  # a call's scratch memory is heads x tokens x capacity floats


class OnnxEngine:
    """An :class:`opencwm.model.engine.Engine` over a graph of :mod:`opencwm.model.export`.

    Not thread-safe; forks share the weights and may be used from one thread at a time.

    Attributes:
        together: what runs the passes of this engine and its forks.
    """

    def __init__(self, together: Together, config: ModelConfig) -> None:
        self.together = together
        self._config = config
        self._ids: list[int] = []
        self._num_passes = 0
        self._cache = Cache(config, min(_MIN_CAPACITY, config.max_position_embeddings))

    @classmethod
    def load(cls, path: Path, config: ModelConfig, *, num_threads: int = 1) -> OnnxEngine:
        """Open a ``model.onnx``.

        Raises:
            EngineError: no such file, or one that onnxruntime cannot load.
        """
        graph = Graph(path, config, num_threads=num_threads)
        return cls(Together(graph, path.with_name(ROWS_NAME)), config)

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self._config.vocab_size

    @property
    def max_tokens(self) -> int:
        """Most ids the sequence may hold."""
        return self._config.max_position_embeddings

    @property
    def ids(self) -> Sequence[int]:
        """The ids held now; not to be changed."""
        return self._ids

    @property
    def num_passes(self) -> int:
        """Calls of the graph it has made: a long append takes several."""
        return self._num_passes

    def append(self, ids: Sequence[int]) -> Logits:
        """Add ``ids`` in one forward pass; return the logits after the last, shape (V,).

        Raises:
            EngineError: no id, one out of range, or a sequence over :attr:`max_tokens`.
        """
        logits: Logits = self._forward(ids, every=False)[0]
        return logits

    def append_all(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add ``ids`` in one forward pass; return the logits after each, shape (T, V).

        Raises:
            EngineError: as :meth:`append`.
        """
        return self._forward(ids, every=True)

    def truncate(self, length: int) -> None:
        """Keep the first ``length`` ids; costs nothing."""
        if not 0 <= length <= len(self._ids):
            raise EngineError(f"cannot keep {length} of {len(self._ids)} ids")
        del self._ids[length:]

    def fork(self) -> OnnxEngine:
        """Return an independent engine with the same ids; memory is shared until either appends."""
        other = OnnxEngine.__new__(OnnxEngine)
        other.together, other._config = self.together, self._config
        other._ids = list(self._ids)
        other._num_passes = 0
        other._cache = self._cache
        self._cache.num_owners += 1
        return other

    def __del__(self) -> None:
        cache = getattr(self, "_cache", None)
        if cache is not None:
            cache.num_owners -= 1

    def _check(self, ids: Sequence[int]) -> None:
        if not len(ids):
            raise EngineError("append needs at least one id")
        if min(ids) < 0 or max(ids) >= self.vocab_size:
            raise EngineError(f"an id is outside 0..{self.vocab_size - 1}")
        if len(self._ids) + len(ids) > self.max_tokens:
            raise EngineError(
                f"{len(self._ids) + len(ids)} tokens exceed the model's {self.max_tokens}",
                hint="use a shorter program",
            )

    def _forward(self, ids: Sequence[int], *, every: bool) -> NDArray[np.float32]:
        """Append ``ids`` in calls of bounded memory; return logits after each, or after the last, (K, V)."""
        self._check(ids)
        before = len(self._ids)
        self._make_room(before + len(ids))
        pieces = []
        for start in range(0, len(ids), MAX_CALL_TOKENS):
            chunk = ids[start : start + MAX_CALL_TOKENS]
            is_last = start + len(chunk) == len(ids)
            positions = np.arange(0 if every else len(chunk) - 1, len(chunk), dtype=np.int64)
            try:
                logits = self.together.run(Pass(chunk, positions, len(self._ids), self._cache))
            except BaseException:
                self.truncate(before)
                raise
            self._ids.extend(chunk)
            self._num_passes += 1
            if every or is_last:
                pieces.append(logits)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _make_room(self, total: int) -> None:
        """Own a cache of at least ``total`` positions."""
        capacity = self._cache.capacity
        if self._cache.num_owners == 1 and capacity >= total:
            return
        while capacity < total:
            capacity *= 2
        old = self._cache
        self._cache = old.copy(self._config, min(capacity, self.max_tokens), len(self._ids))
        old.num_owners -= 1
