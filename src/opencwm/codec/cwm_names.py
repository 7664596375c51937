"""Readable text of the ids of the ``cwm`` codec, whatever they are: for people, and for reading turns."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from opencwm.codec.cwm_chat import END_THINK, THINK
from opencwm.codec.cwm_special import BEGIN_OF_TEXT, SPECIAL_IDS, STOP_TOKENS, THINKING_END, THINKING_START
from opencwm.codec.cwm_tokenizer import Tokenizer
from opencwm.core.errors import CodecError

THOUGHT_MARKS: Final[Mapping[str, str]] = MappingProxyType({THINKING_START: THINK, THINKING_END: END_THINK})
"""Reasoning marks that are tokens of their own, and as what they are read in a turn."""
_NO_MARKS: Final[Mapping[str, str]] = MappingProxyType({})


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
