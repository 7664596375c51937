"""A predicted execution in the published ``cwm`` format: what facebook/cwm expects a program to do.

The one idea: the model writes a step as text, and everything around the text is ours: lines and depths are
found in the program, a malformed step is shown and never fed back, a step that the program does not allow is
marked, and ids stay as they were sampled. Setting a variable rewrites the locals of one step, steering puts
the kind of the next one in front; both are forks.

What the format does not tell is not made up: no sub-expressions, and nothing of what a line changed that
returned or raised. Nothing of the program is executed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from opencwm.codec.cwm import CwmCodec
from opencwm.codec.cwm_locate import Locator
from opencwm.codec.cwm_step import CwmStep, LocatedStep, MalformedStep
from opencwm.codec.native import MalformedStep as Unreadable
from opencwm.core.errors import CodecError, ConfigError
from opencwm.debugger.assumed import NOTHING_ASSUMED, Assumed
from opencwm.debugger.cwm_confidence import Confidence, confidence
from opencwm.debugger.cwm_given import GivenSteps, changed_ids, entry_ids
from opencwm.debugger.cwm_reading import RunReader
from opencwm.debugger.cwm_writing import StepWriter, Written
from opencwm.debugger.execution import Execution, FrameView, Origin, StackHistory, StepView
from opencwm.debugger.objections import Rules
from opencwm.debugger.prediction import Prediction
from opencwm.model.generation import Generator
from opencwm.model.sampling import SamplingConfig
from opencwm.source.cfg import NOTHING, CodeGraph, ControlFlow
from opencwm.traces import CodeInfo, Program, Status, Step, StepFlags, StepKind, Trace, leaves_entry

NUM_ATTEMPTS = 3
"""How often a step is drawn anew that is no step, or that the program does not allow, when constrained."""
NOTICE = "this model tells no sub-expressions, and not what a line changed that returned or raised"
_CERTAIN = Confidence(1.0, {}, None)


@dataclasses.dataclass(frozen=True, slots=True)
class CwmConfig:
    """How steps are predicted.

    Attributes:
        constrained: whether a step that the program does not allow is attempted again.
        gives: whether, constrained, what the user's call makes certain is given.
        num_attempts: how often again.
        sampling: how ids are picked.
        assumed: which values assumptions give.
    """

    constrained: bool = True
    gives: bool = True
    num_attempts: int = NUM_ATTEMPTS
    sampling: SamplingConfig = dataclasses.field(default_factory=SamplingConfig)
    assumed: Assumed = NOTHING_ASSUMED


@dataclasses.dataclass(frozen=True, slots=True)
class _Candidate:
    """What one attempt came to: a step of the program, or the reason why there is none."""

    written: Written
    located: LocatedStep | None
    reason: str = ""
    objection: str = ""

    @property
    def is_final(self) -> bool:
        """Whether another attempt is of no use."""
        return self.written.is_full or not (self.objection or self.reason)


class CwmExecution:
    """An :class:`opencwm.debugger.execution.Execution` whose steps a model writes in the ``cwm`` format.

    Args:
        program: what to predict. It is compiled, never run.
        codec: of the generator's vocabulary.
        generator: owned by this execution from now on.
        config: how.
        state: rendered locals that the entry begins with; by default the model says what it is called with.

    Attributes:
        predictions: what was predicted, step by step, with counts of ids.

    Raises:
        ConfigError: the program does not compile or has no such entry; the state holds no local of the entry.
        CodecError: the program does not fit the model's context.
    """

    def __init__(
        self,
        program: Program,
        codec: CwmCodec,
        generator: Generator,
        config: CwmConfig | None = None,
        *,
        state: Mapping[str, str] | None = None,
    ) -> None:
        self._program, self._config = program, config or CwmConfig()
        self._control_flow = ControlFlow(program.text, program.filename)
        _check_entry(program, self._control_flow, state or {})
        self._prompt = codec.encode_prompt(program)
        if len(self._prompt) >= generator.max_tokens:
            raise CodecError(
                f"its {len(self._prompt)} ids do not fit the model's context of {generator.max_tokens}",
                where=program.filename,
            )
        self._writer = StepWriter(codec, generator, self._config.sampling)
        self._given = GivenSteps(program, self._control_flow)
        self._rules = Rules(self._control_flow, program.entry)
        self._state = state
        self._begin()

    def _begin(self) -> None:
        """Stand before the first step."""
        self._locator = Locator(self._program)
        self._run = RunReader(self._control_flow)
        self._ids = list(self._prompt)
        self._views: list[StepView] = []
        self._made: list[
            CwmStep | None
        ] = []  # what the model wrote; None for a step that follows from others
        self._history = StackHistory()
        self._status = ""
        self._steering: StepKind | None = None
        self._num_given = 0
        self.predictions: list[Prediction] = []

    # What is known

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
        return self._run.codes

    @property
    def notices(self) -> Sequence[str]:
        """What the format does not tell."""
        return (NOTICE,)

    @property
    def status(self) -> str:
        """Why nothing follows the last step; empty until :meth:`ended`."""
        return self._status

    @property
    def num_known(self) -> int:
        """How many steps were predicted so far."""
        return len(self._views)

    def ended(self) -> bool:
        """Whether the last step is known. Never predicts."""
        return bool(self._status)

    def get(self, index: int) -> StepView | None:
        """Return step ``index`` >= 0, predicting up to it if need be; None when the execution ends before it.

        Raises:
            EngineError: the engine broke; the steps so far stay, and asking again tries again.
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

    # Others like it

    def read(self) -> None:
        """Have the model read the program now, so that what :meth:`afresh` returns need not.

        Raises:
            EngineError: the engine broke.
        """
        self.get(0)

    def afresh(self, sampling: SamplingConfig | None = None) -> CwmExecution:
        """Return another execution of the program, nothing of it predicted yet.

        Args:
            sampling: how ids are picked in it; by default as in this one.
        """
        return self._copy(0, sampling)

    def beginning(self, program: Program, state: Mapping[str, str]) -> CwmExecution:
        """Return a prediction of another program by the same model, whose entry begins with ``state``.

        Raises:
            ConfigError: the program has no such entry or does not compile; the state holds no local of it.
            CodecError: it does not fit the model's context.
        """
        config = dataclasses.replace(self._config, assumed=NOTHING_ASSUMED)
        return CwmExecution(program, self._writer.codec, self._writer.generator.fork(), config, state=state)

    def fork(self, index: int, changes: Mapping[str, str]) -> Execution:
        """Return an execution that is the same up to ``index``, where ``changes`` are set; the rest is new.

        Raises:
            ConfigError: there is no such step, or a name is no local of its innermost activation.
            CodecError: a value cannot be written.
        """
        made = self._step_at(index, "fork at")
        step = self._views[index].step
        where = f"{self._program.filename}:{step.lineno}"
        if made is None or step.kind not in (StepKind.CALL, StepKind.LINE):
            raise ConfigError(
                "a variable can be set where a line is about to run, not at a return or an exception",
                where=where,
            )
        code = self.codes[step.code]
        unknown = [name for name in changes if name not in code.local_names]
        if unknown:
            raise ConfigError(
                f"{unknown[0]!r} is no local variable of {code.qualname}",
                where=where,
                hint=f"its locals: {', '.join(code.local_names)}" if code.local_names else "it has none",
            )
        ids = changed_ids(self._writer.codec, made, changes, code.local_names)
        twin = self._copy(index)
        located = _located(twin._locator, twin._writer.codec.decode_step(ids))
        twin._run.codes = self._codes_until(index + 1)
        view = self._views[index]
        merged = {**dict(view.step.changed), **changes}
        changed = twin._run.ordered(view.step.code, merged)
        deleted = tuple(name for name in view.step.deleted if name not in changes)
        twin._keep(
            located,
            dataclasses.replace(
                view,
                step=dataclasses.replace(view.step, changed=changed, deleted=deleted),
                supplied=view.supplied | frozenset(changes),
            ),
            self.predictions[index],
        )
        return twin

    def steered(self, index: int, kind: StepKind) -> CwmExecution:
        """Return an execution that is the same up to and with step ``index``; the next one is of ``kind``.

        After a CALL, a RETURN tells what the call comes to without the steps of the function.

        Raises:
            ConfigError: there is no such step, or nothing can follow it.
        """
        self._step_at(index, "steer at")
        if leaves_entry(self._views[index].step):
            raise ConfigError("nothing follows the return of the entry", where=self._program.filename)
        twin = self._copy(index + 1)
        twin._steering = kind
        return twin

    def follow(self, steps: Sequence[Step], codes: Sequence[CodeInfo]) -> None:
        """Stand where another run of the program stands after some steps, as the format tells them.

        Raises:
            CodecError: a step's line is not in the program.
        """
        codec = self._writer.codec
        run = Trace(self._program, tuple(codes), tuple(steps), Status.STEP_LIMIT)
        encoded = codec.encode(run)
        written = {span.index: encoded.ids[span.start : span.stop] for span in encoded.spans}
        self._begin()
        self._run.codes = list(codes)
        for index, step in enumerate(steps):
            ids = written.get(index)
            located = None if ids is None else _located(self._locator, codec.decode_step(ids))
            view = StepView(step, Origin.PREDICTED, {}, 1.0)
            self._keep(located, view, Prediction(step, {}, 1.0, None, 0, 0))

    def _step_at(self, index: int, what: str) -> CwmStep | None:
        if not 0 <= index < len(self._history):
            raise ConfigError(f"no step {index} to {what}", where=self._program.filename)
        return self._made[index]

    def _copy(self, num_steps: int, sampling: SamplingConfig | None = None) -> CwmExecution:
        """Return an independent execution that knows the first steps of this one."""
        twin = object.__new__(CwmExecution)
        twin._program, twin._control_flow, twin._config = self._program, self._control_flow, self._config
        twin._prompt, twin._given, twin._rules = self._prompt, self._given, self._rules
        twin._state = self._state
        writer = self._writer
        twin._writer = StepWriter(writer.codec, writer.generator.fork(), sampling or writer.sampling)
        twin._begin()
        twin._run.codes = self._codes_until(num_steps)
        twin._num_given = min(self._num_given, num_steps)
        kept = zip(self._views[:num_steps], self._made, self.predictions, strict=False)
        for view, made, prediction in kept:
            located = None if made is None else _located(twin._locator, made)
            twin._keep(located, view, prediction)
        return twin

    def _codes_until(self, num_steps: int) -> list[CodeInfo]:
        last = max((view.step.code for view in self._views[:num_steps]), default=-1)
        return self._run.codes[: last + 1]

    # Predicting

    def _predict_next(self) -> None:
        if self._follows_by_itself():
            return
        given = self._given_ids()
        if given is not None:
            ids, names = given
            self._num_given += 1
            located = _located(self._locator, self._writer.codec.decode_step(ids))
            self._locator.truncate(len(self._locator) - 1)
            self._take(located, _Candidate(Written(ids, (0.0,) * len(ids), 0), located), names)
            return
        candidate = self._best_candidate()
        if candidate.located is not None:
            self._take(candidate.located, candidate)
        elif candidate.written.is_end and not candidate.written.ids:
            self._end()
        elif candidate.written.is_full:
            self._status = candidate.reason
        else:
            self._malformed(candidate)

    def _follows_by_itself(self) -> bool:
        """Whether it is certain without the model what comes next: the end, or that an exception leaves."""
        last = self._run.last
        if last is None:
            return False
        if leaves_entry(last):
            self._status = self._described_end()
            return True
        if not self._config.constrained or self._steering is not None:
            return False
        if last.kind is StepKind.EXCEPTION and last.depth == 0:
            graph = self._rules.graph(self.codes[last.code])
            after = NOTHING if graph is None else graph.after_exception.get(last.lineno, NOTHING)
            if after.can_unwind and not (
                after.lines or after.can_raise or after.can_call or after.can_return
            ):
                self._unwind(-1)
                return True
        return False

    def _given_ids(self) -> tuple[tuple[int, ...], frozenset[str]] | None:
        codec = self._writer.codec
        if not self._views and self._state is not None:
            graph = _entry_graph(self._program, self._control_flow)
            order = graph.local_names if graph is not None else tuple(self._state)
            return entry_ids(codec, self._program, self._state, order), frozenset(self._state)
        if not (self._config.constrained and self._config.gives) or self._steering is not None:
            return None
        return self._given.ids(codec, self._num_given) if self._num_given == len(self._views) else None

    def _best_candidate(self) -> _Candidate:
        """Return the first attempt at the next step that is one and that the program allows, or the best."""
        given = () if self._steering is None else self._writer.codec.kind_ids(self._steering)
        attempts = 1 + (self._config.num_attempts if self._config.constrained else 0)
        best = self._candidate(self._writer.write(self._ids, given))
        num_sampled = best.written.num_sampled
        for number in range(1, attempts):
            if best.is_final:
                break
            candidate = self._candidate(self._writer.write(self._ids, given, number))
            num_sampled += candidate.written.num_sampled
            if candidate.is_final or (best.located is None and candidate.located is not None):
                best = candidate
        return dataclasses.replace(best, written=dataclasses.replace(best.written, num_sampled=num_sampled))

    def _candidate(self, written: Written) -> _Candidate:
        """Read what was written; the locator is left as it was."""
        if written.problem:
            return _Candidate(written, None, written.problem)
        if written.is_end:
            return _Candidate(written, None, "" if self._may_end() else "the trace ends too early")
        step = self._writer.codec.decode_step(written.ids)
        located = step if isinstance(step, MalformedStep) else self._locator.locate(step)
        if isinstance(located, MalformedStep):
            return _Candidate(written, None, located.reason)
        self._locator.truncate(len(self._locator) - 1)
        return _Candidate(written, located, objection=self._objection(located))

    def _objection(self, located: LocatedStep) -> str:
        """Return why the program does not allow a step; empty when it does."""
        if located.unresolved:
            return f"{located.unresolved[0]} is written as unchanged, and has no value"
        if self._steering is not None:  # told so by the user
            return ""
        run = RunReader(self._control_flow)
        run.codes, run.last = list(self._run.codes), self._run.last
        run.stack = list(self._run.stack)
        depth = located.depth - (located.kind is StepKind.CALL)
        while (step := run.unwinding(depth)) is not None:
            if problem := self._rules.objection(run.live, run.codes, run.last, step):
                return problem
            run.stack, run.last = list(run.live[: step.depth + 1]), step
        following = run.step(located)
        return self._rules.objection(run.live, run.codes, run.last, following)

    def _may_end(self) -> bool:
        last = self._run.last
        return last is not None and last.kind is StepKind.EXCEPTION and last.depth == 0

    def _take(
        self, located: LocatedStep, candidate: _Candidate, supplied: frozenset[str] = frozenset()
    ) -> None:
        """Add a step, and before it those that it implies."""
        written = candidate.written
        self._unwind(located.depth - (located.kind is StepKind.CALL))
        sure = _CERTAIN if not written.num_sampled else self._confidence(located, written)
        running = self._running(located.depth)
        step = self._run.step(located)
        names, is_value_supplied = self._config.assumed.supplies(running, step)
        names |= supplied & {name for name, _ in step.changed}
        changed = {name: sure.names.get(name, 1.0) for name, _ in step.changed if name not in names}
        unchanged = [p for name, p in sure.names.items() if name not in changed and name not in names]
        control = sure.control
        for probability in unchanged:  # written out although it is what it was
            control *= probability
        view = StepView(
            step,
            Origin.PREDICTED,
            changed,
            control,
            sure.value,
            names,
            is_value_supplied=is_value_supplied,
            objection=candidate.objection or None,
        )
        prediction = Prediction(
            step,
            changed,
            control,
            sure.value,
            written.num_sampled,
            len(written.ids),
            supplied=names,
            is_value_supplied=is_value_supplied,
        )
        self._keep(_located(self._locator, located.step), view, prediction)
        self._steering = None

    def _confidence(self, located: LocatedStep, written: Written) -> Confidence:
        return confidence(self._writer.codec, located.step, written.logarithms)

    def _running(self, depth: int) -> int:
        live = self._run.live
        return live[depth].lineno if 0 <= depth < len(live) else 0

    def _unwind(self, depth: int) -> None:
        """Add the returns by which an exception leaves every activation above ``depth``."""
        while (step := self._run.unwinding(depth)) is not None:
            view = StepView(step, Origin.PREDICTED, {}, 1.0)
            self._keep(None, view, Prediction(step, {}, 1.0, None, 0, 0))

    def _keep(self, located: LocatedStep | None, view: StepView, prediction: Prediction) -> None:
        """Add a step; the locator stands behind it already."""
        if located is not None:
            self._locator.settle()
            self._ids += located.step.ids
        self._run.push(view.step)
        self._views.append(view)
        self._made.append(None if located is None else located.step)
        self._history.append(view, self._run.codes)
        self.predictions.append(prediction)

    # The end

    def _end(self) -> None:
        """Take note that the model ended the trace."""
        if self._may_end():
            self._unwind(-1)
            self._status = self._described_end()
            return
        live = self._run.live
        function = self.codes[live[-1].code].qualname if live else self._program.entry
        self._status = f"the model ended the trace within {function}"

    def _malformed(self, candidate: _Candidate) -> None:
        last = self._run.last or Step(StepKind.LINE, 0, 1, 0)
        stand_in = dataclasses.replace(last, changed=(), deleted=(), value=None, flags=StepFlags.NONE)
        self._views.append(StepView(stand_in, Origin.PREDICTED, malformed=candidate.reason))
        self._made.append(None)
        written = candidate.written
        unread = Unreadable(written.ids, candidate.reason)
        self.predictions.append(Prediction(unread, {}, 1.0, None, written.num_sampled, len(written.ids)))
        self._status = f"the model's step was malformed: {candidate.reason}"

    def _described_end(self) -> str:
        last = self._run.last
        if last is not None and last.value is not None:
            return f"the program returned {last.value}"
        raised = (view.step.value for view in reversed(self._views) if view.step.kind is StepKind.EXCEPTION)
        return f"the program raised {next(raised, None) or 'an exception'}"


def _located(locator: Locator, step: CwmStep | MalformedStep) -> LocatedStep:
    """Find a step that was found before, or that we wrote ourselves."""
    found = step if isinstance(step, MalformedStep) else locator.locate(step)
    if isinstance(found, LocatedStep):
        return found
    raise AssertionError(f"a step of the program is found: {found.reason}")


def _entry_graph(program: Program, control_flow: ControlFlow) -> CodeGraph | None:
    graphs = control_flow.named(program.entry)
    return graphs[-1] if graphs else None


def _check_entry(program: Program, control_flow: ControlFlow, state: Mapping[str, str]) -> None:
    graph = _entry_graph(program, control_flow)
    if graph is None:
        raise ConfigError(f"no function {program.entry!r}", where=program.filename)
    unknown = [name for name in state if name not in graph.local_names]
    if unknown:
        raise ConfigError(f"{unknown[0]!r} is no local variable of {program.entry}", where=program.filename)
