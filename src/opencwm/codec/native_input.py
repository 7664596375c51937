"""Input prediction in the ``native`` format: find a call that gives a result.

::

    BEGIN INPUT (line indent text)* START (RETURN | RAISE) value CALL name    given
    (arguments) END                                                           predicted

The lines are those of the program without the wrapper, which would tell the answer. ``name`` is the text of
the call up to its first parenthesis, so that the question is about one function; what follows is the rest of
the call expression, as it was written. Many calls may give one result: a prediction is right when running it
does.
"""

from __future__ import annotations

from collections.abc import Sequence

from opencwm.codec.native import NativeCodec
from opencwm.codec.native_decoder import MalformedStep
from opencwm.codec.native_writer import OUTCOMES, EncodedDocument, TokenClass, Writer, outcome_of
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, is_text
from opencwm.core.errors import CodecError
from opencwm.traces import Outcome, Program, Trace


def input_prompt(codec: NativeCodec, view: SourceView, name: str, wanted: Outcome) -> list[int]:
    """Return what is given: the program without its wrapper, the result, the beginning of the call.

    Args:
        codec: gives the vocabulary.
        view: of the program; lines of the wrapper are left out.
        name: of the function, as the call begins.
        wanted: what the call returned or raised.

    Raises:
        CodecError: nothing but the wrapper is shown.
    """
    shown = SourceView(view.program, without_wrapper(view), view.first_label)
    encode = codec.vocabulary.encode_text
    prompt = codec.encode_prompt(shown, task=Control.INPUT)
    return [*prompt, OUTCOMES[wanted.kind], *encode(wanted.value), Control.CALL, *encode(name)]


def encode_input(codec: NativeCodec, trace: Trace, view: SourceView) -> EncodedDocument:
    """Encode the INPUT task for a run of a call.

    Args:
        codec: gives the vocabulary.
        trace: a run that returned or raised.
        view: of its program, or of one with the same source; lines of the wrapper are left out.

    Raises:
        CodecError: the program has no call of the form ``name(...)``, nothing but the wrapper is shown, or
            the run did not end by itself.
    """
    program = trace.program
    name = called_name(program)
    text, name_ids = codec.vocabulary.encode_text(program.call or ""), codec.vocabulary.encode_text(name)
    if text[: len(name_ids)] != name_ids:
        raise CodecError(f"{name!r} is not the name of a function", where=program.filename)
    writer = Writer(view, codec.vocabulary)
    writer.put(input_prompt(codec, view, name, outcome_of(trace)), TokenClass.PROMPT)
    num_prompt = len(writer.ids)
    writer.put(text[len(name_ids) :], TokenClass.VALUE)
    writer.put((Control.END,), TokenClass.CONTROL)
    return EncodedDocument(writer.ids, writer.classes, [len(writer.ids)], num_prompt, 0)


def called_name(program: Program) -> str:
    """Return the text of a program's call up to its first parenthesis.

    Raises:
        CodecError: it has no call of the form ``name(...)``.
    """
    name, parenthesis, _ = (program.call or "").partition("(")
    if not name.strip() or not parenthesis:
        raise CodecError("the program is not entered by a call", where=program.filename)
    return name


def without_wrapper(view: SourceView) -> tuple[int, ...]:
    """Return the lines that ``view`` shows, less those of the wrapper that makes the program's call."""
    first = view.program.wrapper_lineno
    return view.lines if first is None else tuple(line for line in view.lines if line < first)


def decode_input(codec: NativeCodec, name: str, ids: Sequence[int]) -> str | MalformedStep:
    """Return the call that an answer makes; never raises.

    Args:
        codec: gives the vocabulary.
        name: what the prompt ended with.
        ids: what was predicted, with or without its ``END``.
    """
    answer = tuple(ids[:-1] if ids and ids[-1] == Control.END else ids)
    if not answer or not all(is_text(token) for token in answer):
        return MalformedStep(tuple(ids), "the answer is not text")
    return name + codec.vocabulary.decode_text(answer)
