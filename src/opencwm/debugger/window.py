"""What of a program a model is shown while its run goes on: all of it, or what is near where it stands.

The one idea: a program that fits is shown whole. Of a longer one the functions that are live are shown, then
what the innermost of them mentions, nearest first, then the rest, as far as there is room; when the run
comes to a function some of which, or of whose callees, is hidden, what is shown moves with it. A function
that is too long by itself is shown around the line that runs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Final

from opencwm.codec.view import SourceView, code_without_comments
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import CodecError, ConfigError
from opencwm.debugger.selection import MAIN_SHARE, PROMPT_SHARE, Selection
from opencwm.source.cfg import NOTHING, CodeGraph, ControlFlow
from opencwm.source.reach import Visible, VisibleUnit, visible_lines
from opencwm.traces import Activation, CodeInfo, Step, StepKind, apply_step

_OTHER_SHARE: Final = 0.3
"""Largest part of what is left that another live function takes, or one that is about to be called."""
_LEAST_TOKENS: Final = 150
"""Fewer ids of source than this are not worth showing."""

Place = tuple[CodeGraph, int]
"""A function, and the line that runs in it; its first line before there is one."""


class HiddenError(Exception):
    """A function is entered that the model is not shown, and can be.

    Attributes:
        first: first line of its definition.
    """

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first


class Window:
    """What a model is shown now.

    Args:
        view: what it is shown at the start.
        max_tokens: of its context.

    Attributes:
        view: what it is shown.
    """

    def __init__(
        self, view: SourceView, control_flow: ControlFlow, vocabulary: Vocabulary, *, max_tokens: int
    ) -> None:
        self.view = view
        self._control_flow = control_flow
        self._vocabulary = vocabulary
        self._max_tokens = self._most_tokens = int(max_tokens * PROMPT_SHARE)
        self._is_narrow = False
        self._mentioned: dict[str, Visible] = {}
        self._views: dict[tuple[tuple[int, str, int], ...], SourceView | CodecError] = {}

    @property
    def is_whole(self) -> bool:
        """Whether the program is shown whole, so that nothing ever moves."""
        return not (self.view.left_out or self._is_narrow)

    def narrow(self, steps: Sequence[Step], codes: Sequence[CodeInfo]) -> bool:
        """Show half as much from the next move on; return whether what runs after ``steps`` fits then."""
        self._bound(self._max_tokens // 2, is_narrow=True)
        places = self._live(steps, codes)
        if not places or self._max_tokens < _LEAST_TOKENS:
            return False
        return not isinstance(self._best(places), CodecError)

    def widen(self) -> None:
        """Show as much as at first again from the next move on."""
        if self._is_narrow:
            self._bound(self._most_tokens, is_narrow=False)

    def _bound(self, max_tokens: int, *, is_narrow: bool) -> None:
        self._max_tokens, self._is_narrow = max_tokens, is_narrow
        self._views.clear()

    def holds(self, stack: Sequence[Activation], codes: Sequence[CodeInfo]) -> bool:
        """Whether all is shown that the next step may need, or that could be."""
        places = [] if self.is_whole else self._places(stack, codes)
        if not places:
            return True
        best = self._best(places)
        if isinstance(best, CodecError):
            return False
        return self._needed(*places[-1]) & set(best.lines) <= self.view.label_of.keys()

    def enter(self, first: int, steps: Sequence[Step], codes: Sequence[CodeInfo]) -> None:
        """Take note that the function whose definition begins at ``first`` is sure to be entered.

        Raises:
            HiddenError: it is not shown, and can be.
        """
        if self.is_whole or first in self.view.label_of:
            return
        best = self._best([*self._live(steps, codes), *self._entered(first)])
        if not isinstance(best, CodecError) and first in best.label_of:
            raise HiddenError(first)

    def move(self, steps: Sequence[Step], codes: Sequence[CodeInfo], *, entering: int = 0) -> bool:
        """Show what a run needs that stands after ``steps``; return whether that is not what was shown.

        The function that begins at ``entering`` is to be entered next and is shown if there is room; 0 for
        none that is known.

        Raises:
            CodecError: that is too much.
        """
        places = [] if self.is_whole or not steps else self._live(steps, codes)
        if not places:
            return False
        best = self._best([*places, *self._entered(entering)])
        best = self._best(places) if isinstance(best, CodecError) else best
        if isinstance(best, CodecError):
            raise best
        is_another = best.lines != self.view.lines
        self.view = best
        return is_another

    def _entered(self, first: int) -> list[Place]:
        return [(graph, first) for graph in self._control_flow.at(first)[:1]]

    def _places(self, stack: Sequence[Activation], codes: Sequence[CodeInfo]) -> list[Place]:
        graphs = ((codes[item.code], item.lineno) for item in stack)
        found = ((self._control_flow.get(code.qualname, code.firstlineno), line) for code, line in graphs)
        return [(graph, line or graph.firstlineno) for graph, line in found if graph is not None]

    def _live(self, steps: Sequence[Step], codes: Sequence[CodeInfo]) -> list[Place]:
        """Return the activations whose lines are written when a run goes on from its last LINE step."""
        stack: list[Activation] = []
        seen: dict[tuple[int, str, int], Place] = {}
        known = tuple(codes)
        last = max((index for index, step in enumerate(steps) if step.kind is StepKind.LINE), default=0)
        for index, step in enumerate(steps):
            apply_step(stack, step, known)
            if index >= last:
                seen |= {_key(place): place for place in self._places(stack, known)}
            if step.kind is StepKind.RETURN:
                stack.pop()
        now = {_key(place): place for place in self._places(stack, codes)}
        return [place for key, place in seen.items() if key not in now] + list(now.values())

    def _needed(self, graph: CodeGraph, lineno: int) -> frozenset[int]:
        """Return the lines that the next step of an activation may be on."""
        after = graph.after_line.get(lineno, NOTHING) if lineno != graph.firstlineno else graph.after_call
        raised = graph.after_exception.get(lineno, NOTHING)
        callees = self._control_flow.callees
        entered = (first for first in self._control_flow.call_lines if callees.may_enter(first, lineno))
        called = self._called_on(lineno)
        return frozenset((graph.firstlineno, lineno, *after.lines, *raised.lines, *entered, *called))

    def _called_on(self, lineno: int) -> frozenset[int]:
        return self._control_flow.callees.called_on(lineno)

    def _best(self, places: Sequence[Place]) -> SourceView | CodecError:
        """Return what to show while these activations are live, innermost last, or why that is too much."""
        key = tuple(map(_key, places))
        if key not in self._views:
            try:
                self._views[key] = self._fitted(places)
            except CodecError as error:
                self._views[key] = error
        return self._views[key]

    def _fitted(self, places: Sequence[Place]) -> SourceView:
        selection = Selection(self.view.program, self._texts, self._vocabulary, max_tokens=self._max_tokens)
        *outer, (graph, lineno) = places
        callees = [item for first in sorted(self._called_on(lineno)) for item in self._entered(first)]
        shown = {line for unit in self._reached.units for line in unit.lines}
        for place, line in [*places, *callees]:
            selection.need(shown & {place.firstlineno, line})
        for unit in self._around(graph, lineno):
            selection.need({*self._headers(unit.lines, lineno), *self._needed(graph, lineno)} & {*unit.lines})
            selection.add(unit, lineno, MAIN_SHARE)
        for place, line in [*callees, *reversed(outer)]:
            for unit in self._around(place, line):
                selection.add(unit, line, _OTHER_SHARE)
        return selection.view([*self._near(graph.qualname).units, *self._reached.units])

    def _around(self, graph: CodeGraph, lineno: int) -> Iterable[VisibleUnit]:
        """Return the unit a function stands in, and its class before it."""
        lines = {graph.firstlineno, lineno}
        found = [unit for unit in self._reached.units if not lines.isdisjoint(unit.lines)]
        classes = {unit.name.rpartition(".")[0] for unit in found} - {""}
        return [*(unit for unit in self._reached.units if unit.name in classes and unit not in found), *found]

    @functools.cached_property
    def _reached(self) -> Visible:
        return visible_lines(self.view.program.text, self.view.program.entry)

    def _near(self, qualname: str) -> Visible:
        """Return what a function mentions, nearest first."""
        if qualname not in self._mentioned:
            try:
                self._mentioned[qualname] = visible_lines(self.view.program.text, qualname)
            except ConfigError:  # a lambda of the module, for example
                self._mentioned[qualname] = Visible((), ())
        return self._mentioned[qualname]

    @functools.cached_property
    def _texts(self) -> list[str]:
        return code_without_comments(self.view.program.text)

    def _headers(self, lines: Sequence[int], lineno: int) -> Iterable[int]:
        """Yield the first line of each block that a line is in, innermost first."""
        indent = self._indent(lineno)
        for line in reversed([line for line in lines if line < lineno]):
            if self._indent(line) < indent:
                indent = self._indent(line)
                yield line

    def _indent(self, line: int) -> int:
        text = self._texts[line - 1]
        return len(text) - len(text.lstrip(" "))


def _key(place: Place) -> tuple[int, str, int]:
    graph, lineno = place
    return graph.firstlineno, graph.qualname, lineno
