"""Predict single steps in the ``cwm`` format, each from the true steps before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from opencwm.codec.cwm import CwmCodec
from opencwm.debugger.cwm_execution import CwmConfig, CwmExecution
from opencwm.debugger.prediction import Prediction
from opencwm.model.generation import Generator
from opencwm.traces import CodeInfo, Program, Step


class CwmStepPredictor:
    """Goes on from where a run stands; what it is put behind need not be its own.

    Args:
        program: what is predicted. Its call supplies nothing.
        codec: of the generator's vocabulary.
        generator: owned by the predictor from now on.
        config: how steps are predicted.

    Raises:
        ConfigError: the program does not compile or has no such entry.
        CodecError: it does not fit the model's context.
    """

    expressions = False

    def __init__(self, program: Program, codec: CwmCodec, generator: Generator, config: CwmConfig) -> None:
        config = dataclasses.replace(config, gives=False)
        self._execution = CwmExecution(program, codec, generator, config)
        self._index = 0

    def start(self, steps: Sequence[Step] = (), codes: Sequence[CodeInfo] = ()) -> None:
        """Stand where a run stands after ``steps``, as the format tells them; ``codes`` are those entered.

        Raises:
            CodecError: a step's line is not in the program.
        """
        self._execution.follow(steps, codes)
        self._index = len(steps)

    def predict(self) -> Prediction | None:
        """Predict the next step; None when the run is over.

        Raises:
            EngineError: the engine broke.
        """
        if self._execution.get(self._index) is None:
            return None
        self._index += 1
        return self._execution.predictions[self._index - 1]
