"""A predicted execution: the steps a model expects, made when they are first looked at.

Setting a variable is a fork: the steps up to there are kept, the state is changed, and the engine goes on
from that state. Nothing of the program is executed; its text is parsed and compiled to know what can follow
what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from opencwm.codec.native import MalformedStep, NativeCodec
from opencwm.codec.view import SourceView
from opencwm.core.errors import ConfigError
from opencwm.debugger.assumed import NOTHING_ASSUMED, Assumed
from opencwm.debugger.execution import Execution, FrameView, Origin, StackHistory, StepView
from opencwm.debugger.prediction import Prediction
from opencwm.debugger.selection import opening_view
from opencwm.debugger.step_predictor import StepPredictor
from opencwm.debugger.step_search import SearchConfig
from opencwm.debugger.supplied import supplied_call
from opencwm.debugger.working import Working
from opencwm.model.engine import ScoringEngine
from opencwm.model.sampling import SamplingConfig
from opencwm.source.cfg import ControlFlow
from opencwm.traces import CodeInfo, Program, Step, StepKind

NOT_WHOLE = "too long to be shown to the model at once: it sees what runs, and what that calls"
"""Said of a program that does not fit the model's context."""


class PredictedExecution:
    """An :class:`Execution` whose steps come from a model.

    Args:
        engine: owned by this execution from now on.
        view: what the model is shown first; by default everything the entry can reach, as far as it fits.
        constrained: see :class:`StepPredictor`.
        expressions: see :class:`StepPredictor`.
        working: see :class:`StepPredictor`.
        search: see :class:`StepPredictor`.
        assumed: see :class:`StepPredictor`.
        state: rendered locals that the entry begins with; by default the model says what it is called with.

    Raises:
        ConfigError: the program has no such entry or does not compile; the state holds no local of the entry.

    Attributes:
        predictions: what was predicted, step by step, with counts of tokens.
    """

    def __init__(
        self,
        program: Program,
        codec: NativeCodec,
        engine: ScoringEngine,
        *,
        view: SourceView | None = None,
        control_flow: ControlFlow | None = None,
        constrained: bool = True,
        sampling: SamplingConfig | None = None,
        expressions: bool = False,
        working: Working = Working.FOLLOWED,
        search: SearchConfig | None = None,
        assumed: Assumed = NOTHING_ASSUMED,
        state: Mapping[str, str] | None = None,
    ) -> None:
        self._program = program
        self._control_flow = control_flow or ControlFlow(program.text, program.filename)
        self.view = view or opening_view(program, codec, max_tokens=engine.max_tokens)
        self._supplied = supplied_call(program)
        self._predictor = StepPredictor(
            codec,
            engine,
            self.view,
            self._control_flow,
            constrained=constrained,
            sampling=sampling,
            supplied=self._supplied,
            expressions=expressions,
            working=working,
            search=search,
            assumed=assumed,
        )
        self._predictor.start()
        self._views: list[StepView] = []
        self._history = StackHistory()
        self._status = ""
        self.predictions: list[Prediction] = []
        if state is not None:
            self._begin(state)
        self._num_given = len(self._views)

    @property
    def program(self) -> Program:
        """What is executed."""
        return self._program

    @property
    def control_flow(self) -> ControlFlow:
        """The control-flow graphs of the program."""
        return self._control_flow

    @property
    def codes(self) -> Sequence[CodeInfo]:
        """The code objects entered so far."""
        return self._predictor.codes

    @property
    def status(self) -> str:
        """Why nothing follows the last step; empty until :meth:`ended`."""
        return self._status

    @property
    def num_known(self) -> int:
        """How many steps were predicted so far."""
        return len(self._views)

    @property
    def notices(self) -> Sequence[str]:
        """That the program is too long to be shown whole, if it is."""
        return (NOT_WHOLE,) if self.view.left_out else ()

    def ended(self) -> bool:
        """Whether the last step is known. Never predicts."""
        return bool(self._status)

    def get(self, index: int) -> StepView | None:
        """Return step ``index`` >= 0, predicting up to it if need be; None when the execution ends before it.

        Raises:
            EngineError: the engine broke, or the program does not fit its context.
        """
        while index >= len(self._views) and not self._status:
            self._predict_next()
        return self._views[index] if 0 <= index < len(self._views) else None

    def stack_at(self, index: int) -> list[FrameView]:
        """Return the live activations at step ``index``, outermost first.

        Raises:
            IndexError: there is no such step, or it is malformed.
        """
        return self._history.at(index)

    def beginning(self, program: Program, state: Mapping[str, str]) -> PredictedExecution:
        """Return a prediction of another program by the same model, whose entry begins with ``state``.

        Raises:
            ConfigError: the program has no such entry or does not compile; the state holds no local of it.
            CodecError: the entry, or what it calls first, does not fit.
        """
        predictor = self._predictor
        return PredictedExecution(
            program,
            predictor.codec,
            predictor.sampler.engine.fork(),
            constrained=predictor.constrained,
            sampling=predictor.sampler.config,
            expressions=predictor.expressions,
            working=predictor.working,
            search=predictor.search,
            state=state,
        )

    def fork(self, index: int, changes: Mapping[str, str]) -> Execution:
        """Return an execution that is the same up to ``index``, where ``changes`` are set; the rest is new.

        Raises:
            ConfigError: there is no such step, or a name is no local of its innermost activation.
        """
        if not 0 <= index < len(self._history):
            raise ConfigError(f"no step {index} to fork at", where=self._program.filename)
        step = self._views[index].step
        if step.kind not in (StepKind.CALL, StepKind.LINE):
            raise ConfigError(
                "a variable can be set where a line is about to run, not at a return or an exception",
                where=f"{self._program.filename}:{step.lineno}",
            )
        names = self.codes[step.code].local_names
        unknown = [name for name in changes if name not in names]
        if unknown:
            raise ConfigError(
                f"{unknown[0]!r} is no local variable of {self.codes[step.code].qualname}",
                where=f"{self._program.filename}:{step.lineno}",
                hint=f"its locals: {', '.join(names)}" if names else "it has none",
            )
        merged = {**dict(step.changed), **changes}
        changed = tuple((name, merged[name]) for name in names if name in merged)
        deleted = tuple(name for name in step.deleted if name not in changes)
        view = replace(
            self._views[index],
            step=replace(step, changed=changed, deleted=deleted),
            supplied=self._views[index].supplied | frozenset(changes),
        )
        return self._copy([*self._views[:index], view])

    def read(self) -> None:
        """Have the engine read the program now, so that what :meth:`afresh` returns need not.

        Raises:
            EngineError: the engine broke, or the program does not fit its context.
        """
        self._predictor.sampler.read()

    def afresh(self, sampling: SamplingConfig | None = None) -> PredictedExecution:
        """Return another execution of the program, nothing of it predicted yet.

        Args:
            sampling: how tokens are picked in it; by default as in this one.
        """
        return self._copy(self._views[: self._num_given], sampling)

    def _copy(self, views: list[StepView], sampling: SamplingConfig | None = None) -> PredictedExecution:
        twin = object.__new__(PredictedExecution)
        twin._program, twin._control_flow, twin.view = self._program, self._control_flow, self.view
        twin._supplied, twin._views, twin._status = self._supplied, views, ""
        twin._num_given = min(self._num_given, len(views))
        twin.predictions = self.predictions[: len(views)]
        twin._history = StackHistory()
        for view in views:
            twin._history.append(view, self.codes)
        twin._predictor = self._predictor.fork([view.step for view in views], sampling=sampling)
        return twin

    def _predict_next(self) -> None:
        prediction = self._predictor.predict()
        if prediction is None:
            self._status = self._describe_end()
            return
        self.predictions.append(prediction)
        if isinstance(prediction.step, MalformedStep):
            reason = prediction.step.reason
            last = self._views[-1].step if self._views else Step(StepKind.LINE, 0, 1, 0)
            stand_in = replace(last, changed=(), deleted=(), value=None)
            self._views.append(StepView(stand_in, Origin.PREDICTED, malformed=reason))
            self._status = f"the model's step was malformed: {reason}"
            return
        step = prediction.step
        view = StepView(
            step,
            Origin.PREDICTED,
            dict(prediction.probabilities),
            prediction.control_probability,
            prediction.value_probability,
            prediction.supplied,
            is_value_supplied=prediction.is_value_supplied,
        )
        self._views.append(view)
        self._history.append(view, self.codes)

    def _describe_end(self) -> str:
        last = self._views[-1].step if self._views else None
        if last is None:
            return "nothing was predicted"
        if last.value is not None:
            return f"the program returned {last.value}"
        raised = next(
            (view.step.value for view in reversed(self._views) if view.step.kind is StepKind.EXCEPTION), None
        )
        return f"the program raised {raised or 'an exception'}"

    def _begin(self, state: Mapping[str, str]) -> None:
        """Supply the CALL of the entry."""
        entry, where = self._program.entry, self._program.filename
        graphs = self._control_flow.named(entry)
        if not graphs:
            raise ConfigError(f"no function {entry!r}", where=where)
        graph = graphs[0]
        unknown = [name for name in state if name not in graph.local_names]
        if unknown:
            raise ConfigError(f"{unknown[0]!r} is no local variable of {entry}", where=where)
        changed = tuple((name, state[name]) for name in graph.local_names if name in state)
        step = Step(StepKind.CALL, 0, graph.firstlineno, 0, changed)
        self._predictor.start([step], [CodeInfo(graph.qualname, graph.firstlineno, graph.local_names)])
        view = StepView(step, Origin.PREDICTED, {}, 1.0, supplied=frozenset(state))
        self.predictions.append(Prediction(step, {}, 1.0, None, 0, 0, view.supplied))
        self._views.append(view)
        self._history.append(view, self.codes)
