"""Hugging Face folders, here, in the local cache or at the hub, and the engine that opens them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opencwm.core.errors import EngineError
from opencwm.model.spec import ModelSpec, Place

if TYPE_CHECKING:
    from opencwm.model.torch_engine import TorchEngine

MODEL_FILES: Final = ("*.json", "*.safetensors")
"""What is fetched of a model: no pickles, no code."""
TOKENIZER_FILES: Final = ("tokenizer.json", "tokenizer_config.json")


def local_folder(wanted: ModelSpec) -> Path:
    """Return the folder that a spec of a Hugging Face model names.

    Raises:
        EngineError: see :func:`fetch`.
    """
    return fetch(wanted.target) if wanted.place is Place.HUB else Path(wanted.target)


def open_engine(folder: Path, wanted: ModelSpec) -> TorchEngine:
    """Open the weights in a Hugging Face folder as the options of a spec say.

    Raises:
        EngineError: they cannot be opened, or torch is not installed.
    """
    options = wanted.options
    try:
        from opencwm.model.torch_engine import TorchEngine
    except ImportError as error:
        raise EngineError(
            f"a Hugging Face model needs {error.name}, which is not installed",
            where=wanted.target,
            hint="pip install 'opencwm[hf]'",
        ) from None
    return TorchEngine.load(
        folder,
        dtype=options.dtype,
        quantize=options.quantize,
        device=options.device,
        max_tokens=options.context,
    )


def revision_of(folder: Path) -> str:
    """Return a digest of config, names and sizes of the weights: to read 64 GB takes minutes."""
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.onnx"), *folder.glob("config.json")]):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        if file.name == "config.json":
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def fetch(name: str, files: Sequence[str] = MODEL_FILES) -> Path:
    """Return the folder of a model of the hub.

    The local cache is asked first, so nothing leaves this machine where it is complete.

    Args:
        name: owner and name, for example ``facebook/cwm``.
        files: patterns of the files that are wanted.

    Raises:
        EngineError: it is not in the cache and cannot be downloaded, or the library is missing.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise EngineError(
            f"there is no such folder, and huggingface_hub, which {name} of the hub needs, is not installed",
            where=name,
            hint="pip install 'opencwm[hf]'",
        ) from None

    download: Callable[..., str] = huggingface_hub.snapshot_download
    try:
        return _checked(download(name, allow_patterns=list(files), local_files_only=True), name, files)
    except Exception:  # noqa: S110 - the library's errors have no common base; what matters is said below
        pass
    try:
        return _checked(download(name, allow_patterns=list(files)), name, files)
    except Exception as error:
        raise EngineError(
            f"no such folder, not in the local cache, and it cannot be downloaded: {_said(error)}",
            where=name,
            hint="check name and network; a gated model needs `hf auth login` after its licence was accepted",
        ) from None


def _checked(folder: str, name: str, files: Sequence[str]) -> Path:
    """Return the folder if it holds what is wanted: a cache may have been filled for something else."""
    path = Path(folder)
    wanted = ["config.json", "*.safetensors"] if tuple(files) == MODEL_FILES else [files[0]]
    for pattern in wanted:
        if not any(path.glob(pattern)):
            raise FileNotFoundError(f"{name} holds no {pattern}")
    return path


def _said(error: Exception) -> str:
    kind = type(error).__name__
    if "Offline" in kind or "Connect" in kind or "LocalEntryNotFound" in kind or "Timeout" in kind:
        return "the hub cannot be reached"
    if "Gated" in kind:
        return "it is gated, and its licence was not accepted for this user"
    if "NotFound" in kind:
        return "the hub knows no such model, or not for this user"
    return next(iter(str(error).splitlines()), "") or kind
