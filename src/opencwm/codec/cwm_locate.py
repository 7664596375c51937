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
import inspect
import itertools
import types
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from opencwm.codec.cwm_step import CwmStep, LocatedStep, MalformedStep
from opencwm.codec.cwm_text import CARRIED, MARK, entry_lineno, mark_lineno, source_lines
from opencwm.traces import Program, StepKind

Successors = Callable[[int], Collection[int]]
"""The lines that may run next in the same activation after the given one; both 1-based."""

MAX_READINGS: Final = 24
"""Readings kept after each step."""

_FOLDED: Final = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})
_RESUMABLE: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

# What a departure from the program costs. Only the order matters: least surprising first.
_UNUSUAL: Final = 1
_UNLIKELY: Final = 2
_ILLEGAL: Final = 5
_FOREIGN: Final = 12


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """A function, lambda, generator expression or class body; comprehensions belong to what is around them.

    Attributes:
        name: ``co_qualname``.
        starts: lines a call step may name: the ``def`` and its first decorator.
        lines: lines with code.
        names: every local it can have.
        is_resumable: generators and coroutines, whose call steps may name any of their lines.
    """

    name: str
    starts: frozenset[int]
    lines: frozenset[int]
    names: frozenset[str]
    is_resumable: bool


def find_scopes(program: Program) -> tuple[Scope, ...]:
    """Return the scopes of the program, outermost first; empty when it does not compile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(program.text)
            module = compile(program.text, program.filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return ()
    def_linenos = {
        min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]): node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    scopes = []
    pending = [const for const in module.co_consts if isinstance(const, types.CodeType)]
    while pending:
        code = pending.pop(0)
        parts = list(_with_folded(code))
        inner = [const for part in parts for const in part.co_consts if isinstance(const, types.CodeType)]
        pending.extend(const for const in inner if const.co_name not in _FOLDED)
        scopes.append(
            Scope(
                name=code.co_qualname,
                starts=frozenset(
                    {code.co_firstlineno, def_linenos.get(code.co_firstlineno, code.co_firstlineno)}
                ),
                lines=frozenset(line for part in parts for _, _, line in part.co_lines() if line is not None),
                names=frozenset(
                    itertools.chain(code.co_varnames, code.co_cellvars, code.co_freevars, code.co_names)
                ),
                is_resumable=bool(code.co_flags & _RESUMABLE),
            )
        )
    return tuple(scopes)


def _with_folded(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType) and const.co_name in _FOLDED:
            yield from _with_folded(const)


def resolve_lineno(candidates: Sequence[int], after: int, legal: Collection[int] | None = None) -> int | None:
    """Choose among the lines that share a text: legal ones first, then the nearest next occurrence.

    Args:
        candidates: lines with the text, 1-based.
        after: the line that ran before.
        legal: lines that may follow it, if that is known.

    Returns:
        The line, or None when there are no candidates.
    """
    if not candidates:
        return None
    return min(candidates, key=lambda line: (legal is not None and line not in legal, _distance(after, line)))


def _distance(after: int, line: int) -> int:
    """How far on ``line`` is; going back counts one more than going forth the same way."""
    return line - after if line > after else after - line + 1


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A live activation of a reading; ``below`` is its caller."""

    scope: Scope | None
    lineno: int
    locals: dict[str, str]
    below: _Frame | None
    depth: int
    is_fresh: bool  # no line of it has run yet


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """One way to read the steps so far."""

    cost: int
    distance: int
    located: LocatedStep
    frame: _Frame
    before: _Reading | None


_Move = tuple[int, int, _Frame]
"""Cost, distance, and the activation the step is in, its locals not yet brought up to date."""


