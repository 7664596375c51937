"""Folders of the Hugging Face hub: from the local cache, else downloaded, else one clear line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from opencwm.core.errors import EngineError

MODEL_FILES: Final = ("*.json", "*.safetensors")
"""What is fetched of a model: no pickles, no code."""
TOKENIZER_FILES: Final = ("tokenizer.json", "tokenizer_config.json")


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
