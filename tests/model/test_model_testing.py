from __future__ import annotations

import numpy as np
import pytest

from opencwm.core.errors import EngineError
from opencwm.model.engine import Engine
from opencwm.model.testing import ScriptedEngine


def test_it_continues_the_first_sequence_that_fits() -> None:
    engine: Engine = ScriptedEngine.saying(6, [[1, 2, 3], [1, 2, 4, 5]])
    assert engine.append([1]).argmax() == 2
    assert engine.append([2]).argmax() == 3
    other = engine.fork()
    assert other.append([4]).argmax() == 5
    np.testing.assert_array_equal(other.append([5]), np.zeros(6, np.float32))
    assert list(engine.ids) == [1, 2]
    engine.truncate(1)
    logits = engine.append([2])
    assert np.exp(logits).sum() == pytest.approx(1.0)
    assert np.exp(logits[3]) == pytest.approx(0.99)


def test_it_counts_forward_passes_and_keeps_the_contract() -> None:
    engine = ScriptedEngine(4, lambda ids: np.eye(4, dtype=np.float32)[len(ids) % 4], max_tokens=5)
    engine.append([1, 2, 3])
    engine.fork().append([0])
    assert engine.calls == [3, 1]
    for bad in ([], [4], [-1], [0, 0, 0]):
        with pytest.raises(EngineError):
            engine.append(bad)
    with pytest.raises(EngineError):
        engine.truncate(4)
