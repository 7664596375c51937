"""The Hugging Face folder that training begins with, and the one that it leaves.

The idea: what a folder must fulfil is checked before a weight is read, so that ``opencwm train --dry-run``
can say it too. What is written has the names, the type and the companions (tokenizer, generation settings)
of what was read, in files of a few gigabytes, so that no machine holds a large model whole.
"""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from opencwm.core.errors import ConfigError
from opencwm.core.files import atomic_path, write_atomic
from opencwm.model.config import FULL_ATTENTION, ModelConfig
from opencwm.model.hub import MODEL_FILES, fetch
from opencwm.train.config import TrainConfig

FILE_BYTES: Final = 5_000_000_000
"""Most bytes of weights in one file that is written."""

_SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "tie_word_embeddings",
)
_COMPANIONS = ("tokenizer*", "special_tokens_map.json", "generation_config.json", "chat_template*")


def open_folder(config: TrainConfig, *, with_weights: bool = True) -> Path:
    """Return the folder that ``init.from`` names, fetched when it is a name on the hub.

    Without ``with_weights`` only its configuration is fetched, to be looked at.

    Raises:
        ConfigError: a package is missing, the folder holds no model, or its shape is not the recipe's.
        EngineError: it cannot be fetched.
    """
    demand_packages(config)
    folder = Path(config.init.from_)
    if not folder.is_dir():
        if config.init.from_.count("/") != 1:  # a name on the hub is OWNER/NAME
            raise ConfigError("there is no such folder", where=config.init.from_, hint="set init.from")
        folder = fetch(config.init.from_, MODEL_FILES if with_weights else ("config.json",))
    elif not any(folder.glob("*.safetensors")):
        raise ConfigError("holds no *.safetensors", where=str(folder))
    _demand_shape(config.model, folder / "config.json")
    return folder


def demand_packages(config: TrainConfig) -> None:
    """Demand what fine-tuning needs installed.

    Raises:
        ConfigError: it is not.
    """
    needed = ["transformers", "accelerate", "safetensors", *(["peft"] if config.init.lora else [])]
    for name in needed:
        if importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"fine-tuning needs {name}, which is not installed", hint="pip install 'opencwm[finetune]'"
            )


def _demand_shape(mine: ModelConfig, path: Path) -> None:
    """Demand that the recipe's shape is the folder's, so that what is planned is what is trained."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read as JSON: {error}", where=str(path)) from None
    head_dim = found.get("head_dim") or found.get("hidden_size", 0) // max(
        found.get("num_attention_heads") or 1, 1
    )
    theirs: dict[str, Any] = {"tie_word_embeddings": False, **found, "head_dim": head_dim}
    layers = list(theirs.get("layer_types") or [FULL_ATTENTION] * mine.num_hidden_layers)
    pairs = [(name, getattr(mine, name), theirs.get(name)) for name in _SIZES]
    pairs.append(("layer_types", list(mine.layer_types), layers))
    if wrong := [(name, ours, other) for name, ours, other in pairs if ours != other]:
        what = ", ".join(f"{name} {ours}, there {other}" for name, ours, other in wrong)
        raise ConfigError(f"the recipe's model is another: {what}", where=str(path))


def write_folder(
    folder: Path,
    source: Path,
    shapes: Mapping[str, torch.Size],
    tensors: Iterable[tuple[str, Tensor]],
    *,
    is_first: bool,
) -> None:
    """Write a folder like ``source`` with other weights.

    Args:
        folder: made when missing.
        source: where configuration, tokenizer and the weights' type come from.
        shapes: of all weights, in order.
        tensors: the weights in that order; on ranks but the first there are none, yet they must be asked for.
        is_first: whether this rank writes.
    """
    if not is_first:
        for _ in tensors:
            pass
        return
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in ("config.json", *_COMPANIONS):
        for path in source.glob(pattern):
            shutil.copyfile(path, folder / path.name)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    dtype = getattr(torch, str(config.get("dtype") or config.get("torch_dtype") or "float32"))
    _write_weights(folder, shapes, tensors, dtype)


def _write_weights(
    folder: Path,
    shapes: Mapping[str, torch.Size],
    tensors: Iterable[tuple[str, Tensor]],
    dtype: torch.dtype,
) -> None:
    from safetensors.torch import save_file

    plan = plan_files({name: math.prod(shape) * dtype.itemsize for name, shape in shapes.items()})
    remaining = iter(tensors)
    for number, names in enumerate(plan, 1):
        held = {name: next(remaining)[1].to(dtype).contiguous() for name in names}
        with atomic_path(folder / _file_name(number, len(plan))) as temporary:
            save_file(held, str(temporary), metadata={"format": "pt"})
    next(remaining, None)  # lets the other ranks finish
    if len(plan) > 1:
        places = {
            name: _file_name(number, len(plan)) for number, names in enumerate(plan, 1) for name in names
        }
        total = sum(math.prod(shape) for shape in shapes.values()) * dtype.itemsize
        index = {"metadata": {"total_size": total}, "weight_map": places}
        write_atomic(folder / "model.safetensors.index.json", json.dumps(index, indent=2) + "\n")


def plan_files(sizes: Mapping[str, int]) -> list[list[str]]:
    """Return names in order, cut into files of at most :data:`FILE_BYTES`, but with at least one each."""
    files: list[list[str]] = []
    room = 0
    for name, size in sizes.items():
        if not files or size > room:
            files.append([])
            room = FILE_BYTES
        files[-1].append(name)
        room -= size
    return files


def _file_name(number: int, count: int) -> str:
    return "model.safetensors" if count == 1 else f"model-{number:05d}-of-{count:05d}.safetensors"
