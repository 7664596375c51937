"""Why a program does not allow a step that was predicted for it: the rules as a check, after the fact.

A model that writes free text cannot be held to the rules while it writes, see
:mod:`opencwm.debugger.legality`; what it wrote can be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opencwm.debugger.legality import continuation
from opencwm.source.cfg import CodeGraph, Continuation, ControlFlow
from opencwm.traces import Activation, CodeInfo, Step, StepFlags, StepKind


class Rules:
    """The rules for the runs of one program.

    Args:
        control_flow: of its text.
        entry: qualified name of the function they start in.
    """

    def __init__(self, control_flow: ControlFlow, entry: str) -> None:
        self._flow = control_flow
        self._entry = entry

    def objection(
        self, live: Sequence[Activation], codes: Sequence[CodeInfo], last: Step | None, step: Step
    ) -> str:
        """Return why ``step`` cannot come next, in words; empty when it can.

        Args:
            live: the activations alive before it, outermost first.
            codes: that steps refer to, also this one.
            last: the step before it; None for none.
            step: what was predicted.
        """
        return next(iter(self._objections(live, codes, last, step)), "")

    def graph(self, code: CodeInfo) -> CodeGraph | None:
        """Return the graph of a code object, or None for one that is not in the program."""
        return self._flow.get(code.qualname, code.firstlineno)

    def _objections(
        self, live: Sequence[Activation], codes: Sequence[CodeInfo], last: Step | None, step: Step
    ) -> Iterator[str]:
        code = codes[step.code]
        if last is None:
            if step.kind is not StepKind.CALL or code.qualname != self._entry:
                yield f"the run does not begin with the call of {self._entry}"
            return
        if not live:
            if not (step.kind is StepKind.CALL and step.flags & StepFlags.RESUME):
                yield "the run is over"
            return
        top = live[-1]
        graph = self.graph(codes[top.code])
        if graph is None:
            return
        after = continuation(graph, top.lineno, last)
        if step.kind is StepKind.CALL:
            yield from self._at_call(after, top.lineno, code, step)
            return
        if step.code != top.code:
            yield f"line {step.lineno} does not belong to {graph.qualname}"
        yield from _within(after, top.lineno, step)
        foreign = [name for name, _ in step.changed if name not in graph.local_names]
        if foreign:
            yield f"{graph.qualname} has no variable {foreign[0]}"

    def _at_call(self, after: Continuation, lineno: int, callee: CodeInfo, step: Step) -> Iterator[str]:
        is_possible = bool(step.flags & StepFlags.RESUME) or self._flow.callees.may_enter(
            callee.firstlineno, lineno
        )
        if not after.can_call or not is_possible:
            yield f"line {lineno} does not call {callee.qualname}"


def _within(after: Continuation, lineno: int, step: Step) -> Iterator[str]:
    """Yield what speaks against a step of the innermost activation, which is at ``lineno``."""
    if step.kind is StepKind.LINE:
        if step.lineno not in after.lines:
            yield f"line {step.lineno} cannot follow line {lineno}"
        return
    if step.lineno != lineno:
        yield f"line {step.lineno} does not run here, line {lineno} does"
    if step.kind is StepKind.EXCEPTION:
        is_allowed, what = after.can_raise, "raises nothing"
    elif step.flags & StepFlags.UNWIND:
        is_allowed, what = after.can_unwind, "lets no exception pass"
    elif step.flags & StepFlags.YIELD:
        is_allowed, what = after.can_yield, "yields nothing"
    else:
        is_allowed, what = after.can_return, "does not return"
    if not is_allowed:
        yield f"line {step.lineno} {what} here"
