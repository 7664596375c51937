"""What a device computes in."""

from __future__ import annotations

from typing import Literal

import torch


def resolved_dtype(
    name: Literal["auto", "float32", "bfloat16"], device: torch.device
) -> Literal["float32", "bfloat16"]:
    """Return the type of a recipe; ``auto`` is what the device is fast at.

    That is bfloat16 on every GPU and on CPUs with AVX-512.
    """
    if name != "auto":
        return name
    is_fast = device.type == "cuda" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    return "bfloat16" if is_fast else "float32"
