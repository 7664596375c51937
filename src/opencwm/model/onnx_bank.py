"""Many sequences over one graph of onnxruntime, each decoding a token in one call for all of them.

The idea: the caches of all rows are one block of memory, (layers, 2, rows, G, S, D), so any run of neighbours
is a batch that ``GroupQueryAttention`` extends in place, and one row alone is a batch of one. Rows that
decode together are moved next to each other first; that happens when a request comes or goes, not at each
token. Memory is taken page by page as positions are written, so a row costs what it holds, not what it may
hold.

The graph takes one id of each of many rows, or many ids of one: ``batch.onnx`` of
:mod:`opencwm.model.export_batch`.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.config import ModelConfig
from opencwm.model.graph import PARTS, check_fit, check_weights, open_session
from opencwm.model.onnx_engine import MAX_CALL_TOKENS

BATCH_NAME = "batch.onnx"


class OnnxBank:
    """A :class:`opencwm.model.bank.Bank` over a ``batch.onnx``.

    Args:
        path: of the graph.
        weights: the ``model.onnx`` it was made from, beside it.
        config: of the model.
        num_rows: number of rows.
        num_threads: of the runtime.

    Raises:
        EngineError: it cannot be loaded, or belongs to other weights.
    """

    def __init__(
        self, path: Path, weights: Path, config: ModelConfig, *, num_rows: int, num_threads: int = 1
    ) -> None:
        self._config = config
        self._session = open_session(path, num_threads)
        check_fit(self._session, config, path)
        check_weights(self._session, path, weights)
        self._caches = _paged(
            (
                config.num_hidden_layers,
                2,
                num_rows,
                config.num_key_value_heads,
                config.max_position_embeddings,
                config.head_dim,
            )
        )
        self._ids: list[list[int]] = [[] for _ in range(num_rows)]
        self._place = list(range(num_rows))  # of a row, among the caches
        self._row = list(range(num_rows))  # at a place
        self._bindings: dict[tuple[int, int], Any] = {}  # by first place and number of places

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self._config.vocab_size

    @property
    def max_tokens(self) -> int:
        """Most ids of a row."""
        return self._config.max_position_embeddings

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self._ids)

    def held(self, row: int) -> Sequence[int]:
        """Return the ids of a row; not to be changed."""
        return self._ids[row]

    def truncate(self, row: int, length: int) -> None:
        """Keep the first ``length`` ids of a row; costs nothing."""
        del self._ids[row][length:]

    def copy(self, source: int, target: int, length: int) -> None:
        """Make a row hold the first ``length`` ids of another."""
        old, new = self._place[source], self._place[target]
        self._caches[:, :, new, :, :length] = self._caches[:, :, old, :, :length]
        self._ids[target] = self._ids[source][:length]

    def extend(self, row: int, ids: Sequence[int], *, every: bool) -> NDArray[np.float32]:
        """Add ids to a row, in calls of bounded memory; see :meth:`opencwm.model.bank.Bank.extend`."""
        self._check([row], ids, len(ids))
        before, pieces = len(self._ids[row]), []
        for start in range(0, len(ids), MAX_CALL_TOKENS):
            chunk = ids[start : start + MAX_CALL_TOKENS]
            first = 0 if every else len(chunk) - 1
            wanted = np.arange(first, len(chunk), dtype=np.int64)
            length = len(self._ids[row]) + len(chunk)
            try:
                logits = self._run(self._place[row], np.array([chunk], np.int64), [length], wanted)
            except BaseException:
                self.truncate(row, before)
                raise
            self._ids[row].extend(chunk)
            if every or start + len(chunk) == len(ids):
                pieces.append(logits)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def step(self, rows: Sequence[int], ids: Sequence[int]) -> NDArray[np.float32]:
        """Add one id to each of several rows; see :meth:`opencwm.model.bank.Bank.step`."""
        self._check(rows, ids, 1)
        self._gather(rows)
        places = [self._place[row] for row in rows]
        tokens_B1 = np.empty((len(rows), 1), np.int64)
        tokens_B1[places, 0] = ids
        totals = [len(self._ids[self._row[place]]) + 1 for place in range(len(rows))]
        logits_BV = self._run(0, tokens_B1, totals, np.arange(len(rows), dtype=np.int64))
        for row, token in zip(rows, ids, strict=True):
            self._ids[row].append(token)
        return logits_BV[places]

    def _check(self, rows: Sequence[int], ids: Sequence[int], num_each: int) -> None:
        if not len(ids):
            raise EngineError("at least one id is needed")
        if min(ids) < 0 or max(ids) >= self.vocab_size:
            raise EngineError(f"an id is outside 0..{self.vocab_size - 1}")
        total = max(len(self._ids[row]) for row in rows) + num_each
        if total > self.max_tokens:
            raise EngineError(f"{total} tokens exceed the model's {self.max_tokens}")

    def _gather(self, rows: Sequence[int]) -> None:
        """Move rows to the first places, in any order."""
        wanted = set(rows)
        others = [place for place in range(len(rows)) if self._row[place] not in wanted]
        far = [self._place[row] for row in rows if self._place[row] >= len(rows)]
        for near, place in zip(others, far, strict=True):
            self._swap(near, place)

    def _swap(self, one: int, other: int) -> None:
        rows = self._row[one], self._row[other]
        length = max(len(self._ids[row]) for row in rows)
        first = self._caches[:, :, one, :, :length].copy() if self._ids[rows[0]] else None
        self._caches[:, :, one, :, :length] = self._caches[:, :, other, :, :length]
        if first is not None:
            self._caches[:, :, other, :, :length] = first
        self._row[one], self._row[other] = rows[1], rows[0]
        self._place[rows[0]], self._place[rows[1]] = other, one

    def _run(
        self, place: int, ids_BT: NDArray[np.int64], totals: Sequence[int], wanted: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Run a call over neighbours from ``place`` on; ``totals`` are their lengths after it."""
        binding = self._binding(place, len(ids_BT))
        total_B = np.array(totals, np.int32)
        inputs: dict[str, NDArray[Any]] = {
            "input_ids": ids_BT,
            "seqlens_k": total_B - np.int32(1),
            "total_sequence_length": np.array(total_B.max(), np.int32),
            "logit_positions": wanted,
        }
        for name, array in inputs.items():
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        logits = np.empty((len(wanted), self.vocab_size), np.float32)
        binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # onnxruntime's exceptions share no public base
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise EngineError(f"onnxruntime failed: {lines[0]}") from None
        return logits

    def _binding(self, place: int, number: int) -> Any:
        """Return a binding of the caches of so many neighbours."""
        key = (place, number)
        if key not in self._bindings:
            binding = self._bindings[key] = self._session.io_binding()
            for layer, pair in enumerate(self._caches):
                for part, caches in zip(PARTS, pair, strict=True):
                    one = caches[place : place + number]
                    for name, bind in (
                        ("past_key_values", binding.bind_input),
                        ("present", binding.bind_output),
                    ):
                        bind(f"{name}.{layer}.{part}", "cpu", 0, np.float32, one.shape, one.ctypes.data)
        return self._bindings[key]


def _paged(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return zeros whose memory is taken in small pages as they are written."""
    memory = mmap.mmap(-1, int(np.prod(shape, dtype=np.int64)) * 4)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.float32).reshape(shape)
