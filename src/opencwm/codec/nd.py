"""The ``nd`` format of debugger trajectories as token ids: trajectories in, ids out, and ids back to states.

The one idea, as in :mod:`opencwm.codec.cwm`: ids are joined, never re-cut. Each part (code, source line,
locals, value) is tokenized by itself with special tokens disabled and set between special tokens; reading
splits at the special tokens and keeps the sampled ids. The characters are those of
:mod:`opencwm.codec.nd_text`.

What a model predicts is a state and the ``<|action_sep|>`` that asks for the next action; the action and the
``<|frame_sep|>`` after it are the user's. So generation of a state ends with ``<|action_sep|>`` or, at an
exit, with ``<|end_of_text|>``.

Source: "Towards a Neural Debugger for Python", arXiv 2603.09951.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from opencwm.codec.cwm_special import (
    ACTION_SEP,
    ARG_SEP,
    BEGIN_OF_TEXT,
    END_OF_TEXT,
    FRAME_SEP,
    TRACE_CONTEXT_START,
)
from opencwm.codec.cwm_step import (
    MalformationError,
    MalformedStep,
    check_source,
    parse_locals,
    parse_value,
)
from opencwm.codec.cwm_text import CARRIED
from opencwm.codec.cwm_tokenizer import Tokenizer, readable
from opencwm.codec.nd_special import (
    ACTION_TOKENS,
    EXIT_TOKENS,
    INV_EXIT_ENTRY,
    INVERSE_ACTION_TOKENS,
    ND_IDS,
    ND_TOKENS,
    SRC_SEP,
    TRACE_END,
)
from opencwm.codec.nd_text import (
    KINDS,
    NdAction,
    NdExit,
    NdStep,
    Trajectory,
    argument_json,
    resolved,
    writes_locals_first,
)
from opencwm.codec.nd_walk import trajectory
from opencwm.core.errors import CodecError
from opencwm.traces import Action, StepKind, Trace

_BREAKPOINT = ACTION_TOKENS[Action.BREAKPOINT]
_EXITS = frozenset({*EXIT_TOKENS.values(), INV_EXIT_ENTRY})
_ACTIONS = frozenset({*ACTION_TOKENS.values(), *INVERSE_ACTION_TOKENS.values()})


@dataclasses.dataclass(frozen=True, slots=True)
class StateSpan:
    """Where one state lies in :attr:`EncodedTrajectory.ids`; positions are a half-open range.

    Attributes:
        index: the step's position in ``Trace.steps``; None for the exit.
        start: position of the state's first token.
        stop: position after what the model predicts: the state and its ``<|action_sep|>``, or the exit and
            ``<|end_of_text|>``.
    """

    index: int | None
    start: int
    stop: int


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedTrajectory:
    """A trajectory as ids.

    Attributes:
        ids: code, states and actions.
        num_prompt: ids given at the start: up to the first ``<|frame_sep|>`` forward; backward with the first
            state too, since how the run ended is the question.
        spans: one for each state, in order.
    """

    ids: list[int]
    num_prompt: int
    spans: tuple[StateSpan, ...]

    def is_predicted(self) -> list[bool]:
        """Return, for each id, whether the model predicts it: the loss mask of training."""
        mask = [False] * len(self.ids)
        for span in self.spans:
            if span.start >= self.num_prompt:
                mask[span.start : span.stop] = [True] * (span.stop - span.start)
        return mask


@dataclasses.dataclass(frozen=True, slots=True)
class ReadState:
    """A state that was read, and the action told after it.

    Attributes:
        state: the state, or why the ids are none.
        ids: the ids of the state as sampled, without ``<|frame_sep|>`` and ``<|action_sep|>``.
        locals: all locals it tells, carried ones filled in; None where it tells none.
        action: what was told next; None after the last state, and where the ids are no action.
    """

    state: NdStep | NdExit | MalformedStep
    ids: tuple[int, ...]
    locals: dict[str, str] | None
    action: NdAction | None


@dataclasses.dataclass(frozen=True, slots=True)
class DecodedTrajectory:
    """A sequence of ids, read.

    Attributes:
        states: in order; malformed ones stand where they occurred.
        is_finished: whether the walk came to an exit state.
    """

    states: tuple[ReadState, ...]
    is_finished: bool


class ReservedTokens:
    """A tokenizer of the published vocabulary, in which reserved ids are the tokens of ``nd``.

    Args:
        tokenizer: that of facebook/cwm, or another one to which the ids of ``ND_IDS`` are no text.

    Raises:
        CodecError: one of the ids stands for text.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        for name, id_ in ND_IDS.items():
            if self._is_text(id_):
                raise CodecError(f"id {id_} is not free for {name}", hint="train a tokenizer with ND_TOKENS")

    def encode(self, text: str) -> list[int]:
        """See :meth:`Tokenizer.encode`."""
        return self._tokenizer.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """See :meth:`Tokenizer.decode`."""
        return self._tokenizer.decode(ids)

    def special_id(self, name: str) -> int:
        """See :meth:`Tokenizer.special_id`."""
        return ND_IDS[name] if name in ND_IDS else self._tokenizer.special_id(name)

    def _is_text(self, id_: int) -> bool:
        try:
            self._tokenizer.decode([id_])
        except CodecError:
            return False
        return True


