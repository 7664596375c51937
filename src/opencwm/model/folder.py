"""A model folder: weights, shape, tokenizer and measured scores, readable here and by Hugging Face tools.

    config.json         the shape, as transformers reads it
    model.onnx          the fused graph the default engine runs: int8, or as opencwm.json says under weights
    rows.onnx           the same for several sequences in one call, on the weights in model.onnx; optional
    opencwm.json        schema version, codec, tokenizer files, measured scores
    README.md           the model card
    model.safetensors   fp32 weights; optional, the package ships without
    ...                 the codec's files, named in opencwm.json

The idea: ``opencwm.json`` says what the bytes mean, so a folder of another generation is refused by name
instead of failing later. Scores are only carried, never computed here; whoever measured them gives them with
the command that did.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opencwm.core.errors import ConfigError, EngineError
from opencwm.core.files import atomic_path, write_atomic
from opencwm.model.bank import Bank, EngineBank
from opencwm.model.config import ModelConfig
from opencwm.model.onnx_bank import BATCH_NAME, OnnxBank
from opencwm.model.onnx_engine import ROWS_NAME, OnnxEngine

SCHEMA_VERSION = 1
CONFIG_NAME = "config.json"
ONNX_NAME = "model.onnx"
META_NAME = "opencwm.json"
CARD_NAME = "README.md"
SAFETENSORS_NAME = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class ModelMeta:
    """The content of ``opencwm.json`` besides its schema version.

    ``codec`` names the codec the ids belong to; ``codec_files`` are file names in the folder that the codec
    needs; ``scores`` maps the name of a measurement to its value, ``training`` says what the model was
    trained on and for how long. ``weights`` says how ``model.onnx`` stores them, as
    :meth:`opencwm.model.precision.WeightFormat.parse` reads it.
    """

    codec: str
    codec_files: tuple[str, ...] = ()
    scores: Mapping[str, Any]
    training: Mapping[str, Any]
    weights: str = "int8"


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A checked model folder; :meth:`engine` opens its weights."""

    path: Path
    config: ModelConfig
    meta: ModelMeta

    def engine(self, *, num_threads: int = 1) -> OnnxEngine:
        """Open the weights.

        Raises:
            EngineError: ``model.onnx`` cannot be loaded.
        """
        return OnnxEngine.load(self.path / ONNX_NAME, self.config, num_threads=num_threads)

    def bank(self, num_rows: int, *, num_threads: int = 1) -> Bank:
        """Open the weights for so many sequences side by side; without a ``batch.onnx``, one after the other.

        Raises:
            EngineError: a graph cannot be loaded, or is of other weights.
        """
        batch, weights = self.path / BATCH_NAME, self.path / ONNX_NAME
        if not batch.is_file():
            return EngineBank(self.engine(num_threads=num_threads), num_rows)
        return OnnxBank(batch, weights, self.config, num_rows=num_rows, num_threads=num_threads)

    def codec_file(self, name: str) -> Path:
        """Return the path of one of the codec's files.

        Raises:
            EngineError: ``opencwm.json`` names no such file.
        """
        if name not in self.meta.codec_files:
            raise EngineError(f"names no codec file {name!r}", where=str(self.path / META_NAME))
        return self.path / name


def default_model_path() -> Path:
    """Return the folder of the model that ships in the package."""
    return Path(__file__).parent / "weights" / "default"


def load_folder(path: Path) -> ModelFolder:
    """Check a model folder and read what it says about itself; weights stay unopened.

    Raises:
        EngineError: not a folder, a missing or broken file, another schema version.
    """
    if not path.is_dir():
        what = "is a file, not a model folder" if path.exists() else "no such model folder"
        raise EngineError(what, where=str(path), hint="give a folder that holds opencwm.json")
    meta = _read_meta(path / META_NAME)
    for name in (CONFIG_NAME, ONNX_NAME, *meta.codec_files):
        if not (path / name).is_file():
            raise EngineError(
                f"{name} is missing", where=str(path), hint="the copy is incomplete; copy or export it again"
            )
    try:
        config = ModelConfig.load(path / CONFIG_NAME)
    except ConfigError as error:
        raise EngineError(error.what, where=error.where, hint=error.hint) from None
    return ModelFolder(path=path, config=config, meta=meta)


