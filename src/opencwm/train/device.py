"""What a device computes in."""

from __future__ import annotations

from typing import Literal

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Return whether products in bfloat16 are faster than in fp32: on every GPU, and on CPUs with AVX-512."""
    return device.type == "cuda" or torch.backends.cpu.get_cpu_capability() == "AVX512"


def resolved_dtype(
    name: Literal["auto", "float32", "bfloat16"], device: torch.device
) -> Literal["float32", "bfloat16"]:
    """Return the type of a recipe; ``auto`` is what the device is fast at."""
    if name != "auto":
        return name
    return "bfloat16" if has_bfloat16(device) else "float32"
