"""Conversations in the ids of the ``native`` codec, for a small model that acts.

The idea: what the model knows of code it knows in these ids. A line as ``cat -n`` numbers it is a line label,
an indentation and pieces of code, exactly as in a trace; all other text is lexed line by line. Fixed texts of
the tools (*phrases*) and the marks of turns are single ids behind the vocabulary's own. Encoding then
decoding gives back any text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from opencwm.codec.cwm_special import (
    BEGIN_OF_TEXT,
    END_HEADER,
    END_OF_MESSAGE,
    END_OF_TEXT,
    END_OF_TURN,
    START_HEADER,
)
from opencwm.codec.vocabulary import (
    BYTE_BASE,
    INDENT_BASE,
    LINE_BASE,
    NUM_INDENTS,
    NUM_LINES,
    Control,
    Vocabulary,
    line_label,
    line_token,
)
from opencwm.core.errors import CodecError

CODEC: Final = "native-chat"
"""What ``opencwm.json`` calls it."""
PHRASES_NAME: Final = "phrases.json"
"""File of a model's folder that lists the phrases."""
_MARKS: Final = (START_HEADER, END_HEADER, END_OF_TURN, END_OF_MESSAGE)
_NEWLINE: Final = BYTE_BASE + 10
_SPACES: Final = 4
_NUMBERED: Final = re.compile(r"( {0,5}\d{1,3})\t")


class NativeChatTokenizer:
    """A :class:`opencwm.codec.cwm_tokenizer.Tokenizer` over a native vocabulary.

    Args:
        vocabulary: the model's own.
        phrases: texts that are one id each; where several match the longest is taken.

    Raises:
        CodecError: a phrase is empty, or there twice.
    """

    def __init__(self, vocabulary: Vocabulary, phrases: Sequence[str]) -> None:
        if len(set(phrases)) != len(phrases) or not all(phrases):
            raise CodecError("phrases must be distinct texts that are not empty")
        self._vocabulary = vocabulary
        self.phrases = tuple(phrases)
        self._marks = {
            BEGIN_OF_TEXT: int(Control.BEGIN),
            END_OF_TEXT: int(Control.END),
            **{name: len(vocabulary) + number for number, name in enumerate(_MARKS)},
        }
        base = len(vocabulary) + len(_MARKS)
        self._phrase_ids = {phrase: base + number for number, phrase in enumerate(self.phrases)}
        self._phrase_of = {number: phrase for phrase, number in self._phrase_ids.items()}
        longest_first = sorted(self.phrases, key=lambda phrase: (-len(phrase), phrase))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if phrases else None

    def __len__(self) -> int:
        """Return how many ids there are."""
        return len(self._vocabulary) + len(_MARKS) + len(self.phrases)

    @property
    def num_plain(self) -> int:
        """Ids below this are the vocabulary's own, and of them those from ``BYTE_BASE`` on are text."""
        return len(self._vocabulary)

    def encode(self, text: str) -> list[int]:
        """Return the ids of ordinary text; nothing in it becomes a mark.

        Raises:
            CodecError: it cannot be written in UTF-8.
        """
        try:
            text.encode()
        except UnicodeEncodeError:
            raise CodecError("text that cannot be written in UTF-8") from None
        ids: list[int] = []
        position = 0
        for match in self._pattern.finditer(text) if self._pattern else ():
            ids += self._lines(text[position : match.start()], begins=_begins_line(text, position))
            ids.append(self._phrase_ids[match.group()])
            position = match.end()
        return ids + self._lines(text[position:], begins=_begins_line(text, position))

    def _lines(self, text: str, *, begins: bool) -> list[int]:
        """Encode text without phrases; ``begins`` says whether it starts at the start of a line."""
        ids: list[int] = []
        for number, line in enumerate(text.split("\n")):
            if number:
                ids.append(_NEWLINE)
            ids += self._line(line) if number or begins else self._vocabulary.encode_text(line)
        return ids

    def _line(self, line: str) -> list[int]:
        ids: list[int] = []
        numbered = _NUMBERED.match(line)
        label = int(numbered[1]) if numbered else 0
        if numbered and numbered[1] == f"{label:6}" and 1 <= label <= NUM_LINES:
            ids.append(line_token(label))
            line = line[numbered.end() :]
        levels = min((len(line) - len(line.lstrip(" "))) // _SPACES, NUM_INDENTS - 1)
        if levels or ids:
            ids.append(INDENT_BASE + levels)
        return ids + list(self._vocabulary.encode_text(line[_SPACES * levels :]))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; marks and control tokens are written as their names."""
        parts: list[str] = []
        plain: list[int] = []
        for token in ids:
            if BYTE_BASE <= token < len(self._vocabulary):
                plain.append(token)
                continue
            parts += [self._vocabulary.decode_text(plain), self._text_of(token)]
            plain = []
        return "".join([*parts, self._vocabulary.decode_text(plain)])

    def _text_of(self, token: int) -> str:
        if LINE_BASE <= token < INDENT_BASE:
            return f"{line_label(token):6}\t"
        if INDENT_BASE <= token < BYTE_BASE:
            return " " * _SPACES * (token - INDENT_BASE)
        if token < LINE_BASE:
            return self._vocabulary.token_name(token)
        mark = token - len(self._vocabulary)
        return _MARKS[mark] if mark < len(_MARKS) else self._phrase_of.get(token, "")

    def special_id(self, name: str) -> int:
        """Return the id of a mark.

        Raises:
            CodecError: there is no such mark.
        """
        if name not in self._marks:
            raise CodecError(f"no special token {name!r}")
        return self._marks[name]

    def phrases_json(self) -> str:
        """Return the file that lists the phrases."""
        return json.dumps(self.phrases, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, vocabulary: str, phrases: str, *, where: str = PHRASES_NAME) -> NativeChatTokenizer:
        """Read a vocabulary file and what :meth:`phrases_json` wrote.

        Raises:
            CodecError: one of them is broken.
        """
        try:
            table = json.loads(phrases)
        except ValueError:
            table = None
        if not isinstance(table, list) or not all(isinstance(phrase, str) for phrase in table):
            raise CodecError("not a list of phrases", where=where)
        return cls(Vocabulary.from_json(vocabulary), table)


def _begins_line(text: str, position: int) -> bool:
    return position == 0 or text[position - 1] == "\n"
