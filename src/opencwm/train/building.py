"""The model of a recipe, ready to be trained: built, its activations checkpointed, compiled, sharded.

The idea: the loop knows one interface, that of :meth:`opencwm.model.torch_decoder.Decoder.forward`; behind it
stands our own decoder with random weights, or a model that transformers makes of a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from opencwm.core.errors import ConfigError
from opencwm.model.start import start_weights
from opencwm.model.torch_decoder import Decoder
from opencwm.train import checkpoint as checkpoints
from opencwm.train.config import InitConfig, TrainConfig
from opencwm.train.ranks import Ranks
from opencwm.train.sharding import checkpoint_activations, shard

if TYPE_CHECKING:
    from opencwm.train.pretrained import PretrainedDecoder


def build_model(config: TrainConfig, device: torch.device, ranks: Ranks) -> nn.Module:
    """Return the model on ``device``, this rank's share of it.

    Every rank draws the same random weights. ``config.dtype`` must be resolved.

    Raises:
        ConfigError: what the recipe asks for cannot be had, see the modules for each.
    """
    torch.manual_seed(config.seed)
    dtype: torch.dtype = getattr(torch, config.dtype)
    if config.compile and device.type == "cpu":
        raise ConfigError("compile is for GPUs: on a CPU every batch would compile anew", where="recipe")
    if config.init.from_:
        from opencwm.train.pretrained import PretrainedDecoder

        pretrained = PretrainedDecoder(config, device, dtype)
        _prepare(pretrained, pretrained.layers, config, device, dtype, ranks)
        pretrained.load(ranks)
        return pretrained
    decoder = Decoder(config.model, compute_dtype=dtype)
    if config.init.weights:
        _fill(decoder, config.init)
    decoder = decoder.to(device)
    _prepare(decoder, decoder.model.layers, config, device, dtype, ranks)
    return decoder


def _fill(decoder: Decoder, init: InitConfig) -> None:
    """Take over the weights of a model; the rows of ids that it does not know stay as they are.

    Raises:
        ConfigError: there is none, or one of another shape.
        EngineError: it is broken.
    """
    _, given = start_weights(init.folder)
    for name, weight in decoder.named_parameters():  # tied ones once
        other = given.get(name)
        may_grow = name in ("model.embed_tokens.weight", "lm_head.weight")
        fits = other is not None and (
            other.shape == weight.shape
            or (may_grow and len(other) <= len(weight) and other.shape[1:] == weight.shape[1:])
        )
        if other is None or not fits:
            raise ConfigError(f"its {name} does not fit [model]", where=init.weights)
        with torch.no_grad():
            weight[: len(other)].copy_(torch.from_numpy(other))


def _prepare(
    model: nn.Module,
    layers: nn.ModuleList,
    config: TrainConfig,
    device: torch.device,
    dtype: torch.dtype,
    ranks: Ranks,
) -> None:
    if config.parallel.checkpoint_activations:
        checkpoint_activations(layers)
    if config.compile:
        for layer in layers:
            layer.compile()
    shard(model, layers, ranks, device, dtype, config.parallel)


def trained(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights that are trained, by name, tied ones once."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def export_weights(out: Path, model: nn.Module, ranks: Ranks, *, is_last: bool) -> None:
    """Write what others can load into the run's folder; all ranks must."""
    if isinstance(model, Decoder):
        checkpoints.save_model(out / checkpoints.MODEL_FOLDER, model, ranks)
    else:
        cast("PretrainedDecoder", model).save(out, ranks, is_last=is_last)
