"""Tokens per second of the ONNX engine (int8 and fp32) beside eager torch without a cache trick, one thread.

Run ``python benchmarks/engine_speed.py [MODEL_FOLDER_OR_RUN]``; without one it makes a 3M model of random
weights, whose speed is that of any model of its shape. ``prefill`` is one call of 512 tokens; ``decode`` is
one token a call after 256 tokens of context, which is what a predicted step costs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from opencwm.model.config import ModelConfig
from opencwm.model.export import Weights, export_onnx, read_weights
from opencwm.model.onnx_engine import OnnxEngine
from opencwm.model.testing import random_weights

CONTEXT, PREFILL, DECODE = 256, 512, 200


def rate(count: int, work: Callable[[], object]) -> float:
    """Return ``count`` per second of the faster of two runs."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return count / min(times)


def measure_onnx(engine: OnnxEngine, ids: list[int]) -> tuple[float, float]:
    def prefill() -> None:
        engine.truncate(0)
        engine.append(ids[:PREFILL])

    def decode() -> None:
        engine.truncate(CONTEXT)
        for token in ids[:DECODE]:
            engine.append([token])

    return rate(PREFILL, prefill), rate(DECODE, decode)


def measure_transformers(folder: Path, ids: list[int]) -> tuple[float, float]:
    import torch
    from transformers import AutoModelForCausalLM, DynamicCache

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def prefill() -> None:
        model(torch.tensor([ids[:PREFILL]]))

    def decode() -> None:
        cache = DynamicCache(config=model.config)
        model(torch.tensor([ids[:CONTEXT]]), past_key_values=cache)
        for token in ids[: DECODE // 4]:
            model(torch.tensor([[token]]), past_key_values=cache)

    with torch.inference_mode():
        return rate(PREFILL, prefill), rate(DECODE // 4, decode)


def main() -> None:
    print(f"{'engine':20}{'MiB':>8}{'prefill/s':>12}{'decode/s':>12}{'argmax':>9}{'largest error':>15}")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if len(sys.argv) > 1:
            folder = Path(sys.argv[1])
            config, weights = (
                ModelConfig.load(folder / "config.json"),
                read_weights(folder / "model.safetensors"),
            )
        else:
            folder = work
            config = ModelConfig(vocab_size=1000, num_key_value_heads=2, max_position_embeddings=2048)
            weights = random_weights(config, seed=0, std=0.05)
        ids = [int(i) for i in np.random.default_rng(0).integers(0, config.vocab_size, PREFILL)]
        reference = None
        kinds: tuple[Weights, ...] = ("fp32", "int8")
        for kind in kinds:
            path = work / f"{kind}.onnx"
            export_onnx(config, weights, path, kind=kind)
            engine = OnnxEngine.load(path, config)
            logits = engine.append_all(ids)
            reference = logits if reference is None else reference
            agree = float((logits.argmax(-1) == reference.argmax(-1)).mean())
            error = float(np.abs(logits - reference).max())
            speeds = measure_onnx(engine, ids)
            size = path.stat().st_size / 2**20
            print(f"onnx {kind:15}{size:8.1f}{speeds[0]:12,.0f}{speeds[1]:12,.0f}{agree:9.3f}{error:15.4f}")
        if folder == work:
            from safetensors.numpy import save_file

            weights.pop("lm_head.weight")
            save_file(weights, work / "model.safetensors", metadata={"format": "pt"})
            config.save(work / "config.json")
        try:
            speeds = measure_transformers(folder, ids)
        except ImportError:
            print("transformers is not installed: no eager figure")
            return
        print(f"{'transformers fp32':20}{'':8}{speeds[0]:12,.0f}{speeds[1]:12,.0f}")


if __name__ == "__main__":
    main()
