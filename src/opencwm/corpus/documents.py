"""From recorded traces to the token documents a model trains on.

One trace gives several documents: from its start, from states in its middle (so that a run of any length is
learned and can be predicted in a bounded context), and now and then only its outcome, a debugger's walk
through it, or the call that gives its result. Line labels are shifted at random for a part of them. A pure
function of the trace and the random generator.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

from opencwm.codec.native import EncodedDocument, NativeCodec
from opencwm.codec.native_input import encode_input
from opencwm.codec.native_moves import encode_moves
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import NUM_LINES
from opencwm.core.errors import CodecError
from opencwm.source.reach import visible_lines
from opencwm.traces import StateTree, Status, StepKind, Trace
from opencwm.traces.trajectory import sample_trajectory


@dataclasses.dataclass(frozen=True, kw_only=True)
class DocumentConfig:
    """How traces become documents.

    Attributes:
        max_tokens: the longest document, in ids.
        shifted_labels: fraction of documents whose line labels do not start at 1.
        from_state: fraction of traces that also give a document from a random state.
        outcome: fraction of traces that also give a document of the OUTPUT task.
        jumps: fraction of traces that also give a document with debug actions.
        inputs: fraction of traces that also give a document of the INPUT task.
        expressions: fraction of the traces recorded with expression detail that are written with it.
    """

    max_tokens: int = 1024
    shifted_labels: float = 0.5
    from_state: float = 0.25
    outcome: float = 0.05
    jumps: float = 0.0
    inputs: float = 0.0
    expressions: float = 1.0


def documents(
    trace: Trace, codec: NativeCodec, rng: random.Random, config: DocumentConfig
) -> Iterator[EncodedDocument]:
    """Yield the documents of one trace; none when its source does not fit the format."""
    lines = visible_lines(trace.program.text, trace.program.entry).lines
    if not lines or len(lines) > NUM_LINES or not trace.steps:
        return
    expressions = has_expressions(trace) and rng.random() < config.expressions
    try:
        view = _view(trace, lines, rng, config)
        whole = codec.encode(trace, view, max_tokens=config.max_tokens, expressions=expressions)
    except CodecError:  # a step on a line that static reachability did not find: getattr tricks and the like
        return
    if whole.step_ends:
        yield whole
    ends_early = len(whole.step_ends) < len(trace.steps)
    if ends_early or rng.random() < config.from_state:
        earliest = len(whole.step_ends) // 2 if ends_early else 1
        yield from _from_state(trace, lines, codec, rng, config, earliest, expressions=expressions)
    if rng.random() < config.outcome and trace.status in (Status.RETURNED, Status.RAISED):
        outcome = codec.encode_outcome(trace, _view(trace, lines, rng, config))
        if len(outcome.ids) <= config.max_tokens:
            yield outcome
    if config.jumps and rng.random() < config.jumps:
        yield from _walk(trace, lines, codec, rng, config)
    if config.inputs and rng.random() < config.inputs:
        yield from _input(trace, lines, codec, rng, config)


def has_expressions(trace: Trace) -> bool:
    """Tell whether a trace was recorded with expression detail, as far as it shows."""
    return any(step.evaluations for step in trace.steps)


def _from_state(
    trace: Trace,
    lines: tuple[int, ...],
    codec: NativeCodec,
    rng: random.Random,
    config: DocumentConfig,
    earliest: int,
    *,
    expressions: bool,
) -> Iterator[EncodedDocument]:
    last = len(trace.steps) - 1
    starts = [i + 1 for i in range(earliest, last) if trace.steps[i].kind is StepKind.LINE]
    if not starts:
        return
    view, first_step = _view(trace, lines, rng, config), rng.choice(starts)
    try:
        document = codec.encode(
            trace, view, first_step=first_step, max_tokens=config.max_tokens, expressions=expressions
        )
    except CodecError:  # a later step on a line that static reachability did not find
        return
    if document.step_ends:
        yield document


def _walk(
    trace: Trace, lines: tuple[int, ...], codec: NativeCodec, rng: random.Random, config: DocumentConfig
) -> Iterator[EncodedDocument]:
    moves = sample_trajectory(StateTree(trace.steps), rng, lines=lines)
    view = _view(trace, lines, rng, config)
    try:
        document = encode_moves(codec, trace, view, moves, max_tokens=config.max_tokens)
    except CodecError:  # a later step on a line that static reachability did not find
        return
    if document.step_ends:
        yield document


def _input(
    trace: Trace, lines: tuple[int, ...], codec: NativeCodec, rng: random.Random, config: DocumentConfig
) -> Iterator[EncodedDocument]:
    try:
        document = encode_input(codec, trace, _view(trace, lines, rng, config))
    except CodecError:  # not entered by a call, or it did not end by itself
        return
    if len(document.ids) <= config.max_tokens:
        yield document


def _view(trace: Trace, lines: tuple[int, ...], rng: random.Random, config: DocumentConfig) -> SourceView:
    room = NUM_LINES - len(lines)
    first_label = 1 + (rng.randint(0, room) if rng.random() < config.shifted_labels else 0)
    return SourceView(trace.program, lines, first_label)
