"""What ids mean to people: readable text of them, ids of text, and conversations where a codec has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from opencwm.codec.cwm_chat import Message, encode_chat
from opencwm.codec.cwm_names import THOUGHT_MARKS, CwmNames
from opencwm.codec.cwm_special import BEGIN_OF_TEXT, END_HEADER, END_OF_TURN, START_HEADER
from opencwm.codec.cwm_tokenizer import Tokenizer
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import CodecError

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


class ChatFormat:
    """Conversations in the ``cwm`` format.

    Args:
        tokenizer: of the model.

    Attributes:
        names: what ids mean; reasoning marks that are tokens are read as ``<think>`` and ``</think>``.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.names = CwmNames(tokenizer, THOUGHT_MARKS)

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
