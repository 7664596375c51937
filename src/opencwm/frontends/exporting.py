"""From a training run, or a model folder that carries its fp32 weights, to what others run.

The one idea: whatever is written (the model folder, a Hugging Face folder, a GGUF file, in any precision) is
written from the fp32 weights and from what is on record about them: the resolved recipe, the metrics of the
run, and reports of evaluations that were made of this very model. Weights that were quantized once are never
quantized again. :mod:`opencwm.frontends.model_card` writes the card.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opencwm.codec.native import NativeCodec
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import ConfigError
from opencwm.core.files import write_atomic
from opencwm.frontends.model_card import model_card, portable_report, report_name, score_lines
from opencwm.model.config import ModelConfig
from opencwm.model.folder import (
    CARD_NAME,
    CONFIG_NAME,
    META_NAME,
    SAFETENSORS_NAME,
    ModelFolder,
    ModelMeta,
    average_weights,
    export_folder,
    load_folder,
)
from opencwm.train.history import recorded_training

if TYPE_CHECKING:
    from opencwm.model.precision import FloatArray

VOCABULARY_NAME: Final = "native_vocabulary.json"
GGUF_NAME: Final = "model.gguf"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A model before it is written.

    Attributes:
        weights_folder: holds ``config.json`` and the fp32 weights as ``model.safetensors``.
        meta: what is on record.
        codec_sources: the files that ``meta`` names.
    """

    weights_folder: Path
    meta: ModelMeta
    codec_sources: Sequence[Path]

    def read(self) -> tuple[ModelConfig, dict[str, FloatArray]]:
        """Read shape and weights.

        Raises:
            ConfigError: a shape this package does not know.
            EngineError: weights that are missing or broken.
        """
        from opencwm.model.export import read_weights

        config = ModelConfig.load(self.weights_folder / CONFIG_NAME)
        return config, read_weights(self.weights_folder / SAFETENSORS_NAME)

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the codec."""
        path = self.codec_sources[0]
        return Vocabulary.from_json(path.read_text(encoding="utf-8"), where=str(path))


@contextlib.contextmanager
def opened_source(
    path: Path, *, others: Sequence[Path] = (), reports: Sequence[Path] = ()
) -> Iterator[Source]:
    """Find the fp32 weights in ``path`` and what is on record about them.

    Args:
        path: what ``opencwm train`` wrote, or a model folder that holds ``model.safetensors``.
        others: runs of the same model, resumed from a common checkpoint on other data: the mean of all
            weights is taken.
        reports: JSON files of ``opencwm eval ... --json``, of this model.

    Raises:
        ConfigError: ``path`` is neither, its model has another vocabulary, or a report is none.
        EngineError: a model folder of another schema version, or one that is broken.
    """
    scores = dict(_score(report) for report in reports)
    if (path / META_NAME).is_file() and not others:
        yield _folder_source(path, scores)
        return
    described = [_described(run) for run in (path, *others)]
    training = described[0] | ({"averaged_with": described[1:]} if others else {})
    meta = ModelMeta(codec=NativeCodec.name, codec_files=(VOCABULARY_NAME,), scores=scores, training=training)
    vocabulary = Path(str(files("opencwm.codec"))) / VOCABULARY_NAME
    with tempfile.TemporaryDirectory() as scratch:
        weights = path / "model"
        if others:
            weights = Path(scratch)
            average_weights([run / "model" for run in (path, *others)], weights)
        yield Source(weights_folder=weights, meta=meta, codec_sources=[vocabulary])


def _folder_source(path: Path, scores: Mapping[str, Any]) -> Source:
    """Return the source in a model folder. Its scores are of weights as it stores them, and stay there."""
    folder = load_folder(path)
    if not (path / SAFETENSORS_NAME).is_file():
        raise ConfigError(
            f"holds {folder.meta.weights} weights only, and those cannot be made into others without loss",
            where=str(path),
            hint="name the training run, or a folder made with opencwm export --safetensors",
        )
    meta = dataclasses.replace(folder.meta, scores=scores)
    return Source(
        weights_folder=path,
        meta=meta,
        codec_sources=[folder.codec_file(name) for name in meta.codec_files],
    )


def export_run(
    run: Path,
    out: Path,
    *,
    others: Sequence[Path] = (),
    reports: Sequence[Path] = (),
    with_safetensors: bool = False,
    precision: str = "int8",
) -> ModelFolder:
    """Export to the model folder ``out``.

    Args:
        run: see :func:`opened_source`, as the next two.
        out: the model folder to write.
        others: further runs.
        reports: of this model.
        with_safetensors: also copy the fp32 weights.
        precision: of the exported weights, as :meth:`opencwm.model.precision.WeightFormat.parse` reads it;
            fp32 is what others are measured against.

    Raises:
        ConfigError: as :func:`opened_source`; no such precision; ``out`` is the folder that is read.
        EngineError: the weights are missing or do not fit their config.
    """
    _refuse_itself(run, out)
    with opened_source(run, others=others, reports=reports) as source:
        meta = dataclasses.replace(source.meta, weights=precision)
        return export_folder(
            source.weights_folder,
            out,
            meta=meta,
            card=model_card(meta),
            codec_sources=source.codec_sources,
            with_safetensors=with_safetensors,
        )


def export_hub_folder(
    run: Path,
    out: Path,
    *,
    others: Sequence[Path] = (),
    reports: Sequence[Path] = (),
    precision: str = "fp32",
) -> None:
    """Export to a folder that transformers and vLLM open, tokenizer and model card included.

    Args:
        run: see :func:`opened_source`, as the next two.
        out: the folder to write.
        others: further runs.
        reports: of this model.
        precision: ``fp32`` or ``bf16``.

    Raises:
        ConfigError: as :func:`export_run`.
        EngineError: likewise.
    """
    from opencwm.codec.hub_tokenizer import BEGIN, END, PAD, hub_tokenizer, tokenizer_config
    from opencwm.model.hugging_face import SpecialIds, export_hugging_face

    _refuse_itself(run, out)
    with opened_source(run, others=others, reports=reports) as source:
        config, weights = source.read()
        special = SpecialIds(begin=BEGIN, end=END, pad=PAD)
        export_hugging_face(config, weights, out, kind=precision, special=special)
        vocabulary = source.vocabulary
        settings = tokenizer_config(vocabulary, max_tokens=config.max_position_embeddings)
        write_atomic(out / "tokenizer.json", hub_tokenizer(vocabulary) + "\n")
        write_atomic(out / "tokenizer_config.json", json.dumps(settings, indent=2) + "\n")
        for path in source.codec_sources:
            write_atomic(out / path.name, path.read_bytes())
        write_atomic(out / CARD_NAME, model_card(source.meta, library="transformers"))


def export_gguf_folder(
    run: Path,
    out: Path,
    *,
    others: Sequence[Path] = (),
    reports: Sequence[Path] = (),
    precision: str = "int8",
) -> None:
    """Export to ``model.gguf`` in the folder ``out``, with the vocabulary and the model card beside it.

    Args:
        run: see :func:`opened_source`, as the next two.
        out: the folder to write.
        others: further runs.
        reports: of this model.
        precision: see :func:`opencwm.model.gguf.export_gguf`.

    Raises:
        ConfigError: as :func:`export_run`, or the package gguf is missing.
        EngineError: likewise.
    """
    from opencwm.model.gguf import export_gguf

    _refuse_itself(run, out)
    with opened_source(run, others=others, reports=reports) as source:
        config, weights = source.read()
        export_gguf(config, weights, out / GGUF_NAME, kind=precision, name=run.resolve().name)
        for path in source.codec_sources:
            write_atomic(out / path.name, path.read_bytes())
        write_atomic(out / CARD_NAME, model_card(source.meta, library="llama.cpp"))


def _refuse_itself(path: Path, out: Path) -> None:
    if path.resolve() == out.resolve():
        raise ConfigError(
            "cannot be written over what it is made of", where=str(out), hint="name another folder"
        )


def _described(run: Path) -> dict[str, Any]:
    """Return what the card says of one run, after checking that it is one.

    Raises:
        ConfigError: it is no training run, or its model has another vocabulary.
    """
    if not run.is_dir() or not (run / "model").is_dir():
        raise ConfigError(
            "is no training run: it has no folder model/",
            where=str(run),
            hint="name the -o DIR of opencwm train, or a model folder",
        )
    resolved = _read_json(run / "config.json")
    recipe_size = resolved.get("recipe", {}).get("model", {}).get("vocab_size")
    if recipe_size != len(Vocabulary.default()):
        size = len(Vocabulary.default())
        raise ConfigError(
            f"the run's model has {recipe_size} token ids, the vocabulary of this version {size}",
            where=str(run),
            hint="export it with the version that trained it",
        )
    return recorded_training(run)


def _score(path: Path) -> tuple[str, dict[str, Any]]:
    report = _read_json(path)
    if not isinstance(report.get("kind"), str):
        raise ConfigError(
            "is no evaluation report", where=str(path), hint="write one with opencwm eval ... --json > FILE"
        )
    try:
        told = portable_report(report)
        score_lines({report_name(told): told})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"is not a whole evaluation report: {error!r}",
            where=str(path),
            hint="write it with opencwm eval ... --json > FILE",
        ) from None
    return report_name(told), told


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    except ValueError as error:
        raise ConfigError(f"is not valid JSON: {error}", where=str(path)) from None
    if not isinstance(data, dict):
        raise ConfigError("holds no JSON object", where=str(path))
    return data
