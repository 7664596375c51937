"""What is served: rows of a model, what its ids mean, and what is said of both."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opencwm.codec.cwm_names import CwmNames
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import CodecError, ConfigError, EngineError
from opencwm.core.version import __version__
from opencwm.frontends.serve.names import ChatFormat, Names, NativeNames
from opencwm.model.bank import Bank
from opencwm.model.folder import ONNX_NAME, ModelFolder, default_model_path, load_folder
from opencwm.model.hub import local_folder, open_engine, revision_of
from opencwm.model.spec import Format, ModelSpec, Place, parse_spec

NUM_ROWS = 64
"""Sequences of a model of ours at once, where nothing else is said."""
NUM_TORCH_ROWS = 8
"""Likewise of a Hugging Face model, whose rows may take gigabytes each."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model that is served.

    Attributes:
        name: by which requests call it.
        bank: the rows it runs on.
        names: what its ids mean.
        chat: how conversations are written for it; None where it knows none.
        ends: ids that end a sequence unless a request says otherwise.
        about: what the field ``opencwm`` of ``/v1/models`` tells.
        created_s: when it was opened, seconds since the epoch.
    """

    name: str
    bank: Bank
    names: Names
    chat: ChatFormat | None = None
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


def open_served(
    model: str | Path | None, *, num_rows: int | None = None, num_threads: int = 1
) -> ServedModel:
    """Open a model for so many sequences at once.

    Args:
        model: as :mod:`opencwm.model.spec` says; None for the model in the package.
        num_rows: by default :data:`NUM_ROWS`, or :data:`NUM_TORCH_ROWS` where torch runs it.
        num_threads: of an engine of ours; torch has its own setting.

    Raises:
        EngineError: no such model, broken weights, or torch is missing.
        ConfigError: a model at an address, or of a codec that is not served.
    """
    wanted = parse_spec(model)
    if wanted.place is Place.SERVER:
        raise ConfigError(
            "is served already", where=wanted.target, hint="give its address to --model as it is"
        )
    if wanted.place in (Place.HUGGING_FACE, Place.HUB):
        return _of_hugging_face(wanted, num_rows or NUM_TORCH_ROWS)
    path = default_model_path() if wanted.place is Place.PACKAGE else Path(wanted.target)
    return _of_folder(load_folder(path), num_rows or NUM_ROWS, num_threads)


def _of_folder(folder: ModelFolder, num_rows: int, num_threads: int) -> ServedModel:
    names: Names
    chat: ChatFormat | None = None
    about: dict[str, Any] = {"codec": folder.meta.codec}
    ends: frozenset[int] = frozenset()
    if folder.meta.codec == Format.NATIVE:
        vocabulary = _vocabulary(folder)
        names, about["vocabulary_sha256"] = NativeNames(vocabulary), vocabulary.digest()
    elif folder.meta.codec == Format.CWM:
        tokenizer = HuggingFaceTokenizer.from_pretrained_folder(folder.path)
        names = CwmNames(tokenizer)
        chat, ends = ChatFormat.of(tokenizer), names.ends
        about["full_logits"] = False  # whoever steps in this format asks for stretches
    else:
        raise ConfigError(f"models of the codec {folder.meta.codec!r} are not served", where=str(folder.path))
    about["revision"] = hashlib.sha256((folder.path / ONNX_NAME).read_bytes()).hexdigest()[:16]
    return ServedModel(
        name=folder.path.resolve().name,
        bank=folder.bank(num_rows, num_threads=num_threads),
        names=names,
        chat=chat,
        ends=ends,
        about=about,
    )


def _of_hugging_face(wanted: ModelSpec, num_rows: int) -> ServedModel:
    folder = local_folder(wanted)
    try:
        tokenizer = HuggingFaceTokenizer.from_pretrained_folder(folder)
    except CodecError as error:
        hint = "models of the cwm format are served; vLLM serves others"
        raise EngineError(
            f"its tokenizer does not fit: {error.what}", where=wanted.target, hint=hint
        ) from None
    engine = open_engine(folder, wanted)
    from opencwm.model.torch_bank import TorchBank  # torch is there, now

    names = CwmNames(tokenizer)
    return ServedModel(
        name=wanted.target if wanted.place is Place.HUB else folder.resolve().name,
        bank=TorchBank(engine, num_rows),
        names=names,
        chat=ChatFormat.of(tokenizer),
        ends=names.ends,
        about={"codec": Format.CWM.value, "full_logits": False, "revision": revision_of(folder)},
    )


def _vocabulary(folder: ModelFolder) -> Vocabulary:
    if not folder.meta.codec_files:
        return Vocabulary.default()
    file = folder.codec_file(folder.meta.codec_files[0])
    return Vocabulary.from_json(file.read_text(encoding="utf-8"), where=str(file))
