"""Checkpoints: all a run needs to go on as if it had never stopped, in a folder that is whole or absent.

The idea: every rank writes its share of the tensors (weights that are trained, optimizer, averaged weights),
the first one also the rest (data position, step, time used), into a folder that is renamed when all are done.
PyTorch's distributed checkpoints know where a tensor's rows are, so another number of ranks reads them back.
On several machines the run's folder must be on a file system that all of them share.

Beside it ``model/`` always holds the latest weights (averaged ones when there are any) as a Hugging Face
folder, so a run can be tried out while it lasts.

Source: https://docs.pytorch.org/docs/stable/distributed.checkpoint.html
"""

from __future__ import annotations

import contextlib
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from opencwm.core.config import to_dict
from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.core.files import atomic_path, sync
from opencwm.model.torch_decoder import Decoder
from opencwm.train.config import TrainConfig
from opencwm.train.ranks import ALONE, Ranks
from opencwm.train.sharding import gather

CHECKPOINT_FOLDER = "checkpoint"
MODEL_FOLDER = "model"
SCHEMA_VERSION = 2

_STATE_NAME = "state.pt"
_OLD_NAME = "checkpoint.pt"  # of schema version 1
_MEND = "delete it to start anew"


def save_checkpoint(
    folder: Path,
    config: TrainConfig,
    tensors: dict[str, Tensor],
    state: dict[str, Any],
    ranks: Ranks = ALONE,
) -> None:
    """Write a checkpoint into ``folder`` in place of the last one; all ranks must.

    Args:
        folder: of the run.
        config: its recipe.
        tensors: by name, sharded or not.
        state: plain data and small tensors; the first rank's counts.
        ranks: those that write.

    Raises:
        OpenCWMError: a rank could not write its share; the last checkpoint is still there.
    """
    parent = folder / CHECKPOINT_FOLDER
    known = _numbers(parent)
    number = int(ranks.sum(torch.tensor(max([0, *known]) + 1 if ranks.is_first else 0)))
    temporary = parent / f".{number:08d}.tmp"
    if ranks.is_first:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    ranks.wait()
    try:
        with quiet():
            save(dict(tensors), checkpoint_id=temporary, no_dist=ranks.world == 1)
    except CheckpointException as error:
        what = " ".join(str(error).split())[-200:]
        raise OpenCWMError(f"the checkpoint cannot be written: {what}", where=str(parent)) from error
    if ranks.is_first:
        with atomic_path(temporary / _STATE_NAME) as path:
            torch.save({"schema_version": SCHEMA_VERSION, "identity": _identity(config), **state}, path)
        temporary.rename(parent / f"{number:08d}")
        sync(parent)
        for old in known:
            shutil.rmtree(parent / f"{old:08d}")
    ranks.wait()


def load_state(folder: Path, config: TrainConfig) -> dict[str, Any] | None:
    """Return the ``state`` of the run's checkpoint, None when it has none.

    Raises:
        ConfigError: it is corrupt, of another schema version, or not of a run by such a recipe.
    """
    latest = _latest(folder)
    if latest is None:
        return None
    try:
        state = torch.load(latest / _STATE_NAME, map_location="cpu", weights_only=True)
    except Exception as error:  # a torn file makes the unpickler raise anything
        raise _unreadable(latest, error) from None
    version = state.get("schema_version") if isinstance(state, dict) else None
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"has schema version {version}, not {SCHEMA_VERSION}",
            where=str(latest),
            hint="start a new folder",
        )
    for what, mine in _identity(config).items():
        if state["identity"][what] != mine:
            raise ConfigError(
                f"the checkpoint there has another {what}", where=str(folder), hint="use a new folder"
            )
    return dict(state)


def _identity(config: TrainConfig) -> dict[str, Any]:
    """Return what must stay the same while a run is gone on with."""
    shape = {**config.model.to_hugging_face(), "lora": to_dict(config.init)["lora"]}
    return {"model shape": shape, "optimizer": config.optimizer.name}


def load_tensors(folder: Path, tensors: dict[str, Tensor], ranks: Ranks = ALONE) -> None:
    """Overwrite ``tensors``, sharded or not, with those of the run's checkpoint; all ranks must.

    Raises:
        ConfigError: there is no checkpoint, a tensor is missing or has another shape, or a file is corrupt.
    """
    latest = _latest(folder)
    if latest is None:
        raise ConfigError("holds no checkpoint", where=str(folder))
    try:
        with quiet():
            load(dict(tensors), checkpoint_id=latest, no_dist=ranks.world == 1)
    except (Exception, CheckpointException) as error:  # a torn file makes the reader raise anything
        raise _unreadable(latest, error) from None


def _latest(folder: Path) -> Path | None:
    parent = folder / CHECKPOINT_FOLDER
    known = _numbers(parent)
    if not known and (folder / _OLD_NAME).exists():
        raise ConfigError(
            f"is of schema version 1, not {SCHEMA_VERSION}",
            where=str(folder / _OLD_NAME),
            hint="start a new folder, or go on with the OpenCWM that wrote it",
        )
    return parent / f"{known[-1]:08d}" if known else None


def _numbers(parent: Path) -> list[int]:
    names = [path.name for path in parent.iterdir()] if parent.is_dir() else []
    return sorted(int(name) for name in names if name.isdecimal())


def _unreadable(path: Path, error: BaseException) -> ConfigError:
    what = " ".join(str(error).split())[-160:]
    return ConfigError(
        f"is no readable checkpoint ({type(error).__name__}: {what})", where=str(path), hint=_MEND
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the library from telling a run in one process that it is one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def save_model(folder: Path, model: Decoder, ranks: Ranks = ALONE) -> None:
    """Write ``config.json`` and ``model.safetensors`` (fp32, tied weights once); all ranks must."""
    from safetensors.torch import save_file

    tensors = {name: tensor.float().contiguous() for name, tensor in gather(model.named_parameters(), ranks)}
    if not ranks.is_first:
        return
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
