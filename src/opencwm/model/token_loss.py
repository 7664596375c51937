"""The loss of every target, without holding the logits of all of them.

The idea: logits are what a model with a large vocabulary needs most memory for, and a loss is one number a
position. So positions are taken a chunk at a time, and each chunk's logits are computed again for the
backward pass.

Shape suffixes: P positions that carry loss, C channels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


def token_losses(
    head: Callable[[Tensor], Tensor], hidden_PC: Tensor, targets_P: Tensor, chunk: int = 0
) -> tuple[Tensor, Tensor]:
    """Return the loss of each target in nats, (P,) in fp32, and whether it is the most likely token, (P,).

    Args:
        head: hidden states to logits.
        hidden_PC: hidden states at the positions before the targets.
        targets_P: token ids.
        chunk: how many positions at a time; 0 for all, whose logits are then kept.
    """
    if not chunk or len(targets_P) <= chunk:
        return _losses(head, hidden_PC, targets_P)
    parts = [
        checkpoint(_losses, head, hidden, targets, use_reentrant=False)
        for hidden, targets in zip(torch.split(hidden_PC, chunk), torch.split(targets_P, chunk), strict=True)
    ]
    losses, rights = zip(*parts, strict=True)
    return torch.cat(losses), torch.cat(rights)


def _losses(head: Callable[[Tensor], Tensor], hidden_PC: Tensor, targets_P: Tensor) -> tuple[Tensor, Tensor]:
    logits_PV = head(hidden_PC).float()
    loss_P = functional.cross_entropy(logits_PV, targets_P, reduction="none")
    return loss_P, logits_PV.detach().argmax(-1) == targets_P
