from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opencwm.core.errors import ConfigError
from opencwm.train.config import BatchConfig, CanaryConfig, OptimizerConfig, ScheduleConfig
from opencwm.train.data import Document, MemorySource

torch = pytest.importorskip("torch")

from opencwm.train.canary import Canary  # noqa: E402 - needs torch
from opencwm.train.loop import train  # noqa: E402
from opencwm.train.metrics import METRICS_NAME, read_metrics  # noqa: E402
from opencwm.train.testing import copy_documents  # noqa: E402
from opencwm.train.testing import tiny_recipe as recipe  # noqa: E402


def curve(folder: Path) -> list[tuple[int, float]]:
    return [(r["step"], r["loss"]) for r in read_metrics(folder / METRICS_NAME) if r["kind"] == "train"]


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_stopping_and_resuming_gives_the_same_curve(tmp_path: Path, name: Any) -> None:
    config = recipe(
        optimizer=OptimizerConfig(name=name, learning_rate=3e-3, ema_decay=0.9),
        log_interval_steps=5,
        eval_interval_steps=7,
    )
    documents = copy_documents(40)
    held_out = copy_documents(10, seed=1)
    whole = train(config, tmp_path / "whole", source=MemorySource(documents), held_out=held_out)

    def stop_between_records(fraction: float, record: Any) -> None:
        del fraction
        if record["kind"] == "eval":
            os.kill(os.getpid(), signal.SIGTERM)

    first = train(
        config,
        tmp_path / "cut",
        source=MemorySource(documents),
        held_out=held_out,
        progress=stop_between_records,
    )
    assert first.status == "interrupted"
    assert first.step == 8
    second = train(config, tmp_path / "cut", source=MemorySource(documents), held_out=held_out)
    assert second.status == "finished"
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    assert second.evaluation == whole.evaluation


GOLDEN = [(1, 3.20748), (5, 3.14325), (10, 3.02190), (15, 2.91035), (20, 2.79714)]


def test_the_loss_curve_is_the_golden_one(tmp_path: Path) -> None:
    """A refactoring that changes these numbers changes training."""
    train(recipe(), tmp_path, source=MemorySource(copy_documents(40)))
    assert [step for step, _ in curve(tmp_path)] == [step for step, _ in GOLDEN]
    np.testing.assert_allclose([loss for _, loss in curve(tmp_path)], [loss for _, loss in GOLDEN], rtol=1e-3)


def test_it_learns_to_copy_and_the_run_folder_is_complete(tmp_path: Path) -> None:
    schedule = ScheduleConfig(num_steps=200, warmup_steps=20)
    config = recipe(
        optimizer=OptimizerConfig(name="muon", learning_rate=2e-2),
        batch=BatchConfig(row_tokens=256, max_document_tokens=48, align_tokens=8, lookahead=8),
        schedule=schedule,
        eval_interval_steps=100,
        peak_flops=1e12,
    )
    held_out = copy_documents(30, seed=1)
    result = train(
        config,
        tmp_path,
        source=MemorySource(copy_documents(2000)),
        held_out=held_out,
        class_names={1: "copy"},
    )
    assert result.status == "finished"
    assert result.evaluation["accuracy/copy"] > 0.5  # chance is 0.05
    assert 0 < result.evaluation["exact/copy"] < result.evaluation["accuracy/copy"]
    assert result.evaluation["loss"] == result.evaluation["loss/copy"]
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    kept = {
        "checkpoint/00000001/.metadata",
        "checkpoint/00000001/__0_0.distcp",
        "checkpoint/00000001/state.pt",
    }
    model_files = {"model/config.json", "model/model.safetensors"}
    assert names == {"config.json", "metrics.jsonl", "loss.png"} | kept | model_files
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    resolved = json.loads((tmp_path / "config.json").read_text())
    assert resolved["recipe"]["schedule"]["num_steps"] == 200
    records = read_metrics(tmp_path / METRICS_NAME)
    assert [r["step"] for r in records if r["kind"] == "eval"] == [100, 200]
    logged = [r for r in records if r["kind"] == "train"]
    assert all(r["tokens_per_s"] > 0 and 0 <= r["mfu"] < 1 and r["grad_norm"] > 0 for r in logged)


