"""Where breakpoints are hit in one execution, and which of the hits each is.

Steps never change once read, so what was found stays; it is found when a step is first passed.
"""

from __future__ import annotations

import dataclasses

from opencwm.debugger.activations import texts_at
from opencwm.debugger.breakpoint_list import Breakpoints
from opencwm.debugger.breakpoints import Breakpoint, Happening
from opencwm.debugger.execution import Execution
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided, evaluate
from opencwm.debugger.stops import LogEntry, StopKind


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """A step at which a breakpoint is hit.

    Attributes:
        position: the step.
        ordinal: its number among the hits of the execution, from 1.
        happening: what happens there.
        doubt: why the condition could not be decided; empty when it holds.
    """

    position: int
    ordinal: int
    happening: Happening
    doubt: str


class HitFinder:
    """Finds the hits of breakpoints in one execution.

    Args:
        execution: only steps up to those asked about are read, and those that unwind behind them.
        breakpoints: may change at any time.
    """

    def __init__(self, execution: Execution, breakpoints: Breakpoints) -> None:
        self._execution = execution
        self._breakpoints = breakpoints
        self._found: dict[int, _Hits] = {}

    def forward(self, index: int, *, only_logs: bool = False) -> Reached:
        """Return what stops and what logs when step ``index`` is reached; counts what lets pass.

        With ``only_logs`` nothing stops and nothing is counted.
        """
        reached = Reached()
        for item in self._breakpoints:
            hit = self.hit(item, index)
            if hit is None or (only_logs and item.log_message is None):
                continue
            item.num_hits = hit.ordinal
            if item.ignore_count > 0:
                item.ignore_count -= 1
                continue
            reached.add(self._execution, item, hit, index)
        return reached

    def backward(self, index: int) -> list[tuple[int, Breakpoint, Hit]]:
        """Return the hits at step ``index``, each after the step where going back stops for it."""
        found = [(item, self.hit(item, index)) for item in self._breakpoints]
        return [(hit.happening.made_at, item, hit) for item, hit in found if hit is not None]

    def hit(self, item: Breakpoint, index: int) -> Hit | None:
        """Return the hit of a breakpoint at step ``index`` that is one of those meant; None otherwise."""
        if not item.is_enabled:
            return None
        hits = self._found.get(item.number)
        if hits is None or hits.condition != item.condition:
            hits = self._found[item.number] = _Hits(self._execution, item)
        hit = hits.at(index)
        if hit is None or (item.hit_condition is not None and not item.hit_condition.holds(hit.ordinal)):
            return None
        return hit


class Reached:
    """What breakpoints do at one step.

    Attributes:
        stopping: those that stop, with their hits.
        logs: what the others log.
    """

    def __init__(self) -> None:
        self.stopping: list[tuple[Breakpoint, Hit]] = []
        self.logs: list[LogEntry] = []

    def add(self, execution: Execution, item: Breakpoint, hit: Hit, index: int) -> None:
        """Take a hit in: a stop or a log entry at step ``index``."""
        if item.log_message is None:
            self.stopping.append((item, hit))
            return
        view = execution.get(hit.position)
        lineno = 0 if view is None else view.step.lineno
        text = item.log_message.fill(texts_at(execution, hit.position))
        self.logs.append(LogEntry(item.number, index, lineno, text))

    @property
    def kind(self) -> StopKind:
        """Why it stops; there is at least one that does."""
        return self.stopping[0][0].stop_kind

    @property
    def reason(self) -> str:
        """Why it stops, in words."""
        return "; ".join(_reason(item, hit) for item, hit in self.stopping)


def _reason(item: Breakpoint, hit: Hit) -> str:
    count = "" if item.hit_condition is None else f", hit {hit.ordinal}"
    return f"{item.kind} {item.number}, {hit.happening.what}{count}{hit.doubt}"


class _Hits:
    """All hits of one breakpoint up to where was looked."""

    def __init__(self, execution: Execution, item: Breakpoint) -> None:
        self.condition = item.condition
        self._execution = execution
        self._item = item
        self._num_scanned = 0
        self._found: dict[int, Hit] = {}

    def at(self, index: int) -> Hit | None:
        for place in range(self._num_scanned, index + 1):
            happening = self._item.happens(self._execution, place)
            doubt = None if happening is None else self._doubt(place)
            if happening is not None and doubt is not None:
                self._found[place] = Hit(place, len(self._found) + 1, happening, doubt)
            self._num_scanned = place + 1
        return self._found.get(index)

    def _doubt(self, index: int) -> str | None:
        """Return why the condition cannot be decided, nothing when it holds, None when it does not."""
        if self.condition is None:
            return ""
        try:
            return "" if evaluate(self.condition, texts_at(self._execution, index)).value else None
        except Undecided as error:
            return f", its condition cannot be decided: {error}"
        except ExpressionError as error:
            return f", its condition fails: {error}"
