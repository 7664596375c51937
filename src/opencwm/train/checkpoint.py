"""Checkpoints: all a run needs to go on as if it had never stopped, in one file that is whole or absent.

The idea: ``checkpoint.pt`` holds weights, optimizer, averaged weights, data position, random state and time
used; beside it ``model/`` always holds the latest weights (averaged ones when there are any) as a Hugging
Face folder, so a run can be tried out while it lasts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from opencwm.core.errors import ConfigError
from opencwm.core.files import atomic_path
from opencwm.model.torch_decoder import Decoder

CHECKPOINT_NAME = "checkpoint.pt"
MODEL_FOLDER = "model"
SCHEMA_VERSION = 1


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors and plain data) to ``folder/checkpoint.pt`` atomically."""
    with atomic_path(folder / CHECKPOINT_NAME) as temporary:
        torch.save({"schema_version": SCHEMA_VERSION, **state}, temporary)


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """Return the saved state, None when there is no checkpoint.

    Raises:
        ConfigError: the file is corrupt or of another schema version.
    """
    path = folder / CHECKPOINT_NAME
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a torn file makes the unpickler raise anything
        raise ConfigError(
            f"is no readable checkpoint ({type(error).__name__})",
            where=str(path),
            hint="delete it to start anew",
        ) from None
    version = state.get("schema_version") if isinstance(state, dict) else None
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"has schema version {version}, not {SCHEMA_VERSION}", where=str(path), hint="start a new folder"
        )
    return dict(state)


def save_model(folder: Path, model: Decoder) -> None:
    """Write ``config.json`` and ``model.safetensors`` (fp32, tied weights once) into ``folder``."""
    from safetensors.torch import save_file

    tensors = {
        name: tensor.detach().float().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    if model.config.tie_word_embeddings:
        del tensors["lm_head.weight"]
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file(tensors, str(temporary), metadata={"format": "pt"})
    model.config.save(folder / "config.json")


def load_model(folder: Path) -> Decoder:
    """Read a folder that :func:`save_model` (or transformers) wrote.

    Raises:
        ConfigError: a file is missing or does not fit the config.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from opencwm.model.config import ModelConfig

    model = Decoder(ModelConfig.load(folder / "config.json"))
    path = folder / "model.safetensors"
    try:
        tensors = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None
    if model.config.tie_word_embeddings:
        tensors.setdefault("lm_head.weight", tensors["model.embed_tokens.weight"])
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ConfigError(
            f"does not fit config.json: {str(error).splitlines()[-1].strip()}", where=str(path)
        ) from None
    return model