def test_micro_batches_add_up_to_one_step(tmp_path: Path) -> None:
    documents = copy_documents(60)
    whole = recipe(
        batch=BatchConfig(rows=2, row_tokens=96, max_document_tokens=48, align_tokens=8, lookahead=1)
    )
    split = recipe(
        batch=BatchConfig(
            rows=1, row_tokens=96, max_document_tokens=48, num_micro_batches=2, align_tokens=8, lookahead=1
        )
    )
    for name, config in (("whole", whole), ("split", split)):
        train(config, tmp_path / name, source=MemorySource(documents))
    losses = [[loss for _, loss in curve(tmp_path / name)] for name in ("whole", "split")]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_a_time_budget_ends_the_run_and_the_rate_decays(tmp_path: Path) -> None:
    schedule = ScheduleConfig(time_budget_s=2.0, warmup_steps=1, decay_fraction=0.5)
    config = recipe(schedule=schedule, log_interval_steps=1)
    result = train(config, tmp_path, source=MemorySource(copy_documents(40)))
    rates = [r["lr"] for r in read_metrics(tmp_path / METRICS_NAME)]
    assert result.status == "finished"
    assert rates[0] == pytest.approx(3e-3)
    assert rates[-1] < 1.5e-3
    again = train(config, tmp_path, source=MemorySource(copy_documents(40)))
    assert again.step == result.step


def test_the_end_of_the_data_ends_the_run(tmp_path: Path) -> None:
    result = train(recipe(), tmp_path, source=MemorySource(copy_documents(20), num_epochs=1))
    assert result.status == "exhausted"
    assert 0 < result.step < 20


def test_what_cannot_be_trained_is_told(tmp_path: Path) -> None:
    long = [Document(np.arange(60, dtype=np.uint16) % 24, np.ones(60, np.bool_))]
    with pytest.raises(ConfigError, match="no document that fits"):
        train(recipe(), tmp_path / "long", source=MemorySource(long, num_epochs=1))
    big = [Document(np.full(9, 24, np.uint16), np.ones(9, np.bool_))]
    with pytest.raises(ConfigError, match=r"id 24 but .*vocab_size 24"):
        train(recipe(), tmp_path / "big", source=MemorySource(big, num_epochs=1))
    with pytest.raises(ConfigError, match="unknown source ''"):
        train(recipe(), tmp_path / "none")


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    source = MemorySource(copy_documents(20))
    train(recipe(schedule=ScheduleConfig(num_steps=1)), tmp_path, source=source)
    other = dataclasses.replace(recipe().model, hidden_size=64)
    with pytest.raises(ConfigError, match="another model shape"):
        train(recipe(model=other), tmp_path, source=source)
    folder = tmp_path / "checkpoint" / "00000001"
    whole = (folder / "__0_0.distcp").read_bytes()
    (folder / "__0_0.distcp").write_bytes(whole[:100])
    with pytest.raises(ConfigError, match="no readable checkpoint"):
        train(recipe(), tmp_path, source=source)
    (folder / "__0_0.distcp").write_bytes(whole)
    (folder / "state.pt").write_bytes(b"torn")
    with pytest.raises(ConfigError, match="no readable checkpoint"):
        train(recipe(), tmp_path, source=source)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "checkpoint.pt").write_bytes(b"of another version")
    with pytest.raises(ConfigError, match="schema version 1"):
        train(recipe(), tmp_path / "old", source=source)


def test_bfloat16_learns_like_float32(tmp_path: Path) -> None:
    for dtype in ("float32", "bfloat16"):
        train(recipe(dtype=dtype), tmp_path / dtype, source=MemorySource(copy_documents(40)))
    losses = [[loss for _, loss in curve(tmp_path / dtype)] for dtype in ("float32", "bfloat16")]
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-2)


@pytest.mark.parametrize(("capability", "expected"), [("AVX512", "bfloat16"), ("AVX2", "float32")])
def test_the_type_of_activations_is_what_the_processor_is_fast_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capability: str, expected: str
) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    train(
        recipe(dtype="auto", schedule=ScheduleConfig(num_steps=1)),
        tmp_path,
        source=MemorySource(copy_documents(20)),
    )
    assert json.loads((tmp_path / "config.json").read_text())["recipe"]["dtype"] == expected


