"""Find the line and the depth of predicted steps, which the published format does not write.

The one idea: keep every reading of the steps so far that is still plausible, cheapest first. A step's text
may stand on several lines, and after an exception the next step may be in the same activation or in one below
it; which it was is often told only by later steps. A reading costs nothing while it follows the program (a
call at a ``def``, a line that may follow, a return where its activation stands) and something wherever it
does not, so a model's slip makes a reading expensive, never impossible. Among equals the nearest next
occurrence of the text wins.

Nothing of the program is executed; it is compiled to learn which lines and names belong to which function.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import heapq
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Final

from opencwm.codec.cwm_step import CwmStep, LocatedStep, MalformedStep
from opencwm.codec.cwm_text import CARRIED, MARK, entry_lineno, mark_lineno, source_lines
from opencwm.core.errors import ConfigError
from opencwm.source.cfg import NOTHING, CodeGraph, Continuation, ControlFlow
from opencwm.traces import CodeInfo, Program, StepKind

MAX_READINGS: Final = 12
"""Readings kept after each step."""

# What a departure from the program costs. Only the order matters: least surprising first.
_UNUSUAL: Final = 1
_UNLIKELY: Final = 2
_ILLEGAL: Final = 5
_FOREIGN: Final = 12
_MARGIN: Final = 8  # readings that cost so much more than the cheapest are dropped

_MANY: Final = 4  # lines with one text; past it only legal and near ones are read
_SUSPENSION: Final = re.compile(r"\b(yield|await|async)\b")
_MAX_UNWOUND: Final = 2  # each activation an exception leaves is reported, so more than one is a model's slip


def _distance(after: int, line: int) -> int:
    """Rank ``line`` by how near it is; of two equally near lines the later one comes first."""
    return 2 * (line - after) - 1 if line > after else 2 * (after - line) + 2


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A live activation of a reading; ``below`` is its caller, ``last`` its own last event."""

    graph: CodeGraph | None
    lineno: int
    last: StepKind
    locals: dict[str, str]
    below: _Frame | None
    depth: int

    def at(self, lineno: int, last: StepKind, locals_: dict[str, str]) -> _Frame:
        """Return the activation one event on."""
        return _Frame(self.graph, lineno, last, locals_, self.below, self.depth)

    def next(self) -> Continuation:
        """Return what the program allows next in this activation."""
        if self.graph is None:
            return NOTHING
        if self.last is StepKind.EXCEPTION:
            return self.graph.after_exception.get(self.lineno, NOTHING)
        if self.last is StepKind.CALL and self.lineno not in self.graph.after_line:
            return self.graph.after_call
        return self.graph.after_line.get(self.lineno, NOTHING)