def _read_meta(path: Path) -> ModelMeta:
    if not path.is_file():
        raise EngineError(
            f"{META_NAME} is missing", where=str(path.parent), hint="this is not an OpenCWM model folder"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot be read as JSON: {error}", where=str(path)) from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise EngineError(
            f"has schema version {version}, this version of OpenCWM reads {SCHEMA_VERSION}",
            where=str(path),
            hint="export the model again with this version",
        )
    try:
        names = data["codec_files"]
        if not isinstance(names, list) or any(Path(name).name != name for name in names):
            raise EngineError("codec_files must be a list of plain file names", where=str(path))
        return ModelMeta(
            codec=str(data["codec"]),
            codec_files=tuple(names),
            scores=dict(data["scores"]),
            training=dict(data["training"]),
            weights=str(data.get("weights", "int8")),  # folders of 0.1.0 do not say
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"is incomplete or malformed: {error}", where=str(path)) from None


def export_folder(
    weights_folder: Path,
    out: Path,
    *,
    meta: ModelMeta,
    card: str,
    codec_sources: Sequence[Path] = (),
    with_safetensors: bool = False,
) -> ModelFolder:
    """Build a model folder from ``config.json`` and ``model.safetensors`` (a training run's ``model/``).

    Args:
        weights_folder: where the two files lie.
        out: the folder to write; ``opencwm.json`` comes last, so a half-written folder is no model.
        meta: what ``opencwm.json`` is to say; its ``codec_files`` are the names of ``codec_sources``, and
            ``weights`` is how ``model.onnx`` stores them.
        card: the text of ``README.md``.
        codec_sources: files to copy for the codec.
        with_safetensors: also copy the fp32 weights.

    Raises:
        ConfigError: no such way to store weights.
        EngineError: weights that are missing or do not fit their config.
    """
    from opencwm.model.export import export_onnx, read_weights
    from opencwm.model.export_batch import export_batch
    from opencwm.model.export_rows import export_rows

    if {source.name for source in codec_sources} != set(meta.codec_files):
        raise EngineError("meta.codec_files and codec_sources differ", where=str(out))
    try:
        config = ModelConfig.load(weights_folder / CONFIG_NAME)
    except ConfigError as error:
        raise EngineError(error.what, where=error.where, hint=error.hint) from None
    weights = read_weights(weights_folder / SAFETENSORS_NAME)
    out.mkdir(parents=True, exist_ok=True)
    (out / META_NAME).unlink(missing_ok=True)
    export_onnx(config, weights, out / ONNX_NAME, kind=meta.weights)
    export_rows(out / ONNX_NAME, out / ROWS_NAME)
    export_batch(out / ONNX_NAME, out / BATCH_NAME)
    config.save(out / CONFIG_NAME)
    copies = [*codec_sources, *([weights_folder / SAFETENSORS_NAME] if with_safetensors else [])]
    for source in copies:
        with atomic_path(out / source.name) as temporary:
            shutil.copyfile(source, temporary)
    write_atomic(out / CARD_NAME, card)
    write_meta(out, meta)
    return load_folder(out)


def average_weights(folders: Sequence[Path], out: Path) -> None:
    """Write the mean of several models' weights, with their common ``config.json``, to the folder ``out``.

    Source: Wortsman et al., "Model soups", arXiv 2203.05482.

    Raises:
        EngineError: weights that are missing, or of models that differ in shape.
    """
    from safetensors.numpy import save_file

    from opencwm.model.export import read_weights

    try:
        configs = [ModelConfig.load(folder / CONFIG_NAME) for folder in folders]
    except ConfigError as error:
        raise EngineError(error.what, where=error.where, hint=error.hint) from None
    for folder, config in zip(folders, configs, strict=True):
        if config != configs[0]:
            raise EngineError("its model has another shape than the first", where=str(folder))
    models = [read_weights(folder / SAFETENSORS_NAME) for folder in folders]
    mean = {name: sum(model[name] for model in models) / len(models) for name in models[0]}
    configs[0].save(out / CONFIG_NAME)
    save_file({name: np.ascontiguousarray(weight) for name, weight in mean.items()}, out / SAFETENSORS_NAME)


def write_meta(folder: Path, meta: ModelMeta) -> None:
    """Write ``opencwm.json``, for example to add scores measured after the export."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "codec": meta.codec,
        "codec_files": list(meta.codec_files),
        "scores": dict(meta.scores),
        "training": dict(meta.training),
        "weights": meta.weights,
    }
    write_atomic(folder / META_NAME, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
