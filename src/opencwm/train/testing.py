"""For tests: a tiny recipe with data to copy, and several ranks without ``torchrun``'s start-up.

A server process imports torch once; ranks are forked from it and joined through gloo, as ``torchrun`` would
join them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from opencwm.model.config import ModelConfig
from opencwm.train.config import BatchConfig, OptimizerConfig, ScheduleConfig, TrainConfig
from opencwm.train.data import Document

_PRELOADED = ["opencwm.train.loop", "torch._dynamo", "matplotlib.figure", "matplotlib.backends.backend_agg"]

TIMEOUT_S = 120.0
"""How long ranks may take."""


def copy_documents(count: int, seed: int = 0) -> list[Document]:
    """Return random strings and their copies; the copy is what is predicted."""
    rng = np.random.default_rng(seed)
    documents = []
    for _ in range(count):
        text = rng.integers(3, 24, size=rng.integers(3, 9))
        ids = np.concatenate([[1], text, [2], text]).astype(np.uint16)
        mask = np.arange(len(ids)) > len(text) + 1
        documents.append(Document(ids, mask, np.where(mask, 1, 0).astype(np.uint8)))
    return documents


def tiny_recipe(**changes: Any) -> TrainConfig:
    """Return a recipe of seconds for :func:`copy_documents`, with some keys replaced."""
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


def run_ranks(
    world: int, function: Callable[..., None], *arguments: Any, exit_codes: Sequence[int] = ()
) -> None:
    """Call a module's ``function`` in ``world`` processes at once, with what ``torchrun`` tells them.

    Raises:
        AssertionError: their exit codes are others than ``exit_codes``, all 0 when none are given, or they
            took too long.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_PRELOADED, function.__module__])
    port = free_port()
    processes = [
        context.Process(target=_as_rank, args=(rank, world, port, function, arguments), daemon=True)
        for rank in range(world)
    ]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join(TIMEOUT_S)
        codes = [process.exitcode for process in processes]
        if codes != list(exit_codes or [0] * world):
            raise AssertionError(f"exit codes of the ranks: {codes}")
    finally:
        for process in processes:
            with contextlib.suppress(ValueError):
                process.kill()


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _as_rank(
    rank: int, world: int, port: int, function: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(world),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    function(*arguments)