def test_a_half_written_metrics_line_is_dropped_on_resume(tmp_path: Path) -> None:
    config = recipe(schedule=ScheduleConfig(num_steps=10))
    train(config, tmp_path, source=MemorySource(copy_documents(40)))
    with (tmp_path / METRICS_NAME).open("a") as file:
        file.write('{"kind": "train", "step": 99}\n{"kind": "tr')
    train(config, tmp_path, source=MemorySource(copy_documents(40)))
    assert max(r["step"] for r in read_metrics(tmp_path / METRICS_NAME)) == 10


def test_what_a_checkpoint_cannot_continue_is_told(tmp_path: Path) -> None:
    source = MemorySource(copy_documents(20))
    train(recipe(schedule=ScheduleConfig(num_steps=2)), tmp_path, source=source)
    with pytest.raises(ConfigError, match="another optimizer"):
        train(recipe(optimizer=OptimizerConfig(name="muon")), tmp_path, source=source)
    with pytest.raises(ConfigError, match="compile is for GPUs"):
        train(recipe(compile=True, device="cpu"), tmp_path / "new", source=source)


def test_averaging_can_be_switched_on_later(tmp_path: Path) -> None:
    source = MemorySource(copy_documents(40))
    held_out = copy_documents(10, seed=1)
    first = train(recipe(), tmp_path, source=source, held_out=held_out)
    averaged = OptimizerConfig(learning_rate=1e-6, ema_decay=0.99)
    config = recipe(optimizer=averaged, schedule=ScheduleConfig(num_steps=21))
    second = train(config, tmp_path, source=source, held_out=held_out)
    assert second.evaluation["loss"] == pytest.approx(first.evaluation["loss"], rel=1e-3)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    source = MemorySource(copy_documents(40))
    train(recipe(schedule=ScheduleConfig(num_steps=5)), tmp_path, source=source)
    saved = sorted(path.name for path in (tmp_path / "checkpoint").iterdir())
    wild = OptimizerConfig(learning_rate=1e30, max_grad_norm=0.0)
    with pytest.raises(ConfigError, match="no longer a number"):
        train(recipe(optimizer=wild, schedule=ScheduleConfig(num_steps=30)), tmp_path, source=source)
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == saved == ["00000001"]


def test_a_run_that_does_not_copy_is_given_up(tmp_path: Path) -> None:
    source = copy_documents(40)
    canary = CanaryConfig(after_tokens=1500, token_class=1, min_accuracy=0.9)
    with pytest.raises(ConfigError, match=r"after 1,\d+ tokens \d+\.\d% of the \d+ targets of class 1"):
        train(recipe(canary=canary), tmp_path / "wrong", source=MemorySource(source))
    for passing in (
        dataclasses.replace(canary, min_accuracy=0.0),
        dataclasses.replace(canary, token_class=5),  # no such targets
        dataclasses.replace(canary, after_tokens=10**9),
    ):
        out = tmp_path / f"{passing.token_class}-{passing.after_tokens}-{passing.min_accuracy}"
        assert train(recipe(canary=passing), out, source=MemorySource(source)).status == "finished"


def test_a_canary_counts_on_where_a_run_was_stopped() -> None:
    config = CanaryConfig(after_tokens=100, token_class=1, min_accuracy=0.6)
    right = torch.tensor([True, True, False, False])
    first = Canary(config, torch.device("cpu"))
    first.count(80, right, torch.ones(4))  # too early
    first.count(95, right, torch.tensor([1, 1, 1, 0]))
    second = Canary(config, torch.device("cpu"))
    second.restore(first.state())
    second.check(99)
    second.count(99, right, torch.tensor([1, 0, 0, 0]))
    second.check(100)  # 3 of 4
    assert second.state() == {"right": 3, "total": 4, "is_over": True}
    first.count(99, right, torch.tensor([0, 0, 1, 1]))
    with pytest.raises(ConfigError, match=r"40\.0% of the 5 targets"):
        first.check(100)
