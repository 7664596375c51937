"""Seeds derived from names: every part of a run has its own stream, whatever the order of work.

``derive_seed(7, "shard", 12)`` is a pure function of its arguments: the same on every platform, Python
version and ``PYTHONHASHSEED``. It is no source of secrets.
"""

from __future__ import annotations

import hashlib
import json
import random

SeedPart = int | str


def derive_seed(*parts: SeedPart) -> int:
    """Return an integer in [0, 2**64) that depends on every part, its type and its position."""
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:8], "big")


def derive_rng(*parts: SeedPart) -> random.Random:
    """Return a generator seeded with :func:`derive_seed` of the parts."""
    return random.Random(derive_seed(*parts))  # noqa: S311 - reproducible sampling, not secrets
