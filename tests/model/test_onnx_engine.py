from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.config import ModelConfig
from opencwm.model.export import export_onnx
from opencwm.model.onnx_engine import OnnxEngine
from opencwm.model.precision import quantize_blocks
from opencwm.model.testing import random_weights, tiny_config

pytest.importorskip("onnx")

FloatArray = NDArray[np.float32]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> OnnxEngine:
    config = tiny_config()
    path = tmp_path_factory.mktemp("fp32") / "model.onnx"
    export_onnx(config, random_weights(config, seed=3), path, kind="fp32")
    return OnnxEngine.load(path, config)


def some_ids(count: int, seed: int = 0) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(0, 48, count)]


def fresh(engine: OnnxEngine) -> OnnxEngine:
    other = engine.fork()
    other.truncate(0)
    return other


@pytest.mark.parametrize("tied", [True, False])
def test_fp32_graph_gives_the_logits_of_torch(tmp_path: Path, tied: bool) -> None:
    torch = pytest.importorskip("torch")
    from opencwm.model.torch_decoder import Decoder

    config = tiny_config(tie_word_embeddings=tied)
    weights = random_weights(config, seed=1)
    model = Decoder(config).eval()
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    export_onnx(config, weights, tmp_path / "model.onnx", kind="fp32")
    ids = some_ids(90)
    assert len(ids) > 4 * config.sliding_window
    with torch.no_grad():
        batch = torch.tensor([ids])
        expected = model(batch, torch.zeros_like(batch))[0].numpy()
    engine = OnnxEngine.load(tmp_path / "model.onnx", config)
    np.testing.assert_allclose(engine.append_all(ids), expected, atol=1e-4)
    engine.truncate(0)
    one_by_one = np.stack([engine.append([token]) for token in ids])
    np.testing.assert_allclose(one_by_one, expected, atol=1e-4)


def test_int8_graph_is_close_to_fp32(tmp_path: Path) -> None:
    config = tiny_config(vocab_size=64, hidden_size=128, intermediate_size=352, head_dim=32)
    weights = random_weights(config, seed=2)
    logits = {}
    ids = some_ids(200)
    for kind in ("fp32", "int8"):
        path = tmp_path / f"{kind}.onnx"
        export_onnx(config, weights, path, kind=kind)
        logits[kind] = OnnxEngine.load(path, config).append_all(ids)
    error = np.abs(logits["int8"] - logits["fp32"])
    assert 0 < error.max() < 0.1 * np.abs(logits["fp32"]).max()
    assert (logits["int8"].argmax(-1) == logits["fp32"].argmax(-1)).mean() > 0.9
    assert (tmp_path / "int8.onnx").stat().st_size < 0.45 * (tmp_path / "fp32.onnx").stat().st_size


