"""The graphs of :mod:`opencwm.model.export`, run by onnxruntime: one pass of one sequence, or of several.

The idea: the cache is one block of memory per layer that a graph reads and extends in place, so a pass moves
no old state. A pass of several sequences is one call all the same: their new ids, however many of each, go
through the weights together, and only attention is taken apart. A row's logits do not depend on what else is
in the call, beyond the rounding of products of another size.

Source: onnxruntime, ``GroupQueryAttention`` with past and present in one buffer; its window counts the
current token since version 1.24 (microsoft/onnxruntime pull request 25927).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.config import ModelConfig

_OLDEST_RUNTIME = (1, 24)
PARTS = ("key", "value")


class Cache:
    """Keys and values of every layer, (layers, 2, 1, G, capacity, D); ``num_owners`` engines hold it."""

    def __init__(self, config: ModelConfig, capacity: int) -> None:
        shape = (config.num_hidden_layers, 2, 1, config.num_key_value_heads, capacity, config.head_dim)
        self.array: NDArray[np.float32] = np.zeros(shape, np.float32)
        self.num_owners = 1
        self.binding: Any = None  # of the graph that last ran a pass over it alone

    @property
    def capacity(self) -> int:
        """Number of positions."""
        return int(self.array.shape[4])

    def copy(self, config: ModelConfig, capacity: int, length: int) -> Cache:
        """Return another of ``capacity`` positions with the first ``length``."""
        other = Cache(config, capacity)
        other.array[..., :length, :] = self.array[..., :length, :]
        return other

    def bind(self, binding: Any, past: str, present: str) -> None:
        """Have a binding read and write this cache under names that begin with ``past`` and ``present``."""
        for layer, pair in enumerate(self.array):
            for part, array in zip(PARTS, pair, strict=True):
                for name, bind in ((past, binding.bind_input), (present, binding.bind_output)):
                    bind(f"{name}.{layer}.{part}", "cpu", 0, np.float32, array.shape, array.ctypes.data)


@dataclasses.dataclass(frozen=True, slots=True)
class Pass:
    """Ids to run behind what a cache holds.

    Attributes:
        ids: at least one.
        positions: of the ids, those to give the logits after; (K,).
        length: ids in the cache already.
        cache: with room for ``length`` + the new ids.
    """

    ids: Sequence[int]
    positions: NDArray[np.int64]
    length: int
    cache: Cache


def open_session(path: Path, num_threads: int) -> Any:
    """Open a graph; the runtime's threads never spin while idle.

    Raises:
        EngineError: no such file, one that onnxruntime cannot load, or an onnxruntime that is too old.
    """
    import onnxruntime

    if tuple(int(part) for part in onnxruntime.__version__.split(".")[:2]) < _OLDEST_RUNTIME:
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
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no public base
        first = str(error).strip().splitlines()[0]
        raise EngineError(
            f"cannot be loaded: {first}", where=str(path), hint="export the model again"
        ) from None


def check_fit(session: Any, config: ModelConfig, path: Path, past: str = "past_key_values") -> None:
    """Refuse a graph whose cache or vocabulary is not the one the config describes.

    Raises:
        EngineError: it is not.
    """
    shapes = {tensor.name: tensor.shape for tensor in (*session.get_inputs(), *session.get_outputs())}
    num_layers = sum(name.endswith(".key") and name.startswith(f"{past}.") for name in shapes)
    cache = shapes.get(f"{past}.0.key", [None] * 4)
    found = (num_layers, cache[1], cache[3], shapes.get("logits", [None])[-1])
    wanted = (config.num_hidden_layers, config.num_key_value_heads, config.head_dim, config.vocab_size)
    if found != wanted:
        raise EngineError(
            f"the graph has (layers, groups, head size, vocabulary) {found}, config.json says {wanted}",
            where=str(path),
            hint="the two files are of different models; export again",
        )


def check_weights(session: Any, path: Path, weights: Path) -> Mapping[str, str]:
    """Refuse a graph that uses other weights than it was made for; return what it says of itself.

    Raises:
        EngineError: it does.
    """
    told: Mapping[str, str] = session.get_modelmeta().custom_metadata_map
    if told.get("weights_sha256") != hashlib.sha256(weights.read_bytes()).hexdigest():
        raise EngineError(f"is not of the {weights.name} beside it", where=str(path), hint="export again")
    return told


class Graph:
    """The graph of one sequence, a ``model.onnx``.

    Raises:
        EngineError: it cannot be loaded, or is of another model than ``config``.
    """

    def __init__(self, path: Path, config: ModelConfig, *, num_threads: int = 1) -> None:
        self.path, self.config, self.num_threads = path, config, num_threads
        self._session = open_session(path, num_threads)
        check_fit(self._session, config, path)

    def run(self, one: Pass) -> NDArray[np.float32]:
        """Run a pass; return the logits at its positions, (K, V)."""
        if one.cache.binding is None:
            one.cache.binding = self._session.io_binding()
            one.cache.bind(one.cache.binding, "past_key_values", "present")
        total = one.length + len(one.ids)
        inputs: dict[str, NDArray[Any]] = {
            "input_ids": np.array([one.ids], np.int64),
            "seqlens_k": np.array([total - 1], np.int32),
            "total_sequence_length": np.array(total, np.int32),
            "logit_positions": one.positions,
        }
        return _run(self._session, one.cache.binding, inputs, self.config.vocab_size)


class RowsGraph:
    """The graph of several sequences, a ``rows.onnx`` of :mod:`opencwm.model.export_rows`.

    Attributes:
        num_rows: most passes of one call.

    Raises:
        EngineError: it cannot be loaded, or belongs to other weights than those beside it.
    """

    def __init__(self, path: Path, weights: Path, config: ModelConfig, *, num_threads: int = 1) -> None:
        self._session = open_session(path, num_threads)
        check_fit(self._session, config, path, "past.0")
        self.num_rows = int(check_weights(self._session, path, weights)["num_rows"])
        self._config = config
        self._idle = Cache(config, 1)
        self._width = int(
            next(tensor for tensor in self._session.get_inputs() if tensor.name == "idle").shape[2]
        )
        self.release()

    def release(self) -> None:
        """Let go of the caches of the latest passes."""
        self._binding = self._session.io_binding()
        self._bound: list[Cache | None] = [None] * self.num_rows
        self._totals = np.ones(self.num_rows, np.int32)
        self._ends = np.zeros(self.num_rows, np.int32)
        for row in range(self.num_rows):
            total, end = self._totals[row], self._ends[row : row + 1]
            address = self._totals.ctypes.data + row * total.nbytes
            self._binding.bind_input(f"total_sequence_length.{row}", "cpu", 0, np.int32, (), address)
            self._binding.bind_input(f"seqlens_k.{row}", "cpu", 0, np.int32, (1,), end.ctypes.data)

    def run(self, passes: Sequence[Pass]) -> list[NDArray[np.float32]]:
        """Run 1 to ``num_rows`` passes over different caches; return the logits of each, (K, V)."""
        lengths = np.ones(self.num_rows, np.int64)
        starts, positions, start = [], [], 0
        for row in range(self.num_rows):
            one = passes[row] if row < len(passes) else None
            cache = self._idle if one is None else one.cache
            if self._bound[row] is not cache:
                cache.bind(self._binding, f"past.{row}", f"present.{row}")
                self._bound[row] = cache
            self._totals[row] = 1 if one is None else one.length + len(one.ids)
            if one is not None:
                lengths[row] = len(one.ids)
                positions.append(one.positions + start)
                starts.append(len(one.positions))
                start += len(one.ids)
        self._ends[:] = self._totals - 1
        inputs: dict[str, NDArray[Any]] = {
            "input_ids": np.array([[token for one in passes for token in one.ids]], np.int64),
            "row_lengths": lengths,
            "num_tokens": np.array([start], np.int64),
            "idle": np.zeros((1, self.num_rows - len(passes), self._width), np.float32),
            "logit_positions": np.concatenate(positions),
        }
        logits = _run(self._session, self._binding, inputs, self._config.vocab_size)
        return np.split(logits, np.cumsum(starts)[:-1])


def _run(session: Any, binding: Any, inputs: dict[str, NDArray[Any]], vocab_size: int) -> NDArray[np.float32]:
    """Run a call; return its logits, (K, V)."""
    logits = np.empty((len(inputs["logit_positions"]), vocab_size), np.float32)
    for name, array in inputs.items():
        binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
    session.run_with_iobinding(binding)
    return logits
