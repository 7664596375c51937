"""How weights are stored: as they were trained, at half the size, or in blocks of small integers.

The idea: a :class:`WeightFormat` is what a person names (``int8``, ``int4:64``) and what every exporter
takes, so that one word means one thing in ``opencwm export``, ``opencwm quantize`` and ``opencwm eval
quantization``. Blocks are rounded to nearest with a scale for each, without calibration data: nothing of a
test set can leak into the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import ConfigError

Weights = Literal["fp32", "bf16", "int8", "int4"]
FloatArray = NDArray[np.float32]

BLOCK_SIZE: Final = 32
BLOCK_SIZES: Final = (16, 32, 64, 128, 256)
"""What onnxruntime's product of quantized blocks takes."""

_BITS: Final = {"int8": 8, "int4": 4}


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """How the weights of a model are stored.

    Attributes:
        precision: of one weight.
        block_size: inputs that share a scale, for int8 and int4; without a meaning for the others.

    Raises:
        ConfigError: no such precision or block size.
    """

    precision: Weights = "int8"
    block_size: int = BLOCK_SIZE

    def __post_init__(self) -> None:
        if self.precision not in get_args(Weights):
            raise ConfigError(
                f"no such precision: {self.precision!r}", hint=f"one of {', '.join(get_args(Weights))}"
            )
        if self.block_size not in BLOCK_SIZES:
            sizes = ", ".join(str(size) for size in BLOCK_SIZES)
            raise ConfigError(f"no such block size: {self.block_size}", hint=f"one of {sizes}")

    @classmethod
    def parse(cls, text: str) -> WeightFormat:
        """Read ``fp32``, ``int8`` or, with a block size, ``int8:128``.

        Raises:
            ConfigError: it is none.
        """
        precision, colon, size = text.strip().partition(":")
        if colon and not (precision in _BITS and size.isascii() and size.isdigit()):
            raise ConfigError(f"no such precision: {text!r}", hint="for example int8, int8:128 or bf16")
        return cls(cast("Weights", precision), int(size) if colon else BLOCK_SIZE)

    def __str__(self) -> str:
        return f"{self.precision}:{self.block_size}" if self._has_odd_blocks else self.precision

    @property
    def _has_odd_blocks(self) -> bool:
        return self.bits is not None and self.block_size != BLOCK_SIZE

    @property
    def bits(self) -> int | None:
        """Bits of a quantized weight; None where weights are not quantized."""
        return _BITS.get(self.precision)


def quantize_blocks(
    weight: FloatArray, block_size: int = BLOCK_SIZE, *, bits: int = 8
) -> tuple[NDArray[np.uint8], FloatArray]:
    """Quantize rows to integers, symmetric, one scale per block of ``block_size`` inputs.

    With 8 bits the largest weight of a block becomes plus or minus 127. With 4 bits it becomes -8, whatever
    its sign, because of sixteen values none may be wasted.

    Args:
        weight: (out, in); ``in`` is padded with zeros to whole blocks.
        block_size: inputs that share a scale.
        bits: 8 or 4.

    Returns:
        Codes of shape (out, blocks, block_size), where 128 (8 bits) or 8 (4 bits) stands for 0, and scales of
        shape (out, blocks).
    """
    padding = -weight.shape[1] % block_size
    blocks = np.pad(weight, ((0, 0), (0, padding))).reshape(weight.shape[0], -1, block_size)
    if bits == 8:
        scales = (np.abs(blocks).max(axis=-1) / 127.0).astype(np.float32)
    else:
        largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., None], axis=-1)[..., 0]
        scales = (largest / -8.0).astype(np.float32)
    safe = np.where(scales == 0, 1.0, scales)[..., None]
    zero = 1 << (bits - 1)
    codes = np.rint(blocks / safe).astype(np.int16) + zero
    return codes.clip(0, 2 * zero - 1).astype(np.uint8), scales


def pack_nibbles(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put two 4-bit codes into a byte, the first of two in its lower half: (..., n) -> (..., n / 2)."""
    return (codes[..., 0::2] | (codes[..., 1::2] << 4)).astype(np.uint8)
