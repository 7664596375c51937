"""What a debugging session steps through: an execution, recorded from a real run or predicted by a model.

The one idea: both are the same list of steps, reached by index; a predicted one is made on demand. What
differs is where values come from, and every value says so. An execution never moves: the position is the
session's.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from opencwm.core.errors import ConfigError
from opencwm.debugger.assumed import NOTHING_ASSUMED, Assumed
from opencwm.source.cfg import ControlFlow
from opencwm.traces import Activation, CodeInfo, Program, Status, Step, StepKind, Trace, apply_step

if TYPE_CHECKING:
    from opencwm.model.sampling import SamplingConfig


class Origin(enum.StrEnum):
    """Where a value on screen comes from."""

    SUPPLIED = "supplied"  # the user gave it: an argument, or a variable set by hand
    CARRIED = "carried"  # nothing was written about it at this step, so it is what it was
    PREDICTED = "predicted"  # the model wrote it at this very step
    VERIFIED = "verified"  # it comes from a real run, or was found equal to one


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """One value as shown.

    Attributes:
        text: rendering of the value, as in :class:`opencwm.traces.Step`.
        origin: where it comes from.
        probability: the model's probability of this text when it was predicted, in [0, 1]; a carried value
            keeps the one it was predicted with; None for supplied and observed values.
    """

    text: str
    origin: Origin
    probability: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class FrameView:
    """A live activation at some step.

    Attributes:
        function: its ``co_qualname``.
        lineno: 1-based line in ``Program.text`` it is at.
        locals: its local variables in canonical order.
        code: index into :attr:`Execution.codes`.
    """

    function: str
    lineno: int
    locals: Mapping[str, Value]
    code: int


_NO_PROBABILITIES: Mapping[str, float] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class StepView:
    """A step and how far it can be trusted.

    Attributes:
        step: the recorded or predicted step. When ``malformed``, a stand-in: kind, line and depth of the step
            before it.
        origin: VERIFIED for a real step, PREDICTED otherwise; it is the origin of the step's changed locals
            and value, except for the names in ``supplied``.
        probabilities: changed name -> probability of its text given everything before, in (0, 1]. Empty when
            observed.
        control_probability: probability of kind and line together; None when observed, 1.0 when only one was
            legal.
        value_probability: probability of the returned or raised value; None when observed or when there is
            none.
        supplied: changed names whose text was given, not predicted.
        is_value_supplied: whether the step's value was given, not predicted.
        malformed: why the model's output is no step; None for a good step. A malformed step is the last one
            of its execution: nothing is predicted after it, and a session never moves onto it.
        objection: why the program does not allow this step; None when it does, or when it was not looked at.
    """

    step: Step
    origin: Origin
    probabilities: Mapping[str, float] = dataclasses.field(default_factory=lambda: _NO_PROBABILITIES)
    control_probability: float | None = None
    value_probability: float | None = None
    supplied: frozenset[str] = frozenset()
    malformed: str | None = None
    is_value_supplied: bool = False
    objection: str | None = None

    @property
    def value(self) -> Value | None:
        """The returned, yielded or raised value, or None at steps that have none."""
        if self.step.value is None:
            return None
        if self.is_value_supplied:
            return Value(self.step.value, Origin.SUPPLIED)
        return Value(self.step.value, self.origin, self.value_probability)

    @property
    def probability(self) -> float | None:
        """The probability of everything the model decided in this step; None when observed."""
        if self.control_probability is None:
            return None
        decided = (self.control_probability, *self.probabilities.values(), self.value_probability)
        return math.prod(1.0 if item is None else item for item in decided)

    @property
    def changes(self) -> dict[str, Value]:
        """The changed locals of this step, in canonical order."""
        return {
            name: Value(text, Origin.SUPPLIED)
            if name in self.supplied
            else Value(text, self.origin, self.probabilities.get(name))
            for name, text in self.step.changed
        }


class Execution(Protocol):
    """The steps of one execution, by index from 0; step 0 is the CALL of the entry.

    Reading a step past those known so far makes a predicted execution predict. Steps never change once read.
    One thread at a time.
    """

    @property
    def program(self) -> Program:
        """What is executed."""
        ...

    @property
    def control_flow(self) -> ControlFlow:
        """The control-flow graphs of ``program.text``."""
        ...

    @property
    def codes(self) -> Sequence[CodeInfo]:
        """The code objects entered so far; ``Step.code`` indexes it. It may grow, its items never change."""
        ...

    def get(self, index: int) -> StepView | None:
        """Return step ``index`` >= 0, predicting up to it if need be; None when the execution ends before it.

        Model output is data: this raises nothing for it.

        Raises:
            EngineError: the engine behind a predicted execution broke.
        """
        ...

    @property
    def num_known(self) -> int:
        """How many steps can be read without predicting, a malformed last one included."""
        ...

    def ended(self) -> bool:
        """Whether the last step is known. Never predicts."""
        ...

    @property
    def status(self) -> str:
        """Why nothing follows the last step, in words; empty until :meth:`ended`."""
        ...

    def stack_at(self, index: int) -> list[FrameView]:
        """Return the live activations at step ``index``, outermost first.

        At a RETURN the activation that ends is still there.

        Raises:
            IndexError: there is no such step, or it is malformed.
        """
        ...

    def fork(self, index: int, changes: Mapping[str, str]) -> Execution:
        """Return an execution that is the same up to ``index``, with locals set at that step.

        They are set in the innermost activation of that step. Later steps are dropped in the copy and
        predicted anew; this execution is unchanged.

        Args:
            index: a step that exists.
            changes: name -> rendered value, not evaluated.

        Raises:
            ConfigError: this kind of execution cannot be changed, or a name is not a local of the activation.
        """
        ...

    def beginning(self, program: Program, state: Mapping[str, str]) -> Execution:
        """Return an execution of another program by the same means, whose entry begins with ``state``.

        Args:
            program: what to execute; its entry is a function of its own file.
            state: local of the entry -> rendered value, not evaluated.

        Raises:
            ConfigError: this kind of execution knows only what happened, or the entry has no such local.
        """
        ...


class Predicted(Execution, Protocol):
    """An execution that a model makes."""

    @property
    def notices(self) -> Sequence[str]:
        """What the user should know of it before it is looked at, a line each."""
        ...

    def read(self) -> None:
        """Have the model read the program now, so that what :meth:`afresh` returns need not.

        Raises:
            EngineError: the engine broke, or the program does not fit its context.
        """
        ...

    def afresh(self, sampling: SamplingConfig | None = None) -> Predicted:
        """Return another execution of the program, nothing of it predicted yet.

        Args:
            sampling: how tokens are picked in it; by default as in this one.
        """
        ...


@runtime_checkable
class Steerable(Protocol):
    """An execution whose next step can be told to be of a kind."""

    def steered(self, index: int, kind: StepKind) -> Execution:
        """Return an execution that is the same up to and with step ``index``; the next one is of ``kind``.

        Raises:
            ConfigError: there is no such step, or nothing can follow it.
        """
        ...


_SNAPSHOT_EVERY = 64
"""Steps between kept stacks: looking at one step costs at most this many replayed ones."""


class StackHistory:
    """The stack of every step appended so far, with the origin of each value; one in 64 is kept."""

    def __init__(self) -> None:
        self._views: list[StepView] = []
        self._codes: Sequence[CodeInfo] = ()
        self._live = _Replay()
        self._snapshots: list[_Replay] = []

    def __len__(self) -> int:
        return len(self._views)

    def append(self, view: StepView, codes: Sequence[CodeInfo]) -> None:
        """Add the next step; ``codes`` are those known now. Malformed steps do not belong here."""
        if len(self._views) % _SNAPSHOT_EVERY == 0:
            self._snapshots.append(self._live.copy())
        self._codes = codes
        self._views.append(view)
        self._live.apply(view, codes)

    def truncate(self, length: int) -> None:
        """Forget all but the first ``length`` steps."""
        kept, codes = self._views[:length], self._codes
        self._live = self._replay(length)
        del self._snapshots[-(-length // _SNAPSHOT_EVERY) :]
        self._views, self._codes = kept, codes

    def at(self, index: int) -> list[FrameView]:
        """Return the stack at step ``index``, outermost first.

        Raises:
            IndexError: there is no such step.
        """
        if not 0 <= index < len(self._views):
            raise IndexError(f"no step {index}")
        return self._replay(index + 1).frames(self._codes)

    def _replay(self, length: int) -> _Replay:
        if length == len(self._views):
            return self._live
        start = length // _SNAPSHOT_EVERY
        state = self._snapshots[start].copy()
        for view in self._views[start * _SNAPSHOT_EVERY : length]:
            state.apply(view, self._codes)
        return state


class _Replay:
    """A stack in the making: activations and, in step with them, what was said about each value."""

    def __init__(self) -> None:
        self.stack: list[Activation] = []
        self.said: list[dict[str, Value]] = []
        self.fresh: frozenset[str] = frozenset()

    def copy(self) -> _Replay:
        twin = _Replay()
        twin.stack = [Activation(item.code, item.lineno, dict(item.locals)) for item in self.stack]
        twin.said = [dict(values) for values in self.said]
        twin.fresh = self.fresh
        return twin

    def apply(self, view: StepView, codes: Sequence[CodeInfo]) -> None:
        step = view.step
        apply_step(self.stack, step, tuple(codes) if not isinstance(codes, tuple) else codes)
        top = len(self.stack) - 1
        del self.said[top if step.kind is StepKind.CALL else top + 1 :]
        while len(self.said) <= top:
            self.said.append({})
        for name in step.deleted:
            self.said[top].pop(name, None)
        changes = view.changes
        self.said[top].update(changes)
        self.fresh = frozenset(changes)

    def frames(self, codes: Sequence[CodeInfo]) -> list[FrameView]:
        top = len(self.stack) - 1
        return [
            FrameView(
                codes[item.code].qualname if 0 <= item.code < len(codes) else "?",
                item.lineno,
                {name: self._value(level, name, text, level == top) for name, text in item.locals.items()},
                item.code,
            )
            for level, item in enumerate(self.stack)
        ]

    def _value(self, level: int, name: str, text: str, is_top: bool) -> Value:
        value = self.said[level].get(name, Value(text, Origin.CARRIED))
        if value.origin is Origin.PREDICTED and not (is_top and name in self.fresh):
            return Value(value.text, Origin.CARRIED, value.probability)
        return value


class RealExecution:
    """An execution over a recorded trace: every value is verified, but for those that were assumed.

    It cannot be forked.
    """

    def __init__(
        self, trace: Trace, control_flow: ControlFlow | None = None, assumed: Assumed = NOTHING_ASSUMED
    ) -> None:
        self.trace = trace
        self._control_flow = control_flow
        self._views = [StepView(step, Origin.VERIFIED) for step in trace.steps]
        if assumed != NOTHING_ASSUMED:
            self._views = list(_labelled(trace, assumed))
        self._history: StackHistory | None = None

    @property
    def program(self) -> Program:
        """What ran."""
        return self.trace.program

    @property
    def control_flow(self) -> ControlFlow:
        """The control-flow graphs of the program, built when first asked for."""
        if self._control_flow is None:
            self._control_flow = ControlFlow(self.program.text, self.program.filename)
        return self._control_flow

    @property
    def codes(self) -> Sequence[CodeInfo]:
        """The code objects the run entered."""
        return self.trace.codes

    def get(self, index: int) -> StepView | None:
        """Return step ``index``, or None past the end."""
        return self._views[index] if 0 <= index < len(self._views) else None

    @property
    def num_known(self) -> int:
        """How many steps were recorded."""
        return len(self._views)

    def ended(self) -> bool:
        """Return True: a recorded run is known to its end."""
        return True

    @property
    def status(self) -> str:
        """How the recorded run ended."""
        return describe_end(self.trace.status, self.trace.result, self.trace.detail)

    def stack_at(self, index: int) -> list[FrameView]:
        """Return the live activations at step ``index``, outermost first.

        Raises:
            IndexError: there is no such step.
        """
        if self._history is None:
            self._history = StackHistory()
            for view in self._views:
                self._history.append(view, self.trace.codes)
        return self._history.at(index)

    def fork(self, index: int, changes: Mapping[str, str]) -> Execution:
        """Refuse: a recorded run only holds what happened.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"cannot set {_listed(changes)} in a recorded run: what would have followed was never executed",
            where=f"step {index}",
            hint="set variables in a predicted execution, which predicts the rest anew",
        )

    def beginning(self, program: Program, state: Mapping[str, str]) -> Execution:  # noqa: ARG002 - the protocol's
        """Refuse: a recorded run only holds what happened.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "a recorded run holds only what happened, and nothing is executed to find out more",
            hint="a predicted execution can be asked",
        )


def _labelled(trace: Trace, assumed: Assumed) -> Iterator[StepView]:
    """Yield the steps of a run, their assumed values labelled."""
    stack: list[Activation] = []
    for step in trace.steps:
        running = stack[step.depth].lineno if step.depth < len(stack) else 0
        apply_step(stack, step, trace.codes)
        if step.kind is StepKind.CALL:
            running = 0
        names, is_value = assumed.supplies(running, step)
        yield StepView(step, Origin.VERIFIED, supplied=names, is_value_supplied=is_value)


def describe_end(status: Status, result: str | None = None, detail: str = "") -> str:
    """Say in words how a run ended, for example ``the program returned 'x'``.

    Args:
        status: how it ended.
        result: rendered returned value, when it returned.
        detail: the exception, signal or limit.
    """
    if status is Status.RETURNED:
        return f"the program returned {result}" if result is not None else "the program returned"
    words = {
        Status.RAISED: "the program raised",
        Status.NO_ENTRY: "the program has no such entry point",
        Status.MODULE_FAILED: "the module could not be run",
        Status.STEP_LIMIT: "the step limit was reached",
        Status.BYTE_LIMIT: "the record reached its size limit",
        Status.TIMEOUT: "the run was out of time",
        Status.MEMORY: "the run was out of memory",
        Status.EXITED: "the program exited",
        Status.KILLED: "the program was killed",
        Status.UNTRACED: "the program removed the tracer",
        Status.REFUSED: "the program was not run",
    }[status]
    if not detail:
        return words
    return f"{words} {detail}" if status is Status.RAISED else f"{words}: {detail}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "a variable"
