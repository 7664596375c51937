"""Text to token ids for the published format: a small protocol, and any Hugging Face tokenizer behind it.

The one idea: user text and special tokens never meet. Text goes through a copy of the tokenizer that does not
know the special tokens, so that source which contains ``<|frame_sep|>`` is ordinary characters; special
tokens are asked for by name. The ``tokenizers`` library is imported only when a tokenizer is made.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from opencwm.codec.cwm_special import TRACE_TOKENS
from opencwm.core.errors import CodecError

if TYPE_CHECKING:
    import tokenizers

TOKENIZER_FILE: Final = "tokenizer.json"
_PROBE: Final = (
    "    def F(x):  # caf\u00e9 e\u0301 \ufb01 \U0001f40d\n\tif x  <= 10: return '\\n<|frame_sep|>' \r\n\n "
)


class Tokenizer(Protocol):
    """What the codec asks of a tokenizer. Ids are non-negative."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``, special tokens disabled: none of them is ever in the result.

        Raises:
            CodecError: ``text`` cannot be written in UTF-8 (it holds a lone surrogate).
        """
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ``ids``; bytes that are not UTF-8 become U+FFFD.

        Raises:
            CodecError: an id is not in the vocabulary, or is that of a special token, which is no text.
        """
        ...

    def special_id(self, name: str) -> int:
        """Return the id of a special token, by its text.

        Raises:
            CodecError: the tokenizer has no such token.
        """
        ...


class HuggingFaceTokenizer:
    """A :class:`Tokenizer` over a ``tokenizers.Tokenizer``.

    The tokenizer given is not changed. Truncation, padding and templates that its file asks for are ignored.

    Args:
        tokenizer: a byte-level tokenizer, one that gives back every text exactly.
        required: the special tokens it must have.
        where: the file it came from, for messages.

    Raises:
        CodecError: a required special token is missing, or text does not come back exactly.
    """

    def __init__(
        self, tokenizer: tokenizers.Tokenizer, *, required: Collection[str] = TRACE_TOKENS, where: str = ""
    ) -> None:
        config: dict[str, Any] = json.loads(tokenizer.to_str())
        ordinary = _merged_pieces(config)
        added = tokenizer.get_added_tokens_decoder()
        self._special_ids = {
            token.content: id_ for id_, token in added.items() if token.content not in ordinary
        }
        missing = [name for name in required if name not in self._special_ids]
        if missing:
            hint = "train one with opencwm.codec.bpe, or use that of facebook/cwm"
            raise CodecError(
                f"the tokenizer lacks the special tokens {' '.join(missing)}", where=where, hint=hint
            )
        self._special_texts = {id_: name for name, id_ in self._special_ids.items()}
        self._text = _without_special_tokens(config, frozenset(self._special_ids))
        self._known_ids = frozenset(self._text.get_vocab().values())
        self.vocab_size = max(self._known_ids | self._special_texts.keys()) + 1
        if self.decode(self.encode(_PROBE)) != _PROBE:
            hint = "it normalises or drops characters; use a byte-level tokenizer"
            raise CodecError("the tokenizer does not give back text exactly", where=where, hint=hint)

    @classmethod
    def from_pretrained_folder(
        cls, path: Path | str, *, required: Collection[str] = TRACE_TOKENS
    ) -> HuggingFaceTokenizer:
        """Load ``tokenizer.json`` of a Hugging Face model folder, or the file itself.

        Raises:
            CodecError: there is no such file, it cannot be read, or see the class.
        """
        from tokenizers import Tokenizer as Backend

        file = Path(path)
        if file.is_dir():
            file /= TOKENIZER_FILE
        hint = f"give a model folder with a {TOKENIZER_FILE}"
        if not file.is_file():
            raise CodecError("no such tokenizer file", where=str(file), hint=hint)
        try:
            backend = Backend.from_file(str(file))
        except Exception as error:  # the library raises bare Exception
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CodecError(f"not a tokenizer file: {reason}", where=str(file), hint=hint) from None
        return cls(backend, required=required, where=str(file))

    def encode(self, text: str) -> list[int]:
        """See :meth:`Tokenizer.encode`."""
        try:
            return list(self._text.encode(text, add_special_tokens=False).ids)
        except (TypeError, UnicodeEncodeError):  # the library's answer to lone surrogates
            surrogate = next((char for char in text if "\ud800" <= char <= "\udfff"), None)
            if surrogate is None:
                raise
            raise CodecError(f"the lone surrogate {surrogate!a} cannot be written in UTF-8") from None

    def decode(self, ids: Sequence[int]) -> str:
        """See :meth:`Tokenizer.decode`."""
        for id_ in ids:
            if id_ in self._special_texts:
                raise CodecError(f"the special token {self._special_texts[id_]} stands inside text")
            if id_ not in self._known_ids:
                raise CodecError(f"id {id_} is not in the vocabulary")
        return self._text.decode(list(ids), skip_special_tokens=False)

    def special_id(self, name: str) -> int:
        """See :meth:`Tokenizer.special_id`."""
        try:
            return self._special_ids[name]
        except KeyError:
            raise CodecError(f"the tokenizer has no special token {name}") from None


def _merged_pieces(config: dict[str, Any]) -> frozenset[str]:
    """Return the pieces that merges make: ordinary text gives their ids, whatever they are declared to be."""
    merges = config["model"].get("merges") or []
    pairs = (merge.split(" ", 1) if isinstance(merge, str) else merge for merge in merges)
    return frozenset("".join(pair) for pair in pairs)


def _without_special_tokens(config: dict[str, Any], special: frozenset[str]) -> tokenizers.Tokenizer:
    """Return a tokenizer to which the special tokens are text like any other and which adds nothing."""
    from tokenizers import Tokenizer as Backend

    model = dict(config["model"])
    if isinstance(model.get("vocab"), dict):
        model["vocab"] = {piece: id_ for piece, id_ in model["vocab"].items() if piece not in special}
    config = {**config, "model": model, "added_tokens": []}
    config.update(post_processor=None, truncation=None, padding=None)
    return Backend.from_str(json.dumps(config))


def readable(ids: Iterable[int], names: Mapping[int, str], tokenizer: Tokenizer) -> str:
    """Return ids as text, special ones by their ``names``; for people, not to be encoded again.

    Raises:
        CodecError: an id is not in the vocabulary.
    """
    parts: list[str] = []
    pending: list[int] = []
    for id_ in ids:
        if id_ in names:
            parts += [tokenizer.decode(pending), names[id_]]
            pending = []
        else:
            pending.append(id_)
    return "".join([*parts, tokenizer.decode(pending)])
