"""Which ids may come next while a step is predicted, from the program's control-flow graph and names.

Everything here is about structure: kinds, lines, names. What values say is the model's business alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, line_token
from opencwm.debugger.foreseeing.expectations import Outcome
from opencwm.debugger.foreseeing.rendered import is_atom
from opencwm.debugger.foreseeing.with_blocks import RETURNS, UNWINDS
from opencwm.source.cfg import LEAVING, NOTHING, CodeGraph, Continuation, ControlFlow
from opencwm.traces import Activation, CodeInfo, Step, StepFlags, StepKind


@dataclasses.dataclass(frozen=True, slots=True)
class Legal:
    """What the next step may be.

    Attributes:
        ends: LINE labels, RETURN, YIELD, UNWIND and RAISE: ids that settle what the step is.
        calls: CALL and RESUME, where a function of the program may be entered.
        settable: names that may be written as changed, in canonical order.
        deletable: names that may vanish.
        needed: by id of an end, names without a value that must have got one before it.
        may_call_unseen: whether functions may be entered without an evaluation that says so.
    """

    ends: frozenset[int]
    calls: frozenset[int] = frozenset()
    settable: tuple[str, ...] = ()
    deletable: tuple[str, ...] = ()
    needed: Mapping[int, frozenset[str]] = dataclasses.field(default_factory=dict)
    may_call_unseen: bool = True

    def first(self) -> frozenset[int]:
        """Ids a step may start with."""
        return self.following((), self.settable, self.deletable) | self.calls

    def following(
        self, written: Collection[str], settable: Sequence[str], deletable: Sequence[str]
    ) -> frozenset[int]:
        """Ids that may follow when ``written`` names have their values and only the others given are left."""
        names = {int(Control.SET)} if settable else set()
        if deletable:
            names.add(int(Control.DELETE))
        return frozenset(end for end in self.ends if self._needs(end) <= set(written)) | names

    def after_deleted(self, written: Collection[str], names: Sequence[str], name: str) -> frozenset[int]:
        """Ids that may follow when ``name`` of the ``names`` that may vanish has."""
        return self.following(written, (), names[names.index(name) + 1 :])

    def narrowed(
        self,
        outcome: Outcome,
        branch: int | None,
        state: Mapping[str, str],
        following: frozenset[int] | None = None,
    ) -> Legal:
        """Return what is left when it is known what the values on the line are.

        Args:
            outcome: what they say.
            branch: id of the line that follows when the line's condition holds, None where that is not known.
            state: rendered values before.
            following: ids one of which ends the step unless it raises, None where that is not known.
        """
        ends = self.ends
        if following is not None:
            ends = ends & (following | {int(Control.RAISE)})
        if branch in ends and outcome.truth is not None:
            ends = ends & {branch} if outcome.truth else ends - {branch}
        if outcome.is_yield:
            ends = ends & {int(Control.YIELD), int(Control.RAISE)}
        elif outcome.is_told:
            ends = ends - {int(Control.YIELD)}
        if outcome.is_told:
            ends = ends - {int(Control.RAISE)}
        changed = {name for name, value in outcome.values.items() if state.get(name) != value}
        is_all = outcome.is_told and outcome.is_pure
        settled = outcome.values.keys() | outcome.untouched
        settable = tuple(name for name in self.settable if name in changed or not (is_all or name in settled))
        certain = changed & set(settable)
        needed = {end: self._needs(end) | certain for end in ends if end != Control.RAISE}
        is_quiet = outcome.is_told and not self.may_call_unseen
        calls = frozenset[int]() if is_quiet or outcome.resumes_nothing else self.calls
        calls -= {int(Control.CALL)} if outcome.enters_nothing else set()
        return Legal(ends, calls, settable, self.deletable, needed) if ends else self

    def next_names(self, written: Collection[str], settable: Sequence[str]) -> Sequence[str]:
        """Names out of those left that may be written next: none behind one that must be."""
        possible = {*written, *settable}
        reachable = [self._needs(end) for end in self.ends if self._needs(end) <= possible]
        for position, name in enumerate(settable):
            if reachable and all(name in needs for needs in reachable):
                return settable[: position + 1]
        return settable

    def _needs(self, end: int) -> frozenset[str]:
        return self.needed.get(end, frozenset())


class Legality:
    """The rules for one program, as shown by one view."""

    def __init__(self, view: SourceView, control_flow: ControlFlow) -> None:
        self._view = view
        self._control_flow = control_flow
        self._labels = {line: line_token(label) for line, label in view.label_of.items()}
        graphs = [graph for line in self._labels for graph in control_flow.at(line)]
        self._first_lines = frozenset(graph.firstlineno for graph in graphs)
        self.call_lines = frozenset(self._labels[first] for first in self._first_lines)
        self._callable: dict[int, frozenset[int]] = {}
        self.resume_lines = frozenset(
            self._labels[line] for graph in graphs for line in graph.can_yield if line in self._labels
        )

        self._may_call_unseen = bool(self.resume_lines) or any(map(_is_special, graphs))

    def graph_of(self, code: CodeInfo) -> CodeGraph | None:
        """Return the graph of a code object, or None for one that is not in the program."""
        return self._control_flow.get(code.qualname, code.firstlineno)

    def entry_line(self, entry: str) -> int | None:
        """Return the label id of the entry's definition, or None when it is not shown."""
        graphs = self._control_flow.named(entry)
        return self._labels.get(graphs[0].firstlineno) if graphs else None

    def label(self, lineno: int) -> int | None:
        """Return the label id of a line, or None when it is not shown."""
        return self._labels.get(lineno)

    def ids_of(self, lines: frozenset[int]) -> frozenset[int] | None:
        """Return the ids of lines, and of what stands for leaving; None where one of them is not shown."""
        leaving = {RETURNS: int(Control.RETURN), UNWINDS: int(Control.UNWIND)}
        ids = [leaving.get(line, self._labels.get(line)) for line in lines]
        return None if None in ids else frozenset(label for label in ids if label is not None)

    def call_lines_at(self, lineno: int) -> frozenset[int]:
        """Return the labels of the functions that can be called while a line runs."""
        if lineno not in self._callable:
            self._callable[lineno] = frozenset(
                self._labels[first]
                for first in self._first_lines
                if self._control_flow.callees.may_enter(first, lineno)
            )
        return self._callable[lineno]

    def next_step(
        self, stack: Sequence[Activation], codes: Sequence[CodeInfo], last: Step | None
    ) -> Legal | None:
        """Return what may follow ``last`` with ``stack`` alive; None when the run is over."""
        if last is None:
            return Legal(frozenset(), frozenset({int(Control.CALL)}))
        if not stack:
            return None
        top = stack[-1]
        graph = self.graph_of(codes[top.code])
        if graph is None:
            return Legal(frozenset())
        after = continuation(graph, top.lineno, last)
        call_lines = self.call_lines_at(top.lineno)
        ends = {self._labels[line] for line in after.lines if line in self._labels}
        kinds = (
            (after.can_return, Control.RETURN),
            (after.can_yield, Control.YIELD),
            (after.can_raise, Control.RAISE),
            (after.can_unwind, Control.UNWIND),
        )
        ends.update(int(kind) for allowed, kind in kinds if allowed)
        calls = {int(Control.CALL)} if after.can_call and call_lines else set()
        if after.can_call and self.resume_lines:
            calls.add(int(Control.RESUME))
        if has_just_come(last):
            return Legal(frozenset(ends), frozenset(calls))
        settable = tuple(
            name
            for name in graph.local_names
            if name in after.stores
            or (after.can_mutate and (name in graph.shared or not is_atom(top.locals.get(name, "0"))))
        )
        deletable = tuple(
            name
            for name in graph.local_names
            if name in top.locals and (name in after.deletes or name in graph.shared)
        )
        needed = self._needed(after, top)
        return Legal(frozenset(ends), frozenset(calls), settable, deletable, needed, self._may_call_unseen)

    def after_leaving(
        self, ending: Control, stack: Sequence[Activation], codes: Sequence[CodeInfo]
    ) -> frozenset[int]:
        """Return what may follow the value of a RETURN, YIELD or RAISE: the first ids of a step, or END."""
        if ending == Control.RAISE:
            pretended = Step(StepKind.EXCEPTION, 0, stack[-1].lineno, len(stack) - 1)
        else:
            pretended = Step(StepKind.RETURN, 0, stack[-1].lineno, len(stack) - 1)
            stack = stack[:-1]
        legal = self.next_step(stack, codes, pretended)
        return frozenset({int(Control.END)}) if legal is None else legal.first()

    def _needed(self, after: Continuation, top: Activation) -> dict[int, frozenset[str]]:
        needed = {}
        for line, names in after.binds.items():
            missing = frozenset(name for name in names if name not in top.locals)
            if line == LEAVING:
                needed.update({int(Control.RETURN): missing, int(Control.YIELD): missing})
            elif line in self._labels:
                needed[self._labels[line]] = missing
        return needed


def has_just_come(last: Step) -> bool:
    """Whether a step entered a function or raised an exception: nothing can have been evaluated since."""
    is_entered = last.kind is StepKind.CALL and not last.flags & StepFlags.RESUME
    return is_entered or last.kind is StepKind.EXCEPTION


def _is_special(graph: CodeGraph) -> bool:
    """Whether a function is a method that Python calls by itself, not only when objects are made."""
    name = graph.qualname.rpartition(".")[2]
    return name.startswith("__") and name not in ("__init__", "__post_init__", "__new__")


def continuation(graph: CodeGraph, lineno: int, last: Step) -> Continuation:
    """Return what may come next in an activation.

    Args:
        graph: of its function.
        lineno: the line it is at.
        last: the last step of the run: its own, or one of a function it called.
    """
    if last.kind is StepKind.CALL and not last.flags & StepFlags.RESUME:
        return graph.after_call
    if last.kind is StepKind.EXCEPTION:
        return graph.after_exception.get(lineno, NOTHING)
    after = graph.after_line.get(lineno, NOTHING)
    if (
        last.flags & StepFlags.UNWIND
    ):  # of a called function: its exception arrives here, unless C code caught it
        return after | Continuation(can_raise=True)
    return after
