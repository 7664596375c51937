"""Weights quantized by torchao while they are loaded: near those of the folder, and as rewindable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiny_torch import SIZES, V, torch, transformers  # isort: skip - skips without torch

from opencwm.model.bank import EngineBank
from opencwm.model.torch_bank import TorchBank
from opencwm.model.torch_engine import TorchEngine, quantization

pytest.importorskip("torchao", reason="TORCHAO IS NOT INSTALLED: quantized loading is not tested")

NAMES = {"int8": "Int8Tensor", "int4": "Int4OpaqueTensor"}
MOST_ERROR = {"int8": 0.05, "int4": 0.4}
"""Of the logits, as a share of their spread."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    sizes: dict[str, Any] = {**SIZES, "hidden_size": 128, "intermediate_size": 256, "head_dim": 32}
    rope = {"rope_type": "default", "rope_theta": 10_000.0}
    config = transformers.CwmConfig(
        **{**sizes, "initializer_range": 0.05}, sliding_window=5, rope_parameters=rope
    )
    path = tmp_path_factory.mktemp("torchao") / "cwm"
    transformers.utils.logging.disable_progress_bar()
    transformers.CwmForCausalLM(config).save_pretrained(path)
    return path


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_computes_nearly_the_same_and_can_go_back(folder: Path, kind: str, dtype: str) -> None:
    ids = [int(id_) for id_ in np.random.default_rng(0).integers(0, V, 40)]
    expected = TorchEngine.load(folder, dtype="float32", device="cpu").append_all(ids)
    engine = TorchEngine.load(folder, dtype=dtype, quantize=kind, device="cpu")
    layer = engine._model.model.layers[0]
    for projection in (layer.self_attn.q_proj, layer.mlp.up_proj):
        assert type(projection.weight).__name__ == NAMES[kind]
    found = engine.append_all(ids)
    error = np.sqrt(np.mean((found - expected) ** 2)) / expected.std()
    assert 0 < error < MOST_ERROR[kind]
    engine.truncate(10)
    twin = engine.fork()
    again = twin.append_all(ids[10:])
    np.testing.assert_allclose(again, found[10:], atol=0.2 if dtype == "bfloat16" else 1e-4)
    assert list(engine.ids) == ids[:10]


@pytest.mark.parametrize("kind", NAMES)
def test_rows_step_together(folder: Path, kind: str) -> None:
    engine = TorchEngine.load(folder, dtype="float32", quantize=kind, device="cpu")
    together, alone = TorchBank(engine, 3), EngineBank(engine, 3)
    for bank in (together, alone):
        for row in range(3):
            bank.extend(row, list(range(1, 4 + 3 * row)), every=False)
    np.testing.assert_allclose(
        together.step([0, 1, 2], [5, 6, 7]), alone.step([0, 1, 2], [5, 6, 7]), atol=1e-3
    )


def test_on_a_gpu_four_bits_are_packed_as_torch_itself_multiplies_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from opencwm.model import torch_engine

    monkeypatch.setattr(torch_engine, "_is_installed", lambda name: name == "torchao")
    config = quantization("int4", is_on_gpu=True).quant_type
    assert (config.group_size, config.int4_packing_format) == (32, "tile_packed_to_4d")
