"""What is served: rows of a model, what its ids mean, and what is said of both."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from opencwm.codec.cwm_special import BEGIN_OF_TEXT, END_OF_MESSAGE, END_OF_TEXT, END_OF_TURN, SPECIAL_IDS
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer, Tokenizer
from opencwm.codec.native import NativeCodec
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import CodecError, ConfigError
from opencwm.core.version import __version__
from opencwm.model.bank import Bank
from opencwm.model.folder import ONNX_NAME, ModelFolder, default_model_path, load_folder

CWM = "cwm"
_ENDS = frozenset({END_OF_TEXT, END_OF_MESSAGE, END_OF_TURN})


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


class CwmNames:
    """Text of the ``cwm`` codec. Special tokens are shown by name, and never made of the text of a prompt."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._special = {}
        for name in SPECIAL_IDS:
            with contextlib.suppress(CodecError):  # a small vocabulary lacks some
                self._special[tokenizer.special_id(name)] = name

    @property
    def ends(self) -> frozenset[int]:
        """The ids that end a text or a turn."""
        return frozenset(token for token, name in self._special.items() if name in _ENDS)

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""
        parts = []
        for is_special, group in itertools.groupby(ids, self._special.__contains__):
            if is_special:
                parts += [self._special[token] for token in group]
            else:
                parts.append(self._ordinary(list(group)))
        return "".join(parts)

    def _ordinary(self, ids: list[int]) -> str:
        try:
            return self._tokenizer.decode(ids)
        except CodecError:  # reserved ids are no text
            return "".join(f"<|{token}|>" for token in ids)

    def encode(self, text: str) -> Sequence[int]:
        """Return the ids of a text, all of it ordinary characters, after the mark that begins a sequence.

        Raises:
            CodecError: it holds a lone surrogate.
        """
        return [self._tokenizer.special_id(BEGIN_OF_TEXT), *self._tokenizer.encode(text)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model that is served.

    Attributes:
        name: by which requests call it.
        bank: the rows it runs on.
        names: what its ids mean.
        ends: ids that end a sequence unless a request says otherwise.
        about: what the field ``opencwm`` of ``/v1/models`` tells.
        created_s: when it was opened, seconds since the epoch.
    """

    name: str
    bank: Bank
    names: Names
    ends: frozenset[int] = frozenset()
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    created_s: int = dataclasses.field(default_factory=lambda: int(time.time()))

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self.bank.vocab_size

    @property
    def max_tokens(self) -> int:
        """Most ids of a sequence."""
        return self.bank.max_tokens

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of a prompt that is text.

        Raises:
            ConfigError: the model reads no text, or not this one.
        """
        try:
            return tuple(self.names.encode(text))
        except CodecError as error:
            raise ConfigError(error.what, where="prompt", hint=error.hint) from None

    def card(self) -> dict[str, Any]:
        """Return the entry of ``/v1/models``."""
        return {
            "id": self.name,
            "object": "model",
            "created": self.created_s,
            "owned_by": "opencwm",
            "root": self.name,
            "parent": None,
            "max_model_len": self.max_tokens,
            "opencwm": {
                "version": __version__,
                "vocab_size": self.vocab_size,
                "full_logits": True,
                **self.about,
            },
        }


def open_served(path: Path | None, *, num_rows: int, num_threads: int = 1) -> ServedModel:
    """Open a model folder, or the model in the package, for so many sequences at once.

    Raises:
        EngineError: no such folder, or broken weights.
        ConfigError: a model of a codec that is not served.
    """
    folder = load_folder(path or default_model_path())
    names: Names
    about: dict[str, Any] = {"codec": folder.meta.codec}
    ends: frozenset[int] = frozenset()
    if folder.meta.codec == NativeCodec.name:
        vocabulary = _vocabulary(folder)
        names, about["vocabulary_sha256"] = NativeNames(vocabulary), vocabulary.digest()
    elif folder.meta.codec == CWM:
        names = CwmNames(HuggingFaceTokenizer.from_pretrained_folder(folder.path))
        ends, about["full_logits"] = names.ends, False  # whoever steps in this format asks for stretches
    else:
        raise ConfigError(f"models of the codec {folder.meta.codec!r} are not served", where=str(folder.path))
    about["revision"] = hashlib.sha256((folder.path / ONNX_NAME).read_bytes()).hexdigest()[:16]
    return ServedModel(
        name=folder.path.resolve().name,
        bank=folder.bank(num_rows, num_threads=num_threads),
        names=names,
        ends=ends,
        about=about,
    )


def _vocabulary(folder: ModelFolder) -> Vocabulary:
    if not folder.meta.codec_files:
        return Vocabulary.default()
    file = folder.codec_file(folder.meta.codec_files[0])
    return Vocabulary.from_json(file.read_text(encoding="utf-8"), where=str(file))
