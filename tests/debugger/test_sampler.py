"""The sampler: what is accepted, what is taken back, and that logits stay those of the ids held."""

from __future__ import annotations

import numpy as np
import pytest

from opencwm.core.errors import EngineError
from opencwm.debugger.sampler import OutOfContextError, Sampler
from opencwm.model.testing import ScriptedEngine

SIZE = 20
SAID = [1, 2, 3, 4, 5, 6]


def _sampler(*, max_tokens: int = 50) -> Sampler:
    return Sampler(ScriptedEngine.saying(SIZE, [SAID], max_tokens=max_tokens, probability=0.9))


@pytest.mark.parametrize("decides_first", [False, True])
def test_what_is_probable_enough_is_accepted(decides_first: bool) -> None:
    sampler = _sampler()
    sampler.force([1])
    if decides_first:
        sampler.probabilities(None)
    assert sampler.accept([2, 3], 0.5)
    assert list(sampler.engine.ids) == [1, 2, 3]
    assert sampler.choose(None)[0] == 4


@pytest.mark.parametrize("decides_first", [False, True])
def test_what_is_not_leaves_everything_as_it_was(decides_first: bool) -> None:
    sampler = _sampler()
    sampler.force([1])
    if decides_first:
        sampler.probabilities(None)
    before = _sampler()
    before.force([1])
    assert not sampler.accept([2, 7], 0.5)
    assert list(sampler.engine.ids) == [1]
    np.testing.assert_allclose(sampler.probabilities(None), before.probabilities(None))
    assert sampler.choose(None)[0] == 2
    assert sampler.choose(None)[0] == 3


def test_the_last_decision_can_be_taken_back() -> None:
    sampler = _sampler()
    sampler.force([1])
    assert sampler.choose(None)[0] == 2
    sampler.take_back()
    allowed = np.ones(SIZE, dtype=np.bool_)
    allowed[2] = False
    assert sampler.choose(allowed)[0] != 2


def test_what_does_not_fit_is_refused() -> None:
    sampler = _sampler(max_tokens=3)
    sampler.force([1, 2])
    with pytest.raises(OutOfContextError):
        sampler.accept([3, 4], 0.0001)
    with pytest.raises(EngineError):
        _sampler().accept([1], 0.5)
