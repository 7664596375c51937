"""Muon: momentum whose update is made orthogonal, for the matrices inside the layers.

The one idea beyond ``torch.optim.Muon``: matrices of one shape are orthogonalised together, as one batched
product. A model of eight layers has three or four shapes and fifty matrices; one after another they cost a
GPU more in launches than in arithmetic. The arithmetic is the same, and the test holds the two equal.

Of matrices that are sharded by rows, each rank gets its part of them whole, orthogonalises those, and sends
every rank its rows of the result: two exchanges a shape, and no matrix is orthogonalised twice.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks"; the scale of the update
after Liu et al., arXiv 2502.16982 (its root mean square is .2, as AdamW's is about).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn import functional

from opencwm.train.sharding import local

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_NUM_ITERATIONS = 5
_UPDATE_RMS = 0.2


def orthogonalize(matrices_MRC: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return M matrices (R, C) with their singular values pushed towards 1.

    Computed in ``dtype``, on a GPU in bfloat16: there all at once, on a CPU in bfloat16 one after the
    other, as its batched product of that type is a hundred times slower.
    """
    x: Tensor = matrices_MRC.to(torch.bfloat16 if matrices_MRC.is_cuda else dtype)
    is_tall = x.shape[-2] > x.shape[-1]
    if is_tall:
        x = x.mT
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    if x.dtype == torch.bfloat16 and not x.is_cuda:
        x = torch.stack([_iterate(matrix) for matrix in x.contiguous()])
    else:
        x = _iterate(x)
    out: Tensor = x.mT if is_tall else x
    return out


def _iterate(x: Tensor) -> Tensor:
    a, b, c = _COEFFICIENTS
    for _ in range(_NUM_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def _orthogonalize_sharded(
    share_MSC: Tensor, num_rows: int, group: dist.ProcessGroup, dtype: torch.dtype
) -> Tensor:
    """Return this rank's S rows of M orthogonalised matrices, given its rows of them.

    Rows are dealt out as FSDP2 does it: ceil(R / W) to each of W ranks, fewer or none to the last ones.
    """
    world, (count, rows, columns) = group.size(), share_MSC.shape
    most, each = -(-num_rows // world), -(-count // world)
    sent = functional.pad(share_MSC, (0, 0, 0, most - rows, 0, each * world - count))
    mine = _exchange(sent.view(world, each, most, columns), group)
    matrices = mine.transpose(0, 1).reshape(each, world * most, columns)[:, :num_rows]
    done = functional.pad(
        orthogonalize(matrices, dtype).to(share_MSC.dtype), (0, 0, 0, world * most - num_rows)
    )
    back = _exchange(done.view(each, world, most, columns).transpose(0, 1), group)
    return back.reshape(world * each, most, columns)[:count, :rows]


def _exchange(parts_W: Tensor, group: dist.ProcessGroup) -> Tensor:
    """Send the i-th part to rank i; return what came, by sender."""
    received = torch.empty_like(parts_W, memory_format=torch.contiguous_format)
    dist.all_to_all_single(received, parts_W.contiguous(), group=group)
    return received


class Muon(torch.optim.Optimizer):
    """Muon over two-dimensional parameters.

    Args:
        parameters: matrices.
        lr: learning rate, on AdamW's scale.
        momentum: of the running mean of gradients, with Nesterov's look ahead.
        weight_decay: decoupled, times the learning rate.
        dtype: what updates are made orthogonal in; see :func:`orthogonalize`.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._dtype = dtype
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            if any(parameter.ndim != 2 for parameter in group["params"]):
                raise ValueError("Muon is for matrices")

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for shape, parameters in by_shape.items():
                self._update(parameters, shape, group)
        return None

    def _update(self, parameters: list[Tensor], shape: torch.Size, group: dict[str, Any]) -> None:
        grads = [local(parameter.grad) for parameter in parameters if parameter.grad is not None]
        means = [local(self._mean(parameter)) for parameter in parameters]
        torch._foreach_lerp_(means, grads, 1.0 - group["momentum"])
        ahead = torch.stack(list(torch._foreach_lerp(grads, means, group["momentum"])))
        first = parameters[0]
        if isinstance(first, DTensor):
            updates = _orthogonalize_sharded(
                ahead, first.shape[0], first.device_mesh.get_group(), self._dtype
            )
        else:
            updates = orthogonalize(ahead, self._dtype)
        rate, shares = group["lr"], [local(parameter) for parameter in parameters]
        torch._foreach_mul_(shares, 1.0 - rate * group["weight_decay"])
        scale = _UPDATE_RMS * max(shape) ** 0.5
        torch._foreach_add_(shares, list(updates.to(shares[0].dtype)), alpha=-rate * scale)

    def _mean(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        mean: Tensor = state["momentum_buffer"]
        return mean
