"""Stop a run early that does not learn to copy: the canary of a recipe.

The idea: values are copied before anything else can be right, and copying comes abruptly or, with a wrong
shape or rate, never. So the accuracy on targets of one class is counted over the last tenth of the tokens
before a mark, and a run that misses the least accuracy there ends with a reason.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from opencwm.core.errors import ConfigError
from opencwm.train.config import CanaryConfig
from opencwm.train.ranks import ALONE, Ranks

_COUNTED_FROM = 0.9  # of the tokens before the mark


class Canary:
    """Counts right targets of the canary's class, and raises at its mark.

    Args:
        config: of the recipe; with ``after_tokens`` 0 there is no canary.
        device: where targets are.
        ranks: all of which count, each its own rows.
    """

    def __init__(self, config: CanaryConfig, device: torch.device, ranks: Ranks = ALONE) -> None:
        self._config, self._ranks = config, ranks
        self._right = torch.zeros((), dtype=torch.int64, device=device)
        self._total = torch.zeros((), dtype=torch.int64, device=device)
        self._is_over = not config.after_tokens

    def count(self, num_tokens: int, right_P: Tensor, classes_P: Tensor) -> None:
        """Take in which targets of a batch that begins after ``num_tokens`` tokens of the run were right."""
        if self._is_over or num_tokens < _COUNTED_FROM * self._config.after_tokens:
            return
        chosen = classes_P == self._config.token_class
        self._right += (right_P & chosen).sum()
        self._total += chosen.sum()

    def check(self, num_tokens: int) -> None:
        """Judge, once, when ``num_tokens`` have reached the mark.

        Raises:
            ConfigError: the accuracy is too low.
        """
        if self._is_over or num_tokens < self._config.after_tokens:
            return
        self._is_over = True
        right, total = self._sums()
        if total and right < self._config.min_accuracy * total:
            raise ConfigError(
                f"the canary: after {num_tokens:,} tokens {right / total:.1%} of the {total:,} targets of "
                f"class {self._config.token_class} are right, demanded are {self._config.min_accuracy:.1%}",
                where="recipe: canary",
                hint="copying was not learned: lower optimizer.learning_rate, use heads of 64, or set "
                "canary.after_tokens to 0",
            )

    def state(self) -> dict[str, Any]:
        """Return what :meth:`restore` needs."""
        right, total = self._sums()
        return {"right": right, "total": total, "is_over": self._is_over}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on counting; what was counted before, the first rank keeps."""
        self._right.fill_(state["right"] if self._ranks.is_first else 0)
        self._total.fill_(state["total"] if self._ranks.is_first else 0)
        self._is_over = self._is_over or state["is_over"]

    def _sums(self) -> tuple[int, int]:
        right, total = self._ranks.sum(torch.stack([self._right, self._total])).tolist()
        return right, total
