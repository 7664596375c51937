"""The small vocabulary of the ``native`` codec: control tokens, line numbers, bytes and pieces of code.

Ids are dense and ordered by kind, so that kinds are ranges. Every text has exactly one encoding
(:mod:`opencwm.codec.lexer` cuts it, words are matched greedily) and every id sequence decodes to some text.
"""

from __future__ import annotations

import builtins
import collections
import enum
import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from opencwm.codec.lexer import PUNCTUATION, STATEMENT_WORDS, pieces
from opencwm.core.errors import CodecError

FORMAT_VERSION = 1
"""Version of the ``native`` format: its ids and what is written with them. It stands in the vocabulary file,
which travels with every model, and is raised whenever a golden document changes."""
NUM_LINES = 128
"""Line-number tokens: the most source lines a prompt can show."""
NUM_INDENTS = 9
"""Indentation tokens: 0 to 8 levels of four spaces; what is left over is written as spaces."""


class Control(enum.IntEnum):
    """Ids of the control tokens."""

    PAD = 0
    BEGIN = 1
    END = 2  # the trace left its entry
    TRACE = 3  # task: every step
    OUTPUT = 4  # task: only what the entry returns or raises
    START = 5  # the source ends, the run begins at its entry
    STATE = 6  # the source ends, the run goes on from the activations that follow
    FRAME = 7  # one activation of such a state
    SET = 8  # a changed local: name, IS, value
    IS = 9
    DELETE = 10  # a local that vanished: name
    AT = 11  # the line of a return or exception, where it is not the line that was running
    CUT = 12  # a value of this step was cut by the tracer's bounds
    CALL = 13
    RESUME = 14  # a call that continues a suspended generator or coroutine
    RETURN = 15
    YIELD = 16
    UNWIND = 17
    RAISE = 18
    BODY = 19  # the arguments of a call end
    EXPRESSIONS = 20  # detail, after the task: steps begin with the sub-expressions that were evaluated
    EVAL = 21  # a sub-expression with its operands filled in: text, IS, value
    JUMP = 22  # a debug action follows, then the step it ends at
    INPUT = 23  # task: the call that gives a result


_RESERVED = 24
"""How many ids are control tokens; all of them are taken."""
LINE_BASE = _RESERVED
INDENT_BASE = LINE_BASE + NUM_LINES
BYTE_BASE = INDENT_BASE + NUM_INDENTS
PIECE_BASE = BYTE_BASE + 256


