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
from collections.abc import Sequence

from opencwm.codec.native_decoder import MalformedStep, StepDecoder, called, step_end
from opencwm.codec.native_writer import EncodedDocument, TokenClass, Writer, written_evaluations
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, Vocabulary
from opencwm.core.errors import CodecError
from opencwm.source.cfg import ControlFlow
from opencwm.traces import Activation, CodeInfo, Status, Step, StepKind, Trace, apply_step

__all__ = [
    "Decoded",
    "EncodedDocument",
    "MalformedStep",
    "NativeCodec",
    "StepDecoder",
    "TokenClass",
    "called",
    "step_end",
    "written_evaluations",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Decoded:
    """What a document says: its steps, the code objects they index, and whether the run came to its end."""

    steps: tuple[Step | MalformedStep, ...]
    codes: tuple[CodeInfo, ...]
    is_complete: bool


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
        writer = Writer(view, self.vocabulary)
        writer.state(stack, codes)
        return ids + writer.ids

    def encode_step(
        self, step: Step, view: SourceView, current_line: int, *, expressions: bool = False
    ) -> list[int]:
        """Return the ids of one step; ``current_line`` is the line running in its activation before it."""
        writer = Writer(view, self.vocabulary, expressions=expressions)
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
        writer = Writer(view, self.vocabulary, expressions=expressions)
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
        writer = Writer(view, self.vocabulary)
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