_Rank = tuple[int, int]
"""Cost, then how far the occurrences of repeated texts are from each other."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """One way to read the steps so far."""

    rank: _Rank
    located: LocatedStep
    frame: _Frame
    before: _Reading | None


class Locator:
    """Finds line and depth of one step after the other.

    Args:
        program: what the steps are predicted for.

    Raises:
        CodecError: the program has no function of the entry's name, or does not parse.
    """

    def __init__(self, program: Program) -> None:
        self._texts = [line[:-1] for line in source_lines(program)]
        linenos: dict[str, list[int]] = {}
        for lineno, text in enumerate(self._texts, 1):
            linenos.setdefault(text, []).append(lineno)
        self._linenos = {text: tuple(found) for text, found in linenos.items()}
        self._mark_lineno = mark_lineno(program)
        self._entry = (program.entry, entry_lineno(program))
        self._flow = _control_flow(program)
        self._first_linenos = _first_linenos(program) if self._flow else {}
        self._history: list[list[_Reading]] = []

    def __len__(self) -> int:
        return len(self._history)

    @property
    def steps(self) -> list[LocatedStep]:
        """The steps so far in the reading that is cheapest now.

        A later step may change how earlier ones read.
        """
        steps: list[LocatedStep] = []
        reading = self._history[-1][0] if self._history else None
        while reading is not None:
            steps.append(reading.located)
            reading = reading.before
        return steps[::-1]

    def truncate(self, num_steps: int) -> None:
        """Forget all but the first ``num_steps`` located steps."""
        del self._history[num_steps:]

    def settle(self) -> None:
        """Hold on to the last step as it reads now: it has been shown, and no later step is to change it."""
        readings = self._history[-1]
        shown = readings[0].located
        self._history[-1] = [reading for reading in readings if reading.located == shown]

    def locate(self, step: CwmStep) -> LocatedStep | MalformedStep:
        """Add ``step``, return it in its cheapest reading; a step not of this program is not added."""
        candidates = self._candidates(step.source)
        if not candidates:
            return MalformedStep(step.ids, "the source line is not in the program")
        moves = [
            (_add(before, cost, distance), before, frame)
            for before in (self._history[-1] if self._history else (None,))
            for cost, distance, frame in self._moves(before, step.kind, candidates)
        ]
        readings: dict[tuple[int, int, int], _Reading] = {}
        cheapest = None
        for rank, before, frame in sorted(moves, key=lambda move: move[0]):
            if cheapest is not None and rank[0] > cheapest + _MARGIN:
                break
            reading = _extend(before, step, candidates, rank, frame)
            key = (id(frame.below), id(frame.graph), frame.lineno)
            if key not in readings or reading.rank < readings[key].rank:
                readings[key] = reading
            cheapest = reading.rank[0] if cheapest is None else min(cheapest, reading.rank[0])
        ranked = sorted(readings.values(), key=lambda reading: reading.rank)
        self._history.append(ranked[:MAX_READINGS])
        return ranked[0].located

    def _candidates(self, source: str) -> tuple[int, ...]:
        text = source.removesuffix("\n")
        found = self._linenos.get(text, ())
        if not found and text.endswith(MARK):  # the mark is not to be predicted, but the line is meant
            unmarked = self._linenos.get(text.removesuffix(MARK), ())
            return tuple(lineno for lineno in unmarked if lineno == self._mark_lineno)
        return found

    def _moves(
        self, before: _Reading | None, kind: StepKind, candidates: Sequence[int]
    ) -> Iterator[tuple[int, int, _Frame]]:
        """Yield every way to go on from ``before``, its cost and its distance; there is always one."""
        if before is None:
            cost = 0 if kind is StepKind.CALL else _FOREIGN
            for lineno in candidates:
                for call_cost, frame in self._calls(None, lineno):
                    yield cost + call_cost + (0 if self._is_entry(frame.graph) else _ILLEGAL), 0, frame
            return
        for cost, active in _activations(before, kind):
            if kind is StepKind.CALL:
                for lineno in candidates:
                    for call_cost, frame in self._calls(active, lineno):
                        yield cost + call_cost + self._caller_cost(active, frame.graph), 0, frame
            elif active is not None:
                for lineno in _plausible(active, candidates):
                    distance = _distance(active.lineno, lineno) if len(candidates) > 1 else 0
                    frame = active.at(lineno, kind, active.locals)
                    yield cost + _cost_within(active, kind, lineno), distance, frame
            else:  # a step after the entry was left
                yield cost + _FOREIGN, 0, _Frame(None, candidates[0], kind, {}, None, 0)

    def _calls(self, caller: _Frame | None, lineno: int) -> Iterator[tuple[int, _Frame]]:
        """Yield the activations that a call step at ``lineno`` can begin or resume."""
        depth = 0 if caller is None else caller.depth + 1
        options = [(0, graph) for graph in self._starting(lineno)]
        if not options or _SUSPENSION.search(self._texts[lineno - 1]):
            options += [(_UNUSUAL, graph) for graph in self._resumable if lineno in graph.lines]
        for cost, graph in options:
            yield cost, _Frame(graph, lineno, StepKind.CALL, {}, caller, depth)
        if not options:
            yield _FOREIGN, _Frame(None, lineno, StepKind.CALL, {}, caller, depth)

    def _starting(self, lineno: int) -> tuple[CodeGraph, ...]:
        """Return the graphs whose ``def`` or first decorator stands on the line."""
        return self._flow.at(self._first_linenos.get(lineno, lineno)) if self._flow else ()

    @functools.cached_property
    def _resumable(self) -> list[CodeGraph]:
        return [graph for graph in self._flow or () if graph.is_generator]

    def _caller_cost(self, caller: _Frame | None, callee: CodeGraph | None) -> int:
        """Return the cost of a call from where ``caller`` is; a line that names the callee is likelier."""
        if caller is None or callee is None:
            return 0
        text = self._texts[caller.lineno - 1]
        is_named = any(name in text for name in callee.qualname.split(".")[-2:])
        return (0 if caller.next().can_call else _ILLEGAL) + (0 if is_named else _UNUSUAL)

    def _is_entry(self, graph: CodeGraph | None) -> bool:
        if graph is None:
            return self._flow is None
        name, lineno = self._entry
        return graph.qualname == name and graph.firstlineno == self._first_linenos.get(lineno, lineno)


def _control_flow(program: Program) -> ControlFlow | None:
    try:
        return ControlFlow(program.text, program.filename)
    except ConfigError:  # only a program with a call gets here; it can still be followed by its text
        return None


def _first_linenos(program: Program) -> dict[int, int]:
    """Return the line of the first decorator, by the line of the ``def`` or ``class`` it decorates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = ast.walk(ast.parse(program.text))
    return {
        node.lineno: node.decorator_list[0].lineno
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.decorator_list
    }


