"""What ids mean to people: readable text of them, ids of text, and conversations where a codec has them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from opencwm.codec.cwm_chat import END_THINK, THINK, Message, encode_chat
from opencwm.codec.cwm_special import (
    BEGIN_OF_TEXT,
    END_HEADER,
    END_OF_TURN,
    SPECIAL_IDS,
    START_HEADER,
    STOP_TOKENS,
    THINKING_END,
    THINKING_START,
)
from opencwm.codec.cwm_tokenizer import Tokenizer
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import CodecError

_NO_MARKS: Final[Mapping[str, str]] = MappingProxyType({})
_THOUGHT_MARKS: Final = MappingProxyType({THINKING_START: THINK, THINKING_END: END_THINK})
_OF_CHATS: Final = (BEGIN_OF_TEXT, START_HEADER, END_HEADER, END_OF_TURN)


class Names(Protocol):
    """Readable text of ids, and ids of text where a codec has a tokenizer."""

    def text(self, ids: Sequence[int]) -> str:
        """Return readable text of ids; any ids have some."""
        ...

    def encode(self, text: str) -> Sequence[int]:
        """Return the ids of a text.

        Raises:
            CodecError: there are none.
        """
        ...

    def special_id(self, name: str) -> int | None:
        """Return the id of a special token by its name; None where there is no such token."""
        ...


class NativeNames:
    """The readable names of the native vocabulary. Its ids are of programs and steps, not of any text."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def text(self, ids: Sequence[int]) -> str:
        """Return the names of ids, joined."""
        known = len(self._vocabulary)
        return "".join(self._vocabulary.token_name(i) if i < known else f"<|{i}|>" for i in ids)

    def encode(self, text: str) -> Sequence[int]:
        """Refuse.

        Raises:
            CodecError: always.
        """
        del text
        raise CodecError("this model reads token ids, not text", hint="send a list of ids")

    def special_id(self, name: str) -> int | None:  # noqa: ARG002 - the protocol's
        """Return None: ids are given as ids."""
        return None


class CwmNames:
    """Text of the ``cwm`` codec. Special tokens are shown by name, and never made of the text of a prompt.

    Args:
        tokenizer: of the model.
        marks: special tokens that are shown as something else.
    """

    def __init__(self, tokenizer: Tokenizer, marks: Mapping[str, str] = _NO_MARKS) -> None:
        self._tokenizer = tokenizer
        self._ids: dict[str, int] = {}
        for name in SPECIAL_IDS:
            with contextlib.suppress(CodecError):  # a small vocabulary lacks some
                self._ids[name] = tokenizer.special_id(name)
        self._shown = {token: marks.get(name, name) for name, token in self._ids.items()}
        self._is_text: dict[int, bool] = {}  # ids that were asked about one by one

    @property
    def ends(self) -> frozenset[int]:
        """The ids that end a text or a turn."""
        return frozenset(self._ids[name] for name in STOP_TOKENS if name in self._ids)

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""
        parts = []
        for is_special, group in itertools.groupby(ids, self._shown.__contains__):
            if is_special:
                parts += [self._shown[token] for token in group]
            else:
                parts.append(self._ordinary(list(group)))
        return "".join(parts)

    def _ordinary(self, ids: list[int]) -> str:
        try:
            return self._tokenizer.decode(ids)
        except CodecError:  # reserved ids are no text
            groups = itertools.groupby(ids, self._is_known)
            return "".join(
                self._tokenizer.decode(list(group))
                if is_known
                else "".join(f"<|{token}|>" for token in group)
                for is_known, group in groups
            )

    def _is_known(self, token: int) -> bool:
        if token not in self._is_text:
            try:
                self._tokenizer.decode([token])
            except CodecError:
                self._is_text[token] = False
            else:
                self._is_text[token] = True
        return self._is_text[token]

    def encode(self, text: str) -> Sequence[int]:
        """Return the ids of a text, all of it ordinary characters, after the mark that begins a sequence.

        Raises:
            CodecError: it holds a lone surrogate.
        """
        return [self._tokenizer.special_id(BEGIN_OF_TEXT), *self._tokenizer.encode(text)]

    def special_id(self, name: str) -> int | None:
        """Return the id of a special token by its name; None where there is no such token."""
        return self._ids.get(name)


class ChatFormat:
    """Conversations in the ``cwm`` format.

    Args:
        tokenizer: of the model.

    Attributes:
        names: what ids mean; reasoning marks that are tokens are read as ``<think>`` and ``</think>``.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.names = CwmNames(tokenizer, _THOUGHT_MARKS)

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> ChatFormat | None:
        """Return the format of a tokenizer; None where it has no tokens for turns."""
        made = cls(tokenizer)
        return made if all(made.names.special_id(name) is not None for name in _OF_CHATS) else None

    def encode(self, messages: Iterable[Message], *, thinks: bool | None) -> Sequence[int]:
        """Return a conversation as ids; see :func:`opencwm.codec.cwm_chat.encode_chat`.

        Raises:
            CodecError: a text holds a lone surrogate.
        """
        return encode_chat(self._tokenizer, messages, thinks=thinks)
