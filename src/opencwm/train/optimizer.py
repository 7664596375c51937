"""Optimizers, learning-rate schedules and averaged weights.

The idea: everything that depends on time is a pure function of *progress*, the used fraction of either a
number of steps or a time budget, so the same recipe can say "2,000 steps" or "95 minutes".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from opencwm.train.config import OptimizerConfig, ScheduleConfig
from opencwm.train.muon import Muon


def rate_factor(config: ScheduleConfig, *, step: int, progress: float) -> float:
    """Return the learning rate as a fraction of the peak.

    Args:
        config: the schedule.
        step: optimizer steps done.
        progress: used fraction of the run, 0 to 1.
    """
    progress = min(max(progress, 0.0), 1.0)
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.name == "cosine":
        shape = 0.5 * (1.0 + math.cos(math.pi * progress))
    else:
        left = 1.0 - progress
        shape = min(1.0, left / config.decay_fraction) if config.decay_fraction else 1.0
    return warmup * (config.final_ratio + (1.0 - config.final_ratio) * shape)


class Optimizer:
    """One or two torch optimizers behind one set of calls.

    ``peak`` is the learning rate at factor 1, ``rate`` that of the last step.
    """

    def __init__(self, model: nn.Module, config: OptimizerConfig) -> None:
        self.peak = self.rate = config.learning_rate
        self._config = config
        matrices, embeddings, gains = [], [], []
        for name, parameter in model.named_parameters():
            if parameter.ndim != 2:
                gains.append(parameter)
            elif "embed_tokens" in name or "lm_head" in name:
                embeddings.append(parameter)
            else:
                matrices.append(parameter)
        use_muon = config.name == "muon"
        groups: list[dict[str, Any]] = [
            {
                "params": embeddings if use_muon else embeddings + matrices,
                "weight_decay": config.weight_decay,
            },
            {"params": gains, "weight_decay": 0.0},
        ]
        betas = (config.beta1, config.beta2)
        fused = all(group["params"] for group in groups)
        self._parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=self.peak, betas=betas, eps=1e-8, fused=fused)
        ]
        if use_muon:
            self._parts.append(
                Muon(
                    matrices,
                    lr=self.peak,
                    momentum=config.muon_momentum,
                    weight_decay=config.weight_decay,
                )
            )
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def step(self, factor: float) -> Tensor:
        """Clip, update at ``factor`` of the peak rate, clear gradients; return the norm before clipping."""
        limit = self._config.max_grad_norm or float("inf")
        norm = nn.utils.clip_grad_norm_(self._parameters, limit)
        self.rate = self.peak * factor
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = self.rate
            part.step()
            part.zero_grad(set_to_none=True)
        return norm

    def state(self) -> list[dict[str, Any]]:
        """Return what :meth:`restore` needs."""
        return [part.state_dict() for part in self._parts]

    def restore(self, state: Sequence[dict[str, Any]]) -> None:
        """Continue from ``state``."""
        for part, part_state in zip(self._parts, state, strict=True):
            part.load_state_dict(part_state)


class AveragedWeights:
    """An exponential moving average of the weights, young averages forgetting faster."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._steps = 0
        self._live = list(model.parameters())
        self._mean = [parameter.detach().clone() for parameter in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the current weights."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        torch._foreach_lerp_(self._mean, [parameter.detach() for parameter in self._live], 1.0 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange live and averaged weights; call it twice to evaluate the average and go on."""
        for live, mean in zip(self._live, self._mean, strict=True):
            kept = live.detach().clone()
            live.copy_(mean)
            mean.copy_(kept)

    def state(self) -> dict[str, Any]:
        """Return what :meth:`restore` needs."""
        return {"steps": self._steps, "mean": self._mean}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from ``state``."""
        self._steps = int(state["steps"])
        for mine, saved in zip(self._mean, state["mean"], strict=True):
            mine.copy_(saved)