def _activations(before: _Reading, kind: StepKind) -> Iterator[tuple[int, _Frame | None]]:
    """Yield the activations the next step can be in (for a call: be called from), and what each costs."""
    frame = before.frame.below if before.located.kind is StepKind.RETURN else before.frame
    yield 0, frame
    if frame is None:
        return
    # An exception may have left the activation: then it is reported in the caller, unless C code took it.
    cost = 0 if frame.next().can_unwind else _ILLEGAL
    cost += 0 if kind is StepKind.EXCEPTION else _UNLIKELY
    for _ in range(_MAX_UNWOUND):
        if frame.below is None:
            return
        frame = frame.below
        yield cost, frame
        cost += _ILLEGAL


def _plausible(frame: _Frame, candidates: Sequence[int]) -> Sequence[int]:
    """Leave out lines that are neither legal next in ``frame`` nor near, where a text stands on very many."""
    if len(candidates) <= _MANY:
        return candidates
    legal = frame.next().lines | {frame.lineno}
    near = heapq.nsmallest(_MANY, candidates, key=lambda lineno: _distance(frame.lineno, lineno))
    return sorted({*near, *(lineno for lineno in candidates if lineno in legal)})


def _cost_within(frame: _Frame, kind: StepKind, lineno: int) -> int:
    """Return the cost of a line, return or exception step at ``lineno`` as the next event of ``frame``."""
    if frame.graph is None:
        return 0
    allowed = frame.next()
    is_fresh = frame.last is StepKind.CALL
    if kind is StepKind.LINE:
        # The call step of a resumed generator may name its def; then any of its lines may be next.
        if lineno in allowed.lines or (is_fresh and frame.graph.is_generator and lineno in frame.graph.lines):
            return 0
        return _ILLEGAL if lineno in frame.graph.lines else _FOREIGN
    if kind is StepKind.EXCEPTION:
        is_allowed = allowed.can_raise
    else:
        is_allowed = allowed.can_return or allowed.can_yield or allowed.can_unwind
    if lineno == frame.lineno:
        return 0 if is_allowed else _UNLIKELY
    if lineno not in frame.graph.lines:
        return _FOREIGN
    return 0 if is_fresh else _ILLEGAL  # a call that was stepped over returns from any line


def _extend(
    before: _Reading | None,
    step: CwmStep,
    candidates: tuple[int, ...],
    rank: _Rank,
    frame: _Frame,
) -> _Reading:
    """Bring the locals of ``frame`` up to date and add what names that do not fit cost."""
    cost = 0
    unresolved: tuple[str, ...] = ()
    if step.kind in (StepKind.CALL, StepKind.LINE):
        known = frame.locals
        unresolved = tuple(name for name, text in step.bindings if text == CARRIED and name not in known)
        now = {name: known.get(name, text) if text == CARRIED else text for name, text in step.bindings}
        is_foreign = frame.graph is not None and not now.keys() <= set(frame.graph.local_names)
        cost += (_ILLEGAL if is_foreign else 0) + (_ILLEGAL if unresolved else 0)
        cost += 0 if now.keys() >= known.keys() else _UNUSUAL
        frame = frame.at(frame.lineno, step.kind, now)
    graph = frame.graph
    code = None if graph is None else CodeInfo(graph.qualname, graph.firstlineno, graph.local_names)
    located = LocatedStep(
        step, frame.lineno, candidates, frame.depth, tuple(frame.locals.items()), unresolved, code
    )
    return _Reading((rank[0] + cost, rank[1]), located, frame, before)


def _add(before: _Reading | None, cost: int, distance: int) -> _Rank:
    return (cost, distance) if before is None else (before.rank[0] + cost, before.rank[1] + distance)
