"""The default engine: onnxruntime on a CPU core, int8 weights, keys and values kept between calls.

The idea: the cache is one block of memory per layer that the graph reads and extends in place, so appending a
token moves no old state, ``truncate`` only lowers a counter (what lies behind it is overwritten later;
sliding layers mask old entries but keep them, so going back is exact), and ``fork`` shares the memory until
one of the two writes.

Source: onnxruntime, ``GroupQueryAttention`` with past and present in one buffer; its window counts the
current token since version 1.24 (microsoft/onnxruntime pull request 25927).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.config import ModelConfig
from opencwm.model.engine import Logits

_MIN_CAPACITY = 256
_MAX_CALL_TOKENS = 512  # a call's scratch memory is heads x tokens x capacity floats
_OLDEST_RUNTIME = (1, 24)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def _check_fit(session: Any, config: ModelConfig, path: Path) -> None:
    """Refuse a graph whose cache or vocabulary is not the one the config describes."""
    shapes = {tensor.name: tensor.shape for tensor in (*session.get_inputs(), *session.get_outputs())}
    num_layers = sum(name.endswith(".key") and name.startswith("past") for name in shapes)
    cache = shapes.get("past_key_values.0.key", [None] * 4)
    found = (num_layers, cache[1], cache[3], shapes.get("logits", [None])[-1])
    wanted = (config.num_hidden_layers, config.num_key_value_heads, config.head_dim, config.vocab_size)
    if found != wanted:
        raise EngineError(
            f"the graph has (layers, groups, head size, vocabulary) {found}, config.json says {wanted}",
            where=str(path),
            hint="the two files are of different models; export again",
        )


class _Cache:
    """Keys and values of every layer, (layers, 2, 1, G, capacity, D); ``num_owners`` engines hold it."""

    def __init__(self, config: ModelConfig, capacity: int) -> None:
        shape = (config.num_hidden_layers, 2, 1, config.num_key_value_heads, capacity, config.head_dim)
        self.array: NDArray[np.float32] = np.zeros(shape, np.float32)
        self.num_owners = 1

    @property
    def capacity(self) -> int:
        return int(self.array.shape[4])

    def copy(self, config: ModelConfig, capacity: int, length: int) -> _Cache:
        other = _Cache(config, capacity)
        other.array[..., :length, :] = self.array[..., :length, :]
        return other


class OnnxEngine:
    """An :class:`opencwm.model.engine.Engine` over a graph of :mod:`opencwm.model.export`.

    Not thread-safe; forks share the session and may be used from one thread at a time.
    """

    def __init__(self, session: Any, config: ModelConfig) -> None:
        self._session = session
        self._config = config
        self._ids: list[int] = []
        self._cache = _Cache(config, min(_MIN_CAPACITY, config.max_position_embeddings))
        self._binding: Any = None

    @classmethod
    def load(cls, path: Path, config: ModelConfig, *, num_threads: int = 1) -> OnnxEngine:
        """Open a ``model.onnx``; the runtime's threads never spin while idle.

        Raises:
            EngineError: no such file, or one that onnxruntime cannot load.
        """
        import onnxruntime

        if _version(onnxruntime.__version__) < _OLDEST_RUNTIME:
            raise EngineError(
                f"onnxruntime {onnxruntime.__version__} takes sliding windows one token too wide",
                hint="pip install --upgrade 'onnxruntime>=1.24'",
            )
        if not path.is_file():
            raise EngineError("no such file", where=str(path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no public base
            first = str(error).strip().splitlines()[0]
            raise EngineError(
                f"cannot be loaded: {first}", where=str(path), hint="export the model again"
            ) from None
        _check_fit(session, config, path)
        return cls(session, config)

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
        other._session, other._config = self._session, self._config
        other._ids = list(self._ids)
        other._cache = self._cache
        other._binding = None
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
        if self._binding is None:
            self._binding = self._bind_cache()
        pieces = []
        for start in range(0, len(ids), _MAX_CALL_TOKENS):
            chunk = ids[start : start + _MAX_CALL_TOKENS]
            is_last = start + len(chunk) == len(ids)
            positions = np.arange(0 if every else len(chunk) - 1, len(chunk), dtype=np.int64)
            try:
                logits = self._call(chunk, positions)
            except Exception as error:  # onnxruntime's exceptions share no public base
                self.truncate(before)
                first = str(error).strip().splitlines()[0]
                raise EngineError(f"onnxruntime failed on {len(ids)} tokens: {first}") from None
            if every or is_last:
                pieces.append(logits)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _call(self, ids: Sequence[int], positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Run the graph once on ``ids`` and keep them; return the logits at ``positions``, (K, V)."""
        total = len(self._ids) + len(ids)
        logits = np.empty((len(positions), self.vocab_size), np.float32)
        inputs: dict[str, NDArray[Any]] = {
            "input_ids": np.array([ids], np.int64),
            "seqlens_k": np.array([total - 1], np.int32),
            "total_sequence_length": np.array(total, np.int32),
            "logit_positions": positions,
        }
        for name, array in inputs.items():
            self._binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        self._binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        self._session.run_with_iobinding(self._binding)
        self._ids.extend(ids)
        return logits

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
        self._binding = None

    def _bind_cache(self) -> Any:
        binding = self._session.io_binding()
        for layer, pair in enumerate(self._cache.array):
            for part, array in zip(("key", "value"), pair, strict=True):
                for name, bind in (("past_key_values", binding.bind_input), ("present", binding.bind_output)):
                    bind(f"{name}.{layer}.{part}", "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding
