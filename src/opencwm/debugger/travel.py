"""How moves travel through an execution: step by step, until they arrive or something stops them.

The one idea: a move is a condition on steps; what else can end it, breakpoints, the end, a limit, a request
to stop, is the same for all moves. Nothing changes by it but what breakpoints count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opencwm.debugger.activations import step_at
from opencwm.debugger.breakpoint_list import Breakpoints
from opencwm.debugger.breakpoints import Breakpoint
from opencwm.debugger.cancellation import Watch
from opencwm.debugger.execution import Execution
from opencwm.debugger.hits import Hit, HitFinder, Reached
from opencwm.debugger.stops import LogEntry, Stop, StopKind
from opencwm.traces import Step

Arrives = Callable[[int, Step], bool]
"""Whether a move ends at a step, given its index."""


class Travel:
    """Moves through one execution.

    Args:
        execution: what is read.
        breakpoints: what stops on the way.
        max_steps: most steps one move may read.
    """

    def __init__(self, execution: Execution, breakpoints: Breakpoints, max_steps: int) -> None:
        self._execution = execution
        self._breakpoints = breakpoints
        self._max_steps = max_steps
        self._finder = HitFinder(execution, breakpoints)

    def forward(
        self,
        position: int,
        arrives: Arrives,
        watch: Watch,
        *,
        kind: StopKind = StopKind.STEP,
        reason: str = "step",
        stops_at_breakpoints: bool = True,
    ) -> Stop:
        """Travel from step ``position`` to the first later step where the move arrives.

        Args:
            position: where from; that step itself does not count.
            arrives: where the move ends.
            watch: who is told and who may cancel.
            kind: of the stop on arrival.
            reason: in words, likewise.
            stops_at_breakpoints: whether breakpoints stop on the way; those that log always do that.
        """
        logs: list[LogEntry] = []
        for index in range(position + 1, position + 1 + self._max_steps):
            if watch.is_cancelled:
                return _stop(StopKind.CANCELLED, _cancelled(index - position - 1), index - 1, logs)
            view = self._execution.get(index)
            if view is None:
                return _stop(StopKind.ENDED, self._execution.status, index - 1, logs)
            if view.malformed is not None:
                text = f"the model's step was malformed: {view.malformed}"
                return _stop(StopKind.MALFORMED, text, index - 1, logs)
            watch.advance(index - position)
            reached = self._finder.forward(index, only_logs=not stops_at_breakpoints)
            logs += reached.logs
            if reached.stopping:
                return self._stopped(reached, index, logs)
            if arrives(index, view.step):
                return _stop(kind, reason, index, logs)
        return _stop(StopKind.LIMIT, self._limit, position + self._max_steps, logs)

    def backward(self, position: int, arrives: Arrives, watch: Watch) -> Stop:
        """Travel from step ``position`` to the last earlier step where the move arrives; nothing stops it."""
        first = max(0, position - self._max_steps)
        for index in range(position - 1, first - 1, -1):
            if watch.is_cancelled:
                return _stop(StopKind.CANCELLED, _cancelled(position - 1 - index), index + 1)
            step = step_at(self._execution, index)
            if step is None:
                break
            watch.advance(position - index)
            if arrives(index, step):
                return _stop(StopKind.STEP, "step", index)
        if first > 0:
            return _stop(StopKind.LIMIT, self._limit, first)
        return _stop(StopKind.START, "the first step", 0)

    def back_to_breakpoint(self, position: int, watch: Watch, *, is_past_end: bool = False) -> Stop:
        """Travel from step ``position`` to the last earlier step where a breakpoint stops.

        A breakpoint on data stops at the step whose line made the change, as long as the change is seen at
        ``position`` or before. Nothing is counted.

        Args:
            position: where from; that step itself counts only when ``is_past_end``.
            watch: who is told and who may cancel.
            is_past_end: whether the start is past the last step, which is ``position``.
        """
        start = position + 1 if is_past_end else position
        due: dict[int, list[tuple[Breakpoint, Hit]]] = {}
        logs: list[LogEntry] = []
        for index in range(start, -1, -1):
            if watch.is_cancelled:
                return _stop(StopKind.CANCELLED, _cancelled(start - index), min(index + 1, position), logs)
            for made_at, item, hit in self._finder.backward(index):
                due.setdefault(made_at, []).append((item, hit))
            if index == start:
                due.pop(index, None)
                continue
            watch.advance(start - index)
            reached = self._reached(due.pop(index, ()), index)
            logs += reached.logs
            if reached.stopping:
                return self._stopped(reached, index, logs)
            if index and start - index >= self._max_steps and not due:
                return _stop(StopKind.LIMIT, self._limit, index, logs)
        return _stop(StopKind.START, "the first step", 0, logs)

    def _reached(self, hits: Iterable[tuple[Breakpoint, Hit]], index: int) -> Reached:
        reached = Reached()
        for item, hit in sorted(hits, key=lambda found: found[0].number):
            item.num_hits = hit.ordinal
            reached.add(self._execution, item, hit, index)
        return reached

    def _stopped(self, reached: Reached, index: int, logs: list[LogEntry]) -> Stop:
        numbers = tuple(item.number for item, _ in reached.stopping)
        for item, _ in reached.stopping:
            if item.is_temporary:
                self._breakpoints.remove(item.number)
        return Stop(reached.kind, reached.reason, index, numbers, tuple(logs))

    @property
    def _limit(self) -> str:
        return f"stopped after {self._max_steps} steps, not there yet"


def _stop(kind: StopKind, reason: str, position: int, logs: Iterable[LogEntry] = ()) -> Stop:
    return Stop(kind, reason, position, (), tuple(logs))


def _cancelled(num_steps: int) -> str:
    return f"cancelled after {num_steps} {'step' if num_steps == 1 else 'steps'}"
