"""What an evaluation asks of a model: a predicted execution, step or outcome, scores at every position.

The benchmarks know only :class:`Predictor`. Fakes are in :mod:`opencwm.evals.testing`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from opencwm.codec.native import NativeCodec
from opencwm.codec.native_input import called_name
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import BYTE_BASE, Control, is_text
from opencwm.debugger.cwm_execution import NUM_ATTEMPTS, CwmConfig, CwmExecution
from opencwm.debugger.cwm_model import CwmWorldModel
from opencwm.debugger.cwm_steps import CwmStepPredictor
from opencwm.debugger.execution import Execution
from opencwm.debugger.inverse import PredictedCall, predict_calls
from opencwm.debugger.jumps import JumpPredictor
from opencwm.debugger.predicted import PredictedExecution
from opencwm.debugger.prediction import Prediction
from opencwm.debugger.sampler import Sampler
from opencwm.debugger.selection import opening_view, source_view
from opencwm.debugger.step_predictor import StepPredictor
from opencwm.debugger.step_search import SearchConfig
from opencwm.debugger.token_writer import MAX_VALUE_TOKENS
from opencwm.debugger.working import Working
from opencwm.model.engine import ScoringEngine
from opencwm.model.sampling import SamplingConfig
from opencwm.source.cfg import ControlFlow
from opencwm.traces import CodeInfo, Outcome, OutcomeKind, Program, Step


@dataclasses.dataclass(frozen=True, slots=True)
class DirectPrediction:
    """An outcome predicted in one go, without its steps.

    Attributes:
        outcome: None when what the model wrote is no outcome.
        probability: of everything written, in [0, 1].
        num_sampled: tokens the model decided.
        reason: why there is no outcome; empty when there is one.

    """

    outcome: Outcome | None
    probability: float
    num_sampled: int
    reason: str = ""


class CountedExecution(Execution, Protocol):
    """An execution that knows what its steps took."""

    @property
    def predictions(self) -> Sequence[Prediction]:
        """What was predicted, step by step, a malformed last one included."""
        ...


class RunPredictor(Protocol):
    """A model of any format that predicts runs. One thread at a time."""

    @property
    def name(self) -> str:
        """Name and, where known, revision of the model, for reports."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its predictions depend on besides the name, as JSON: revision of the weights, bounds."""
        ...

    def execution(self, program: Program) -> CountedExecution:
        """Return a fresh predicted execution.

        Raises:
            CodecError: nothing of the program fits.
            ConfigError: it does not parse or has no such entry.

        """
        ...

    def step_predictor(self, program: Program) -> SteppingPredictor:
        """Return what predicts single steps of a program, by the rules of :meth:`execution`; greedy.

        Nothing is supplied by the program's call.

        Raises:
            CodecError: nothing of the program fits.
            ConfigError: it does not parse or has no such entry.

        """
        ...


class SteppingPredictor(Protocol):
    """What predicts single steps of a program from the true steps before them."""

    @property
    def expressions(self) -> bool:
        """Whether steps come with their sub-expressions."""
        ...

    def start(self, steps: Sequence[Step], codes: Sequence[CodeInfo]) -> None:
        """Stand where a run stands after ``steps``; ``codes`` are the code objects entered."""
        ...

    def predict(self) -> Prediction | None:
        """Predict the next step; None when the run is over.

        Raises:
            EngineError: the engine broke, or the context is too small for one step.

        """
        ...


@runtime_checkable
class Predictor(RunPredictor, Protocol):
    """A model of our own format and everything it needs to predict a program."""

    @property
    def codec(self) -> NativeCodec:
        """The codec of the model's vocabulary."""
        ...

    def scoring_engine(self) -> ScoringEngine:
        """Return an engine whose sequence the caller may replace."""
        ...

    def view(self, program: Program) -> SourceView:
        """Return what of the program the model is shown.

        Raises:
            CodecError: nothing of it fits.
            ConfigError: it does not parse or has no such entry.

        """
        ...

    def jump_predictor(self, program: Program) -> JumpPredictor:
        """Return what predicts where a debugger's actions end in a program; greedy.

        Raises:
            CodecError: nothing of the program fits.
            ConfigError: it does not parse or has no such entry.

        """
        ...

    def outcome(self, program: Program) -> DirectPrediction:
        """Predict only what the entry returns or raises.

        Raises:
            CodecError: nothing of the program fits.
            ConfigError: it does not parse or has no such entry.

        """
        ...

    def calls(
        self, program: Program, wanted: Outcome, *, num_draws: int, seed: int
    ) -> Iterator[PredictedCall]:
        """Yield calls, instead of the one of the program, that are to come to ``wanted``.

        Raises:
            CodecError: nothing of the program fits, or it has no call.
            ConfigError: it does not parse.

        """
        ...


