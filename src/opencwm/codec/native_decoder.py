"""Reads the ``native`` format: the ids of one step after another, whatever they are.

What stands where is said in :mod:`opencwm.codec.native`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, Vocabulary, is_line, is_text, line_label
from opencwm.source.cfg import CodeGraph, ControlFlow
from opencwm.traces import (
    Activation,
    Binding,
    CodeInfo,
    Evaluation,
    Step,
    StepFlags,
    StepKind,
    apply_step,
)


@dataclasses.dataclass(frozen=True, slots=True)
class MalformedStep:
    """Ids that are not a step, and why. Never fed back to a model."""

    ids: tuple[int, ...]
    reason: str


def called(
    control_flow: ControlFlow, lineno: int, names: Collection[str], *, resumes: bool
) -> CodeGraph | None:
    """Return the function a CALL at ``lineno`` enters; of several there the first with all ``names``."""
    if resumes:
        candidates = [graph for graph in control_flow if graph.is_generator and lineno in graph.lines]
    else:
        candidates = list(control_flow.at(lineno))
    fitting = (graph for graph in candidates if set(names) <= set(graph.local_names))
    return next(fitting, candidates[0] if candidates else None)


def step_end(ids: Sequence[int], start: int) -> int:
    """Return the offset after the step that starts at ``start``; always greater than ``start``."""
    position = start
    while position < len(ids) and ids[position] == Control.EVAL:
        position += 1
        while position < len(ids) and (is_text(ids[position]) or ids[position] == Control.IS):
            position += 1
    if position < len(ids) and ids[position] in (Control.CALL, Control.RESUME):
        while position < len(ids) and ids[position] not in (Control.BODY, Control.END):
            position += 1
        return min(position + 1, len(ids))
    while position < len(ids):
        token = ids[position]
        if token == Control.END:
            return max(position, start + 1)
        position += 1
        if token == Control.AT:
            position += 1
        elif is_line(token) or token in (Control.RETURN, Control.YIELD, Control.UNWIND, Control.RAISE):
            break
    while position < len(ids) and is_text(ids[position]):
        position += 1
    return min(position, len(ids))


class StepDecoder:
    """Turn the ids of one step after another into steps, keeping the stack of activations.

    Attributes:
        stack: the live activations after the last step, outermost first.
        codes: code objects entered so far; :attr:`Step.code` indexes it.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        view: SourceView,
        control_flow: ControlFlow,
        stack: Sequence[Activation] = (),
        codes: Sequence[CodeInfo] = (),
    ) -> None:
        self._vocabulary = vocabulary
        self._view = view
        self._control_flow = control_flow
        self.codes = list(codes)
        self.stack = [Activation(a.code, a.lineno, dict(a.locals)) for a in stack]

    def push(self, ids: Sequence[int]) -> Step | MalformedStep:
        """Decode one step and apply it to the stack; a malformed one leaves the stack as it was."""
        step = self._read(tuple(ids))
        if isinstance(step, Step):
            apply_step(self.stack, step, tuple(self.codes))
            if step.kind is StepKind.RETURN:
                self.stack.pop()
        return step

    def _read(self, ids: tuple[int, ...]) -> Step | MalformedStep:
        reader = Reader(ids, self._vocabulary, self._view)
        try:
            evaluations = reader.evaluations(self.stack[-1].lineno if self.stack else 0)
            step = (
                self._call(reader) if reader.peek() in (Control.CALL, Control.RESUME) else self._other(reader)
            )
        except BadStepError as error:
            return MalformedStep(ids, str(error))
        return dataclasses.replace(step, evaluations=evaluations) if evaluations else step

    def _call(self, reader: Reader) -> Step:
        flags = StepFlags.RESUME if reader.take() == Control.RESUME else StepFlags.NONE
        lineno = reader.line()
        if reader.accept(Control.CUT):
            flags |= StepFlags.TRUNCATED
        changed, deleted = reader.bindings()
        reader.expect(Control.BODY)
        reader.finish()
        graph = called(
            self._control_flow, lineno, [name for name, _ in changed], resumes=bool(flags & StepFlags.RESUME)
        )
        if graph is None:
            raise BadStepError(f"no function starts or is suspended at line {lineno}")
        code = CodeInfo(graph.qualname, graph.firstlineno, graph.local_names)
        if code not in self.codes:
            self.codes.append(code)
        return Step(
            StepKind.CALL, self.codes.index(code), lineno, len(self.stack), changed, deleted, None, flags
        )

    def _other(self, reader: Reader) -> Step:
        if not self.stack:
            raise BadStepError("nothing is running")
        flags = StepFlags.TRUNCATED if reader.accept(Control.CUT) else StepFlags.NONE
        changed, deleted = reader.bindings()
        top = self.stack[-1]
        depth, lineno = len(self.stack) - 1, top.lineno
        if is_line(reader.peek()):
            lineno = reader.line()
            reader.finish()
            return Step(StepKind.LINE, top.code, lineno, depth, changed, deleted, None, flags)
        if reader.accept(Control.AT):
            lineno = reader.line(echo=False)
        ending = reader.take()
        kind = StepKind.EXCEPTION if ending == Control.RAISE else StepKind.RETURN
        if ending == Control.UNWIND:
            reader.finish()
            return Step(kind, top.code, lineno, depth, changed, deleted, None, flags | StepFlags.UNWIND)
        if ending not in (Control.RETURN, Control.YIELD, Control.RAISE):
            raise BadStepError("a step ends with a line, RETURN, YIELD, RAISE or UNWIND")
        value = reader.text()
        reader.finish()
        flags |= StepFlags.YIELD if ending == Control.YIELD else StepFlags.NONE
        return Step(kind, top.code, lineno, depth, changed, deleted, value, flags)


