"""What may follow inside a rendered value: brackets match, and it does not end within a bracket or a string.

The tracer's renderings are balanced whatever they show, cut values and objects included. So this forbids no
true value; it keeps a model from ending one early or closing what is not open. What stands between the
brackets is the model's business.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from opencwm.codec.vocabulary import BYTE_BASE, Vocabulary

_CLOSING = {")": "(", "]": "[", "}": "{"}
_PAIRS = ("()", "[]", "{}")


class ValueGrammar:
    """The masks of one vocabulary; each is shape (V,), True where a text id is allowed.

    Attributes:
        anything: all text ids.
    """

    def __init__(self, vocabulary: Vocabulary, vocab_size: int) -> None:
        self._texts = [vocabulary.decode_text((token,)) for token in range(len(vocabulary))]
        anything = np.zeros(vocab_size, dtype=np.bool_)
        anything[BYTE_BASE : len(vocabulary)] = True
        self.anything = anything
        closing = {
            closer: np.array([closer in text and text not in _PAIRS for text in self._texts])
            for closer in _CLOSING
        }
        self._outside: dict[str, NDArray[np.bool_]] = {}
        for opener in ("", *_CLOSING.values()):
            mask = anything.copy()
            for closer, tokens in closing.items():
                if _CLOSING[closer] != opener:
                    mask[: len(tokens)] &= ~tokens
            self._outside[opener] = mask

    def text_of(self, token: int) -> str:
        """Return the text of one id."""
        return self._texts[token]

    def allowed(self, state: ValueState) -> NDArray[np.bool_]:
        """Return the text ids that may come next."""
        if state.quote:
            return self.anything
        return self._outside[state.brackets[-1] if state.brackets else ""]

    def starting_with(self, character: str) -> NDArray[np.bool_]:
        """Return the text ids that begin with ``character``."""
        starts = np.array([text.startswith(character) for text in self._texts])
        mask = self.anything.copy()
        mask[: len(starts)] &= starts
        return mask

    def without(self, character: str) -> NDArray[np.bool_]:
        """Return the text ids that do not hold ``character``."""
        holds = np.array([character in text for text in self._texts])
        mask = self.anything.copy()
        mask[: len(holds)] &= ~holds
        return mask

    def closing(self, state: ValueState) -> NDArray[np.bool_]:
        """Return the one id that closes what is open last; ``state`` is not complete."""
        opened = state.quote or state.brackets[-1]
        closer = next((closer for closer, opener in _CLOSING.items() if opener == opened), opened)
        mask = np.zeros(len(self.anything), dtype=np.bool_)
        mask[BYTE_BASE + ord(closer)] = True
        return mask


class ValueState:
    """How far a value is: the brackets that are open, and the quote of the string it is in."""

    def __init__(self) -> None:
        self.brackets: list[str] = []
        self.quote = ""
        self._is_escaped = False

    @property
    def is_complete(self) -> bool:
        """Whether the value may end here."""
        return not self.quote and not self.brackets

    def feed(self, text: str) -> None:
        """Go on by some characters."""
        for character in text:
            if self.quote:
                self._in_string(character)
            elif character in "'\"":
                self.quote = character
            elif character in "([{":
                self.brackets.append(character)
            elif character in _CLOSING and self.brackets and self.brackets[-1] == _CLOSING[character]:
                self.brackets.pop()

    def _in_string(self, character: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif character == "\\":
            self._is_escaped = True
        elif character == self.quote:
            self.quote = ""


@lru_cache(maxsize=4)
def value_grammar(vocabulary: Vocabulary, vocab_size: int) -> ValueGrammar:
    """Return the grammar of a vocabulary, made once."""
    return ValueGrammar(vocabulary, vocab_size)
