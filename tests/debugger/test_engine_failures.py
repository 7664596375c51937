"""An engine that breaks in the middle of a step loses nothing: asked again, the step is predicted anew."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from debugged import CALLS
from engines import CODEC, oracle
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.debugger.predicted import PredictedExecution
from opencwm.debugger.step_search import SearchConfig
from opencwm.model.engine import Logits, ScoringEngine
from opencwm.model.speculation import SpeculativeEngine
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Trace


class Breaking:
    """An engine some of whose passes break, after which it is as before."""

    def __init__(self, engine: ScoringEngine, share: float) -> None:
        self._engine = engine
        self._share = share
        self._rng = random.Random(0)
        self.num_broken = 0

    @property
    def vocab_size(self) -> int:
        return self._engine.vocab_size

    @property
    def max_tokens(self) -> int:
        return self._engine.max_tokens

    @property
    def ids(self) -> Sequence[int]:
        return self._engine.ids

    @property
    def num_passes(self) -> int:
        return self._engine.num_passes

    def append(self, ids: Sequence[int]) -> Logits:
        self._try()
        return self._engine.append(ids)

    def append_all(self, ids: Sequence[int]) -> NDArray[np.float32]:
        self._try()
        return self._engine.append_all(ids)

    def truncate(self, length: int) -> None:
        self._engine.truncate(length)

    def fork(self) -> ScoringEngine:
        return self._engine.fork()

    def _try(self) -> None:
        if self._rng.random() < self._share:
            self.num_broken += 1
            raise EngineError("the server dropped the connection")


def execution(
    trace: Trace, engine: ScoringEngine, *, expressions: bool, search: SearchConfig | None = None
) -> PredictedExecution:
    return PredictedExecution(trace.program, CODEC, engine, expressions=expressions, search=search)


@pytest.mark.parametrize("expressions", [False, True])
@pytest.mark.parametrize("searches", [False, True])
def test_a_step_that_failed_is_predicted_anew(expressions: bool, searches: bool) -> None:
    program = Program.from_call(*CALLS["count"], filename="count.py")
    trace = record(program, limits=TraceLimits(expressions=expressions))
    search = SearchConfig(samples=2, below=1.0) if searches else None
    whole = oracle(trace, expressions=expressions)
    wanted = execution(trace, whole, expressions=expressions, search=search)
    steps = [wanted.get(index) for index in range(len(trace.steps))]
    engine = Breaking(oracle(trace, expressions=expressions), 0.03 if searches else 0.1)
    broken = execution(trace, SpeculativeEngine(engine), expressions=expressions, search=search)
    found = []
    for index in range(len(trace.steps)):
        for _ in range(200):
            try:
                found.append(broken.get(index))
                break
            except EngineError:
                assert broken.num_known == index
    assert engine.num_broken > 0
    assert [view and view.step for view in found] == [view and view.step for view in steps]
