"""Cut Python text, source lines and rendered values alike, into pieces whose concatenation is the text.

The one idea: a value and the literal it came from must be the same pieces, or copying is a translation. So
string contents are single characters and numbers single digits wherever they stand; words (names, keywords,
``True``) and punctuation with its customary spaces are cut the same way in source and in values; a word
never includes a space, so that a name is the same pieces in an expression and in a list of locals.
Expressions inside the braces of an f-string are cut as code.

This is no tokenizer of Python: any text gives pieces, also text that is not valid Python.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import NamedTuple

_STRING_START = re.compile(r"(?:[rR][bB]?|[bB][rR]?|[fF][rR]?|[rR][fF]|[uU])?('''|\"\"\"|'|\")")
_WORD = re.compile(r"[A-Za-z_]+")

PUNCTUATION: tuple[str, ...] = (
    # Between operands, with the spaces people write. Longest match wins.
    " = ", " == ", " != ", " < ", " > ", " <= ", " >= ", " + ", " - ", " * ", " / ", " // ", " % ", " ** ",
    " & ", " | ", " ^ ", " << ", " >> ", " += ", " -= ", " *= ", " //= ", " /= ", " %= ", " **= ", " |= ",
    " &= ", " ^= ", " -> ", " := ", " in ", " not in ", " is ", " is not ", " and ", " or ", " if ", " else ",
    " for ", " as ", " from ",
    ", ", ": ", ",", ":", ".", "(", ")", "[", "]", "{", "}", "()", "[]", "{}", "'", '"', "**", "//", "+", "-",
    "*", "/", "%", "=", "==", "<", ">", "!", "@", "&", "|", "^", "~", ";", "\\", "#", "?", "$", "`", " ",
)  # fmt: skip
"""Pieces of code outside words, numbers and strings that have an id of their own.

None spans the edge of a value (no ``], `` and no ``(-``): a value cut out of its context is still the same
pieces.
"""

STATEMENT_WORDS: tuple[str, ...] = (
    "if ", "elif ", "while ", "for ", "return ", "def ", "class ", "else:", "try:", "except ", "finally:",
    "raise ", "assert ", "del ", "not ", "lambda ", "lambda: ", "import ", "from ", "with ", "yield ",
    "async ", "await ", "global ", "nonlocal ", "case ", "match ", "break", "continue", "pass", "self.",
    "except:",
)  # fmt: skip
"""Keywords with the space or colon that follows them, one piece each."""


def _alternation(words: tuple[str, ...]) -> str:
    return "|".join(re.escape(word) for word in sorted(set(words), key=len, reverse=True))


_PUNCTUATION_RE = re.compile(_alternation(PUNCTUATION))
_STATEMENT_RE = re.compile(rf"(?:{_alternation(STATEMENT_WORDS)})")
_WORD_CHARACTER = re.compile(r"\w")


class Piece(NamedTuple):
    """A stretch of text, and whether it is a word, which a vocabulary cuts further; if not it is one unit."""

    text: str
    is_word: bool


def pieces(text: str) -> Iterator[Piece]:
    """Yield the pieces of one line or one value, in order; joined they are ``text``."""
    yield from _code(text, 0, len(text))


def _code(text: str, start: int, end: int) -> Iterator[Piece]:
    position = start
    while position < end:
        character = text[position]
        if character in "'\"rRbBfFuU":
            string = _STRING_START.match(text, position, end)
            if string and not (position and _WORD_CHARACTER.match(text[position - 1])):
                position = yield from _string(text, position, string, end)
                continue
        if character.isalpha() or character == "_":
            starts_word = not (position > start and _WORD_CHARACTER.match(text[position - 1]))
            statement = _STATEMENT_RE.match(text, position, end) if starts_word else None
            if statement and not _runs_on(text, statement.end(), end, statement.group()):
                yield Piece(statement.group(), is_word=False)
                position = statement.end()
                continue
            word = _WORD.match(text, position, end)
            if word:
                yield Piece(word.group(), is_word=True)
                position = word.end()
                continue
        punctuation = _PUNCTUATION_RE.match(text, position, end)
        if punctuation:
            yield Piece(punctuation.group(), is_word=False)
            position = punctuation.end()
        else:
            yield Piece(character, is_word=False)
            position += 1


def _runs_on(text: str, position: int, end: int, matched: str) -> bool:
    """Whether a keyword that ends in a letter is only the beginning of a longer word."""
    return matched[-1].isalpha() and position < end and _WORD_CHARACTER.match(text[position]) is not None


def _string(text: str, position: int, opening: re.Match[str], end: int) -> Generator[Piece, None, int]:
    """Yield a string literal, which ``end`` may cut off, by characters; return the position after it."""
    quote = opening.group(1)
    prefix = text[position : opening.start(1)]
    is_raw, is_format = "r" in prefix.lower(), "f" in prefix.lower()
    for character in prefix:
        yield Piece(character, is_word=False)
    yield from (Piece(character, is_word=False) for character in quote)
    position = opening.end()
    while position < end:
        if text.startswith(quote, position, end):
            yield from (Piece(character, is_word=False) for character in quote)
            return position + len(quote)
        if (
            text[position] == "\\"
            and position + 1 < end
            and not (is_raw and text[position + 1] not in "\\'\"")
        ):
            yield Piece("\\", is_word=False)
            yield Piece(text[position + 1], is_word=False)
            position += 2
        elif is_format and text[position] == "{" and not text.startswith("{{", position, end):
            closing = _closing_brace(text, position + 1, end)
            yield Piece("{", is_word=False)
            yield from _code(text, position + 1, closing)
            position = closing
        elif is_format and text.startswith("{{", position, end):
            yield Piece("{", is_word=False)
            yield Piece("{", is_word=False)
            position += 2
        else:
            yield Piece(text[position], is_word=False)
            position += 1
    return position


def _closing_brace(text: str, position: int, end: int) -> int:
    """Position of the brace that closes a replacement field, or ``end``."""
    depth = 0
    while position < end:
        if text[position] in "([{":
            depth += 1
        elif text[position] in ")]}":
            if depth == 0:
                return position
            depth -= 1
        position += 1
    return end
