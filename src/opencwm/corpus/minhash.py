"""Near-duplicates among many texts, by MinHash and locality-sensitive hashing. numpy alone.

The idea: a *signature* of 128 minima over hashed five-token pieces; two signatures agree in about as many
places as the sets of pieces overlap (Jaccard). Signatures that agree in all 8 places of one of 16 bands are
candidates and are compared in full; at an overlap of 0.85 a pair is missed once in 170 times.

Written here, not taken from ``datasketch``: that needs scipy (35 MB for a build that needs nothing else of
it), and hashes one text at a time.

Source: Broder, "On the resemblance and containment of documents" (1997); Leskovec, Rajaraman, Ullman,
"Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

NUM_HASHES: Final = 128
NUM_BANDS: Final = 16
PIECE_TOKENS: Final = 5
MAX_EARLIER: Final = 256
"""Of equally hashed signatures each is compared with this many, the earliest ones: a bound on the work."""

_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)
_rng: Final = np.random.Generator(np.random.PCG64(20261126))
_FACTORS: Final = _rng.integers(0, 2**63, NUM_HASHES, np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS: Final = _rng.integers(0, 2**63, NUM_HASHES, np.uint64)


def piece_hashes(tokens: Sequence[str], length: int) -> NDArray[np.uint64]:
    """Return the distinct hashes of all runs of ``length`` tokens, sorted; of the whole if it is shorter."""
    if not tokens:
        return np.zeros(0, np.uint64)
    single = np.array([zlib.crc32(token.encode("utf-8", "surrogatepass")) for token in tokens], np.uint64)
    length = min(length, len(single))
    count = len(single) - length + 1
    hashes = np.zeros(count, np.uint64)
    for offset in range(length):
        hashes = (hashes ^ single[offset : offset + count]) * _PRIME
        hashes ^= hashes >> np.uint64(29)
    return np.unique(hashes)


def signature(tokens: Sequence[str]) -> NDArray[np.uint32]:
    """Return the signature of a text given as tokens: 128 minima."""
    pieces = piece_hashes(tokens, PIECE_TOKENS)
    if not len(pieces):
        return np.full(NUM_HASHES, 2**32 - 1, np.uint32)
    mixed = pieces[:, None] * _FACTORS + _OFFSETS
    minima: NDArray[np.uint32] = (mixed >> np.uint64(32)).min(axis=0).astype(np.uint32)
    return minima


def similar_pairs(signatures: NDArray[np.uint32], threshold: float) -> NDArray[np.int64]:
    """Return the pairs of rows whose signatures agree in at least ``threshold`` of their places.

    One band is in memory at a time: 24 bytes a row beside the signatures.

    Args:
        signatures: shape (rows, 128).
        threshold: 0 to 1.

    Returns:
        Shape (pairs, 2), each as (later, earlier), sorted, without repetition.
    """
    rows_per_band = NUM_HASHES // NUM_BANDS
    found = []
    for band in range(NUM_BANDS):
        keys = np.zeros(len(signatures), np.uint64)
        for place in range(band * rows_per_band, (band + 1) * rows_per_band):
            keys = (keys ^ signatures[:, place].astype(np.uint64)) * _PRIME
            keys ^= keys >> np.uint64(29)
        found.extend(_equal_pairs(keys, signatures, threshold))
    if not found:
        return np.zeros((0, 2), np.int64)
    return np.unique(np.concatenate(found), axis=0)


def _equal_pairs(
    keys: NDArray[np.uint64], signatures: NDArray[np.uint32], threshold: float
) -> list[NDArray[np.int64]]:
    """Return the similar pairs within runs of equal keys."""
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    starts, stops = np.r_[0, edges], np.r_[edges, len(order)]
    found = []
    for start, stop in zip(*_longer_than_one(starts, stops), strict=True):
        members = order[start:stop]
        for place in range(1, len(members)):
            earlier = members[: min(place, MAX_EARLIER)]
            agreeing = (signatures[earlier] == signatures[members[place]]).mean(axis=1)
            similar = earlier[agreeing >= threshold]
            if len(similar):
                found.append(np.stack([np.full(len(similar), members[place]), similar], axis=1))
    return found


def _longer_than_one(
    starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    chosen = stops - starts > 1
    return starts[chosen], stops[chosen]
