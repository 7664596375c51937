"""Per-step scores of a model that is given the true run so far: one forward pass over each document.

The one idea: under the true prefix, a step is predicted right by greedy decoding exactly when the most
likely token is the true one at each sampled position of the step, and when a value is not continued past its
end. Text the engine appends itself is not sampled and not scored. Nothing is generated here.

Long runs are cut into documents that start from a recorded state, as in prediction; every step is scored
once.

Shape suffixes: T tokens of a document, V vocabulary.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from opencwm.codec.native import EncodedDocument, NativeCodec, TokenClass
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import BYTE_BASE, Control, is_line, is_text
from opencwm.debugger.legality import Legality
from opencwm.evals.metrics import count_case
from opencwm.evals.values import ValueKind, value_kind
from opencwm.model.engine import ScoringEngine
from opencwm.traces import Activation, Step, StepFlags, StepKind, Trace, apply_step

STEP = "step"
NEXT_LINE = "next_line"
LEGAL_NEXT_LINE = "next_line_constrained"
STATE = "state"
ARGUMENTS = "arguments"
RETURN_VALUE = "return_value"
YIELD_VALUE = "yield_value"
EXCEPTION = "exception"
END = "end"
EVALUATION = "evaluation"
VALUE_METRICS = {kind: f"value_{kind}" for kind in ValueKind}
METRICS = (
    STEP,
    NEXT_LINE,
    LEGAL_NEXT_LINE,
    STATE,
    ARGUMENTS,
    *VALUE_METRICS.values(),
    RETURN_VALUE,
    YIELD_VALUE,
    EXCEPTION,
    END,
    EVALUATION,
)
"""What is counted.

