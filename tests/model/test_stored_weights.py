"""Weights read back out of an exported graph are those that it computes with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

from opencwm.core.errors import EngineError
from opencwm.model.export import export_onnx
from opencwm.model.folder import default_model_path, load_folder
from opencwm.model.stored_weights import read_graph, stored_weights
from opencwm.model.testing import random_weights, tiny_config


@pytest.mark.parametrize("kind", ["fp32", "bf16", "int8", "int4", "int8:64", "int4:128"])
@pytest.mark.parametrize("tied", [True, False])
def test_weights_come_back_and_are_stored_alike_again(kind: str, tied: bool, tmp_path: Path) -> None:
    config = tiny_config(tie_word_embeddings=tied)
    weights = random_weights(config, seed=1)
    export_onnx(config, weights, tmp_path / "one.onnx", kind=kind)
    found = read_graph(tmp_path / "one.onnx", config)
    assert set(weights) - set(found) == ({"lm_head.weight"} if tied else set())
    step = {"fp32": 0.0, "bf16": 2**-8, "int8": 1 / 127, "int4": 1 / 7}[kind.partition(":")[0]]
    for name, array in found.items():
        assert array.dtype == np.float32
        assert np.abs(array - weights[name]).max() <= step * np.abs(weights[name]).max()
    export_onnx(config, found, tmp_path / "two.onnx", kind=kind)
    again = read_graph(tmp_path / "two.onnx", config)
    for name, array in found.items():
        assert np.allclose(array, again[name], atol=1e-6), name


def test_the_model_in_the_package_can_be_trained_on() -> None:
    folder = load_folder(default_model_path())
    weights = stored_weights(folder)
    assert sum(array.size for array in weights.values()) == folder.config.num_parameters


def test_what_is_no_graph_of_ours_is_refused(tmp_path: Path) -> None:
    import onnx

    (tmp_path / "torn.onnx").write_bytes(b"nothing")
    with pytest.raises(EngineError, match=r"cannot be read|is no graph"):
        read_graph(tmp_path / "torn.onnx", tiny_config())
    onnx.save(onnx.ModelProto(), str(tmp_path / "empty.onnx"))
    with pytest.raises(EngineError, match="is no graph of this package"):
        read_graph(tmp_path / "empty.onnx", tiny_config())