class Locator:
    """Finds line and depth of one step after the other.

    Args:
        program: what the steps are predicted for.
        successors: the lines that may follow a line; when None, any line of the same function may.

    Raises:
        CodecError: the program has no function of the entry's name, or does not parse.
    """

    def __init__(self, program: Program, successors: Successors | None = None) -> None:
        self._successors = successors
        self._linenos: dict[str, tuple[int, ...]] = {}
        for lineno, line in enumerate(source_lines(program), 1):
            text = line[:-1]
            self._linenos[text] = (*self._linenos.get(text, ()), lineno)
        self._mark_lineno = mark_lineno(program)
        self._entry = (program.entry, entry_lineno(program))
        self._scopes = find_scopes(program)
        self._history: list[list[_Reading]] = []

    def __len__(self) -> int:
        return len(self._history)

    @property
    def steps(self) -> list[LocatedStep]:
        """The steps so far in the reading that is cheapest now; a later step may change how earlier ones
        read."""
        steps: list[LocatedStep] = []
        reading = self._history[-1][0] if self._history else None
        while reading is not None:
            steps.append(reading.located)
            reading = reading.before
        return steps[::-1]

    def truncate(self, num_steps: int) -> None:
        """Forget all but the first ``num_steps`` located steps."""
        del self._history[num_steps:]

    def locate(self, step: CwmStep) -> LocatedStep | MalformedStep:
        """Add ``step`` and return it in its cheapest reading; a step that is not of this program is not
        added."""
        candidates = self._candidates(step.source)
        if not candidates:
            return MalformedStep(step.ids, "the source line is not in the program")
        readings: dict[tuple[int, Scope | None, int], _Reading] = {}
        for before in self._history[-1] if self._history else (None,):
            for cost, distance, frame in self._moves(before, step, candidates):
                reading = _extend(before, step, candidates, cost, distance, frame)
                key = (id(reading.frame.below), reading.frame.scope, reading.frame.lineno)
                known = readings.get(key)
                if known is None or (reading.cost, reading.distance) < (known.cost, known.distance):
                    readings[key] = reading
        ranked = sorted(readings.values(), key=lambda reading: (reading.cost, reading.distance))
        self._history.append(ranked[:MAX_READINGS])
        return ranked[0].located

    def _candidates(self, source: str) -> tuple[int, ...]:
        text = source.removesuffix("\n")
        found = self._linenos.get(text, ())
        if not found and text.endswith(MARK):  # the mark is not to be predicted, but the line is meant
            unmarked = self._linenos.get(text.removesuffix(MARK), ())
            return tuple(lineno for lineno in unmarked if lineno == self._mark_lineno)
        return found

    def _moves(self, before: _Reading | None, step: CwmStep, candidates: Sequence[int]) -> Iterator[_Move]:
        """Yield every way ``step`` can go on from ``before``; there is always one."""
        if before is None:
            yield from self._entries(step, candidates)
            return
        for cost, frame in _activations(before, step.kind):
            for lineno in candidates:
                if step.kind is StepKind.CALL:
                    yield from self._calls(cost, frame, lineno)
                elif frame is not None:
                    if step.kind is StepKind.LINE:
                        cost_here = cost + self._line_cost(frame, lineno)
                    else:
                        cost_here = cost + _leave_cost(frame, lineno)
                    distance = _distance(frame.lineno, lineno)
                    yield cost_here, distance, dataclasses.replace(frame, lineno=lineno)
                else:  # a step after the entry was left
                    yield cost + _FOREIGN, 0, _Frame(None, lineno, {}, None, 0, is_fresh=False)

    def _entries(self, step: CwmStep, candidates: Sequence[int]) -> Iterator[_Move]:
        cost = 0 if step.kind is StepKind.CALL else _FOREIGN
        for lineno in candidates:
            for move_cost, distance, frame in self._calls(cost, None, lineno):
                is_entry = frame.scope is None or self._is_entry(frame.scope)
                yield move_cost + (0 if is_entry else _ILLEGAL), distance, frame

    def _is_entry(self, scope: Scope) -> bool:
        name, lineno = self._entry
        return scope.name == name and lineno in scope.starts

    def _calls(self, cost: int, caller: _Frame | None, lineno: int) -> Iterator[_Move]:
        depth = 0 if caller is None else caller.depth + 1
        is_known = False
        for scope in self._scopes:
            if lineno in scope.starts or (scope.is_resumable and lineno in scope.lines):
                is_known = True
                cost_here = cost + (0 if lineno in scope.starts else _UNUSUAL)
                yield cost_here, 0, _Frame(scope, lineno, {}, caller, depth, is_fresh=True)
        if not is_known:
            yield cost + _FOREIGN, 0, _Frame(None, lineno, {}, caller, depth, is_fresh=True)

    def _line_cost(self, frame: _Frame, lineno: int) -> int:
        if frame.scope is not None and lineno not in frame.scope.lines:
            return _FOREIGN
        if self._successors is not None and lineno not in self._successors(frame.lineno):
            return _ILLEGAL
        return 0


def _activations(before: _Reading, kind: StepKind) -> Iterator[tuple[int, _Frame | None]]:
    """Yield the activations the next step can be in (for a call: be called from), and what each costs."""
    last = before.located.kind
    if last is StepKind.RETURN:
        yield 0, before.frame.below
        return
    if last is not StepKind.EXCEPTION:
        yield 0, before.frame
        return
    # Handled here; or left by the exception, which then is reported in the caller, unless C code took it.
    yield (_UNUSUAL if kind is StepKind.EXCEPTION else 0), before.frame
    cost = 0 if kind is StepKind.EXCEPTION else _UNLIKELY
    frame = before.frame.below
    while frame is not None:
        yield cost, frame
        cost += _UNLIKELY
        frame = frame.below


def _leave_cost(frame: _Frame, lineno: int) -> int:
    """What it costs that a return or exception of ``frame`` names ``lineno``."""
    if lineno == frame.lineno:
        return _UNUSUAL if frame.is_fresh else 0
    if frame.scope is not None and lineno not in frame.scope.lines:
        return _FOREIGN
    return 0 if frame.is_fresh else _UNLIKELY  # a call that was stepped over returns from any line


def _extend(
    before: _Reading | None,
    step: CwmStep,
    candidates: tuple[int, ...],
    cost: int,
    distance: int,
    frame: _Frame,
) -> _Reading:
    """Bring the locals of ``frame`` up to date and add what names that do not fit cost."""
    unresolved: tuple[str, ...] = ()
    if step.kind in (StepKind.CALL, StepKind.LINE):
        known = frame.locals
        unresolved = tuple(name for name, text in step.bindings if text == CARRIED and name not in known)
        now = {name: known.get(name, text) if text == CARRIED else text for name, text in step.bindings}
        is_foreign = frame.scope is not None and not frame.scope.names.issuperset(now)
        cost += (_ILLEGAL if is_foreign else 0) + (_ILLEGAL if unresolved else 0)
        cost += 0 if now.keys() >= known.keys() else _UNUSUAL
        frame = dataclasses.replace(frame, locals=now, is_fresh=step.kind is StepKind.CALL)
    located = LocatedStep(
        step, frame.lineno, candidates, frame.depth, tuple(frame.locals.items()), unresolved
    )
    base = (0, 0) if before is None else (before.cost, before.distance)
    return _Reading(base[0] + cost, base[1] + distance, located, frame, before)
