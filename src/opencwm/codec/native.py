"""The ``native`` codec: a trace as the ids our own models learn and predict.

A document is the prompt (task, the lines shown, and where the run stands) followed by steps::

    BEGIN TRACE (line indent text)* START                      the run begins at its entry
    BEGIN TRACE (line indent text)* STATE (FRAME line locals line text)*   it goes on from these activations
    BEGIN OUTPUT (line indent text)* START                     only the outcome is asked for
    BEGIN TRACE EXPRESSIONS ...                                with expression detail

    CALL line text locals BODY         RESUME line text locals BODY
    effects line text                  a LINE step: what the line before changed, then the next line
    effects [AT line] RETURN value     effects [AT line] YIELD value
    effects [AT line] RAISE value      effects [AT line] UNWIND
    END

    locals, effects:  [CUT] (SET name IS value)* (DELETE name)*

With expression detail every step begins with ``(EVAL text IS value)*``: the sub-expressions evaluated since
the step before, operands filled in, so that a dense line is computed in shallow steps.

Only what changed is written. The text after a line label is not sampled but appended by whoever predicts;
it is trained on, as practice in copying. Because a document may start from any state, long runs need no
long context, and setting a variable is starting from a changed state. Names and values are text
(:mod:`opencwm.codec.lexer`): single characters and digits.

Decoding needs the program's control-flow graphs, to know which function a line belongs to, and never raises
on model output: what cannot be a step is a :class:`MalformedStep` that keeps its ids.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
from collections.abc import Collection, Iterable, Sequence

from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, Vocabulary, is_line, is_text, line_label, line_token
from opencwm.core.errors import CodecError
from opencwm.source.cfg import CodeGraph, ControlFlow
from opencwm.traces import (
    Activation,
    Binding,
    CodeInfo,
    Evaluation,
    Status,
    Step,
    StepFlags,
    StepKind,
    Trace,
    apply_step,
)

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


@dataclasses.dataclass(frozen=True, slots=True)
class MalformedStep:
    """Ids that are not a step, and why. Never fed back to a model."""

    ids: tuple[int, ...]
    reason: str


class _Writer:
    def __init__(self, view: SourceView, vocabulary: Vocabulary, *, expressions: bool = False) -> None:
        self.view = view
        self.expressions = expressions
        self.vocabulary = vocabulary
        self.ids: list[int] = []
        self.classes: list[TokenClass] = []

    def put(self, ids: Iterable[int], kind: TokenClass) -> None:
        before = len(self.ids)
        self.ids.extend(ids)
        self.classes.extend([kind] * (len(self.ids) - before))

    def line(self, lineno: int, kind: TokenClass = TokenClass.LINE, *, echo: bool = True) -> None:
        label = self.view.label_of.get(lineno)
        if label is None:
            raise CodecError(f"line {lineno} is not shown", where=self.view.program.filename)
        self.put((line_token(label),), kind)
        if echo:
            self.put(self.view.echo_ids(lineno, self.vocabulary), TokenClass.ECHO)

    def bindings(
        self, changed: Iterable[Binding], deleted: Iterable[str], kind: TokenClass = TokenClass.VALUE
    ) -> None:
        for name, value in changed:
            self.put((Control.SET,), TokenClass.CONTROL)
            self.put(self.vocabulary.encode_text(name), TokenClass.NAME)
            self.put((Control.IS,), TokenClass.CONTROL)
            self.put(self.vocabulary.encode_text(value), kind)
        for name in deleted:
            self.put((Control.DELETE,), TokenClass.CONTROL)
            self.put(self.vocabulary.encode_text(name), TokenClass.NAME)

    def evaluations(self, evaluations: Iterable[Evaluation]) -> None:
        for evaluation in evaluations:
            self.put((Control.EVAL,), TokenClass.CONTROL)
            self.put(self.vocabulary.encode_text(evaluation.text), TokenClass.EVALUATION)
            self.put((Control.IS,), TokenClass.CONTROL)
            self.put(self.vocabulary.encode_text(evaluation.value), TokenClass.RESULT)

    def step(self, step: Step, current_line: int) -> None:
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
        self.put((Control.STATE,), TokenClass.CONTROL)
        for activation in stack:
            self.put((Control.FRAME,), TokenClass.CONTROL)
            self.line(codes[activation.code].firstlineno, echo=False)
            self.bindings(activation.locals.items(), ())
            self.line(activation.lineno)

    def outcome(self, trace: Trace, kind: TokenClass = TokenClass.CONTROL) -> None:
        """Write what the entry returned or raised; ``kind`` PROMPT says that it is given."""
        if trace.status is Status.RETURNED and trace.result is not None:
            ending, value = Control.RETURN, trace.result
        elif trace.status is Status.RAISED:
            raised = (step.value for step in reversed(trace.steps) if step.kind is StepKind.EXCEPTION)
            ending, value = Control.RAISE, next(raised, None) or ""
        else:
            raise CodecError(f"the run ended with status {trace.status}", where=trace.program.filename)
        self.put((ending,), kind)
        self.put(self.vocabulary.encode_text(value), kind if kind is TokenClass.PROMPT else TokenClass.VALUE)


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
    fitting = (
        evaluation
        for evaluation in step.evaluations
        if len(evaluation.text) + len(evaluation.value) <= MAX_EVALUATION_CHARS
        and not (evaluation.value.startswith("<") and evaluation.value.endswith(" object>"))
    )
    return tuple(itertools.islice(fitting, MAX_EVALUATIONS))


class NativeCodec:
    """Encoder and decoder over one vocabulary. Stateless: decoding state is a :class:`StepDecoder`."""

    name = "native"

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        self.vocabulary = vocabulary or Vocabulary.default()

    def encode_prompt(
        self,
        view: SourceView,
        stack: Sequence[Activation] = (),
        codes: Sequence[CodeInfo] = (),
        *,
        task: Control = Control.TRACE,
        expressions: bool = False,
    ) -> list[int]:
        """Return the ids before the first predicted one: from the start of the run, or from ``stack``.

        The stack is outermost first. ``expressions``: steps with expression detail are to follow.

        Raises:
            CodecError: an activation stands on a line that is not shown.
        """
        detail = (Control.EXPRESSIONS,) if expressions else ()
        ids = [Control.BEGIN, task, *detail, *view.prompt_ids(self.vocabulary)]
        if not stack:
            return [*ids, Control.START]
        writer = _Writer(view, self.vocabulary)
        writer.state(stack, codes)
        return ids + writer.ids

    def encode_step(
        self, step: Step, view: SourceView, current_line: int, *, expressions: bool = False
    ) -> list[int]:
        """Return the ids of one step; ``current_line`` is the line running in its activation before it."""
        writer = _Writer(view, self.vocabulary, expressions=expressions)
        writer.step(step, current_line)
        return writer.ids

    def encode(
        self,
        trace: Trace,
        view: SourceView,
        *,
        first_step: int = 0,
        max_tokens: int | None = None,
        expressions: bool = False,
    ) -> EncodedDocument:
        """Encode the steps from ``first_step`` on, as many as fit whole into ``max_tokens`` ids.

        A ``first_step`` above 0 starts from the state after the step before it, which must be a LINE step.
        With ``expressions`` the steps' evaluations are written, see :func:`written_evaluations`.

        Raises:
            CodecError: a step stands on a line that is not shown, or ``first_step`` does not follow a LINE
                step.
        """
        writer = _Writer(view, self.vocabulary, expressions=expressions)
        detail = (Control.EXPRESSIONS,) if expressions else ()
        prompt = (Control.BEGIN, Control.TRACE, *detail, *view.prompt_ids(self.vocabulary))
        writer.put(prompt, TokenClass.PROMPT)
        stack: list[Activation] = []
        for step in trace.steps[:first_step]:
            apply_step(stack, step, trace.codes)
        if first_step == 0:
            writer.put((Control.START,), TokenClass.PROMPT)
        elif trace.steps[first_step - 1].kind is StepKind.LINE:
            writer.state(stack, trace.codes)
        else:
            raise CodecError(f"step {first_step} does not follow a LINE step", where=trace.program.filename)
        num_prompt = len(writer.ids)
        writer.classes = [TokenClass.PROMPT] * num_prompt
        step_ends: list[int] = []
        for step in trace.steps[first_step:]:
            mark = len(writer.ids)
            writer.step(step, stack[step.depth].lineno if step.depth < len(stack) else step.lineno)
            if max_tokens is not None and len(writer.ids) >= max_tokens:
                del writer.ids[mark:], writer.classes[mark:]
                return EncodedDocument(writer.ids, writer.classes, step_ends, num_prompt, first_step)
            step_ends.append(len(writer.ids))
            apply_step(stack, step, trace.codes)
        if trace.status in (Status.RETURNED, Status.RAISED):
            writer.put((Control.END,), TokenClass.CONTROL)
        return EncodedDocument(writer.ids, writer.classes, step_ends, num_prompt, first_step)

    def encode_outcome(self, trace: Trace, view: SourceView) -> EncodedDocument:
        """Encode the OUTPUT task: the prompt and the entry's returned value or raised exception.

        Raises:
            CodecError: the run did not end by itself.
        """
        writer = _Writer(view, self.vocabulary)
        writer.put(self.encode_prompt(view, task=Control.OUTPUT), TokenClass.PROMPT)
        num_prompt = len(writer.ids)
        writer.outcome(trace)
        writer.put((Control.END,), TokenClass.CONTROL)
        return EncodedDocument(writer.ids, writer.classes, [len(writer.ids)], num_prompt, 0)

    def decode(self, document: Sequence[int], view: SourceView, control_flow: ControlFlow) -> Decoded:
        """Read the steps of a document that starts at the entry. Stops at END, or after a malformed step."""
        decoder = StepDecoder(self.vocabulary, view, control_flow)
        start = next((i + 1 for i, token in enumerate(document) if token == Control.START), len(document))
        decoded: list[Step | MalformedStep] = []
        position = start
        while position < len(document) and document[position] != Control.END:
            end = step_end(document, position)
            step = decoder.push(document[position:end])
            decoded.append(step)
            position = end
            if isinstance(step, MalformedStep):
                break
        return Decoded(
            tuple(decoded),
            tuple(decoder.codes),
            position < len(document) and document[position] == Control.END,
        )


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


@dataclasses.dataclass(frozen=True, slots=True)
class Decoded:
    """What a document says: its steps, the code objects they index, and whether the run came to its end."""

    steps: tuple[Step | MalformedStep, ...]
    codes: tuple[CodeInfo, ...]
    is_complete: bool


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
        reader = _Reader(ids, self._vocabulary, self._view)
        try:
            evaluations = reader.evaluations(self.stack[-1].lineno if self.stack else 0)
            step = (
                self._call(reader) if reader.peek() in (Control.CALL, Control.RESUME) else self._other(reader)
            )
        except _BadStepError as error:
            return MalformedStep(ids, str(error))
        return dataclasses.replace(step, evaluations=evaluations) if evaluations else step

    def _call(self, reader: _Reader) -> Step:
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
            raise _BadStepError(f"no function starts or is suspended at line {lineno}")
        code = CodeInfo(graph.qualname, graph.firstlineno, graph.local_names)
        if code not in self.codes:
            self.codes.append(code)
        return Step(
            StepKind.CALL, self.codes.index(code), lineno, len(self.stack), changed, deleted, None, flags
        )

    def _other(self, reader: _Reader) -> Step:
        if not self.stack:
            raise _BadStepError("nothing is running")
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
            raise _BadStepError("a step ends with a line, RETURN, YIELD, RAISE or UNWIND")
        value = reader.text()
        reader.finish()
        flags |= StepFlags.YIELD if ending == Control.YIELD else StepFlags.NONE
        return Step(kind, top.code, lineno, depth, changed, deleted, value, flags)


class _BadStepError(Exception):
    """Ids that are not a step; becomes a MalformedStep."""


class _Reader:
    def __init__(self, ids: tuple[int, ...], vocabulary: Vocabulary, view: SourceView) -> None:
        self._ids = ids
        self._position = 0
        self._vocabulary = vocabulary
        self._view = view

    def peek(self) -> int:
        return self._ids[self._position] if self._position < len(self._ids) else -1

    def take(self) -> int:
        token = self.peek()
        if token < 0:
            raise _BadStepError("the step breaks off")
        self._position += 1
        return token

    def accept(self, token: int) -> bool:
        if self.peek() != token:
            return False
        self._position += 1
        return True

    def expect(self, token: Control) -> None:
        if not self.accept(token):
            found = self.peek()
            raise _BadStepError(
                f"expected {token.name}, found "
                + (self._vocabulary.token_name(found) if found >= 0 else "the end")
            )

    def finish(self) -> None:
        if self._position < len(self._ids):
            raise _BadStepError(f"{self._vocabulary.token_name(self.peek())} after the end of the step")

    def text(self) -> str:
        start = self._position
        while is_text(self.peek()):
            self._position += 1
        return self._vocabulary.decode_text(self._ids[start : self._position])

    def line(self, *, echo: bool = True) -> int:
        token = self.take()
        lineno = self._view.line_at(line_label(token)) if is_line(token) else None
        if lineno is None:
            raise _BadStepError(f"{self._vocabulary.token_name(token)} is no line that is shown")
        if echo and self.text() != self._view.text_of(lineno):
            raise _BadStepError(f"the text after the label is not line {lineno}")
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
        changed: list[Binding] = []
        deleted: list[str] = []
        while self.accept(Control.SET):
            name = self.text()
            self.expect(Control.IS)
            changed.append((name, self.text()))
        while self.accept(Control.DELETE):
            deleted.append(self.text())
        return tuple(changed), tuple(deleted)
