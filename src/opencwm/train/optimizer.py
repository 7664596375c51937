"""Optimizers, learning-rate schedules and averaged weights.

The idea: everything that depends on time is a pure function of *progress*, the used fraction of either a
number of steps or a time budget, so the same recipe can say "2,000 steps" or "95 minutes".
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from opencwm.train.config import OptimizerConfig, ScheduleConfig
from opencwm.train.muon import Muon
from opencwm.train.sharding import local, take_apart, whole


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

    ``peak`` is the learning rate at factor 1, ``rate`` that of the last step; ``dtype`` is for
    :class:`~opencwm.train.muon.Muon`.
    """

    def __init__(self, model: nn.Module, config: OptimizerConfig, dtype: torch.dtype = torch.float32) -> None:
        self.peak = self.rate = config.learning_rate
        self._config = config
        matrices, embeddings, gains = [], [], []
        self._named = {
            name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
        }
        for name, parameter in self._named.items():
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
        groups = [group for group in groups if group["params"]]
        betas = (config.beta1, config.beta2)
        self._parts: list[torch.optim.Optimizer] = []
        if groups:
            self._parts.append(torch.optim.AdamW(groups, lr=self.peak, betas=betas, eps=1e-8, fused=True))
        if use_muon:
            self._parts.append(
                Muon(
                    matrices,
                    lr=self.peak,
                    momentum=config.muon_momentum,
                    weight_decay=config.weight_decay,
                    dtype=dtype,
                )
            )

    def step(self, factor: float) -> Tensor:
        """Clip, update at ``factor`` of the peak rate, clear gradients; return the norm before clipping."""
        limit = self._config.max_grad_norm or float("inf")
        norm = whole(nn.utils.clip_grad_norm_(self._named.values(), limit))
        self._update(self.peak * factor)
        return norm

    def _update(self, rate: float) -> None:
        self.rate = rate
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
            part.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state's live tensors by parameter and role, to be saved or to be overwritten.

        Before the first step there are none; a step at rate 0 then makes them, and moves no weight.
        """
        if not any(part.state for part in self._parts):
            for parameter in self._named.values():
                parameter.grad = torch.zeros_like(parameter)
            self._update(0.0)
        return {
            f"{name}.{role}": tensor
            for name, parameter in self._named.items()
            for part in self._parts
            for role, tensor in part.state.get(parameter, {}).items()
        }


class AveragedWeights:
    """An exponential moving average of the trained weights, young averages forgetting faster.

    ``steps`` is how many have been taken in.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay, self._model = decay, model
        self.steps = 0
        named = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self._means = {name: parameter.detach().clone() for name, parameter in named.items()}
        self._live = [local(parameter.detach()) for parameter in named.values()]
        self._mean = [local(mean) for mean in self._means.values()]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the current weights."""
        self.steps += 1
        decay = min(self._decay, self.steps / (self.steps + 10))
        torch._foreach_lerp_(self._mean, self._live, 1.0 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange live and averaged weights; call it twice to evaluate the average and go on."""
        for live, mean in zip(self._live, self._mean, strict=True):
            kept = live.clone()
            live.copy_(mean)
            mean.copy_(kept)
        take_apart(self._model)

    def tensors(self) -> dict[str, Tensor]:
        """Return the live averages by parameter, to be saved or to be overwritten."""
        return self._means
