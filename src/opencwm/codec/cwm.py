"""The published ``cwm`` trace format as token ids: traces in, ids out, and a model's ids back to steps.

The one idea: ids are joined, never re-cut. Each part of a step (locals, source line, value) is tokenized by
itself with special tokens disabled and set between special tokens; reading splits at the special tokens and
keeps the sampled ids, so a sequence that is extended is never tokenized again. Text is made by
:mod:`opencwm.codec.cwm_text`, lines and depths are found by :mod:`opencwm.codec.cwm_locate`.

Source: facebookresearch/cwm, PROMPTING_GUIDE.md.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

from opencwm.codec.cwm_locate import Locator
from opencwm.codec.cwm_special import (
    ACTION_SEP,
    ARG_SEP,
    BEGIN_OF_TEXT,
    END_OF_TEXT,
    FRAME_SEP,
    KIND_TOKENS,
    SPECIAL_IDS,
    STOP_TOKENS,
    TRACE_CONTEXT_START,
)
from opencwm.codec.cwm_step import (
    CwmStep,
    DecodedTrace,
    LocatedStep,
    MalformationError,
    MalformedStep,
    check_source,
    parse_locals,
    parse_value,
)
from opencwm.codec.cwm_text import context_text, left_entry, locals_json, value_json, written_steps
from opencwm.codec.cwm_tokenizer import Tokenizer, readable
from opencwm.core.errors import CodecError
from opencwm.traces import Program, StepKind, Trace


@dataclasses.dataclass(frozen=True, slots=True)
class StepSpan:
    """Where one step lies in :attr:`EncodedTrace.ids`; positions are half-open ranges.

    Attributes:
        index: the step's position in ``Trace.steps``.
        start: position of the kind token; locals follow it.
        action: position of ``<|action_sep|>``; the source line follows it.
        arg: position of ``<|arg_sep|>``, which the value follows; None at calls and lines.
        stop: position after ``<|frame_sep|>``.
    """

    index: int
    start: int
    action: int
    arg: int | None
    stop: int


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedTrace:
    """A trace as ids.

    Attributes:
        ids: prompt, steps, and ``<|end_of_text|>`` if the run left its entry.
        num_prompt: ids given to the model; all later ones are its to predict.
        spans: one per written step, in order and without gaps from ``num_prompt`` on.
    """

    ids: list[int]
    num_prompt: int
    spans: tuple[StepSpan, ...]

    def is_predicted(self) -> list[bool]:
        """Return, for each id, whether the model predicts it: the loss mask of training."""
        return [False] * self.num_prompt + [True] * (len(self.ids) - self.num_prompt)


class CwmCodec:
    """Encoder and tolerant decoder over one tokenizer.

    Args:
        tokenizer: must have the special tokens in ``TRACE_TOKENS``.
        unwind_returns: also write the return event of activations that an exception leaves.

    Raises:
        CodecError: the tokenizer lacks a special token.
    """

    def __init__(self, tokenizer: Tokenizer, *, unwind_returns: bool = False) -> None:
        self.tokenizer = tokenizer
        self.unwind_returns = unwind_returns
        special = tokenizer.special_id
        self._begin, self._context = special(BEGIN_OF_TEXT), special(TRACE_CONTEXT_START)
        self._frame, self._action, self._arg = special(FRAME_SEP), special(ACTION_SEP), special(ARG_SEP)
        self._end = special(END_OF_TEXT)
        self._kind_ids = {kind: special(name) for kind, name in KIND_TOKENS.items()}
        self._kinds = {id_: kind for kind, id_ in self._kind_ids.items()}
        self._names = dict(_known_specials(tokenizer))
        self._stops = frozenset(id_ for id_, name in self._names.items() if name in STOP_TOKENS)

    @property
    def frame_sep_id(self) -> int:
        """Generation of one step ends with this id."""
        return self._frame

    @property
    def stop_ids(self) -> frozenset[int]:
        """Generation of a trace ends with any of these; chat tokens that the tokenizer lacks are left out."""
        return self._stops

    @property
    def names(self) -> dict[int, str]:
        """The special tokens that the tokenizer has, by id."""
        return dict(self._names)

    def encode_prompt(self, program: Program) -> list[int]:
        """Return the ids up to and with the first ``<|frame_sep|>``.

        Raises:
            CodecError: the program has no function of the entry's name, does not parse, or is not UTF-8.
        """
        return [self._begin, self._context, *self.tokenizer.encode(context_text(program)), self._frame]

    def encode(self, trace: Trace) -> EncodedTrace:
        """Return the whole trace as ids.

        Raises:
            CodecError: as :meth:`encode_prompt`; or a step's line is not in the program.
        """
        ids = self.encode_prompt(trace.program)
        num_prompt = len(ids)
        spans = []
        source_ids: dict[str, list[int]] = {}  # lines repeat
        for step in written_steps(trace, unwind_returns=self.unwind_returns):
            start, arg = len(ids), None
            ids.append(self._kind_ids[step.kind])
            if step.kind in (StepKind.CALL, StepKind.LINE):
                ids += self.tokenizer.encode(locals_json(step.bindings))
            action = len(ids)
            if step.source not in source_ids:
                source_ids[step.source] = self.tokenizer.encode(step.source)
            ids += [self._action, *source_ids[step.source]]
            if step.kind in (StepKind.RETURN, StepKind.EXCEPTION):
                arg = len(ids)
                ids += [self._arg, *self.tokenizer.encode(value_json(step.value))]
            ids.append(self._frame)
            spans.append(StepSpan(step.index, start, action, arg, len(ids)))
        if left_entry(trace):
            ids.append(self._end)
        return EncodedTrace(ids, num_prompt, tuple(spans))

    def decode_step(self, ids: Sequence[int]) -> CwmStep | MalformedStep:
        """Read one step, from its kind token to its ``<|frame_sep|>``. Never raises, whatever the ids."""
        ids = tuple(int(id_) for id_ in ids)
        try:
            return self._parse(ids)
        except MalformationError as malformation:
            return MalformedStep(ids, str(malformation))
        except CodecError as error:
            return MalformedStep(ids, error.what)

    def decode(self, ids: Sequence[int], program: Program) -> DecodedTrace:
        """Read a sequence, with or without its prompt, up to its end token.

        Any ids give steps or malformed steps; ids after the last ``<|frame_sep|>`` are a malformed step.
        Lines and depths are those of the reading that fits all steps best.

        Args:
            ids: what the model was given and has sampled, or only what it has sampled.
            program: what the steps were predicted for.

        Raises:
            CodecError: the *program* has no function of the entry's name, or does not parse.
        """
        reader = CwmReader(self, program)
        reader.extend(self._without_prompt(ids))
        return reader.result()

    def kind_ids(self, kind: StepKind) -> list[int]:
        """Return what to append after a ``<|frame_sep|>`` so that the next step is of this kind."""
        return [self._kind_ids[kind]]

    def step_over_ids(self) -> list[int]:
        """Return what to append after a call step so that the next step is the return of that call."""
        return self.kind_ids(StepKind.RETURN)

    def to_text(self, ids: Iterable[int]) -> str:
        """Return the ids as text with the names of special tokens; for people, not to be encoded again.

        Raises:
            CodecError: an id is not in the vocabulary.
        """
        return readable(ids, self._names, self.tokenizer)

    def _parse(self, ids: tuple[int, ...]) -> CwmStep:
        if not ids or ids[-1] != self._frame:
            raise MalformationError(f"the step ends before {FRAME_SEP}")
        if ids[0] not in self._kinds:
            raise MalformationError("the step does not start with a kind of step")
        kind = self._kinds[ids[0]]
        has_value = kind in (StepKind.RETURN, StepKind.EXCEPTION)
        expected = [self._action, self._arg] if has_value else [self._action]
        positions = [position for position, id_ in enumerate(ids[:-1]) if position and id_ in self._names]
        if [ids[position] for position in positions] != expected:
            found = " ".join(self._names[ids[position]] for position in positions) or "none"
            wanted = " ".join(self._names[id_] for id_ in expected)
            raise MalformationError(f"a {kind} step has {wanted} between its parts, here: {found}")
        edges = [0, *positions, len(ids) - 1]
        texts = [self.tokenizer.decode(ids[a + 1 : b]) for a, b in itertools.pairwise(edges)]
        source = check_source(texts[1])
        if not has_value:
            return CwmStep(kind, source, parse_locals(texts[0]), None, ids)
        if texts[0]:
            raise MalformationError(f"a {kind} step has no locals")
        return CwmStep(kind, source, (), parse_value(texts[2]), ids)

    def _without_prompt(self, ids: Sequence[int]) -> Sequence[int]:
        if not ids or ids[0] not in (self._begin, self._context):
            return ids
        for position, id_ in enumerate(ids):
            if id_ == self._frame:
                return ids[position + 1 :]
        return ()


class CwmReader:
    """Reads ids as they are sampled; gives a step at each ``<|frame_sep|>``.

    What the model may be shown again is the prompt and :attr:`kept_ids`. After a malformed step, cut the
    engine's sequence back to that length before sampling anew.

    Args:
        codec: the codec the ids belong to.
        program: what the steps are predicted for.

    Raises:
        CodecError: the program has no function of the entry's name, or does not parse.
    """

    def __init__(self, codec: CwmCodec, program: Program) -> None:
        self._codec = codec
        self._locator = Locator(program)
        self._pending: list[int] = []
        self._order: list[MalformedStep | None] = []  # None: the next located step
        self._kept: list[int] = []
        self._stops: list[int] = []  # length of the kept ids after each located step
        self.is_finished = False

    @property
    def steps(self) -> list[LocatedStep]:
        """The well-formed steps so far, in the reading that fits them best now."""
        return self._locator.steps

    @property
    def pending_ids(self) -> tuple[int, ...]:
        """What was sampled since the last step."""
        return tuple(self._pending)

    @property
    def kept_ids(self) -> Sequence[int]:
        """The sampled ids of the well-formed steps, joined, without the prompt; not to be changed."""
        return self._kept

    def push(self, id_: int) -> LocatedStep | MalformedStep | None:
        """Add one id, sampled or forced; return the step it completes, if it does.

        An end token completes the trace; ids after it are ignored.
        """
        if self.is_finished:
            return None
        if id_ in self._codec.stop_ids:
            self.is_finished = True
            return self._complete() if self._pending else None
        self._pending.append(int(id_))
        return self._complete() if id_ == self._codec.frame_sep_id else None

    def extend(self, ids: Iterable[int]) -> list[LocatedStep | MalformedStep]:
        """Add ids; return the steps they complete."""
        return [step for id_ in ids if (step := self.push(id_)) is not None]

    def truncate(self, num_steps: int) -> None:
        """Step back: forget all but the first ``num_steps`` well-formed steps, and what came after them."""
        located = [position for position, item in enumerate(self._order) if item is None]
        if num_steps < len(located):
            del self._order[located[num_steps] :]
        self._locator.truncate(num_steps)
        del self._stops[num_steps:]
        del self._kept[self._stops[-1] if self._stops else 0 :]
        self._pending.clear()
        self.is_finished = False

    def result(self) -> DecodedTrace:
        """Return all that was read; an unfinished step at the end is malformed."""
        located = iter(self.steps)
        steps = tuple(next(located) if item is None else item for item in self._order)
        if self._pending:
            steps = (*steps, MalformedStep(self.pending_ids, f"the step ends before {FRAME_SEP}"))
        return DecodedTrace(steps, self.is_finished)

    def _complete(self) -> LocatedStep | MalformedStep:
        step = self._codec.decode_step(self._pending)
        self._pending.clear()
        outcome = step if isinstance(step, MalformedStep) else self._locator.locate(step)
        if isinstance(outcome, MalformedStep):
            self._order.append(outcome)
        else:
            self._order.append(None)
            self._kept += outcome.step.ids
            self._stops.append(len(self._kept))
        return outcome


def _known_specials(tokenizer: Tokenizer) -> Iterable[tuple[int, str]]:
    for name in SPECIAL_IDS:
        try:
            yield tokenizer.special_id(name), name
        except CodecError:
            continue
