from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.model.export import export_onnx
from opencwm.model.export_rows import export_rows
from opencwm.model.onnx_engine import OnnxEngine
from opencwm.model.precision import WeightFormat, pack_nibbles, quantize_blocks
from opencwm.model.testing import random_weights, tiny_config

pytest.importorskip("onnx")


@pytest.mark.parametrize("text", ["fp32", "bf16", "int8", "int8:128", "int4", "int4:64"])
def test_a_format_reads_what_it_says(text: str) -> None:
    assert str(WeightFormat.parse(text)) == text
    assert str(WeightFormat.parse(f" {text} ")) == text


def test_the_usual_block_size_goes_without_saying() -> None:
    assert str(WeightFormat.parse("int8:32")) == "int8"


@pytest.mark.parametrize(
    "text", ["", "int3", "int8:", "int8:33", "int8:x", "int8:²", "fp32:32", "INT8", "int8:-32"]
)
def test_another_word_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"no such (precision|block size)"):
        WeightFormat.parse(text)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 5),
    st.integers(1, 70),
    st.sampled_from([16, 32, 64]),
    st.sampled_from([4, 8]),
    st.integers(0, 1_000),
)
def test_codes_are_within_half_a_step_of_the_weights(
    rows: int, columns: int, block_size: int, bits: int, seed: int
) -> None:
    weight = np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)
    codes, scales = quantize_blocks(weight, block_size, bits=bits)
    assert codes.max() < 1 << bits
    values = (codes.astype(np.float32) - (1 << (bits - 1))) * scales[..., None]
    found = values.reshape(rows, -1)
    error = np.abs(found[:, :columns] - weight)
    # of 4 bits one end is one step further out than the other
    reach = np.repeat(np.abs(scales), block_size, axis=1)[:, :columns] * (1.0 if bits == 4 else 0.5)
    assert (error <= reach * 1.001).all()
    assert (found[:, columns:] == 0).all()


def test_zeros_stay_zeros() -> None:
    for bits in (4, 8):
        codes, scales = quantize_blocks(np.zeros((2, 40), np.float32), bits=bits)
        assert (codes == 1 << (bits - 1)).all()
        assert (scales == 0).all()


def test_nibbles_are_packed_lower_half_first() -> None:
    packed = pack_nibbles(np.array([[1, 2, 15, 0]], np.uint8))
    assert packed.tolist() == [[0x21, 0x0F]]


@pytest.mark.parametrize("kind", ["bf16", "int8:64", "int8:128", "int4", "int4:16", "int4:128"])
def test_every_way_to_store_is_close_to_fp32(tmp_path: Path, kind: str) -> None:
    config = tiny_config(vocab_size=64, hidden_size=128, intermediate_size=352, head_dim=32)
    weights = random_weights(config, seed=2)
    ids = [int(token) for token in np.random.default_rng(0).integers(0, 48, 120)]
    logits = {}
    for name in ("fp32", kind):
        path = tmp_path / name.replace(":", "-") / "model.onnx"
        export_onnx(config, weights, path, kind=name)
        export_rows(path, path.with_name("rows.onnx"))
        logits[name] = OnnxEngine.load(path, config).append_all(ids)
    error = np.abs(logits[kind] - logits["fp32"])
    assert 0 < error.max() < (0.8 if kind.startswith("int4") else 0.1) * np.abs(logits["fp32"]).max()
    agreeing = (logits[kind].argmax(-1) == logits["fp32"].argmax(-1)).mean()
    assert agreeing > (0.4 if kind.startswith("int4") else 0.9)
    sizes = {name: (tmp_path / name.replace(":", "-") / "model.onnx").stat().st_size for name in logits}
    assert (
        sizes[kind] < {"b": 0.55, "8": 0.45, "4": 0.3}[kind[0] if kind == "bf16" else kind[3]] * sizes["fp32"]
    )


def test_bf16_is_exact_where_weights_are(tmp_path: Path) -> None:
    import ml_dtypes

    config = tiny_config()
    weights = {
        name: array.astype(ml_dtypes.bfloat16).astype(np.float32)
        for name, array in random_weights(config, seed=2).items()
    }
    logits = []
    for kind in ("fp32", "bf16"):
        export_onnx(config, weights, tmp_path / f"{kind}.onnx", kind=kind)
        logits.append(OnnxEngine.load(tmp_path / f"{kind}.onnx", config).append_all([1, 2, 3, 4]))
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-6)


def test_the_graph_of_several_sequences_works_in_every_format(tmp_path: Path) -> None:
    config = tiny_config()
    weights = random_weights(config, seed=2)
    for kind in ("bf16", "int4"):
        path = tmp_path / kind / "model.onnx"
        export_onnx(config, weights, path, kind=kind)
        export_rows(path, path.with_name("rows.onnx"))
        engine = OnnxEngine.load(path, config)
        forks = [engine.fork() for _ in range(3)]
        alone = [engine.fork().append([token, 5]) for token in (1, 2, 3)]
        jobs = (
            lambda fork=fork, token=token: fork.append([token, 5])
            for fork, token in zip(forks, (1, 2, 3), strict=True)
        )
        together = dict(engine.together.work(jobs, at_once=3))
        for index, logits in enumerate(alone):
            np.testing.assert_allclose(together[index], logits, atol=1e-4)
