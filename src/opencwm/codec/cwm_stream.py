"""What a model writes, while it writes: ids as text, and the text of a turn as thoughts and what is said.

The one idea: nothing is told twice or taken back. Bytes of a character that is not whole yet wait, and so
does what may turn out to be a mark; all parts together are what :func:`opencwm.codec.cwm_chat.parse_turn`
reads from the whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from opencwm.codec.cwm_chat import END_THINK, THINK

_REPLACEMENT: Final = "\ufffd"
_MOST_BYTES: Final = 3
"""Bytes, so ids at most, of a character whose last byte is still to come."""


class TextReader:
    """Ids as text while they come.

    Args:
        text: gives the text of any ids; bytes that are no UTF-8 become U+FFFD.
    """

    def __init__(self, text: Callable[[Sequence[int]], str]) -> None:
        self._text = text
        self._waiting: list[int] = []

    def add(self, ids: Sequence[int]) -> str:
        """Return the text that is certain with these ids."""
        self._waiting += ids
        whole = self._text(self._waiting)
        if not whole.endswith(_REPLACEMENT):
            self._waiting = []
            return whole
        for first in range(max(0, len(self._waiting) - _MOST_BYTES), len(self._waiting)):
            known = self._text(self._waiting[:first])
            if known + self._text(self._waiting[first:]) == whole:  # no character lies on both sides
                self._waiting = self._waiting[first:]
                return known
        self._waiting = []
        return whole

    def end(self) -> str:
        """Return what is left."""
        left, self._waiting = self._text(self._waiting), []
        return left


@dataclasses.dataclass(frozen=True, slots=True)
class TurnPart:
    """More of a turn.

    Attributes:
        thought: more of the reasoning.
        said: more of what is said; calls of tools stand in it as they were written.
    """

    thought: str = ""
    said: str = ""


class TurnReader:
    """The text of one turn while it comes, reasoning apart.

    Args:
        was_thinking: whether the turn was opened with ``<think>``.
    """

    def __init__(self, *, was_thinking: bool) -> None:
        self._waiting = ""
        self._read = self._thinking if was_thinking else self._beginning
        self._has_thought = False  # told something of it

    def add(self, text: str) -> TurnPart:
        """Return what is certain with this text."""
        self._waiting += text
        return self._read()

    def end(self) -> TurnPart:
        """Return what is left."""
        left, self._waiting = self._waiting, ""
        if self._read == self._thinking:
            return TurnPart(thought=(left if self._has_thought else left.lstrip()).rstrip())
        return TurnPart(said="" if self._read == self._after_thought else left)

    def _beginning(self) -> TurnPart:
        begun = self._waiting.lstrip()
        if begun.startswith(THINK):
            self._waiting, self._read = begun.removeprefix(THINK), self._thinking
            return self._read()
        if THINK.startswith(begun):
            return TurnPart()
        self._read = self._saying
        return self._read()

    def _thinking(self) -> TurnPart:
        if not self._has_thought:
            self._waiting = self._waiting.lstrip()
        thought, mark, said = self._waiting.partition(END_THINK)
        if mark:
            self._waiting, self._read = said, self._after_thought
            return TurnPart(thought.rstrip(), self._read().said)
        end = len(self._waiting) - _length_begun(self._waiting, END_THINK)
        certain = self._waiting[:end].rstrip()
        self._waiting = self._waiting[len(certain) :]
        self._has_thought = self._has_thought or bool(certain)
        return TurnPart(thought=certain)

    def _after_thought(self) -> TurnPart:
        self._waiting = self._waiting.lstrip("\n")
        if self._waiting:
            self._read = self._saying
        return self._saying()

    def _saying(self) -> TurnPart:
        said, self._waiting = self._waiting, ""
        return TurnPart(said=said)


def _length_begun(text: str, mark: str) -> int:
    """Return how many characters at the end of a text may begin a mark."""
    longest = min(len(text), len(mark) - 1)
    return next((length for length in range(longest, 0, -1) if mark.startswith(text[-length:])), 0)
