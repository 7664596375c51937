"""Public fakes: a start of a few thousand weights, and an environment that it can master in a few steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from opencwm.model.config import ModelConfig
from opencwm.model.folder import CONFIG_NAME, SAFETENSORS_NAME
from opencwm.model.testing import random_weights, tiny_config
from opencwm.rl.environment import Reward
from opencwm.rl.predict_output import PredictOutput
from opencwm.rl.trace_question import TraceQuestion


class EvenIds(PredictOutput):
    """An answer earns 1 when its first id is even: half of what random weights write."""

    name: ClassVar[str] = "even-ids"
    has_one_answer: ClassVar[bool] = False

    def grade_ids(self, question: TraceQuestion, ids: Sequence[int]) -> Reward:  # noqa: ARG002 - the interface
        """Return 1 for an even first id."""
        return Reward(0, "odd") if ids[0] % 2 else Reward(1)

    def gold_ids(self, question: TraceQuestion) -> list[int]:  # noqa: ARG002 - the interface
        """Return an even id."""
        return [0]


class Unlearnable(EvenIds):
    """Every answer earns nothing, so no group has a gradient."""

    name: ClassVar[str] = "unlearnable"

    def grade_ids(self, question: TraceQuestion, ids: Sequence[int]) -> Reward:  # noqa: ARG002 - the interface
        """Return 0."""
        return Reward(0, "nothing is right")


def tiny_start(folder: Path, *, seed: int = 0) -> ModelConfig:
    """Write ``config.json`` and ``model.safetensors`` of random weights for the ``native`` vocabulary."""
    from safetensors.numpy import save_file

    config = tiny_config(vocab_size=1000, max_position_embeddings=1024, sliding_window=64)
    weights = random_weights(config, seed=seed, std=0.05)
    folder.mkdir(parents=True, exist_ok=True)
    untied = {
        name: np.ascontiguousarray(weight) for name, weight in weights.items() if name != "lm_head.weight"
    }
    save_file(untied, folder / SAFETENSORS_NAME)
    config.save(folder / CONFIG_NAME)
    return config
