"""What a training may begin with: the model in the package, a model folder, the run of another training."""

from __future__ import annotations

from pathlib import Path

from opencwm.core.errors import ConfigError
from opencwm.model.config import ModelConfig
from opencwm.model.export import read_weights
from opencwm.model.folder import CONFIG_NAME, META_NAME, SAFETENSORS_NAME, default_model_path, load_folder
from opencwm.model.precision import FloatArray
from opencwm.model.stored_weights import stored_weights


def start_weights(path: Path | None) -> tuple[ModelConfig, dict[str, FloatArray]]:
    """Return shape and weights of what a training begins with.

    Args:
        path: a model folder, the run of a training, or a folder of ``config.json`` and ``model.safetensors``;
            None for the model in the package.

    Raises:
        ConfigError: it is none of these.
        EngineError: it is broken.
    """
    path = path or default_model_path()
    if (path / META_NAME).is_file():
        folder = load_folder(path)
        return folder.config, stored_weights(folder)
    for candidate in (path, path / "model"):
        if (candidate / SAFETENSORS_NAME).is_file():
            return ModelConfig.load(candidate / CONFIG_NAME), read_weights(candidate / SAFETENSORS_NAME)
    raise ConfigError(
        "holds no model" if path.is_dir() else "no such folder",
        where=str(path),
        hint="name a model folder, or the folder of a training run",
    )