class CwmPredictor:
    """Models of the ``cwm`` format, which predict steps and runs.

    Args:
        world: the model.
        constrained: whether steps that the program does not allow are drawn anew.
        search: how often.
    """

    def __init__(
        self, world: CwmWorldModel, *, constrained: bool = True, search: SearchConfig | None = None
    ) -> None:
        self._world = world
        self._constrained = constrained
        self._search = search or SearchConfig()

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._world.name

    @property
    def settings(self) -> Mapping[str, Any]:
        """What predictions depend on besides the name, as JSON."""
        return {
            "codec": self._world.format,
            "constrained": self._constrained,
            "max_tokens": self._world.generator.max_tokens,
            "revision": self._world.revision,
            "sampling": dataclasses.asdict(self._world.sampling),
            **({"search": dataclasses.asdict(self._search)} if self._search.samples else {}),
        }

    def execution(self, program: Program) -> CwmExecution:
        """Return a fresh predicted execution.

        Raises:
            CodecError: the program does not fit the model's context.
            ConfigError: it does not compile or has no such entry.

        """
        return self._world.execution(program, constrained=self._constrained, search=self._search)

    def step_predictor(self, program: Program) -> CwmStepPredictor:
        """Return what predicts single steps of a program; its call supplies nothing.

        Raises:
            CodecError: the program does not fit the model's context.
            ConfigError: it does not compile or has no such entry.

        """
        config = CwmConfig(
            constrained=self._constrained,
            num_attempts=self._search.samples or NUM_ATTEMPTS,
            sampling=self._world.sampling,
        )
        return CwmStepPredictor(program, self._world.codec, self._world.generator.fork(), config)


