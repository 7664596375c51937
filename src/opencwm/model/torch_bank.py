"""Sequences of a Hugging Face model side by side: a :class:`opencwm.model.bank.Bank` over the torch engine.

Rows that step together are run in one pass where the kind of model allows it, otherwise one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from opencwm.model.bank import EngineBank
from opencwm.model.torch_engine import TorchEngine, step_together


class TorchBank(EngineBank):
    """Rows over forks of one engine.

    Args:
        engine: of the model.
        num_rows: how many sequences; each keeps the keys and values of what it holds.
    """

    def __init__(self, engine: TorchEngine, num_rows: int) -> None:
        super().__init__(engine, num_rows)
        self._can_join = engine.can_join

    def step(self, rows: Sequence[int], ids: Sequence[int]) -> NDArray[np.float32]:
        """Add one id to each of several rows; see :meth:`opencwm.model.bank.Bank.step`."""
        engines = [self._engines[row] for row in rows]
        joined = [engine for engine in engines if isinstance(engine, TorchEngine)]
        if len(joined) < 2 or not self._can_join:
            return super().step(rows, ids)
        return step_together(joined, ids)
