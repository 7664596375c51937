"""From a training run to a model folder with its card.

What is put on record: the resolved recipe, the metrics of the run, and reports of evaluations that were made
of this very model. :mod:`opencwm.frontends.model_card` writes the card from that.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opencwm.codec.native import NativeCodec
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import ConfigError
from opencwm.frontends.model_card import model_card, portable_report, report_name, score_lines
from opencwm.model.folder import ModelFolder, ModelMeta, average_weights, export_folder

if TYPE_CHECKING:
    from opencwm.model.export import Weights

VOCABULARY_NAME: Final = "native_vocabulary.json"


def export_run(
    run: Path,
    out: Path,
    *,
    others: Sequence[Path] = (),
    reports: Sequence[Path] = (),
    with_safetensors: bool = False,
    precision: Weights = "int8",
) -> ModelFolder:
    """Export the latest weights of the training run in ``run`` to the folder ``out``.

    Args:
        run: what ``opencwm train`` wrote.
        out: the model folder to write.
        others: runs of the same model, resumed from a common checkpoint on other data: the mean of all
            weights is exported.
        reports: JSON files of ``opencwm eval ... --json``, of this model.
        with_safetensors: also copy the fp32 weights.
        precision: of the exported weights; fp32 is what int8 is measured against.

    Raises:
        ConfigError: ``run`` is no training run, its model has another vocabulary, or a report is none.
        EngineError: the weights are missing or do not fit their config.
    """
    described = [_described(path) for path in (run, *others)]
    scores = dict(_score(path) for path in reports)
    training = described[0] | ({"averaged_with": described[1:]} if others else {})
    meta = ModelMeta(codec=NativeCodec.name, codec_files=(VOCABULARY_NAME,), scores=scores, training=training)
    source = Path(str(files("opencwm.codec"))) / VOCABULARY_NAME
    with tempfile.TemporaryDirectory() as scratch:
        weights = run / "model"
        if others:
            weights = Path(scratch)
            average_weights([path / "model" for path in (run, *others)], weights)
        return export_folder(
            weights,
            out,
            meta=meta,
            card=model_card(meta),
            codec_sources=[source],
            with_safetensors=with_safetensors,
            precision=precision,
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
            hint="name the -o DIR of opencwm train",
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
    return describe_training(resolved, _read_metrics(run / "metrics.jsonl"))


def describe_training(resolved: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the card says of the training: the recipe, and how far the run went."""
    steps = [record for record in metrics if record["kind"] == "train"]
    evaluations = [record for record in metrics if record["kind"] == "eval"]
    last = steps[-1] if steps else {}
    return {
        "opencwm_version": resolved.get("opencwm_version", ""),
        "num_steps": last.get("step", 0),
        "num_tokens": last.get("tokens", 0),
        "seconds": last.get("elapsed_s", 0.0),
        "final_loss": last.get("loss"),
        "held_out": {k: v for k, v in evaluations[-1].items() if k != "kind"} if evaluations else {},
        "recipe": resolved.get("recipe", {}),
    }


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


def _read_metrics(path: Path) -> list[dict[str, Any]]:
    from opencwm.train.metrics import read_metrics

    try:
        return read_metrics(path)
    except ValueError as error:
        raise ConfigError(f"is not valid JSON lines: {error}", where=str(path)) from None
