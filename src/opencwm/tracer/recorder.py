"""The record of one run while it is made: its steps, how deep it is, what it may still cost.

The interpreter's recursion limit is raised while a program runs, so that the trace function itself always has
room. The program gets its ``RecursionError`` from the trace function instead, at a depth of recorded
activations that is the same on every Python.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, NoReturn

from opencwm.tracer import accelerator
from opencwm.tracer.accelerator import AcceleratedTrace
from opencwm.tracer.activation import Activation, DetailedActivation
from opencwm.tracer.bytecode import RecordedCode, program_codes
from opencwm.tracer.evaluator import Evaluator, RawEvaluation
from opencwm.tracer.limits import TraceLimits
from opencwm.tracer.rendering import Renderer
from opencwm.traces.trace import Binding, CodeInfo, Status, Step, StepFlags, StepKind

LocalTrace = Callable[[FrameType, str, Any], Any]
RawStep = tuple[
    StepKind,
    int,
    int,
    int,
    tuple[Binding, ...],
    tuple[str, ...],
    str | None,
    int,
    tuple[RawEvaluation, ...],
]
"""The fields of a :class:`Step`, flags as a plain integer, evaluations raw."""

MAX_DEPTH = 1000
"""Recorded activations a program may have at once before it gets RecursionError, unless it sets a limit."""
ROOM = 600
"""Python frames kept free for the trace function."""

# Bound here, so that a program that changes ``sys`` does not change its recorder.
_settrace, _get_limit, _set_limit = sys.settrace, sys.getrecursionlimit, sys.setrecursionlimit
_id, _len, _tuple = id, len, tuple


class LimitReached(BaseException):
    """Unwinds a program that reached a limit, when no ``on_limit`` ends the process; it can be swallowed."""


class Recorder:
    """Collects the steps of one run.

    Attributes:
        steps: what was recorded so far; empty when the accelerator keeps it.
        codes: the code objects entered so far, in order of first entry.
        depth: recorded activations alive and running.
        most_steps: number of steps that ends the run; 0 when the texts have used up the bytes.
        short: a string of at most this length has a repr within the bounds.
        limit: the limit that was reached, or None.
        out_of_memory: the recorder itself could not get memory.
        failure: an error of the recorder itself.
        entry: code object whose return at depth 0 ends the recording, or None.
        finished: nothing is recorded any more.
        held_back: the step of resuming a generator, until it is known that the generator is not being closed.
        renderer: makes the texts.
        pending: sub-expressions evaluated since the last step; empty without an evaluator.
        evaluator: what records sub-expressions, or None.
        trace: the function for ``sys.settrace``.
    """

    def __init__(
        self,
        module: CodeType,
        text: str,
        limits: TraceLimits,
        on_limit: Callable[[], None],
        evaluator: Evaluator | None = None,
        *,
        accelerate: bool = False,
    ) -> None:
        self.steps: list[RawStep] = []
        self.codes: list[CodeInfo] = []
        self.depth = 0
        self.most_steps = limits.max_steps
        self.short = limits.max_value_chars // 12
        self.limit: Status | None = None
        self.out_of_memory = False
        self.failure: Exception | None = None
        self.entry: CodeType | None = None
        self.finished = False
        self.held_back: RawStep | None = None
        self.renderer = Renderer(limits)
        self.evaluator = evaluator
        self.pending: list[RawEvaluation] = evaluator.pending if evaluator else []
        self._limits = limits
        self._on_limit = on_limit
        self._recorded = program_codes(module, text)
        self._indices: dict[CodeInfo, int] = {}
        self._chars_left = limits.max_bytes
        self._interpreter_limit = 0
        self._max_depth = MAX_DEPTH
        is_accelerated = accelerate and evaluator is None and accelerator.is_available()
        self._accelerator = self._accelerated_function() if is_accelerated else None
        self.trace: LocalTrace = self._accelerator or self._trace_function()

    def start(self, stack_depth: int, max_depth: int | None = None) -> None:
        """Begin tracing.

        Args:
            stack_depth: how many Python frames lie below the program.
            max_depth: the recursion limit the program has set already, if it has.
        """
        self._max_depth = max_depth or MAX_DEPTH
        self._interpreter_limit = stack_depth + 3 * self._max_depth + ROOM
        _set_limit(self._interpreter_limit)
        _settrace(self.trace)

    def count(self, num_chars: int) -> None:
        """Take ``num_chars`` of texts from what may still be recorded."""
        self._chars_left -= num_chars
        if self._chars_left < 0:
            self.most_steps = 0

    def take_pending(self) -> tuple[RawEvaluation, ...]:
        """Return the sub-expressions that belong to the step that is made now."""
        taken = _tuple(self.pending)
        self.pending.clear()
        return taken

    def index_of(self, code: RecordedCode) -> int:
        """Return the place of a code object in :attr:`codes`, where it is put at its first entry.

        Code objects that a trace cannot tell apart, such as two lambdas on one line, share a place.
        """
        index = self._indices.get(code.info)
        if index is None:
            index = self._indices[code.info] = _len(self.codes)
            self.codes.append(code.info)
        return index

    def end_at_limit(self) -> NoReturn:
        """End the program because the next step would be one too many; see :meth:`end`."""
        self.end(Status.STEP_LIMIT if _len(self.steps) >= self._limits.max_steps else Status.BYTE_LIMIT)

    def end(self, limit: Status) -> NoReturn:
        """End the program where it is.

        Raises:
            LimitReached: there is no hook that ends the process.
        """
        self.limit = limit
        self.finished = True
        _settrace(None)
        _set_limit(_get_limit() + ROOM)
        self._on_limit()
        raise LimitReached(limit)

    def build_steps(self) -> tuple[Step, ...]:
        """Return the steps as records."""
        if self._accelerator is not None:
            return self._accelerator.build_steps()
        if not self.steps:
            return ()
        every_flag = [StepFlags(value) for value in range(16)]
        columns: list[Any] = list(zip(*self.steps, strict=True))
        columns[-2] = [every_flag[value] for value in columns[-2]]
        if self.evaluator is not None:
            columns[-1] = self.evaluator.as_records(columns[-1])
        # The same as Step(*fields) for each, at half the time: the slots are filled a column at a time.
        steps = list(map(object.__new__, itertools.repeat(Step, len(self.steps))))
        for field, column in zip(dataclasses.fields(Step), columns, strict=True):
            collections.deque(map(getattr(Step, field.name).__set__, steps, column), maxlen=0)
        return tuple(steps)

    def adopt_limit(self) -> tuple[int, int]:
        """Take over the recursion limit that the program has set, if it has.

        Returns:
            The limit in force and the recorded activations that the program may have at once.
        """
        if _get_limit() != self._interpreter_limit:
            self._max_depth = _get_limit()
            self._interpreter_limit = 3 * self._max_depth + 2 * ROOM
            _set_limit(self._interpreter_limit)
        return self._interpreter_limit, self._max_depth

    def _accelerated_function(self) -> AcceleratedTrace:
        return accelerator.trace_function(
            self, self._recorded.values(), self._limits, room=ROOM, set_limit=_set_limit
        )

    def _trace_function(self) -> LocalTrace:
        table = self._recorded
        evaluator = self.evaluator
        hooks = frozenset(map(_id, evaluator.codes)) if evaluator else frozenset()

        def trace(frame: FrameType, event: str, arg: Any) -> Any:
            if self.finished:
                frame.f_trace = None
                return None
            code = table.get(_id(frame.f_code))
            if code is None and _id(frame.f_code) in hooks:
                return None
            if self._is_too_deep(code is not None):
                frame.f_trace = _Rearm(trace)  # type: ignore[assignment]
                raise RecursionError("maximum recursion depth exceeded")
            if code is None:
                return None
            if self.held_back is not None:
                self.steps.append(self.held_back)
                self.held_back = None
            local = frame.f_trace
            if local is None:
                if evaluator is None:
                    local = Activation(self, code).trace
                else:
                    local = DetailedActivation(self, code, evaluator).trace
            return local(frame, event, arg)

        return trace

    def _is_too_deep(self, recorded: bool) -> bool:
        """Tell whether the activation that begins is one too many, for the program or for the recorder.

        Recorded activations are counted; the depth of the stack is probed at the others.
        """
        if _get_limit() != self._interpreter_limit:
            self.adopt_limit()
        if recorded:
            return self.depth >= self._max_depth
        try:
            _set_limit(
                self._interpreter_limit - self._max_depth - ROOM
            )  # refused when the stack is deeper than that
        except RecursionError:
            return True
        _set_limit(self._interpreter_limit)
        return False


class _Rearm:
    """Switches tracing on again when it dies.

    The interpreter switches tracing off when a trace function raises, and only then drops the frame's own
    trace function.
    """

    __slots__ = ("_trace",)

    def __init__(self, trace: LocalTrace) -> None:
        self._trace = trace

    def __del__(self) -> None:
        _settrace(self._trace)
