"""What a dry run tells: shapes, memory and time that follow from the recipe, and the first error of a run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from opencwm.core.config import load_config
from opencwm.model.config import ModelConfig
from opencwm.train.config import BatchConfig, DataConfig, InitConfig, LoraConfig, ParallelConfig, TrainConfig
from opencwm.train.data import Document, MemorySource

torch = pytest.importorskip("torch")

from opencwm.model.torch_decoder import Decoder  # noqa: E402 - needs torch
from opencwm.train import dry_run  # noqa: E402
from opencwm.train.loop import train  # noqa: E402
from opencwm.train.plan import GIB, GPUS, Planner, bytes_kept, mean_context  # noqa: E402
from opencwm.train.testing import copy_documents, tiny_recipe  # noqa: E402

RECIPES = Path(__file__).parents[2] / "recipes"


def planner(config: TrainConfig) -> Planner:
    return Planner(config, GPUS["h100"], 0.4)


def large(name: str) -> TrainConfig:
    return load_config(TrainConfig, RECIPES / f"{name}.toml")


@pytest.mark.parametrize(
    ("name", "weights", "step_tokens", "tokens"),
    [("finetune-cwm-32b", 32.58e9, 2**20, 50e9), ("from-scratch-1.8b", 1.848e9, 2**21, 150e9)],
)
def test_the_large_recipes_are_of_the_published_size(
    name: str, weights: float, step_tokens: int, tokens: float
) -> None:
    plan = planner(large(name))
    assert plan.weights.all == large(name).model.num_parameters == pytest.approx(weights, rel=1e-3)
    assert plan.tokens_per_step == step_tokens
    assert plan.plan(8).tokens == pytest.approx(tokens, rel=1e-4)


def test_shares_shrink_with_the_ranks_and_the_rest_does_not() -> None:
    few, many = (planner(large("finetune-cwm-32b")).plan(ranks) for ranks in (8, 64))
    assert few.memory.weights == 4 * 32_581_097_472 / 8
    assert few.memory.optimizer == 2 * few.memory.weights == 16 * many.memory.weights
    assert few.memory.activations == many.memory.activations
    assert (few.rows_per_rank, few.micro_batches) == (1, 8)
    assert few.days == pytest.approx(8 * many.days)
    assert many.memory.total < GPUS["h100"].memory_bytes < few.memory.total


def test_operations_are_those_of_the_formula() -> None:
    config = large("finetune-cwm-32b")
    plan = planner(config)
    multiplied = config.model.num_parameters - 128_256 * 6144  # the embedding is looked up
    assert plan.matmul_flops == 6 * multiplied
    seen = 16 * (16_384 + 1) / 2 + 48 * mean_context(16_384, 8192)
    assert plan.attention_flops == 12 * 48 * 128 * seen
    assert plan.plan(64).tokens_per_s == 64 * 989e12 * 0.4 / plan.flops_per_token


@pytest.mark.parametrize("window", [None, 1, 5, 8, 20])
def test_the_mean_context_is_what_counting_gives(window: int | None) -> None:
    counted = [min(place + 1, window or 99) for place in range(8)]
    assert mean_context(8, window) == sum(counted) / 8


def test_an_adapter_leaves_the_weights_out_of_gradients_and_optimizer() -> None:
    config = large("finetune-cwm-32b")
    adapter = dataclasses.replace(config, init=InitConfig(from_="facebook/cwm", lora=LoraConfig(rank=16)))
    whole, small = planner(config), planner(adapter)
    shape = config.model
    attention = 2 * (6144 + 6144) + 2 * (6144 + 1024)
    assert small.weights.trained == 64 * 16 * (attention + 3 * (6144 + shape.intermediate_size))
    memory = small.plan(8).memory
    assert memory.gradients == 4 * small.weights.trained / 8
    assert memory.weights < whole.plan(8).memory.weights / 1.9
    assert small.flops_per_token < whole.flops_per_token


def test_what_a_layer_keeps_is_what_autograd_keeps() -> None:
    """The count on the meta device against the one of a real layer."""
    shape = ModelConfig(vocab_size=10, hidden_size=64, intermediate_size=128, num_hidden_layers=1)
    mlp: Any = Decoder(shape).model.layers[0].mlp
    kept = [
        bytes_kept(mlp.to(device), torch.zeros(7, 64, device=device, requires_grad=True))
        for device in ("cpu", "meta")
    ]
    tensors = (64, 128, 128, 128, 128)  # the input, the gate and its SiLU, the other half, their product
    assert kept == [7 * 4 * sum(tensors)] * 2


def test_what_saves_memory_is_counted() -> None:
    config = large("from-scratch-1.8b")
    more = dataclasses.replace(config, parallel=ParallelConfig())
    less, plain = planner(config).plan(64).memory, planner(more).plan(64).memory
    assert less.activations < plain.activations / 5
    assert less.loss * 4 == plain.loss  # chunks of 2,048 of 8,192
    unsharded = dataclasses.replace(config, parallel=ParallelConfig(reshard=False))
    assert planner(unsharded).plan(64).memory.assembled > plain.assembled + 2 * GIB


def error_of(config: TrainConfig, *, ranks: int = 1, out: Path | None = None) -> str:
    plan = planner(config)
    made, undealt = dry_run.plans(plan, [ranks])
    return str(dry_run.first_error(config, out, made, undealt, plan.gpu))


def copies(*, count: int = 20, longest: int = 0) -> MemorySource:
    """A source for recipes of tests."""
    if longest:
        ids = torch.ones(longest, dtype=torch.int64).numpy()
        return MemorySource([Document(ids, ids > 0)])
    return MemorySource(copy_documents(count))


def here(**changes: Any) -> TrainConfig:
    source = DataConfig(source=f"{__name__}:copies", options=changes.pop("options", {}))
    return tiny_recipe(**{"data": source, "device": "cpu", **changes})


@pytest.mark.parametrize(
    ("config", "ranks", "said"),
    [
        (here(), 1, "None"),
        (here(), 3, "batch.rows 1 cannot be dealt out to 3 ranks"),
        (here(data=DataConfig(source="nowhere")), 1, "unknown source 'nowhere'"),
        (here(data=DataConfig(source="stored", options={"path": "/no/such"})), 1, "/no/such: no token shard"),
        (
            here(data=DataConfig(source="streamed", options={"path": "/no", "format": "x"})),
            1,
            "no format 'x'",
        ),
        (
            here(data=DataConfig(source="stored", options={"folder": "/x"})),
            1,
            "data.options: missing a required",
        ),
        (
            here(model=dataclasses.replace(tiny_recipe().model, vocab_size=20)),
            1,
            "vocab_size 20 ends before it",
        ),
        (here(options={"longest": 60}), 1, "no document that fits"),
        (here(compile=True), 1, "compile is for GPUs"),
        (here(init=InitConfig(from_="/no/such/folder")), 1, "there is no such folder"),
    ],
)
def test_the_first_error_is_told(config: TrainConfig, ranks: int, said: str) -> None:
    assert said in error_of(config, ranks=ranks)


def test_a_missing_gpu_and_too_little_memory_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = here(device="cuda")
    assert "torch sees no GPU" in error_of(config)
    monkeypatch.setattr("opencwm.train.dry_run.local_device", lambda _: torch.device("cuda"))
    assert error_of(config) == "None"
    long = BatchConfig(rows=2**20, row_tokens=192, max_document_tokens=48, align_tokens=8)
    plan = planner(dataclasses.replace(config, batch=long))
    error = dry_run.first_error(config, None, [plan.plan(1)], None, plan.gpu)
    assert "GiB, and H100 has 78" in str(error)


def test_the_checkpoint_of_another_model_is_told(tmp_path: Path) -> None:
    train(here(), tmp_path)
    assert error_of(here(), out=tmp_path) == "None"
    other = dataclasses.replace(tiny_recipe().model, hidden_size=64)
    assert "another model shape" in error_of(here(model=other), out=tmp_path)
