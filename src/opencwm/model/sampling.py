"""How one token is picked from a distribution: greedily, or drawn from its most probable part."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How a token is picked.

    Attributes:
        temperature: 0 is greedy; otherwise logits are divided by it.
        top_p: smallest probability mass that is kept, in (0, 1].
        seed: of the random generator, used when the temperature is above 0.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


def log_probabilities(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the logarithms of the softmax of ``logits``, shape (V,)."""
    shifted = logits.astype(np.float64) - float(logits.max())
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result


def pick(probabilities: NDArray[np.float64], config: SamplingConfig, rng: np.random.Generator) -> int:
    """Return the id picked from ``probabilities``, shape (V,), which sum to 1; ``rng`` is for draws."""
    if config.temperature <= 0:
        return int(probabilities.argmax())
    weights = probabilities ** (1.0 / config.temperature)
    weights /= weights.sum()
    order = np.argsort(-weights, kind="stable")
    kept = order[: int(np.searchsorted(np.cumsum(weights[order]), config.top_p)) + 1]
    return int(rng.choice(kept, p=weights[kept] / weights[kept].sum()))
