"""Many sequences at once: tokens a second of forks that take turns, of one batched graph, of two processes.

The engine holds one sequence. ``forks`` are that many engines over one session, each given a token in turn.
``batched`` is what batching would give: the same graph with its batch dimension left open and the forks'
caches side by side, one token of each in a pass; logits must be the forks' own, bit for bit. (On a CPU
``GroupQueryAttention`` takes batches of one token a sequence only: forced text and drafts go one by one.)
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.model.config import ModelConfig
from opencwm.model.onnx_engine import OnnxEngine

SIZES = (1, 4, 8, 16)
CAPACITY = 512
Caches = NDArray[np.float32]
"""(layers, 2, N, groups, capacity, head size)."""


class BatchedGraph:
    """A graph of :mod:`opencwm.model.export` whose batch dimension is open."""

    def __init__(self, path: Path, config: ModelConfig) -> None:
        import onnx
        import onnxruntime

        model = onnx.load(path)
        for tensor in (*model.graph.input, *model.graph.output):
            dimensions = tensor.type.tensor_type.shape.dim
            if tensor.name in ("input_ids", "seqlens_k") or len(dimensions) == 4:
                dimensions[0].Clear()
                dimensions[0].dim_param = "B"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._config = config

    def caches(self, num_sequences: int) -> Caches:
        """Return empty caches."""
        config = self._config
        groups, size = config.num_key_value_heads, config.head_dim
        shape = (config.num_hidden_layers, 2, num_sequences, groups, CAPACITY, size)
        return np.zeros(shape, np.float32)

    def run(self, caches: Caches, ids: list[list[int]], lengths: list[int]) -> NDArray[np.float32]:
        """Append equally many ids to each sequence; return the logits after the last of each, (N, V)."""
        num_new = len(ids[0])
        binding: Any = self._session.io_binding()
        inputs = {
            "input_ids": np.array(ids, np.int64),
            "seqlens_k": np.array([length - 1 for length in lengths], np.int32),
            "total_sequence_length": np.array(max(lengths), np.int32),
            "logit_positions": np.arange(num_new - 1, len(ids) * num_new, num_new, dtype=np.int64),
        }
        for name, array in inputs.items():
            binding.bind_cpu_input(name, array)
        for layer, pair in enumerate(caches):
            for part, array in zip(("key", "value"), pair, strict=True):
                for name, bind in (("past_key_values", binding.bind_input), ("present", binding.bind_output)):
                    bind(f"{name}.{layer}.{part}", "cpu", 0, np.float32, array.shape, array.ctypes.data)
        logits = np.empty((len(ids), self._config.vocab_size), np.float32)
        binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        self._session.run_with_iobinding(binding)
        return logits


def run_forks(engine: OnnxEngine, prompts: list[list[int]], num_new: int) -> tuple[float, float, list[Any]]:
    """Return wall and CPU seconds of all new tokens, and the last logits of each fork."""
    forks = [engine.fork() for _ in prompts]
    logits = [fork.append(ids) for fork, ids in zip(forks, prompts, strict=True)]
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(num_new):
        logits = [fork.append([int(row.argmax())]) for fork, row in zip(forks, logits, strict=True)]
    return time.perf_counter() - wall, time.process_time() - cpu, logits


def run_batched(
    graph: BatchedGraph, prompts: list[list[int]], num_new: int
) -> tuple[float, float, list[Any]]:
    """Return the same of one batch."""
    caches = graph.caches(len(prompts))
    rows = []
    for index, ids in enumerate(prompts):
        own = graph.caches(1)
        rows.append(graph.run(own, [ids], [len(ids)])[0])
        caches[:, :, index] = own[:, :, 0]
    logits = np.stack(rows)
    lengths = [len(ids) for ids in prompts]
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(num_new):
        lengths = [length + 1 for length in lengths]
        logits = graph.run(caches, [[int(token)] for token in logits.argmax(axis=-1)], lengths)
    return time.perf_counter() - wall, time.process_time() - cpu, list(logits)


def measure(folder: Path, ids: list[int], num_new: int) -> None:
    """Print the table; sequences begin with prompts of different lengths."""
    num_new = min(num_new, 64)
    config = ModelConfig.load(folder / "config.json")
    engine = OnnxEngine.load(folder / "model.onnx", config)
    graph = BatchedGraph(folder / "model.onnx", config)
    print(f"\nsequences at once, int8, {num_new} new tokens each: tokens/s (CPU ms a token), one thread")
    print(f"{'N':>4}{'forks':>20}{'batched':>20}{'CPU ratio':>12}{'same logits':>14}")
    for size in SIZES:
        prompts = [ids[: len(ids) - 7 * index] for index in range(size)]
        turns = [(run_forks(engine, prompts, num_new), run_batched(graph, prompts, num_new)) for _ in "12"]
        forks, batched = (min(ways, key=lambda found: found[1]) for ways in zip(*turns, strict=True))
        count = size * num_new
        same = all(np.array_equal(a, b) for a, b in zip(forks[2], batched[2], strict=True))
        cells = [f"{count / wall:,.0f} ({1000 * cpu / count:.2f})" for wall, cpu, _ in (forks, batched)]
        print(f"{size:>4}{cells[0]:>20}{cells[1]:>20}{forks[1] / batched[1]:>11.2f}x{same!s:>14}")
    command = [sys.executable, __file__, str(folder), str(num_new), *map(str, ids)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    rates = [float(worker.communicate()[0]) for worker in workers]
    print(f"two processes of one sequence each: {sum(rates):,.0f} tokens/s together")


if __name__ == "__main__":
    path = Path(sys.argv[1])
    alone = OnnxEngine.load(path / "model.onnx", ModelConfig.load(path / "config.json"))
    count = int(sys.argv[2])
    print(count / min(run_forks(alone, [list(map(int, sys.argv[3:]))], count)[0] for _ in range(4)))