class Vocabulary:
    """The mapping between text and ids.

    Args:
        code_pieces: multi-character pieces of code (punctuation, keywords), matched whole.
        words: pieces of words, matched greedily, longest first.
    """

    def __init__(self, code_pieces: Sequence[str], words: Sequence[str]) -> None:
        self.code_pieces = tuple(code_pieces)
        self.words = tuple(words)
        self._bytes = [bytes([value]) for value in range(256)]
        self._piece_bytes = [piece.encode() for piece in (*self.code_pieces, *self.words)]
        self._code_ids = {piece: PIECE_BASE + index for index, piece in enumerate(self.code_pieces)}
        first_word = PIECE_BASE + len(self.code_pieces)
        self._word_ids = {word: first_word + index for index, word in enumerate(self.words)}
        self._longest = max((len(word) for word in self.words), default=1)
        self.encode_text = lru_cache(maxsize=1 << 16)(self._encode_text)

    def __len__(self) -> int:
        return PIECE_BASE + len(self._piece_bytes)

    def _encode_text(self, text: str) -> tuple[int, ...]:
        ids: list[int] = []
        for piece in pieces(text):
            if piece.is_word:
                self._append_word(ids, piece.text)
            elif piece.text in self._code_ids:
                ids.append(self._code_ids[piece.text])
            else:
                ids.extend(BYTE_BASE + value for value in piece.text.encode("utf-8", "surrogatepass"))
        return tuple(ids)

    def _append_word(self, ids: list[int], word: str) -> None:
        position = 0
        while position < len(word):
            for length in range(min(self._longest, len(word) - position), 0, -1):
                found = self._word_ids.get(word[position : position + length])
                if found is not None:
                    ids.append(found)
                    position += length
                    break
            else:
                ids.append(BYTE_BASE + ord(word[position]))
                position += 1

    def decode_text(self, ids: Iterable[int]) -> str:
        """Return the text of byte and piece ids; others give nothing, bytes that are no UTF-8 U+FFFD."""
        data = b"".join(self.token_bytes(i) for i in ids if BYTE_BASE <= i < len(self))
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def token_bytes(self, token: int) -> bytes:
        """Return what a byte or piece id stands for, in UTF-8."""
        return self._bytes[token - BYTE_BASE] if token < PIECE_BASE else self._piece_bytes[token - PIECE_BASE]

    def token_name(self, token: int) -> str:
        """Return a readable name of one id, for messages and for the vocabulary file."""
        if token < LINE_BASE:
            return (
                f"<|{Control(token).name.lower()}|>"
                if token in Control._value2member_map_
                else f"<|reserved_{token}|>"
            )
        if token < INDENT_BASE:
            return f"<|line_{token - LINE_BASE + 1}|>"
        if token < BYTE_BASE:
            return f"<|indent_{token - INDENT_BASE}|>"
        if token < PIECE_BASE:
            value = token - BYTE_BASE
            return chr(value) if 0x20 <= value < 0x7F else f"<|0x{value:02x}|>"
        return self._piece_bytes[token - PIECE_BASE].decode()

    def to_json(self) -> str:
        """Return the vocabulary file: the format version and the two lists of pieces."""
        table = {"schema_version": FORMAT_VERSION, "code_pieces": self.code_pieces, "words": self.words}
        return json.dumps(table, ensure_ascii=False, indent=1) + "\n"

    def digest(self) -> str:
        """Return the SHA-256 of :meth:`to_json`, in hexadecimal: the same exactly for the same ids."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str, *, where: str = "vocabulary") -> Vocabulary:
        """Read what :meth:`to_json` wrote.

        Raises:
            CodecError: it is no vocabulary, or one of another version of the format.
        """
        try:
            table = json.loads(text)
            version, code_pieces, words = table["schema_version"], table["code_pieces"], table["words"]
        except (ValueError, KeyError, TypeError):
            raise CodecError("not a vocabulary file", where=where) from None
        if version != FORMAT_VERSION:
            raise CodecError(f"format version {version!r}, this OpenCWM reads {FORMAT_VERSION}", where=where)
        entries = (
            [*code_pieces, *words] if isinstance(code_pieces, list) and isinstance(words, list) else [None]
        )
        if not all(isinstance(entry, str) and entry for entry in entries) or len(set(entries)) != len(
            entries
        ):
            raise CodecError("vocabulary entries must be distinct non-empty strings", where=where)
        return cls(code_pieces, words)

    @classmethod
    def default(cls) -> Vocabulary:
        """Return the vocabulary in the package."""
        return _default()


@lru_cache(maxsize=1)
def _default() -> Vocabulary:
    path = Path(__file__).with_name("native_vocabulary.json")
    return Vocabulary.from_json(path.read_text(encoding="utf-8"), where=str(path))


def line_token(label: int) -> int:
    """Return the id of a line label, 1 to :data:`NUM_LINES`."""
    return LINE_BASE + label - 1


def line_label(token: int) -> int:
    """Return the label of a line id."""
    return token - LINE_BASE + 1


def is_line(token: int) -> bool:
    """Whether ``token`` is a line label."""
    return LINE_BASE <= token < INDENT_BASE


def is_text(token: int) -> bool:
    """Whether ``token`` is a byte or a piece, what names and values are made of."""
    return token >= BYTE_BASE


def language_words() -> frozenset[str]:
    """Return the public names Python itself brings: builtins, and methods of its basic types."""
    types: tuple[type, ...] = (str, bytes, int, float, list, tuple, dict, set)
    names = {name for owner in types for name in dir(owner)} | set(dir(builtins))
    return frozenset(name for name in names if not name.startswith("_") and len(name) > 1)


def build_vocabulary(texts: Iterable[str], *, size: int, max_word_chars: int = 12) -> Vocabulary:
    """Choose the words that save the most tokens on ``texts`` until the vocabulary has ``size`` ids.

    The language's own names count wherever they occur; other words and their underscore-separated parts
    compete by the number of texts that use them times the characters saved, up to ``max_word_chars``.
    Deterministic.
    """
    code_pieces = [piece for piece in dict.fromkeys((*PUNCTUATION, *STATEMENT_WORDS)) if len(piece) > 1]
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
        words = {piece.text for line in text.split("\n") for piece in pieces(line) if piece.is_word}
        counts.update({part for word in words for part in (word, *word.split("_")) if len(part) > 1})
    own = language_words()
    candidates = [
        word for word in counts if word not in code_pieces and (word in own or len(word) <= max_word_chars)
    ]
    candidates.sort(key=lambda word: (-counts[word] * (len(word) - 1), word))
    room = size - PIECE_BASE - len(code_pieces)
    return Vocabulary(code_pieces, sorted(candidates[: max(room, 0)]))
