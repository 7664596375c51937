"""What is served: rows of a model, what its ids mean, and what is said of both."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from opencwm.codec.native import NativeCodec
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import CodecError, ConfigError
from opencwm.core.version import __version__
from opencwm.model.bank import Bank
from opencwm.model.folder import ONNX_NAME, default_model_path, load_folder


class Names(Protocol):
    """Readable text of ids, and ids of text where a codec has a tokenizer."""

    def name(self, token: int) -> str:
        """Return the text of one id."""
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

    def name(self, token: int) -> str:
        """Return the text of one id."""
        return self._vocabulary.token_name(token) if token < len(self._vocabulary) else f"<|{token}|>"

    def encode(self, text: str) -> Sequence[int]:
        """Refuse.

        Raises:
            CodecError: always.
        """
        del text
        raise CodecError("this model reads token ids, not text", hint="send a list of ids")


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
    if folder.meta.codec != NativeCodec.name:
        raise ConfigError(f"models of the codec {folder.meta.codec!r} are not served", where=str(folder.path))
    vocabulary = Vocabulary.default()
    if folder.meta.codec_files:
        file = folder.codec_file(folder.meta.codec_files[0])
        vocabulary = Vocabulary.from_json(file.read_text(encoding="utf-8"), where=str(file))
    revision = hashlib.sha256((folder.path / ONNX_NAME).read_bytes()).hexdigest()[:16]
    return ServedModel(
        name=folder.path.resolve().name,
        bank=folder.bank(num_rows, num_threads=num_threads),
        names=NativeNames(vocabulary),
        about={
            "codec": folder.meta.codec,
            "vocabulary_sha256": vocabulary.digest(),
            "revision": revision,
        },
    )