``step``: everything of a step. ``next_line``: its kind and line; ``next_line_constrained``: the same with
the most likely *legal* tokens, as in constrained decoding. ``state``: changed names, their values and deleted
names, all of them and no more (arguments at a call). ``arguments``: the same at calls with arguments only.
``value_*``: one changed local outside calls. ``return_value``, ``yield_value``: the value alone.
``exception``: that and which exception is raised. ``end``: that the run is over, once it is.
``evaluation``: the value of one sub-expression, given its text; with expression detail only.
"""

_ENDINGS = (Control.AT, Control.RETURN, Control.YIELD, Control.UNWIND, Control.RAISE)
_EFFECTS = (Control.SET, Control.DELETE, Control.CUT)
_GIVEN = (TokenClass.PROMPT, TokenClass.ECHO)


@dataclasses.dataclass(slots=True)
class TeacherForced:
    """What was counted on one trace.

    Attributes:
        counts: metric -> [right, total]; a metric without a case is absent.
        line_confidences: of each step, the probability of the most likely token where kind and line are
            decided, and whether it was the right one.
        num_steps: steps scored.
        num_left_out: steps that no document of the permitted length can hold.
        num_illegal: steps whose true kind and line the control-flow graph forbids, so that constrained
            decoding cannot predict them.
        num_sampled: tokens the model has to decide.
        num_tokens: tokens of the steps in all, those the engine appends included.

    """

    counts: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    line_confidences: list[tuple[float, bool]] = dataclasses.field(default_factory=list)
    num_steps: int = 0
    num_left_out: int = 0
    num_illegal: int = 0
    num_sampled: int = 0
    num_tokens: int = 0

    def count(self, metric: str, is_right: bool) -> None:
        """Count one case."""
        count_case(self.counts, metric, is_right)


def score_trace(
    trace: Trace,
    view: SourceView,
    engine: ScoringEngine,
    codec: NativeCodec,
    *,
    max_document_tokens: int,
    legality: Legality | None = None,
    expressions: bool = False,
) -> TeacherForced:
    """Score every step of ``trace``; the engine's sequence is replaced.

    Args:
        trace: a recorded run with at least one step.
        view: what of the program the model is shown.
        engine: forward passes; its ``max_tokens`` bounds documents too.
        codec: of the engine's vocabulary.
        max_document_tokens: longest document, in ids.
        legality: the rules of ``view``; without them nothing is counted as ``next_line_constrained``.
        expressions: the documents have expression detail; a step is scored given its sub-expressions.

    Raises:
        CodecError: a step stands on a line that is not shown.
        EngineError: the engine broke.

    """
    result = TeacherForced()
    limit = min(max_document_tokens, engine.max_tokens)
    rules = _Rules(trace, legality, engine.vocab_size) if legality is not None else None
    scored = 0
    for document in documents(trace, view, codec, max_document_tokens=limit, expressions=expressions):
        engine.truncate(0)
        score = _DocumentScore(document, engine.append_all(document.ids))
        start = document.num_prompt
        for offset, end in enumerate(document.step_ends):
            index = document.first_step + offset
            if index >= scored:
                proper = score.evaluations(start, end, result)
                score.step(trace.steps[index], proper, end, result)
                if rules is not None:
                    score.constrained(rules, proper, end, result)
                    rules.advance()
                scored = index + 1
            start = end
        if scored == len(trace.steps) and document.ids[-1] == Control.END:
            result.count(END, bool(score.argmax_T[len(document.ids) - 1] == Control.END))
            result.num_sampled += 1
            result.num_tokens += 1
    result.num_steps = scored
    result.num_left_out = len(trace.steps) - scored
    return result


def documents(
    trace: Trace,
    view: SourceView,
    codec: NativeCodec,
    *,
    max_document_tokens: int,
    expressions: bool = False,
) -> Iterator[EncodedDocument]:
    """Yield documents that together hold every step, each starting from the last state that lets it go on.

    Steps may be in two documents. It ends early where one step and the state before it do not fit.

    Raises:
        CodecError: a step stands on a line that is not shown.

    """
    first, done = 0, 0
    while done < len(trace.steps):
        document = codec.encode(
            trace, view, first_step=first, max_tokens=max_document_tokens, expressions=expressions
        )
        reached = first + len(document.step_ends)
        if reached <= done:
            return
        yield document
        done = reached
        starts = (i for i in range(done, first, -1) if trace.steps[i - 1].kind is StepKind.LINE)
        first = next(starts, first)


class _Rules:
    """What is legal at each step of one trace, as masks (V,) over the next id."""

    def __init__(self, trace: Trace, legality: Legality, vocab_size: int) -> None:
        self._trace = trace
        self._legality = legality
        self._vocab_size = vocab_size
        self._index = 0
        self._stack: list[Activation] = []

    def advance(self) -> None:
        """Go on to the next step."""
        step = self._trace.steps[self._index]
        apply_step(self._stack, step, self._trace.codes)
        if step.kind is StepKind.RETURN:
            self._stack.pop()
        self._index += 1

    def kinds(self, *, has_effects: bool) -> NDArray[np.bool_]:
        """Legal ids where the step's kind is decided: after its effects, or at its start when it has none."""
        last = self._trace.steps[self._index - 1] if self._index else None
        legal = self._legality.next_step(self._stack, self._trace.codes, last)
        if legal is None:
            return self._mask(())
        if not has_effects:
            return self._mask(legal.first())
        step = self._trace.steps[self._index]
        written = [name for name, _ in step.changed]
        settable = () if step.deleted else _after(legal.settable, written)
        deletable = _after([name for name in legal.deletable if name not in written], step.deleted)
        mask_V = self._mask(legal.following(written, settable, deletable))
        mask_V[BYTE_BASE:] = True  # the last value may go on
        return mask_V

    def call_lines(self, kind: int) -> NDArray[np.bool_]:
        """Legal line ids after CALL or RESUME."""
        if self._index == 0:
            entry = self._legality.entry_line(self._trace.program.entry)
            return self._mask(self._legality.call_lines if entry is None else (entry,))
        if kind == Control.RESUME:
            return self._mask(self._legality.resume_lines)
        return self._mask(self._legality.call_lines_at(self._stack[-1].lineno))

    def _mask(self, ids: Iterable[int]) -> NDArray[np.bool_]:
        mask_V = np.zeros(self._vocab_size, dtype=np.bool_)
        mask_V[list(ids)] = True
        return mask_V


def _after(names: Sequence[str], used: Sequence[str]) -> Sequence[str]:
    """Return the ``names`` behind the last one used."""
    places = [index for index, name in enumerate(names) if name in used]
    return names[places[-1] + 1 :] if places else names


