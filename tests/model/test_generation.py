from __future__ import annotations

import math

import pytest

from opencwm.core.errors import EngineError
from opencwm.model.generation import EngineGenerator, Generator
from opencwm.model.sampling import SamplingConfig
from opencwm.model.testing import ScriptedEngine

GREEDY = SamplingConfig()


def test_it_writes_until_a_stop_id_and_computes_a_growing_prompt_once() -> None:
    engine = ScriptedEngine.saying(9, [[1, 2, 3, 4, 8, 5, 6, 8]])
    generator: Generator = EngineGenerator(engine)
    first = generator.generate([1, 2], stops={8}, max_tokens=10, sampling=GREEDY)
    assert (first.ids, first.stopped) == ((3, 4, 8), True)
    assert first.logarithms == pytest.approx([math.log(0.99)] * 3)
    second = generator.generate([1, 2, 3, 4, 8, 5], stops={8}, max_tokens=10, sampling=GREEDY)
    assert second.ids == (6, 8)
    assert engine.calls == [2, 1, 1, 2, 1]  # the stop id was not run before it stood in a prompt
    assert generator.generate([1, 2], stops={8}, max_tokens=2, sampling=GREEDY).ids == (3, 4)


def test_bounds_end_it_without_a_stop_id() -> None:
    generator = EngineGenerator(ScriptedEngine.saying(9, [[1, 2, 3, 4, 5]], max_tokens=4))
    short = generator.generate([1], stops={8}, max_tokens=2, sampling=GREEDY)
    assert (short.ids, short.stopped) == ((2, 3), False)
    assert generator.generate([1], stops={8}, max_tokens=99, sampling=GREEDY).ids == (2, 3, 4)
    for prompt in ([], [1, 2, 3, 4]):
        with pytest.raises(EngineError):
            generator.generate(prompt, stops={8}, max_tokens=2, sampling=GREEDY)


def test_draws_repeat_with_the_seed_and_differ_without() -> None:
    generator = EngineGenerator(ScriptedEngine.saying(50, []))

    def drawn(seed: int) -> tuple[int, ...]:
        sampling = SamplingConfig(temperature=1.0, seed=seed)
        return generator.generate([1], stops=(), max_tokens=8, sampling=sampling).ids

    assert drawn(1) == drawn(1)
    assert len({drawn(seed) for seed in range(4)}) == 4
