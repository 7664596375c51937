"""Choosing lines of a program within bounds of ids and labels: whole functions, or what is near a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from opencwm.codec.native import NativeCodec
from opencwm.codec.view import SourceView, code_without_comments, fit_view
from opencwm.codec.vocabulary import NUM_LINES, Vocabulary
from opencwm.core.errors import CodecError
from opencwm.source.reach import VisibleUnit, visible_lines
from opencwm.traces import Program

PROMPT_SHARE: Final = 0.6
"""Largest part of an engine's context that the source may take; the rest holds state and steps."""
MAIN_SHARE: Final = 0.55
"""Largest part of that which the function takes that runs, before it is cut."""


class Selection:
    """Lines that are to be shown.

    Args:
        texts: of all lines, without comments, see :func:`code_without_comments`.
        max_tokens: bound of ids.
    """

    def __init__(
        self, program: Program, texts: list[str], vocabulary: Vocabulary, *, max_tokens: int
    ) -> None:
        self._program = program
        self._texts = texts
        self._vocabulary = vocabulary
        self._max_tokens = self._room = max_tokens
        self._lines: set[int] = set()

    def need(self, lines: Iterable[int]) -> None:
        """Take lines in any case."""
        new = set(lines) - self._lines
        self._lines |= new
        self._room -= self._cost(new)

    def add(self, unit: VisibleUnit, near: int, share: float) -> None:
        """Take a function, cut down to what is near a line if it exceeds a share of the room that is left."""
        new = set(unit.lines) - self._lines
        tokens, labels = self._room * share, (NUM_LINES - len(self._lines)) * share
        if self._cost(new) <= tokens and len(new) <= labels:
            self.need(new)
            return
        for line in sorted(new, key=lambda line: abs(line - near)):
            tokens, labels = tokens - self._cost([line]), labels - 1
            if min(tokens, labels) < 0:
                break
            self.need([line])

    def view(self, others: Iterable[VisibleUnit]) -> SourceView:
        """Return what was taken, and of others those that fit, first ones first.

        Raises:
            CodecError: more was needed than fits.
        """
        taken = VisibleUnit("what runs", tuple(sorted(self._lines)))
        units = [taken, *others]
        return fit_view(self._program, units, self._vocabulary, max_tokens=self._max_tokens, num_needed=1)

    def _cost(self, lines: Iterable[int]) -> int:
        encode = self._vocabulary.encode_text
        return sum(2 + len(encode(self._texts[line - 1].lstrip(" "))) for line in lines)


def source_view(program: Program, codec: NativeCodec, *, max_tokens: int) -> SourceView:
    """Return what of the program is shown at its start to a model whose context holds ``max_tokens`` ids.

    Raises:
        ConfigError: the program has no such entry, or does not compile.
        CodecError: the entry, or what it calls first, does not fit.
    """
    units = visible_lines(program.text, program.entry).units
    return fit_view(program, units, codec.vocabulary, max_tokens=int(max_tokens * PROMPT_SHARE))


def opening_view(program: Program, codec: NativeCodec, *, max_tokens: int) -> SourceView:
    """Return the same, with the beginning of a function that is too long by itself.

    Raises:
        ConfigError: the program has no such entry, or does not compile.
        CodecError: not even a line of it fits.
    """
    try:
        return source_view(program, codec, max_tokens=max_tokens)
    except CodecError:
        units = visible_lines(program.text, program.entry).units
    room = int(max_tokens * PROMPT_SHARE)
    texts = code_without_comments(program.text)
    selection = Selection(program, texts, codec.vocabulary, max_tokens=room)
    for unit in units[:2]:
        selection.need(unit.lines[:1])
        selection.add(unit, unit.lines[0], MAIN_SHARE)
    return selection.view(units)
