"""What is on record about a training, and about those whose weights it began with.

The one idea: a run that begins with a model takes over what is on record about that one, under ``start``, so
that the card of what comes of it tells of all of them.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.model.folder import CONFIG_NAME, META_NAME, default_model_path, load_folder
from opencwm.train.metrics import METRICS_NAME, read_metrics


def history_of(start: Path | None) -> dict[str, Any]:
    """Return what is on record about a model that a training begins with; empty when nothing is.

    Args:
        start: as :func:`opencwm.model.start.start_weights` takes it; None for the model in the package.

    Raises:
        ConfigError: the record of a run cannot be read.
        EngineError: a model folder is broken.
    """
    path = start or default_model_path()
    if (path / META_NAME).is_file():
        return dict(load_folder(path).meta.training)
    return recorded_training(path) if (path / METRICS_NAME).is_file() else {}


def recorded_training(run: Path) -> dict[str, Any]:
    """Return the recipe of a run, how far it went, and what it began with.

    Of absolute paths in the recipe only the last part is told: the others are of one machine.

    Raises:
        ConfigError: what it wrote cannot be read.
    """
    path = run / CONFIG_NAME
    try:
        resolved = json.loads(path.read_text(encoding="utf-8"))
        path = run / METRICS_NAME
        metrics = read_metrics(path)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    except ValueError as error:
        raise ConfigError(f"is not valid JSON: {error}", where=str(path)) from None
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
        "recipe": _without_places(resolved.get("recipe", {})),
        **({"start": resolved["start"]} if resolved.get("start") else {}),
    }


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_places(item) for item in value]
    is_place = isinstance(value, str) and PurePath(value).is_absolute()
    return PurePath(value).name if is_place else value
