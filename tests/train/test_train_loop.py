from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opencwm.model.config import ModelConfig
from opencwm.train.config import BatchConfig, OptimizerConfig, ScheduleConfig, TrainConfig
from opencwm.train.data import Document, MemorySource

torch = pytest.importorskip("torch")

from opencwm.train.loop import train  # noqa: E402 - needs torch
from opencwm.train.metrics import METRICS_NAME, read_metrics  # noqa: E402


def copy_documents(count: int, seed: int = 0) -> list[Document]:
    """Random strings and their copies; the copy is what is predicted."""
    rng = np.random.default_rng(seed)
    documents = []
    for _ in range(count):
        text = rng.integers(3, 24, size=rng.integers(3, 9))
        ids = np.concatenate([[1], text, [2], text]).astype(np.uint16)
        mask = np.arange(len(ids)) > len(text) + 1
        documents.append(Document(ids, mask, np.where(mask, 1, 0).astype(np.uint8)))
    return documents


def recipe(**changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {
        "model": ModelConfig(
            vocab_size=24,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            sliding_window=8,
            max_position_embeddings=64,
        ),
        "batch": BatchConfig(row_tokens=192, max_document_tokens=48, align_tokens=8, lookahead=8),
        "optimizer": OptimizerConfig(learning_rate=3e-3),
        "schedule": ScheduleConfig(num_steps=20, warmup_steps=4),
        "log_interval_steps": 5,
        "dtype": "float32",
    }
    return TrainConfig(**{**settings, **changes})


def curve(folder: Path) -> list[tuple[int, float]]:
    return [(r["step"], r["loss"]) for r in read_metrics(folder / METRICS_NAME) if r["kind"] == "train"]


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_stopping_and_resuming_gives_the_same_curve(tmp_path: Path, name: Any) -> None:
    config = recipe(
        optimizer=OptimizerConfig(name=name, learning_rate=3e-3, ema_decay=0.9), log_interval_steps=3
    )
    documents = copy_documents(40)
    held_out = copy_documents(10, seed=1)
    whole = train(config, tmp_path / "whole", source=MemorySource(documents), held_out=held_out)

    def stop_at_eight(fraction: float, record: Any) -> None:
        del fraction
        if record["step"] == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    first = train(
        config, tmp_path / "cut", source=MemorySource(documents), held_out=held_out, progress=stop_at_eight
    )
    assert first.status == "interrupted"
    assert first.step == 6
    second = train(config, tmp_path / "cut", source=MemorySource(documents), held_out=held_out)
    assert second.status == "finished"
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    assert second.evaluation == whole.evaluation