class NdCodec:
    """Encoder and tolerant decoder over one tokenizer.

    Args:
        tokenizer: must have the special tokens in ``ND_TOKENS``; see :class:`ReservedTokens` for one that has
            only those of ``cwm``.

    Raises:
        CodecError: the tokenizer lacks a special token.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._ids = {name: tokenizer.special_id(name) for name in ND_TOKENS}
        self._names = {id_: name for name, id_ in self._ids.items()}

    @property
    def action_sep_id(self) -> int:
        """Generation of a state ends with this id, unless it is an exit."""
        return self._ids[ACTION_SEP]

    def encode(self, trace: Trace) -> EncodedTrajectory:
        """Return a whole run as ids, every step stepped into.

        Raises:
            CodecError: nothing was recorded; a step's line is not in the program; a text is not UTF-8.
        """
        return self.encode_trajectory(trajectory(trace))

    def encode_trajectory(self, written: Trajectory) -> EncodedTrajectory:
        """Return a walk as ids.

        Raises:
            CodecError: a text is not UTF-8.
        """
        special = self._ids
        ids = [special[BEGIN_OF_TEXT], special[TRACE_CONTEXT_START], *self.tokenizer.encode(written.code)]
        num_prompt = len(ids) + 1
        spans = []
        indices = iter(written.indices)
        for position, state in enumerate(written.states):
            ids.append(special[FRAME_SEP])
            start = len(ids)
            ids += self._state_ids(state)
            action = written.actions[position] if position < len(written.actions) else None
            ids.append(special[END_OF_TEXT if action is None else ACTION_SEP])
            stop = len(ids)
            if action is not None:
                ids += self.action_ids(action)
            spans.append(StateSpan(next(indices, None), start, stop))
        if written.is_inverse:
            num_prompt = spans[0].stop
        return EncodedTrajectory(ids, num_prompt, tuple(spans))

    def action_ids(self, action: NdAction) -> list[int]:
        """Return the ids of an action: what to append after an ``<|action_sep|>``.

        Raises:
            CodecError: its source is not UTF-8.
        """
        return [self._ids[action.token], *self.tokenizer.encode(action.source or "")]

    def decode(self, ids: Sequence[int]) -> DecodedTrajectory:
        """Read a sequence, with or without its code, up to its end token. Never raises, whatever the ids.

        A malformed state is kept with its ids and says why; the others are read as if it were not there.
        """
        body = [int(id_) for id_ in ids]
        end = self._ids[END_OF_TEXT]
        body = body[: body.index(end)] if end in body else body
        if body[:1] == [self._ids[BEGIN_OF_TEXT]] or body[:1] == [self._ids[TRACE_CONTEXT_START]]:
            code_end = body.index(self._ids[FRAME_SEP]) if self._ids[FRAME_SEP] in body else len(body)
            body = body[code_end:]
        states: list[tuple[NdStep | NdExit | MalformedStep, tuple[int, ...], NdAction | None]] = []
        for part in self._split(body, FRAME_SEP):
            state_ids, *rest = self._split(part, ACTION_SEP)
            state = self.decode_state(state_ids)
            states.append((state, tuple(state_ids), self._action(rest[0]) if len(rest) == 1 else None))
        told = resolved([state for state, _, _ in states if not isinstance(state, MalformedStep)])
        read = tuple(
            ReadState(state, own, None if isinstance(state, MalformedStep) else next(told), action)
            for state, own, action in states
        )
        return DecodedTrajectory(read, bool(read) and isinstance(read[-1].state, NdExit))

    def decode_state(self, ids: Sequence[int]) -> NdStep | NdExit | MalformedStep:
        """Read one state, from its first token to before its ``<|action_sep|>``. Never raises."""
        ids = tuple(int(id_) for id_ in ids)
        try:
            return self._parse(ids)
        except MalformationError as malformation:
            return MalformedStep(ids, str(malformation))
        except CodecError as error:
            return MalformedStep(ids, error.what)

    def to_text(self, ids: Iterable[int]) -> str:
        """Return the ids as text with the names of special tokens; for people, not to be encoded again.

        Raises:
            CodecError: an id is not in the vocabulary.
        """
        return readable(ids, self._names, self.tokenizer)

    def _state_ids(self, state: NdStep | NdExit) -> list[int]:
        if isinstance(state, NdExit):
            return [self._ids[state.token], self._ids[TRACE_END]]
        source = [self._ids[SRC_SEP], *self.tokenizer.encode(state.source)]
        argument = [self._ids[ARG_SEP], *self.tokenizer.encode(argument_json(state))]
        parts = (argument, source) if writes_locals_first(state.token) else (source, argument)
        return [self._ids[state.token], *parts[0], *parts[1]]

    def _split(self, ids: Sequence[int], name: str) -> Iterator[list[int]]:
        """Cut at a special token; nothing stands before the first ``<|frame_sep|>`` of a whole sequence."""
        parts: list[list[int]] = [[]]
        for id_ in ids:
            if id_ == self._ids[name]:
                parts.append([])
            else:
                parts[-1].append(id_)
        return iter(parts if parts[0] or name != FRAME_SEP else parts[1:])

    def _parse(self, ids: tuple[int, ...]) -> NdStep | NdExit:
        token = self._names.get(ids[0], "") if ids else ""
        if token in _EXITS:
            if ids[1:] != (self._ids[TRACE_END],):
                raise MalformationError(f"an exit state is followed by {TRACE_END} and nothing else")
            return NdExit(token)
        if token not in KINDS:
            raise MalformationError("the state does not start with a kind of step")
        order = (ARG_SEP, SRC_SEP) if writes_locals_first(token) else (SRC_SEP, ARG_SEP)
        marks = [position for position, id_ in enumerate(ids) if position and id_ in self._names]
        if [self._names[ids[mark]] for mark in marks] != list(order) or marks[0] != 1:
            raise MalformationError(f"the state is not {token} {order[0]} ... {order[1]} ...")
        texts = {
            order[0]: self.tokenizer.decode(ids[2 : marks[1]]),
            order[1]: self.tokenizer.decode(ids[marks[1] + 1 :]),
        }
        source = check_source(texts[SRC_SEP])
        if KINDS[token] in (StepKind.CALL, StepKind.LINE):
            bindings = parse_locals(texts[ARG_SEP])
            if dict(bindings).get(CARRIED, CARRIED) != CARRIED:
                raise MalformationError(f"the entry of unchanged locals does not read {CARRIED!r}")
            return NdStep(token, source, bindings)
        return NdStep(token, source, value=parse_value(texts[ARG_SEP]))

    def _action(self, ids: Sequence[int]) -> NdAction | None:
        token = self._names.get(ids[0], "") if ids else ""
        if token not in _ACTIONS:
            return None
        try:
            source = self.tokenizer.decode(ids[1:])
        except CodecError:
            return None
        if token == _BREAKPOINT:
            return NdAction(token, source)
        return None if source else NdAction(token)
