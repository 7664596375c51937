"""Writes the ``native`` format: traces and states as ids, each with its class.

What stands where is said in :mod:`opencwm.codec.native`.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, Vocabulary, line_token
from opencwm.core.errors import CodecError
from opencwm.traces import (
    Activation,
    Binding,
    CodeInfo,
    Evaluation,
    Outcome,
    OutcomeKind,
    Step,
    StepFlags,
    StepKind,
    Trace,
    observed_outcome,
)

OUTCOMES: Final = {OutcomeKind.RETURNED: Control.RETURN, OutcomeKind.RAISED: Control.RAISE}
"""What an outcome begins with."""

MAX_EVALUATION_CHARS = 60
"""An evaluation whose text and value have more characters is not written: it is no shallow step."""
MAX_EVALUATIONS = 24
"""Most evaluations written of one step, the first ones."""


class TokenClass(enum.IntEnum):
    """What a token is for; scores and losses are reported by class."""

    PROMPT = 0  # given, carries no loss
    ECHO = 1  # text of a line, appended by the engine
    CONTROL = 2
    LINE = 3  # the next line
    NAME = 4
    VALUE = 5
    ARGUMENT = 6  # a value in a CALL step: pure copying when the call is written out
    EVALUATION = 7  # text of a sub-expression
    RESULT = 8  # its value


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedDocument:
    """Token ids of one document.

    Attributes:
        ids: the ids.
        classes: a :class:`TokenClass` for each; everything but PROMPT is predicted or appended by the engine.
        step_ends: offset into ``ids`` after each encoded step; the first starts where the prompt ends.
        num_prompt: how many ids the prompt has.
        first_step: index into ``Trace.steps`` of the first encoded step.
    """

    ids: list[int]
    classes: list[TokenClass]
    step_ends: list[int]
    num_prompt: int
    first_step: int


class Writer:
    """Collects the ids of a document and their classes.

    Every method raises :class:`CodecError` for a line that is not shown.
    """

    def __init__(self, view: SourceView, vocabulary: Vocabulary, *, expressions: bool = False) -> None:
        self.view = view
        self.expressions = expressions
        self.vocabulary = vocabulary
        self.ids: list[int] = []
        self.classes: list[TokenClass] = []

    def put(self, ids: Iterable[int], kind: TokenClass) -> None:
        """Write ids of one class."""
        before = len(self.ids)
        self.ids.extend(ids)
        self.classes.extend([kind] * (len(self.ids) - before))

    def line(self, lineno: int, kind: TokenClass = TokenClass.LINE, *, echo: bool = True) -> None:
        """Write the label of a line of the file, and with ``echo`` its text."""
        label = self.view.label_of.get(lineno)
        if label is None:
            raise CodecError(f"line {lineno} is not shown", where=self.view.program.filename)
        self.put((line_token(label),), kind)
        if echo:
            self.put(self.view.echo_ids(lineno, self.vocabulary), TokenClass.ECHO)

    def bindings(
        self, changed: Iterable[Binding], deleted: Iterable[str], kind: TokenClass = TokenClass.VALUE
    ) -> None:
        """Write what changed, values as ``kind``, and what was deleted."""
        for name, value in changed:
            self.put((Control.SET,), TokenClass.CONTROL)
            self.put(self.vocabulary.encode_text(name), TokenClass.NAME)
            self.put((Control.IS,), TokenClass.CONTROL)
            self.put(self.vocabulary.encode_text(value), kind)
        for name in deleted:
            self.put((Control.DELETE,), TokenClass.CONTROL)
            self.put(self.vocabulary.encode_text(name), TokenClass.NAME)

    def evaluations(self, evaluations: Iterable[Evaluation]) -> None:
        """Write evaluated sub-expressions."""
        for evaluation in evaluations:
            self.put((Control.EVAL,), TokenClass.CONTROL)
            self.put(self.vocabulary.encode_text(evaluation.text), TokenClass.EVALUATION)
            self.put((Control.IS,), TokenClass.CONTROL)
            self.put(self.vocabulary.encode_text(evaluation.value), TokenClass.RESULT)

    def step(self, step: Step, current_line: int) -> None:
        """Write a step; ``current_line`` is the line running in its activation before it."""
        if self.expressions:
            self.evaluations(written_evaluations(step))
        cut = (Control.CUT,) if step.flags & StepFlags.TRUNCATED else ()
        if step.kind is StepKind.CALL:
            self.put((Control.RESUME if step.flags & StepFlags.RESUME else Control.CALL,), TokenClass.CONTROL)
            self.line(step.lineno)
            self.put(cut, TokenClass.CONTROL)
            self.bindings(step.changed, step.deleted, TokenClass.ARGUMENT)
            self.put((Control.BODY,), TokenClass.CONTROL)
            return
        self.put(cut, TokenClass.CONTROL)
        self.bindings(step.changed, step.deleted)
        if step.kind is StepKind.LINE:
            self.line(step.lineno)
            return
        if step.lineno != current_line:
            self.put((Control.AT,), TokenClass.CONTROL)
            self.line(step.lineno, echo=False)
        self.put((_ending(step),), TokenClass.CONTROL)
        if not step.flags & StepFlags.UNWIND:
            self.put(self.vocabulary.encode_text(step.value or ""), TokenClass.VALUE)

    def state(self, stack: Sequence[Activation], codes: Sequence[CodeInfo]) -> None:
        """Write the live activations, outermost first."""
        self.put((Control.STATE,), TokenClass.CONTROL)
        for activation in stack:
            self.put((Control.FRAME,), TokenClass.CONTROL)
            self.line(codes[activation.code].firstlineno, echo=False)
            self.bindings(activation.locals.items(), ())
            self.line(activation.lineno)

    def outcome(self, trace: Trace) -> None:
        """Write what the entry returned or raised."""
        outcome = outcome_of(trace)
        self.put((OUTCOMES[outcome.kind],), TokenClass.CONTROL)
        self.put(self.vocabulary.encode_text(outcome.value), TokenClass.VALUE)


def outcome_of(trace: Trace) -> Outcome:
    """Return what a run came to.

    Raises:
        CodecError: it did not come to its end.
    """
    outcome = observed_outcome(trace)
    if outcome is None:
        raise CodecError(f"the run ended with status {trace.status}", where=trace.program.filename)
    return outcome


def _ending(step: Step) -> Control:
    if step.kind is StepKind.EXCEPTION:
        return Control.RAISE
    if step.flags & StepFlags.UNWIND:
        return Control.UNWIND
    return Control.YIELD if step.flags & StepFlags.YIELD else Control.RETURN


def written_evaluations(step: Step) -> tuple[Evaluation, ...]:
    """Return the evaluations of a step that a document with expression detail holds.

    Left out are long ones, and those whose value says no more than its type.
    """
    fitting = (evaluation for evaluation in step.evaluations if is_written(evaluation.text, evaluation.value))
    return tuple(itertools.islice(fitting, MAX_EVALUATIONS))


def is_written(text: str, value: str) -> bool:
    """Whether a document with expression detail holds an evaluation, if it does not hold too many."""
    if len(text) + len(value) > MAX_EVALUATION_CHARS:
        return False
    return not (value.startswith("<") and value.endswith(" object>"))