Action = tuple[str, int]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["append", "append_all", "truncate", "fork", "switch"]), st.integers(1, 40)
        ),
        max_size=14,
    )
)
def test_any_history_equals_a_full_recompute(engine: OnnxEngine, actions: list[Action]) -> None:
    """Appending, rewinding and forking in any order leave what a fresh engine computes from the same ids."""
    engines = [fresh(engine)]
    for seed, (name, size) in enumerate(actions):
        current = engines[-1]
        if name == "truncate":
            current.truncate(len(current.ids) * (size - 1) // 40)
        elif name == "fork":
            engines.append(current.fork())
        elif name == "switch":
            engines.insert(0, engines.pop())
        elif name == "append":
            current.append(some_ids(size, seed))
        else:
            current.append_all(some_ids(size, seed))
    for current in engines:
        recomputed = fresh(engine).append([*current.ids, 7])
        np.testing.assert_allclose(current.append([7]), recomputed, atol=1e-4)


def test_cache_grows_past_its_first_size(engine: OnnxEngine) -> None:
    ids = some_ids(500)
    whole = fresh(engine).append_all(ids)
    parts = fresh(engine)
    pieces = [parts.append_all(ids[start : start + 100]) for start in range(0, 500, 100)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)


def test_long_appends_are_cut_into_calls_without_a_trace(tmp_path: Path) -> None:
    config = tiny_config(max_position_embeddings=1300)
    export_onnx(config, random_weights(config, seed=4), tmp_path / "model.onnx", kind="fp32")
    engine = OnnxEngine.load(tmp_path / "model.onnx", config)
    ids = some_ids(1300)
    whole = engine.append_all(ids)
    assert whole.shape == (1300, 48)
    engine.truncate(1100)
    np.testing.assert_allclose(engine.append(ids[1100:]), whole[-1], atol=1e-4)
    engine.truncate(0)
    np.testing.assert_array_equal(engine.append(ids), whole[-1])


def test_a_graph_of_another_model_is_refused(tmp_path: Path) -> None:
    config = tiny_config()
    export_onnx(config, random_weights(config, seed=0), tmp_path / "model.onnx")
    for other in (tiny_config(vocab_size=50), tiny_config(num_key_value_heads=4)):
        with pytest.raises(EngineError, match="of different models"):
            OnnxEngine.load(tmp_path / "model.onnx", other)


def test_a_fork_is_unmoved_by_its_parent_and_shares_until_written(engine: OnnxEngine) -> None:
    parent = fresh(engine)
    parent.append(some_ids(30))
    child = parent.fork()
    assert child._cache is parent._cache
    before = child.fork().append([5])
    parent.truncate(3)
    parent.append([1, 2, 3, 4])
    assert list(child.ids) == some_ids(30)
    np.testing.assert_array_equal(child.append([5]), before)


def test_a_forgotten_fork_gives_the_memory_back(engine: OnnxEngine) -> None:
    parent = fresh(engine)
    parent.append(some_ids(10))
    cache = parent._cache
    child = parent.fork()
    del child
    gc.collect()
    parent.append([1])
    assert parent._cache is cache


@pytest.mark.parametrize(
    ("ids", "what"),
    [([], "at least one"), ([48], "outside"), ([-1], "outside"), ([0] * 513, "exceed")],
)
def test_bad_ids_are_refused_and_change_nothing(engine: OnnxEngine, ids: list[int], what: str) -> None:
    current = fresh(engine)
    current.append([1, 2])
    with pytest.raises(EngineError, match=what):
        current.append(ids)
    assert list(current.ids) == [1, 2]
    with pytest.raises(EngineError, match="cannot keep"):
        current.truncate(3)


def test_missing_and_corrupt_files_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no such file"):
        OnnxEngine.load(tmp_path / "none.onnx", tiny_config())
    (tmp_path / "bad.onnx").write_bytes(b"not a graph at all")
    with pytest.raises(EngineError, match="cannot be loaded") as caught:
        OnnxEngine.load(tmp_path / "bad.onnx", tiny_config())
    assert "\n" not in str(caught.value)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    config = tiny_config()
    weights = random_weights(config, seed=0)
    wrong = ModelConfig(**{**tiny_config().__dict__, "intermediate_size": 64})
    with pytest.raises(EngineError, match=r"mlp\.gate_proj\.weight' has shape"):
        export_onnx(wrong, weights, tmp_path / "model.onnx")
    del weights["model.norm.weight"]
    with pytest.raises(EngineError, match=r"'model\.norm\.weight' is missing"):
        export_onnx(config, weights, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 70), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-6, 1.0, 1e4])
)
def test_quantization_error_is_at_most_half_a_step(rows: int, columns: int, seed: int, size: float) -> None:
    weight = (np.random.default_rng(seed).standard_normal((rows, columns)) * size).astype(np.float32)
    codes, scales = quantize_blocks(weight)
    restored = ((codes.astype(np.float32) - 128) * scales[..., None]).reshape(rows, -1)
    step = np.repeat(scales, 32, axis=1)[:, :columns]
    assert (np.abs(restored[:, :columns] - weight) <= 0.501 * step).all()
    assert not restored[:, columns:].any()