class BadStepError(Exception):
    """Why ids are not a step, in its text; it becomes a MalformedStep and never leaves the codec."""


class Reader:
    """Reads the ids of one step from left to right; what does not fit is a :class:`BadStepError`."""

    def __init__(self, ids: tuple[int, ...], vocabulary: Vocabulary, view: SourceView) -> None:
        self._ids = ids
        self._position = 0
        self._vocabulary = vocabulary
        self._view = view

    def peek(self) -> int:
        """Return the next id without taking it, -1 at the end."""
        return self._ids[self._position] if self._position < len(self._ids) else -1

    def take(self) -> int:
        """Take the next id; there must be one."""
        token = self.peek()
        if token < 0:
            raise BadStepError("the step breaks off")
        self._position += 1
        return token

    def accept(self, token: int) -> bool:
        """Take the next id if it is ``token``; tell whether it was."""
        if self.peek() != token:
            return False
        self._position += 1
        return True

    def expect(self, token: Control) -> None:
        """Take the next id, which must be ``token``."""
        if not self.accept(token):
            found = self.peek()
            raise BadStepError(
                f"expected {token.name}, found "
                + (self._vocabulary.token_name(found) if found >= 0 else "the end")
            )

    def finish(self) -> None:
        """Check that nothing is left."""
        if self._position < len(self._ids):
            raise BadStepError(f"{self._vocabulary.token_name(self.peek())} after the end of the step")

    def text(self) -> str:
        """Take the text that comes next, which may be empty."""
        start = self._position
        while is_text(self.peek()):
            self._position += 1
        return self._vocabulary.decode_text(self._ids[start : self._position])

    def line(self, *, echo: bool = True) -> int:
        """Take a label, and with ``echo`` the text of its line; return the line number in the file."""
        token = self.take()
        lineno = self._view.line_at(line_label(token)) if is_line(token) else None
        if lineno is None:
            raise BadStepError(f"{self._vocabulary.token_name(token)} is no line that is shown")
        if echo and self.text() != self._view.text_of(lineno):
            raise BadStepError(f"the text after the label is not line {lineno}")
        return lineno

    def evaluations(self, lineno: int) -> tuple[Evaluation, ...]:
        """Read evaluations; their places are not written, only ``lineno`` is known."""
        found: list[Evaluation] = []
        while self.accept(Control.EVAL):
            text = self.text()
            self.expect(Control.IS)
            found.append(Evaluation(text, self.text(), lineno, 0, lineno, 0))
        return tuple(found)

    def bindings(self) -> tuple[tuple[Binding, ...], tuple[str, ...]]:
        """Take what changed and what was deleted."""
        changed: list[Binding] = []
        deleted: list[str] = []
        while self.accept(Control.SET):
            name = self.text()
            self.expect(Control.IS)
            changed.append((name, self.text()))
        while self.accept(Control.DELETE):
            deleted.append(self.text())
        return tuple(changed), tuple(deleted)
