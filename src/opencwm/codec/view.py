"""What a model is shown of a program: the lines that matter, each with a label, without comments.

Labels are 1 to ``NUM_LINES`` and need not start at 1: training shifts them, so that every label is learned.
Line numbers in steps stay those of the file; this is the only place where the two meet.
"""

from __future__ import annotations

import dataclasses
import io
import tokenize
from collections.abc import Sequence
from functools import cached_property

from opencwm.codec.vocabulary import BYTE_BASE, INDENT_BASE, NUM_INDENTS, NUM_LINES, Vocabulary, line_token
from opencwm.core.errors import CodecError
from opencwm.source.reach import VisibleUnit
from opencwm.traces import Program


def code_without_comments(text: str) -> list[str]:
    """Return the physical lines of ``text`` with comments and trailing space removed, as many as before."""
    lines = text.split("\n")
    if "#" in text:
        try:
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type == tokenize.COMMENT:
                    row, column = token.start
                    lines[row - 1] = lines[row - 1][:column]
        except (tokenize.TokenError, SyntaxError):  # not valid Python: show it as it is
            return text.split("\n")
    return [line.rstrip() for line in lines]


@dataclasses.dataclass(frozen=True)
class SourceView:
    """The lines of a program that a prompt shows.

    Attributes:
        program: what is shown.
        lines: file line numbers (1-based, ascending) that are shown.
        first_label: label of the first of them; the others follow.
        left_out: what had to be left out for lack of room, in words.

    Raises:
        CodecError: more lines than there are labels.
    """

    program: Program
    lines: tuple[int, ...]
    first_label: int = 1
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.lines:
            raise CodecError("no line to show", where=self.program.filename)
        if self.first_label < 1 or self.first_label + len(self.lines) - 1 > NUM_LINES:
            raise CodecError(
                f"{len(self.lines)} lines from label {self.first_label}, out of {NUM_LINES} labels",
                where=self.program.filename,
            )

    @cached_property
    def label_of(self) -> dict[int, int]:
        """File line number to label."""
        return {line: self.first_label + index for index, line in enumerate(self.lines)}

    @cached_property
    def _texts(self) -> dict[int, str]:
        texts = code_without_comments(self.program.text)
        return {line: texts[line - 1] for line in self.lines if 0 < line <= len(texts)}

    def text_of(self, line: int) -> str:
        """Return what is shown of a file line, without indentation; empty when it is not shown."""
        return self._texts.get(line, "").lstrip(" ")

    def line_at(self, label: int) -> int | None:
        """Return the file line number of a label, or None."""
        index = label - self.first_label
        return self.lines[index] if 0 <= index < len(self.lines) else None

    def echo_ids(self, line: int, vocabulary: Vocabulary) -> tuple[int, ...]:
        """Ids of the line's text without indentation: what follows its label in a step."""
        return vocabulary.encode_text(self.text_of(line))

    def prompt_ids(self, vocabulary: Vocabulary) -> list[int]:
        """Ids of all lines: label, indentation, text."""
        ids: list[int] = []
        for line in self.lines:
            text = self._texts.get(line, "")
            indent = len(text) - len(text.lstrip(" "))
            level = min(indent // 4, NUM_INDENTS - 1)
            ids += (line_token(self.label_of[line]), INDENT_BASE + level)
            ids += [BYTE_BASE + ord(" ")] * (indent - 4 * level)
            ids += self.echo_ids(line, vocabulary)
        return ids


NUM_NEEDED_UNITS = 2
"""The entry and what it mentions first: without these a prediction is about another program."""


def fit_view(
    program: Program,
    units: Sequence[VisibleUnit],
    vocabulary: Vocabulary,
    *,
    max_tokens: int,
    first_label: int = 1,
    num_needed: int = NUM_NEEDED_UNITS,
) -> SourceView:
    """Return a view of whole ``units``, most important first, as many as fit labels and ``max_tokens``.

    So many of them must fit as ``num_needed`` says, by default the entry and what it mentions first.

    Raises:
        CodecError: one of those does not.
    """
    texts = code_without_comments(program.text)
    kept: set[int] = set()
    used, left_out = 0, []
    for position, unit in enumerate(units):
        new = set(unit.lines) - kept
        cost = sum(2 + len(vocabulary.encode_text(texts[line - 1].lstrip(" "))) for line in new)
        if used + cost <= max_tokens and len(kept) + len(new) + first_label - 1 <= NUM_LINES:
            kept |= new
            used += cost
        elif position < num_needed:
            raise CodecError(
                f"{unit.name or 'a statement'} is too long for the model: {len(new)} lines, {cost} tokens",
                where=f"{program.filename}:{unit.lines[0]}",
                hint=f"at most {NUM_LINES} lines and {max_tokens} tokens are shown; call a smaller function",
            )
        else:
            left_out.append(unit.name or f"line {unit.lines[0]}")
    note = f"not shown to the model, for lack of room: {', '.join(left_out)}"
    return SourceView(program, tuple(sorted(kept)), first_label, (note,) if left_out else ())