class _DocumentScore:
    """The most likely token at each position of one document, against the true one."""

    def __init__(self, document: EncodedDocument, logits_TV: NDArray[np.float32]) -> None:
        self.ids = document.ids
        self.classes = document.classes
        # Position t is predicted by the logits after t - 1; the last entry is what follows the last id.
        self.argmax_T = np.concatenate(([-1], logits_TV.argmax(axis=1)))
        self.logits_TV = logits_TV

    def evaluations(self, start: int, end: int, result: TeacherForced) -> int:
        """Score the sub-expressions a step begins with; return where the step proper begins."""
        position = start
        while self.ids[position] == Control.EVAL:
            value = self.ids.index(Control.IS, position, end) + 1
            position = value
            while self.classes[position] is TokenClass.RESULT:
                position += 1
            is_right = self._right(value, position) and not is_text(int(self.argmax_T[position]))
            result.count(EVALUATION, is_right)
        result.num_sampled += position - start
        result.num_tokens += position - start
        return position

    def step(self, step: Step, start: int, end: int, result: TeacherForced) -> None:
        """Score the step at ``start`` to ``end`` (exclusive)."""
        tail = self._tail(start, end)
        line_end = next(
            (i for i in range(tail, end) if self.classes[i] not in (TokenClass.CONTROL, TokenClass.LINE)), end
        )
        if step.kind is StepKind.CALL:
            line_right = self._right(start, tail)
            state_right = self._right(tail, end)
            value_right = True
        else:
            line_right = self._right(tail, line_end)
            state_right = self._right(start, tail) and not self._continues(tail, is_text_too=tail > start)
            has_value = step.kind is not StepKind.LINE and not step.flags & StepFlags.UNWIND
            value_right = not has_value or (
                self._right(line_end, end) and not is_text(int(self.argmax_T[end]))
            )
        result.count(NEXT_LINE, line_right)
        result.count(STATE, state_right)
        result.count(STEP, line_right and state_right and value_right)
        self._count_values(step, start, tail, result)
        self._count_kind(step, result, state_right, line_right and value_right, value_right)
        decided = start if step.kind is StepKind.CALL else tail
        result.line_confidences.append((self._confidence(decided), self._right(decided, decided + 1)))
        result.num_sampled += sum(kind not in _GIVEN for kind in self.classes[start:end])
        result.num_tokens += end - start

    def constrained(self, rules: _Rules, start: int, end: int, result: TeacherForced) -> None:
        """Score kind and line of the next step of ``rules`` among what is legal."""
        is_call = self.ids[start] in (Control.CALL, Control.RESUME)
        position = start if is_call else self._tail(start, end)
        decisions = [(position, rules.kinds(has_effects=position > start))]
        if is_call:
            decisions.append((start + 1, rules.call_lines(self.ids[start])))
        is_legal = all(mask_V[self.ids[i]] for i, mask_V in decisions)
        result.num_illegal += not is_legal
        result.count(
            LEGAL_NEXT_LINE,
            is_legal
            and all(
                np.where(mask_V, self.logits_TV[i - 1], -np.inf).argmax() == self.ids[i]
                for i, mask_V in decisions
            ),
        )

    def _tail(self, start: int, end: int) -> int:
        """Where the effects end and kind and line begin; at a call, where the arguments begin."""
        if self.ids[start] in (Control.CALL, Control.RESUME):
            return next(i for i in range(start + 2, end) if self.classes[i] is not TokenClass.ECHO)
        return next(i for i in range(start, end) if is_line(self.ids[i]) or self.ids[i] in _ENDINGS)

    def _right(self, start: int, end: int) -> bool:
        """Whether every sampled token from ``start`` to ``end`` is the most likely one."""
        return all(
            self.argmax_T[i] == self.ids[i]
            for i in range(start, end)
            if self.classes[i] is not TokenClass.ECHO
        )

    def _continues(self, position: int, *, is_text_too: bool) -> bool:
        """Whether the model would go on with effects (or with the text of the last one) at ``position``."""
        token = int(self.argmax_T[position])
        return token in _EFFECTS or (is_text_too and is_text(token))

    def _count_values(self, step: Step, start: int, tail: int, result: TeacherForced) -> None:
        if step.kind is StepKind.CALL:
            return
        position = start
        for _, text in step.changed:
            first = self.ids.index(Control.IS, position, tail) + 1
            position = first
            while position < tail and is_text(self.ids[position]):
                position += 1
            is_right = self._right(first, position) and not is_text(int(self.argmax_T[position]))
            result.count(VALUE_METRICS[value_kind(text)], is_right)

    def _count_kind(
        self, step: Step, result: TeacherForced, state_right: bool, ending_right: bool, value_right: bool
    ) -> None:
        if step.kind is StepKind.CALL and step.changed and not step.flags & StepFlags.RESUME:
            result.count(ARGUMENTS, state_right)
        elif step.kind is StepKind.EXCEPTION:
            result.count(EXCEPTION, ending_right)
        elif step.kind is StepKind.RETURN and not step.flags & StepFlags.UNWIND:
            result.count(YIELD_VALUE if step.flags & StepFlags.YIELD else RETURN_VALUE, value_right)

    def _confidence(self, position: int) -> float:
        logits_V = self.logits_TV[position - 1].astype(np.float64)
        return float(1.0 / np.exp(logits_V - logits_V.max()).sum())
