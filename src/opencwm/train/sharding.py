"""A model spread over the ranks of a run: PyTorch's FSDP2, and what else makes a large model fit.

The idea: every rank keeps an equal share of the rows of each weight, of its gradient and of the optimizer's
state; a layer is put together when it is computed and taken apart after it. Gradients are summed, not
averaged: the loss is divided by the targets of the whole batch before. Alone, a model stays as it is.

Source: https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils.checkpoint import checkpoint

from opencwm.train.config import ParallelConfig
from opencwm.train.ranks import Ranks


def checkpoint_activations(layers: Iterable[nn.Module]) -> None:
    """Have each layer keep its input alone for the backward pass, and compute itself again there."""
    for layer in layers:
        layer.forward = functools.partial(checkpoint, layer.forward, use_reentrant=False)


def shard(
    model: nn.Module,
    layers: Iterable[nn.Module],
    ranks: Ranks,
    device: torch.device,
    dtype: torch.dtype,
    config: ParallelConfig,
) -> None:
    """Spread ``model`` over the ranks, in place: each layer is put together alone, the rest at once.

    Weights are sent, and computed with, in ``dtype``; gradients are added up in fp32.
    """
    if ranks.world == 1:
        return
    mesh = init_device_mesh(device.type, (ranks.world,))
    precision = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for layer in layers:
        fully_shard(layer, mesh=mesh, mp_policy=precision, reshard_after_forward=config.reshard)
    fully_shard(model, mesh=mesh, mp_policy=precision)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def materialize(model: nn.Module, device: torch.device) -> None:
    """Give weights that are on the meta device memory, not content; tied ones stay tied. Buffers move along.

    (``Module.to_empty`` unties weights and empties buffers.)
    """
    made: dict[nn.Parameter, nn.Parameter] = {}
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if weight not in made:
                empty = torch.empty_like(weight, device=device)
                made[weight] = nn.Parameter(empty, requires_grad=weight.requires_grad)
            setattr(module, name, made[weight])
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.to(device))
    # This tells FSDP2 that its shares are others now.
    model._apply(lambda tensor: tensor)  # type: ignore[no-untyped-call]


def take_apart(model: nn.Module) -> None:
    """Have the next forward pass put layers together anew, their shares having been written to."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def local(tensor: Tensor) -> Tensor:
    """Return this rank's share, which shares memory with ``tensor``; all of it when it is not sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """Return the tensor put together from all ranks, each of which must ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def fill(tensor: Tensor, content: Tensor) -> None:
    """Copy into ``tensor``, sharded or not, its share of ``content``, which every rank holds whole."""
    with torch.no_grad():
        if isinstance(tensor, DTensor):
            placed = distribute_tensor(content, tensor.device_mesh, tensor.placements, src_data_rank=None)
            tensor.copy_(placed)
        else:
            tensor.copy_(content)


def gather(tensors: Iterable[tuple[str, Tensor]], ranks: Ranks) -> Iterator[tuple[str, Tensor]]:
    """Yield the whole tensors, on the CPU, on the first rank; nothing on the others, which must ask, too."""
    for name, tensor in tensors:
        content = whole(tensor.detach())
        if ranks.is_first:
            yield name, content.cpu()
