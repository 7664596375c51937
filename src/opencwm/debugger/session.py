"""One debugging session: a position in an execution, and the moves that change it.

The one idea: a real and a predicted execution are stepped by the same moves, which are defined on depth and
kind of steps alone (:mod:`opencwm.traces.state_tree`). A move reads as many steps as it needs and no more,
never more than ``max_steps``: a prediction need not end. It knows nothing of terminals and protocols.

All methods belong to one thread; what another thread may do is to cancel a move, see :meth:`Session.watched`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

from opencwm.core.errors import ConfigError
from opencwm.debugger import asking
from opencwm.debugger.activations import Change, call_of, changes_of
from opencwm.debugger.asking import Answer
from opencwm.debugger.breakpoint_list import Breakpoints
from opencwm.debugger.cancellation import Cancellation, Watch
from opencwm.debugger.compare import Lockstep, Row
from opencwm.debugger.execution import Execution, FrameView, Steerable, StepView, Value
from opencwm.debugger.foreseeing.expressions import (
    ExpressionError,
    Result,
    Undecided,
    UnsupportedError,
    evaluate,
)
from opencwm.debugger.places import check_line
from opencwm.debugger.records import StepRecord, records
from opencwm.debugger.stops import Stop, StopKind
from opencwm.debugger.timelines import Fork, Steering, Timeline, Timelines
from opencwm.debugger.travel import Arrives, Travel
from opencwm.traces import Program, Step, StepKind
from opencwm.traces.state_tree import ends_back_over, ends_out, ends_over


class Session:
    """A position in an execution.

    Args:
        execution: what is stepped through.
        max_steps: most steps one move may read, at least 1.
        real: a real execution of the same program, laid beside a predicted one.

    Attributes:
        position: index of the current step.
        is_ended: whether the session is past its last step; ``position`` is then that of the last step.
        breakpoints: what stops moves on their way.
        max_steps: see above.
        real: see above; None when there is none.
        last_stop: what the last move returned.

    Raises:
        ConfigError: the execution has no step at all.
    """

    def __init__(
        self, execution: Execution, *, max_steps: int = 10_000, real: Execution | None = None
    ) -> None:
        if max_steps < 1:
            raise ConfigError(f"max_steps must be at least 1, not {max_steps}")
        first = execution.get(0)
        if first is None or first.malformed is not None:
            problem = first.malformed if first is not None and first.malformed else execution.status
            raise ConfigError("there is no step to show", where=execution.program.filename, hint=problem)
        self.max_steps = max_steps
        self.position = 0
        self.is_ended = False
        self.breakpoints = Breakpoints(execution.control_flow)
        self.real = real
        self.last_stop = Stop(StopKind.ENTRY, "entry", 0)
        self._lockstep = None if real is None else Lockstep(execution, real)
        self._num_agreeing = 0  # steps, from the first, that are known to be as in the real run
        self._timelines = Timelines(execution, self.last_stop)
        self._travel = Travel(execution, self.breakpoints, max_steps)
        self._watch = Watch()

    @contextlib.contextmanager
    def watched(
        self, cancellation: Cancellation | None = None, progress: Callable[[int], None] | None = None
    ) -> Iterator[None]:
        """Make the moves and questions within cancellable, and have their progress told.

        Args:
            cancellation: may be cancelled on any thread; the move then stops where it got.
            progress: called with the number of steps read so far by the move, after each.
        """
        before, self._watch = self._watch, Watch(cancellation, progress)
        try:
            yield
        finally:
            self._watch = before

    @property
    def is_cancelled(self) -> bool:
        """Whether what is under way within :meth:`watched` was cancelled."""
        return self._watch.is_cancelled

    # What is here

    @property
    def execution(self) -> Execution:
        """What is stepped through: that of the current timeline."""
        return self._timelines.current.execution

    @property
    def program(self) -> Program:
        """The program that is stepped through."""
        return self.execution.program

    @property
    def view(self) -> StepView:
        """The current step."""
        view = self.execution.get(self.position)
        if view is None:
            raise IndexError(f"no step {self.position}")
        return view

    @property
    def step(self) -> Step:
        """The current step's record."""
        return self.view.step

    @property
    def stack(self) -> list[FrameView]:
        """The live activations, outermost first; the last one is that of the current step."""
        return self.execution.stack_at(self.position)

    @property
    def locals(self) -> dict[str, Value]:
        """The local variables of the current activation."""
        return dict(self.stack[-1].locals)

    def history(self, name: str) -> list[Change]:
        """Return how a variable of the current activation changed up to now, oldest first."""
        return list(changes_of(self.execution, self.position, name))

    def records(self, first: int = 0, end: int | None = None) -> list[StepRecord]:
        """Return the steps that are known, in short, from ``first`` up to, not including, ``end``."""
        return list(records(self.execution, first, self.execution.num_known if end is None else end))

    # Expressions

    def evaluate(self, expression: str, level: int = -1) -> Result:
        """Evaluate a pure expression over the locals of activation ``level`` of :attr:`stack`.

        Raises:
            Undecided: it depends on what is not known.
            ExpressionError: it is not valid, not allowed, or raises.
        """
        return evaluate(expression, {name: value.text for name, value in self.stack[level].locals.items()})

    def ask(self, expression: str, level: int = -1) -> Answer:
        """Return what an expression is at this step: shown or computed where it can be, else by the model.

        Nothing is executed; see :mod:`opencwm.debugger.asking`.

        Raises:
            Undecided: neither values nor a model tell; in a recorded run there is no model to ask.
            ExpressionError: it is not valid, not allowed, or raises.
            CancelledError: it was cancelled.
            EngineError: the engine broke.
        """
        shown = self.stack[level].locals
        try:
            return asking.computed(expression, shown)
        except (Undecided, UnsupportedError):
            return asking.predicted(self.execution, expression, shown, self._watch, self.max_steps)

    # Beside the real run

    @property
    def row(self) -> Row | None:
        """The current step beside that of the real run; None without one, and after they went apart."""
        lockstep = self._beside
        return None if lockstep is None else lockstep.row(self.position)

    @property
    def first_divergence(self) -> Row | None:
        """The first step, of those known, that is not as in the real run; None when there is none."""
        lockstep = self._beside
        if lockstep is None:
            return None
        end = self.execution.num_known + (1 if self.execution.ended() else 0)
        while self._num_agreeing < end:
            row = lockstep.row(self._num_agreeing)
            if row is None or not row.agrees:
                return row
            self._num_agreeing += 1
        return None

    @property
    def _beside(self) -> Lockstep | None:
        """The real run beside the current timeline; it is none of what never happened."""
        return self._lockstep if self._timelines.current.fork is None else None

    # Forward moves

    def step_into(self) -> Stop:
        """Go to the next step, in recorded order."""
        return self._forward(lambda _index, _step: True, stops_at_breakpoints=False)

    def step_over(self) -> Stop:
        """Go to the next step of this level, or one level up when the level has ended; never down."""
        origin = self.step
        return self._forward(lambda _, step: ends_over(origin, step))

    def step_out(self) -> Stop:
        """Go to the RETURN of this level; from there to that of the level above."""
        origin = self.step
        return self._forward(lambda _, step: ends_out(origin, step))

    def continue_(self) -> Stop:
        """Go on to the next breakpoint, or to the end."""
        return self._forward(lambda _index, _step: False)

    def run_to(self, lineno: int) -> Stop:
        """Go on until ``lineno`` is about to run, at any level.

        Raises:
            ConfigError: the line holds no code of a function.
        """
        check_line(self.execution.control_flow, lineno)
        return self._forward(
            lambda _, step: step.kind is StepKind.LINE and step.lineno == lineno,
            kind=StopKind.GOAL,
            reason=f"line {lineno}",
        )

    def until(self, lineno: int | None = None) -> Stop:
        """Go on until a line of this level not before ``lineno`` is about to run, or the level ends.

        Args:
            lineno: 1-based; by default the line after the current one, which leaves a loop.
        """
        origin = self.step
        first = origin.lineno + 1 if lineno is None else lineno
        return self._forward(
            lambda _, step: (
                step.depth < origin.depth
                or (
                    step.depth == origin.depth
                    and (step.kind is StepKind.RETURN or _is_line_from(step, first))
                )
            )
        )

    # Backward moves

    def step_back(self) -> Stop:
        """Go to the step before this one; from past the end to the last step."""
        return self._backward(lambda _index, _step: True)

    def back_over(self) -> Stop:
        """Go to the step of this level before this one; before its CALL to the step that made the call."""
        origin = self.step
        return self._backward(lambda _, step: ends_back_over(origin, step))

    def back_out(self) -> Stop:
        """Go back to the CALL of this level; from there to that of the level above."""
        origin = self.step
        depth = origin.depth - 1 if origin.kind is StepKind.CALL else origin.depth
        return self._backward(lambda _, step: step.depth <= depth and step.kind is StepKind.CALL)

    def continue_back(self) -> Stop:
        """Go back to where the last breakpoint stops, or to the first step.

        A data breakpoint stops at the step whose line made the last change. What is to be ignored is only so
        going forward.
        """
        return self._arrived(
            self._travel.back_to_breakpoint(self.position, self._watch, is_past_end=self.is_ended)
        )

    def back_to_change(self, name: str) -> Stop:
        """Go back to the step whose line changed a variable of the current activation last.

        Raises:
            ConfigError: it has not changed before.
        """
        earlier = [change for change in self.history(name) if change.made_at < self.position or self.is_ended]
        if not earlier:
            raise ConfigError(f"{name} has not changed in this function before")
        return self._arrived(Stop(StopKind.GOAL, earlier[-1].describe(name), earlier[-1].made_at))

    def restart(self) -> Stop:
        """Go back to the first step. Breakpoints and variables that were set stay."""
        return self._arrived(Stop(StopKind.ENTRY, "entry", 0))

    def restart_frame(self, level: int = -1) -> Stop:
        """Go back to the CALL of activation ``level`` of :attr:`stack`; of a generator, to where it resumed.

        Raises:
            ConfigError: there is no such activation.
        """
        stack = self.stack
        if not -len(stack) <= level < len(stack):
            raise ConfigError(f"no activation {level}", hint=f"there are {len(stack)}")
        place = call_of(self.execution, self.position, level % len(stack))
        if place is None:
            raise ConfigError("the call of this activation is not known")
        return self._arrived(Stop(StopKind.GOAL, f"the call of {stack[level].function}", place))

    # Jumps

    def goto(self, position: int) -> Stop:
        """Go to a step by its index, in either direction; breakpoints do not stop it.

        Raises:
            ConfigError: the index is negative.
        """
        if position < 0:
            raise ConfigError(f"no step {position}", hint="the first is 0")
        reason = f"step {position}"
        if position < self.execution.num_known and self._is_step(position):
            return self._arrived(Stop(StopKind.GOAL, reason, position))
        return self._forward(
            lambda index, _: index == position,
            kind=StopKind.GOAL,
            reason=reason,
            stops_at_breakpoints=False,
        )

    def occurrences(self, lineno: int) -> tuple[int, ...]:
        """Return the steps, of those known, at which a line is about to run; nothing is predicted.

        Raises:
            ConfigError: the line holds no code of a function.
        """
        check_line(self.execution.control_flow, lineno)
        return tuple(item.position for item in self.records() if _is_line(item.kind, item.lineno, lineno))

    def find_occurrences(self, lineno: int) -> Iterator[int]:
        """Yield the steps at which a line is about to run, from the first; reads on when asked for more.

        It ends at the end, when cancelled, and ``max_steps`` after what was known at first.

        Raises:
            ConfigError: the line holds no code of a function.
        """
        check_line(self.execution.control_flow, lineno)
        first = self.execution.num_known
        for index in range(first + self.max_steps):
            if self._watch.is_cancelled or not self._is_step(index):
                return
            view = self.execution.get(index)
            if view is not None and _is_line(view.step.kind, view.step.lineno, lineno):
                yield index
            if index >= first:
                self._watch.advance(index - first + 1)

    def goto_divergence(self) -> Stop:
        """Go to the first step that is not as in the real run, in either direction.

        Raises:
            ConfigError: there is no real run beside this timeline.
        """
        lockstep = self._beside
        if lockstep is None:
            raise ConfigError("there is no real run to compare with")
        known = self.first_divergence
        if known is not None and known.predicted_index is not None and self._is_step(known.predicted_index):
            place = known.predicted_index
            return self._arrived(Stop(StopKind.GOAL, f"first divergence: {known.describe()}", place))

        def has_parted(index: int, _: Step) -> bool:
            row = lockstep.row(index)
            return row is not None and not row.agrees

        return self._forward(
            has_parted, kind=StopKind.GOAL, reason="first divergence", stops_at_breakpoints=False
        )

    # Timelines

    @property
    def timelines(self) -> tuple[Timeline, ...]:
        """All ways the program may go: the first, and one for each variable that was set; oldest first."""
        return self._timelines.all()

    @property
    def timeline(self) -> Timeline:
        """The current one."""
        return self._timelines.current

    def set_variable(self, name: str, expression: str) -> Stop:
        """Set a local of the current activation on a new timeline; what follows is predicted anew.

        The timeline that is left stays as it is, and can be selected again.

        Args:
            name: a local variable of the current function.
            expression: its new value, a pure expression over the locals.

        Raises:
            ConfigError: the execution cannot be changed, there is no such local, the expression has no known
                value, or there are too many timelines.
        """
        self._timelines.check_room()
        code = self.execution.codes[self.step.code]
        if self.is_ended or self.step.kind in (StepKind.RETURN, StepKind.EXCEPTION):
            raise ConfigError(f"cannot set {name} here", hint="variables can be set before a line runs")
        if name not in code.local_names:
            raise ConfigError(f"{name} is no local variable of {code.qualname}")
        try:
            text = self.evaluate(expression).text
        except (Undecided, ExpressionError) as error:
            raise ConfigError(f"{expression} has no known value", hint=str(error)) from None
        execution = self.execution.fork(self.position, {name: text})
        previous = self.locals[name].text if name in self.locals else None
        number, lineno = self.timeline.number, self.step.lineno
        fork = Fork(number, self.position, lineno, code.qualname, name, text, previous)
        self.timeline.left_at = self.last_stop
        stop = Stop(StopKind.STEP, f"{name} set to {text}", self.position)
        self._timelines.add(execution, fork, stop)
        return self._switched(stop)

    def steer(self, kind: StepKind) -> Stop:
        """Have the next step predicted anew, as one of a kind, on a new timeline; go there.

        At a CALL, a RETURN tells what the call comes to without the steps of the function.

        Raises:
            ConfigError: the model's format knows no steering, nothing can follow here, or there are too many
                timelines.
        """
        self._timelines.check_room()
        execution = self.execution
        if not isinstance(execution, Steerable):
            raise ConfigError(
                "the next step cannot be steered",
                hint="models of the cwm format can be, such as facebook/cwm",
            )
        steered = execution.steered(self.position, kind)
        code = self.execution.codes[self.step.code]
        steering = Steering(self.timeline.number, self.position, self.step.lineno, code.qualname, kind)
        self.timeline.left_at = self.last_stop
        self._timelines.add(steered, steering, Stop(StopKind.STEP, "step", self.position))
        self._switched(Stop(StopKind.STEP, str(steering), self.position))
        return self.step_into()

    def select_timeline(self, number: int) -> Stop:
        """Go to another timeline, to where it was left.

        Raises:
            ConfigError: there is none with this number.
        """
        current = self.timeline
        selected = self._timelines.select(number)
        if selected is not current:
            current.left_at = self.last_stop
        left_at = self.last_stop if selected is current else selected.left_at
        return self._switched(Stop(left_at.kind, f"timeline {number}: {selected}", left_at.position))

    def drop_timeline(self, number: int) -> None:
        """Forget a timeline that is not the current one, and free what its prediction holds.

        Raises:
            ConfigError: there is none with this number, or it is the current one.
        """
        self._timelines.drop(number)

    # Machinery

    def _is_step(self, index: int) -> bool:
        view = self.execution.get(index)
        return view is not None and view.malformed is None

    def _arrived(self, stop: Stop) -> Stop:
        self.position, self.is_ended, self.last_stop = stop.position, stop.is_end, stop
        return stop

    def _switched(self, stop: Stop) -> Stop:
        self._travel = Travel(self.execution, self.breakpoints, self.max_steps)
        return self._arrived(stop)

    def _forward(
        self,
        arrives: Arrives,
        *,
        kind: StopKind = StopKind.STEP,
        reason: str = "step",
        stops_at_breakpoints: bool = True,
    ) -> Stop:
        if self.is_ended:
            return self._arrived(dataclasses.replace(self.last_stop, logs=()))
        return self._arrived(
            self._travel.forward(
                self.position,
                arrives,
                self._watch,
                kind=kind,
                reason=reason,
                stops_at_breakpoints=stops_at_breakpoints,
            )
        )

    def _backward(self, arrives: Arrives) -> Stop:
        if self.is_ended:
            return self._arrived(Stop(StopKind.STEP, "step", self.position))
        return self._arrived(self._travel.backward(self.position, arrives, self._watch))


def _is_line_from(step: Step, first: int) -> bool:
    return step.kind is StepKind.LINE and step.lineno >= first


def _is_line(kind: StepKind, lineno: int, wanted: int) -> bool:
    return kind is StepKind.LINE and lineno == wanted