class NativePredictor:
    """Our own models: the native codec over an engine.

    Args:
        name: of the model, for reports.
        codec: of the engine's vocabulary.
        engine: holds no ids; every prediction works on a fork of it.
        constrained: whether steps are limited to what the program's control flow and names allow.
        expressions: have the model work with expression detail.
        working: who works out sub-expressions then.
        search: whether unsure steps are attempted again.
        revision: of the weights, for example their SHA-256: results of another revision are never mixed with
            these.

    """

    def __init__(
        self,
        name: str,
        codec: NativeCodec,
        engine: ScoringEngine,
        *,
        constrained: bool = True,
        expressions: bool = False,
        working: Working = Working.FOLLOWED,
        revision: str = "",
        search: SearchConfig | None = None,
    ) -> None:
        self.name = name
        self.codec = codec
        self._engine = engine
        self._constrained = constrained
        self._expressions = expressions
        self._working = working
        self._revision = revision
        self._search = search or SearchConfig()

    @property
    def settings(self) -> Mapping[str, Any]:
        """What predictions depend on besides the name, as JSON."""
        return {
            "codec": self.codec.name,
            "constrained": self._constrained,
            "detail": "expr" if self._expressions else "line",
            "max_tokens": self._engine.max_tokens,
            "max_value_tokens": MAX_VALUE_TOKENS,
            "revision": self._revision,
            **({"working": self._working.value} if self._expressions else {}),
            **({"search": dataclasses.asdict(self._search)} if self._search.samples else {}),
        }

    def scoring_engine(self) -> ScoringEngine:
        """Return an empty engine."""
        return self._engine.fork()

    def view(self, program: Program) -> SourceView:
        """Return what the entry can reach, as far as it fits: :func:`opencwm.debugger.predicted.source_view`.

        Raises:
            CodecError: the entry, or what it calls first, does not fit.
            ConfigError: the program does not compile or has no such entry.

        """
        return source_view(program, self.codec, max_tokens=self._engine.max_tokens)

    def execution(self, program: Program) -> PredictedExecution:
        """Return a fresh predicted execution.

        Raises:
            CodecError: not even a line of it fits.
            ConfigError: the program does not compile or has no such entry.

        """
        return PredictedExecution(
            program,
            self.codec,
            self._engine.fork(),
            constrained=self._constrained,
            expressions=self._expressions,
            working=self._working,
            search=self._search,
        )

    def step_predictor(self, program: Program) -> StepPredictor:
        """Return what predicts single steps of a program; its call supplies nothing.

        Raises:
            CodecError: not even a line of it fits.
            ConfigError: the program does not compile or has no such entry.

        """
        return StepPredictor(
            self.codec,
            self._engine.fork(),
            opening_view(program, self.codec, max_tokens=self._engine.max_tokens),
            ControlFlow(program.text, program.filename),
            constrained=self._constrained,
            expressions=self._expressions,
            working=self._working,
            search=self._search,
        )

    def jump_predictor(self, program: Program) -> JumpPredictor:
        """Return what predicts where a debugger's actions end in a program; greedy.

        Raises:
            CodecError: the entry, or what it calls first, does not fit.
            ConfigError: the program does not compile or has no such entry.

        """
        return JumpPredictor(
            self.codec,
            self._engine.fork(),
            self.view(program),
            ControlFlow(program.text, program.filename),
        )

    def outcome(self, program: Program) -> DirectPrediction:
        """Predict only what the entry returns or raises; see :func:`predict_outcome`.

        Raises:
            CodecError: the entry, or what it calls first, does not fit.
            ConfigError: the program does not compile or has no such entry.

        """
        return predict_outcome(
            self.codec, self._engine.fork(), self.view(program), max_value_tokens=MAX_VALUE_TOKENS
        )

    def calls(
        self, program: Program, wanted: Outcome, *, num_draws: int, seed: int
    ) -> Iterator[PredictedCall]:
        """Yield calls that are to come to ``wanted``; see :func:`opencwm.debugger.inverse.predict_calls`.

        Raises:
            CodecError: nothing of the program fits, or it has no call.
            ConfigError: it does not parse.

        """
        view = self.view(program)
        name = called_name(program)
        yield from predict_calls(
            self.codec, self._engine.fork(), view, name, wanted, num_draws=num_draws, seed=seed
        )


def predict_outcome(
    codec: NativeCodec, engine: ScoringEngine, view: SourceView, *, max_value_tokens: int
) -> DirectPrediction:
    """Write the OUTPUT task greedily: RETURN or RAISE, then the value up to END.

    Args:
        codec: of the engine's vocabulary.
        engine: its sequence is replaced.
        view: what the model is shown.
        max_value_tokens: a value that goes on longer is no outcome.

    Raises:
        EngineError: the engine broke.

    """
    prompt = codec.encode_prompt(view, task=Control.OUTPUT)
    if len(prompt) >= engine.max_tokens:
        return DirectPrediction(None, 0.0, 0, "the program does not fit the model's context")
    sampler = Sampler(engine, SamplingConfig())
    sampler.restart(prompt)
    size = max(engine.vocab_size, len(codec.vocabulary))
    kinds = np.zeros(size, dtype=np.bool_)
    kinds[[Control.RETURN, Control.RAISE]] = True
    text = np.zeros(size, dtype=np.bool_)
    text[BYTE_BASE : len(codec.vocabulary)] = True
    kind, distribution = sampler.choose(kinds)
    logarithm = math.log(max(float(distribution[kind]), 1e-300))
    ids: list[int] = []
    while len(ids) < min(max_value_tokens, engine.max_tokens - len(prompt) - 1):
        token, distribution = sampler.choose(text)
        text[Control.END] = True  # once there is a character
        logarithm += math.log(max(float(distribution[token]), 1e-300))
        if not is_text(token):
            ending = OutcomeKind.RETURNED if kind == Control.RETURN else OutcomeKind.RAISED
            outcome = Outcome(ending, codec.vocabulary.decode_text(ids))
            return DirectPrediction(outcome, math.exp(logarithm), sampler.num_sampled)
        ids.append(token)
    reason = f"a value of more than {len(ids)} tokens"
    return DirectPrediction(None, math.exp(logarithm), sampler.num_sampled, reason)
