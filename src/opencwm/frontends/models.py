"""Open a model folder as something that predicts: its codec and its engine joined.

Codecs never see engines and engines never see codecs; what is opened here is where the two meet.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from opencwm.codec.native import NativeCodec
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import CodecError, EngineError
from opencwm.model.folder import ONNX_NAME, ModelFolder, default_model_path, load_folder

if TYPE_CHECKING:
    from opencwm.model.onnx_engine import OnnxEngine


@dataclasses.dataclass(frozen=True)
class Model:
    """A model ready to predict.

    Attributes:
        folder: where it came from and what it says about itself.
        codec: of its vocabulary.
        engine: holds no ids; fork it for every use.
    """

    folder: ModelFolder
    codec: NativeCodec
    engine: OnnxEngine

    @property
    def name(self) -> str:
        """Name for reports: of the folder, or ``default`` for the one in the package."""
        return self.folder.path.name

    @property
    def revision(self) -> str:
        """SHA-256 of the weights, the first 16 hexadecimal digits."""
        return hashlib.sha256((self.folder.path / ONNX_NAME).read_bytes()).hexdigest()[:16]


def open_model(path: Path | None = None, *, num_threads: int = 1) -> Model:
    """Open the model in ``path``, or the one in the package.

    Raises:
        EngineError: no model folder, one of another schema version, codec or vocabulary, or broken weights.
    """
    folder = _find(path)
    codec = _open_codec(folder)
    engine = folder.engine(num_threads=num_threads)
    if engine.vocab_size < len(codec.vocabulary):
        problem = f"the weights have {engine.vocab_size} token ids, the vocabulary {len(codec.vocabulary)}"
        raise EngineError(problem, where=str(folder.path), hint="export the model again")
    return Model(folder, codec, engine)


def _find(path: Path | None) -> ModelFolder:
    if path is not None:
        return load_folder(path)
    if not default_model_path().is_dir():
        raise EngineError(
            "this copy of OpenCWM holds no model",
            where=str(default_model_path()),
            hint="name one with --model PATH",
        )
    return load_folder(default_model_path())


def _open_codec(folder: ModelFolder) -> NativeCodec:
    if folder.meta.codec != NativeCodec.name:
        raise EngineError(
            f"the model speaks {folder.meta.codec!r}, this command needs {NativeCodec.name!r}",
            where=str(folder.path),
        )
    if not folder.meta.codec_files:
        return NativeCodec()
    path = folder.codec_file(folder.meta.codec_files[0])
    try:
        return NativeCodec(Vocabulary.from_json(path.read_text(encoding="utf-8"), where=str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"cannot be read: {error}", where=str(path)) from None
    except CodecError as error:
        raise EngineError(error.what, where=error.where, hint="export the model again") from None
