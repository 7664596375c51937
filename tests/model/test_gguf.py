"""llama.cpp computes the same function: greedy tokens equal those of the ONNX engine, far past the window.

llama.cpp's Python package is not installed by ``make test``: where it is missing these tests are skipped.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from opencwm.core.errors import ConfigError
from opencwm.model.config import FULL_ATTENTION, SLIDING_ATTENTION, ModelConfig
from opencwm.model.export import export_onnx
from opencwm.model.gguf import export_gguf
from opencwm.model.onnx_engine import OnnxEngine
from opencwm.model.testing import random_weights, tiny_config

pytest.importorskip("onnx")
gguf = pytest.importorskip("gguf", reason="GGUF IS NOT TESTED: pip install gguf")

Run = Callable[[Sequence[int]], NDArray[np.float32]]


def model(**changes: object) -> ModelConfig:
    """Grouped heads, an irregular pattern of windows, widths that blocks of 32 divide."""
    return tiny_config(
        hidden_size=128,
        intermediate_size=160,
        num_hidden_layers=4,
        head_dim=32,
        layer_types=(FULL_ATTENTION, SLIDING_ATTENTION, SLIDING_ATTENTION, FULL_ATTENTION),
        **changes,
    )


def llama(path: Path, vocab_size: int) -> Run:
    """Open a file in llama.cpp; what is returned appends ids and gives the logits after the last."""
    ll = pytest.importorskip(
        "llama_cpp", reason="LLAMA.CPP IS NOT TESTED AGAINST: pip install llama-cpp-python"
    )
    ll.llama_backend_init()
    silent = ll.llama_log_callback(lambda level, text, data: None)  # noqa: ARG005 - C's signature
    ll.llama_log_set(silent, ctypes.c_void_p(0))
    weights = ll.llama_model_load_from_file(str(path).encode(), ll.llama_model_default_params())
    assert weights, "llama.cpp does not open the file"
    settings = ll.llama_context_default_params()
    settings.n_ctx, settings.n_batch, settings.n_ubatch = 2048, 2048, 2048
    settings.n_threads = settings.n_threads_batch = 1
    settings.type_k = settings.type_v = 0  # fp32
    context = ll.llama_init_from_model(weights, settings)

    def run(ids: Sequence[int], keep: object = silent) -> NDArray[np.float32]:  # noqa: ARG001 - C may call it
        array = (ctypes.c_int32 * len(ids))(*ids)
        assert ll.llama_decode(context, ll.llama_batch_get_one(array, len(ids))) == 0
        pointer = ll.llama_get_logits_ith(context, -1)
        return np.ctypeslib.as_array(pointer, (vocab_size,)).copy()

    return run


@pytest.mark.parametrize("tied", [True, False])
def test_greedy_tokens_are_those_of_the_onnx_engine(tmp_path: Path, tied: bool) -> None:
    config = model(tie_word_embeddings=tied)
    weights = random_weights(config, seed=3)
    export_onnx(config, weights, tmp_path / "model.onnx", kind="fp32")
    export_gguf(config, weights, tmp_path / "model.gguf", kind="fp32", name="tiny")
    ours = OnnxEngine.load(tmp_path / "model.onnx", config)
    theirs = llama(tmp_path / "model.gguf", config.vocab_size)
    prompt = [int(token) for token in np.random.default_rng(0).integers(0, config.vocab_size, 50)]
    assert len(prompt) > 4 * config.sliding_window
    expected, found = ours.append(prompt), theirs(prompt)
    for _ in range(40):
        np.testing.assert_allclose(found, expected, atol=0.03)
        token = int(expected.argmax())
        assert int(found.argmax()) == token
        expected, found = ours.append([token]), theirs([token])


@pytest.mark.parametrize(("kind", "tolerance"), [("bf16", 0.1), ("int8", 0.15), ("int4", 1.0)])
def test_quantized_files_are_close(tmp_path: Path, kind: str, tolerance: float) -> None:
    config = model()
    weights = random_weights(config, seed=3, std=0.05)
    export_onnx(config, weights, tmp_path / "model.onnx", kind="fp32")
    export_gguf(config, weights, tmp_path / "model.gguf", kind=kind)
    ids = [int(token) for token in np.random.default_rng(0).integers(0, config.vocab_size, 50)]
    expected = OnnxEngine.load(tmp_path / "model.onnx", config).append(ids)
    found = llama(tmp_path / "model.gguf", config.vocab_size)(ids)
    assert np.abs(found - expected).max() < tolerance * np.abs(expected).max()


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    config = model()
    weights = random_weights(config, seed=3)
    sizes = {}
    for kind in ("fp32", "bf16", "int8", "int4"):
        export_gguf(config, weights, tmp_path / kind, kind=kind, name="tiny")
        sizes[kind] = (tmp_path / kind).stat().st_size
    assert sizes["int4"] < sizes["int8"] < sizes["bf16"] < sizes["fp32"]
    reader = gguf.GGUFReader(tmp_path / "int4")
    said = {name: field.contents() for name, field in reader.fields.items()}
    assert said["general.architecture"] == "mimo2"
    assert said["mimo2.attention.sliding_window"] == config.sliding_window
    assert said["mimo2.attention.sliding_window_pattern"] == [False, True, True, False]
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert kinds["output.weight"] == kinds["token_embd.weight"] == "Q8_0"
    assert kinds["blk.1.ffn_up.weight"] == "Q4_0"
    assert kinds["blk.1.ffn_norm.weight"] == "F32"


@pytest.mark.parametrize(
    ("config", "kind", "said"),
    [(model(), "int8:64", "blocks of 32 only"), (tiny_config(intermediate_size=90), "int8", "90 wide")],
)
def test_what_blocks_do_not_divide_is_refused(
    tmp_path: Path, config: ModelConfig, kind: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        export_gguf(config, random_weights(config, seed=3), tmp_path / "model.gguf", kind=kind)
    assert list(tmp_path.iterdir()) == []
