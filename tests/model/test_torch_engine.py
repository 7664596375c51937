"""The torch engine against full recomputation by the library, on tiny models of both kinds."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from opencwm.core.errors import EngineError

from tiny_torch import MODELS, V, llama, recomputed, torch, transformers  # isort: skip - skips without torch

from opencwm.model import torch_engine
from opencwm.model.torch_cache import LEAST_ROOM, RewindableCache
from opencwm.model.torch_engine import TorchEngine, quantization


@pytest.mark.parametrize("name", MODELS)
def test_a_long_sequence_is_read_piece_by_piece(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_engine, "MAX_PASS_TOKENS", 50)
    ids = [int(id_) for id_ in np.random.default_rng(0).integers(0, V, 2 * LEAST_ROOM + 20)]
    engine = TorchEngine(MODELS[name])
    expected = recomputed(MODELS[name], ids)
    assert np.abs(expected).max() > 1  # there is something to be wrong about
    np.testing.assert_allclose(engine.append_all(ids), expected, atol=1e-4)
    assert engine.num_passes == -(-len(ids) // 50)
    engine.truncate(20)
    np.testing.assert_allclose(engine.append(ids[20:]), expected[-1], atol=1e-4)
    assert list(engine.ids) == ids


def test_the_librarys_own_cache_cannot_do_it() -> None:
    """Why there is one of ours: a layer that slides has forgotten what is gone back to."""
    model = MODELS["cwm"]
    cache = transformers.DynamicCache(config=model.config)
    with torch.inference_mode():
        model(input_ids=torch.arange(20)[None], cache=cache)
    with pytest.raises(RuntimeError):
        cache.crop(-10)


class Rewinding(RuleBasedStateMachine):
    """Sequences that grow, are cut back and fork, in any order: each is as if it had been computed alone."""

    model: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.engines = [TorchEngine(self.model)]
        self.held: list[list[int]] = [[]]

    @rule(which=st.integers(0, 5), ids=st.lists(st.integers(0, V - 1), min_size=1, max_size=9))
    def append(self, which: int, ids: list[int]) -> None:
        number = which % len(self.engines)
        found = self.engines[number].append(ids)
        self.held[number] += ids
        np.testing.assert_allclose(found, recomputed(self.model, self.held[number])[-1], atol=1e-4)

    @rule(which=st.integers(0, 5), ids=st.lists(st.integers(0, V - 1), min_size=1, max_size=9))
    def append_all(self, which: int, ids: list[int]) -> None:
        number = which % len(self.engines)
        found = self.engines[number].append_all(ids)
        self.held[number] += ids
        expected = recomputed(self.model, self.held[number])[-len(ids) :]
        np.testing.assert_allclose(found, expected, atol=1e-4)

    @rule(which=st.integers(0, 5), share=st.floats(0, 1))
    def truncate(self, which: int, share: float) -> None:
        number = which % len(self.engines)
        length = int(share * len(self.held[number]))
        self.engines[number].truncate(length)
        del self.held[number][length:]

    @precondition(lambda self: len(self.engines) < 4)
    @rule(which=st.integers(0, 5))
    def fork(self, which: int) -> None:
        number = which % len(self.engines)
        self.engines.append(self.engines[number].fork())
        self.held.append(list(self.held[number]))
        assert self.engines[-1].num_passes == 0

    @precondition(lambda self: len(self.engines) > 1)
    @rule(which=st.integers(0, 5))
    def drop(self, which: int) -> None:
        number = which % len(self.engines)
        del self.engines[number], self.held[number]

    @invariant()
    def each_holds_its_own(self) -> None:
        assert [list(engine.ids) for engine in self.engines] == self.held


@pytest.mark.parametrize("name", MODELS)
def test_sequences_grow_rewind_and_fork(name: str) -> None:
    machine = type(name, (Rewinding,), {"model": MODELS[name]})
    bounds = settings(
        max_examples=6, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    run_state_machine_as_test(machine, settings=bounds)


def storage(engine: TorchEngine) -> set[int]:
    layers: list[Any] = engine._cache.layers
    return {layer._buffer.keys_BHTD.data_ptr() for layer in layers if layer._buffer is not None}


def test_a_fork_shares_storage_until_one_writes_where_another_reads() -> None:
    engine = TorchEngine(MODELS["cwm"])
    engine.append(list(range(20)))
    twin = engine.fork()
    assert storage(twin) == storage(engine)
    engine.append([3])  # after all that anyone holds: no copy
    assert storage(twin) == storage(engine)
    twin.append([4])
    assert storage(twin).isdisjoint(storage(engine))
    third = engine.fork()
    before = storage(engine)
    engine.truncate(10)
    engine.append([5])  # the third still reads what stood there
    assert storage(third) == before
    assert storage(engine).isdisjoint(before)
    third.truncate(10)
    del engine, twin
    gc.collect()
    before = storage(third)
    third.append([6])  # nobody else is left
    assert storage(third) == before


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    engine = TorchEngine(MODELS["llama"], max_tokens=10)
    assert (engine.max_tokens, engine.vocab_size) == (10, V)
    engine.append([1, 2, 3])
    for ids in ([], [-1], [V], [1] * 8):
        with pytest.raises(EngineError):
            engine.append(ids)
    with pytest.raises(EngineError, match="cannot keep 4 of 3"):
        engine.truncate(4)
    assert list(engine.ids) == [1, 2, 3]
    assert TorchEngine(MODELS["llama"], max_tokens=10**6).max_tokens == 600


def test_a_pass_that_fails_leaves_no_layer_ahead_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS["cwm"]
    engine = TorchEngine(model)
    ids = [1, 2, 3, 4]
    engine.append(ids)
    forward: Callable[..., Any] = model.model.layers[2].forward

    def fails(error: type[BaseException]) -> None:
        def broken(*_: Any, **__: Any) -> Any:
            raise error

        monkeypatch.setattr(model.model.layers[2], "forward", broken)

    fails(torch.OutOfMemoryError)
    with pytest.raises(EngineError, match="no memory is left for a sequence of 6 tokens"):
        engine.append([5, 6])
    fails(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.append([5, 6])
    monkeypatch.setattr(model.model.layers[2], "forward", forward)
    assert list(engine.ids) == ids
    np.testing.assert_allclose(engine.append([5]), recomputed(model, [*ids, 5])[-1], atol=1e-4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hf")
    transformers.utils.logging.disable_progress_bar()
    MODELS["cwm"].save_pretrained(path)
    return path


@pytest.mark.parametrize(("dtype", "tolerance"), [("auto", 1e-4), ("float32", 1e-4), ("bfloat16", 0.6)])
def test_a_hugging_face_folder_is_loaded(folder: Path, dtype: str, tolerance: float) -> None:
    engine = TorchEngine.load(folder, dtype=dtype, device="cpu")
    ids = list(range(30))
    np.testing.assert_allclose(engine.append_all(ids), recomputed(MODELS["cwm"], ids), atol=tolerance)


def test_what_cannot_be_loaded_is_said_in_one_line(folder: Path, tmp_path: Path) -> None:
    def refused(match: str, path: Path = folder, **options: Any) -> None:
        with pytest.raises(EngineError, match=match) as caught:
            TorchEngine.load(path, **options)
        assert "\n" not in str(caught.value)

    refused("config.json cannot be read", tmp_path)
    refused("no dtype 'float8'", dtype="float8")
    refused("no device 'abacus'", device="abacus")
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text("{")
    refused("is not JSON", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["BertModel"]}))
    refused("is no causal language model", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused("holds no safetensors", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    refused("cannot be loaded", tmp_path)
    weights = (folder / "model.safetensors").read_bytes()
    from safetensors.torch import load, save

    tensors = load(weights)
    left = next(name for name in tensors if "layers.3" in name)
    (tmp_path / "model.safetensors").write_bytes(
        save({name: item for name, item in tensors.items() if name != left}, metadata={"format": "pt"})
    )
    refused("the weights lack", tmp_path)


def test_layers_of_another_kind_are_refused() -> None:
    model = llama()
    model.config.layer_types = ["linear_attention"] * 4
    with pytest.raises(EngineError, match="'linear_attention' cannot be rewound"):
        TorchEngine(model)


@pytest.mark.parametrize("kind", ["int8", "int4"])
@pytest.mark.parametrize("is_on_gpu", [False, True])
def test_quantizing_needs_a_library_that_can(
    kind: str, is_on_gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_engine, "_is_installed", lambda _: False)
    with pytest.raises(EngineError, match="which is not installed") as caught:
        quantization(kind, is_on_gpu=is_on_gpu)
    assert caught.value.hint == ("pip install bitsandbytes" if is_on_gpu else "pip install torchao")
    if is_on_gpu:
        monkeypatch.setattr(torch_engine, "_is_installed", lambda name: name == "bitsandbytes")
        config = quantization(kind, is_on_gpu=True)
        assert (config.load_in_8bit, config.load_in_4bit) == (kind == "int8", kind == "int4")
    with pytest.raises(EngineError, match="no quantization 'int3'"):
        quantization("int3", is_on_gpu=is_on_gpu)


def test_an_empty_cache_has_no_length() -> None:
    cache = RewindableCache.empty(2)
    assert cache.get_seq_length() == 0
    assert cache.fork().get_seq_length() == 0
