"""An engine over any Hugging Face folder of ``CwmForCausalLM`` or a Llama-like decoder, by torch.

The one idea: transformers computes, we keep the cache (:mod:`opencwm.model.torch_cache`), so that a sequence
can be cut back and forked anywhere, sliding layers included. Weights come from safetensors alone; no code of
a model's folder is ever run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.engine import Logits
from opencwm.model.torch_cache import RewindableCache, side_by_side

DTYPES: Final = ("auto", "bfloat16", "float16", "float32")
"""What weights may be loaded as; ``auto`` is what the folder says."""
QUANTIZATIONS: Final = ("int8", "int4")
"""What weights may be quantized to while they are loaded."""
GROUP_SIZE: Final = 32
"""Weights of 4 bits that share a scale, by torchao."""
MAX_PASS_TOKENS: Final = 2048
"""Most ids of one forward pass: a longer prompt is read piece by piece, so that masks stay small."""
_FULL: Final = "full_attention"
_SLIDING: Final = "sliding_attention"
_KNOWN_LAYERS: Final = frozenset({_FULL, _SLIDING})
_TOGETHER: Final = frozenset({"cwm", "llama", "mistral"})
"""Kinds of models whose masks are known well enough to run several sequences in one pass."""


class TorchEngine:
    """A :class:`opencwm.model.engine.ScoringEngine` over a transformers model.

    Args:
        model: a causal language model in evaluation mode whose layers attend to all or to a window.
        max_tokens: most ids of a sequence; by default what the model's config says.

    Raises:
        EngineError: the model has layers of another kind.
    """

    def __init__(self, model: Any, *, max_tokens: int | None = None) -> None:
        config = model.config.get_text_config()
        others = set(getattr(config, "layer_types", None) or ()) - _KNOWN_LAYERS
        if others:
            raise EngineError(
                f"layers of kind {sorted(others)[0]!r} cannot be rewound", where=str(config.name_or_path)
            )
        self._model = model
        self._config = config
        self._max_tokens = min(max_tokens or config.max_position_embeddings, config.max_position_embeddings)
        self._cache = RewindableCache.empty(config.num_hidden_layers)
        self._cache_name = _cache_name(model)
        self._ids: list[int] = []
        self._num_passes = 0

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        dtype: str = "auto",
        quantize: str | None = None,
        device: str = "auto",
        max_tokens: int | None = None,
    ) -> TorchEngine:
        """Open the weights of a Hugging Face folder.

        Args:
            folder: holds ``config.json`` and safetensors.
            dtype: one of :data:`DTYPES`.
            quantize: one of :data:`QUANTIZATIONS`; None for as they are stored.
            device: ``auto`` spreads layers over all GPUs there are, and is the CPU where there is none;
                otherwise as torch names one, for example ``cuda:1``.
            max_tokens: see the class.

        Raises:
            EngineError: no such folder, another kind of model, weights that are broken or do not fit the
                device, or a library that is missing.
        """
        _check_folder(folder)
        if dtype not in DTYPES:
            raise EngineError(f"no dtype {dtype!r}", hint=f"one of: {', '.join(DTYPES)}")
        placed = _placement(device)
        arguments: dict[str, Any] = {
            "dtype": "auto" if dtype == "auto" else getattr(torch, dtype),
            "use_safetensors": True,
            "local_files_only": True,
            "trust_remote_code": False,
        }
        if placed is not None:
            arguments["device_map"] = placed
        if quantize is not None:
            arguments["quantization_config"] = quantization(quantize, is_on_gpu=placed not in (None, "cpu"))
        with _told(folder):
            model = _load(folder, arguments)
            return cls(model.eval(), max_tokens=max_tokens)

    @property
    def vocab_size(self) -> int:
        """Number of token ids, V."""
        return int(self._config.vocab_size)

    @property
    def weight_bytes(self) -> int:
        """Memory that the weights take as they are held, quantized or not."""
        return sum(_num_bytes(part) for part in (*self._model.parameters(), *self._model.buffers()))

    @property
    def max_tokens(self) -> int:
        """Most ids the sequence may hold."""
        return int(self._max_tokens)

    @property
    def ids(self) -> Sequence[int]:
        """The ids held now."""
        return self._ids

    @property
    def num_passes(self) -> int:
        """Forward passes it has made, from 0 in a fork; a long prompt takes several."""
        return self._num_passes

    def append(self, ids: Sequence[int]) -> Logits:
        """Add ``ids`` (at least one); return the logits after the last of them.

        Raises:
            EngineError: an id is out of range, the sequence would exceed :attr:`max_tokens`, or memory ran
                out; the sequence is then what it was.
        """
        logits_V: Logits = self._extend(ids, logits_to_keep=1)[-1]
        return logits_V

    def append_all(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add ``ids``; return (T, V) logits, row t being those after ``ids[t]``.

        Raises:
            EngineError: as :meth:`append`.
        """
        return self._extend(ids, logits_to_keep=0)

    def truncate(self, length: int) -> None:
        """Keep the first ``length`` ids, 0 <= length <= len(ids).

        Raises:
            EngineError: more than there are.
        """
        if not 0 <= length <= len(self._ids):
            raise EngineError(f"cannot keep {length} of {len(self._ids)} ids")
        self._cache.truncate(length)
        del self._ids[length:]

    def fork(self) -> TorchEngine:
        """Return an independent engine that holds the same ids; nothing is copied before one writes."""
        twin = object.__new__(TorchEngine)
        twin._model, twin._config, twin._max_tokens = self._model, self._config, self._max_tokens
        twin._cache_name = self._cache_name
        twin._cache = self._cache.fork()
        twin._ids = list(self._ids)
        twin._num_passes = 0
        return twin

    @property
    def can_join(self) -> bool:
        """Whether :func:`step_together` runs this model's sequences in one pass."""
        is_known = self._config.model_type in _TOGETHER
        return is_known and getattr(self._config, "_attn_implementation", "") == "sdpa"

    def _extend(self, ids: Sequence[int], *, logits_to_keep: int) -> NDArray[np.float32]:
        if not ids or min(ids) < 0 or max(ids) >= self.vocab_size:
            raise EngineError(f"append needs ids between 0 and {self.vocab_size - 1}, at least one")
        before = len(self._ids)
        if before + len(ids) > self.max_tokens:
            raise EngineError(f"the sequence would exceed {self.max_tokens} tokens")
        parts = []
        try:
            for start in range(0, len(ids), MAX_PASS_TOKENS):
                part = list(ids[start : start + MAX_PASS_TOKENS])
                parts.append(self._pass(part, logits_to_keep))
                self._ids += part
        except torch.OutOfMemoryError:
            self._cache.truncate(before)
            del self._ids[before:]
            raise EngineError(
                f"no memory is left for a sequence of {before + len(ids)} tokens",
                hint="give a smaller context (context=N), or quantize the weights (quantize=int8)",
            ) from None
        except BaseException:  # an interrupt too: layers that have written go back with the others
            self._cache.truncate(before)
            del self._ids[before:]
            raise
        return np.concatenate(parts) if logits_to_keep == 0 else parts[-1]

    def _pass(self, ids: list[int], logits_to_keep: int) -> NDArray[np.float32]:
        device = self._model.get_input_embeddings().weight.device
        start = self._cache.get_seq_length()
        positions = torch.arange(start, start + len(ids), device=device).unsqueeze(0)
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.tensor([ids], device=device),
                position_ids=positions,
                use_cache=True,
                logits_to_keep=logits_to_keep,
                **{self._cache_name: self._cache},
            )
        self._num_passes += 1
        logits_TV: NDArray[np.float32] = output.logits[0].float().cpu().numpy()
        return logits_TV


def step_together(engines: Sequence[TorchEngine], ids: Sequence[int]) -> NDArray[np.float32]:
    """Add one id to each of several engines of one model in one pass; return the logits after it, (B, V).

    They are those of each alone up to rounding: products of more rows are summed in another order.

    Args:
        engines: forks of one engine for which :attr:`TorchEngine.can_join` holds.
        ids: one for each.

    Raises:
        EngineError: as :meth:`TorchEngine.append`; all sequences are then what they were.
    """
    first = engines[0]
    if min(ids) < 0 or max(ids) >= first.vocab_size:
        raise EngineError(f"a step needs ids between 0 and {first.vocab_size - 1}")
    lengths = [len(engine._ids) for engine in engines]
    if max(lengths) >= first.max_tokens:
        raise EngineError(f"the sequence would exceed {first.max_tokens} tokens")
    device = first._model.get_input_embeddings().weight.device
    positions_B1 = torch.tensor(lengths, device=device).unsqueeze(1)
    try:
        with torch.inference_mode():
            output = first._model(
                input_ids=torch.tensor(ids, device=device).unsqueeze(1),
                position_ids=positions_B1,
                attention_mask=_masks(first._config, positions_B1),
                use_cache=True,
                **{first._cache_name: side_by_side([engine._cache for engine in engines])},
            )
    except BaseException as error:
        for engine, length in zip(engines, lengths, strict=True):
            engine._cache.truncate(length)
        if isinstance(error, torch.OutOfMemoryError):
            problem = f"no memory is left for {len(engines)} sequences of up to {max(lengths)} tokens"
            raise EngineError(problem, hint="serve fewer rows, or a smaller context (context=N)") from None
        raise
    for engine, token in zip(engines, ids, strict=True):
        engine._ids.append(token)
        engine._num_passes += 1
    logits_BV: NDArray[np.float32] = output.logits[:, -1].float().cpu().numpy()
    return logits_BV


def _masks(config: Any, positions_B1: torch.Tensor) -> Any:
    """Return which keys (B, 1, 1, T) each sequence's new token sees; by kind where there are two kinds."""
    keys_T = torch.arange(int(positions_B1.max()) + 1, device=positions_B1.device)
    full_B11T = (keys_T <= positions_B1)[:, None, None, :]
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or [_SLIDING if window else _FULL])
    if window is None or _SLIDING not in kinds:
        return full_B11T
    sliding_B11T = full_B11T & (keys_T > positions_B1 - window)[:, None, None, :]
    return sliding_B11T if kinds == {_SLIDING} else {_FULL: full_B11T, _SLIDING: sliding_B11T}


def quantization(kind: str, *, is_on_gpu: bool) -> Any:
    """Return transformers' description of a quantization, by a library that is installed and can do it.

    bitsandbytes is taken where there is one and a GPU, otherwise torchao.

    Raises:
        EngineError: an unknown kind, or no library for it.
    """
    if kind not in QUANTIZATIONS:
        raise EngineError(f"no quantization {kind!r}", hint=f"one of: {', '.join(QUANTIZATIONS)}")
    if is_on_gpu and _is_installed("bitsandbytes"):
        from transformers import BitsAndBytesConfig

        if kind == "int8":
            return BitsAndBytesConfig(load_in_8bit=True)
        return BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    if _is_installed("torchao"):
        from transformers import TorchAoConfig

        return TorchAoConfig(_torchao(kind, is_on_gpu=is_on_gpu))
    library = "bitsandbytes" if is_on_gpu else "torchao"
    raise EngineError(
        f"quantizing to {kind} needs {library}, which is not installed", hint=f"pip install {library}"
    )


def _torchao(kind: str, *, is_on_gpu: bool) -> Any:
    """Return torchao's description of weights that are quantized, and activations that are not.

    Four bits are packed in another way for each device: for GPUs in the one that needs no further library.
    """
    from torchao import quantization

    if kind == "int8":
        return quantization.Int8WeightOnlyConfig()
    if is_on_gpu:
        return quantization.Int4WeightOnlyConfig(
            group_size=GROUP_SIZE, int4_packing_format="tile_packed_to_4d"
        )
    from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig

    return PrototypeInt4WeightOnlyConfig(group_size=GROUP_SIZE, set_inductor_config=False)


def _num_bytes(tensor: Any) -> int:
    if hasattr(tensor, "__tensor_flatten__"):  # a quantized weight is made of several tensors
        return sum(_num_bytes(getattr(tensor, name)) for name in tensor.__tensor_flatten__()[0])
    return int(tensor.numel() * tensor.element_size())


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _cache_name(model: Any) -> str:
    """Return what a model calls its cache, which newer releases of the library name otherwise."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _check_folder(folder: Path) -> None:
    """Check that a folder can hold a model of the kind, before a large library is loaded."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(f"config.json cannot be read: {error.strerror}", where=str(folder)) from None
    except ValueError as error:
        raise EngineError(f"is not JSON: {error}", where=str(path)) from None
    names = config.get("architectures") if isinstance(config, Mapping) else None
    if not names or not all(str(name).endswith("ForCausalLM") for name in names):
        raise EngineError(
            f"is no causal language model: architectures is {names}",
            where=str(path),
            hint="CwmForCausalLM and Llama-like decoders are supported",
        )
    if not any(folder.glob("*.safetensors")):
        raise EngineError(
            "holds no safetensors",
            where=str(folder),
            hint="other files can run code, and are not read",
        )


def _placement(device: str) -> str | None:
    """Return the ``device_map`` for a device; None to load on the CPU as it is."""
    if device == "auto":
        if not torch.cuda.is_available():
            return None
        return "auto" if torch.cuda.device_count() > 1 else "cuda:0"
    try:
        return None if torch.device(device).type == "cpu" else device
    except RuntimeError:
        raise EngineError(f"no device {device!r}", hint="for example auto, cpu, cuda or cuda:1") from None


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turn what loading raises into one line."""
    try:
        yield
    except EngineError:
        raise
    except torch.OutOfMemoryError:
        raise EngineError(
            "the weights do not fit the device",
            where=str(folder),
            hint="quantize=int8 halves what bfloat16 takes, quantize=int4 quarters it; see docs/models.md",
        ) from None
    except Exception as error:  # the libraries' errors have no common base
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise EngineError(f"cannot be loaded: {reason}", where=str(folder)) from None


def _load(folder: Path, arguments: dict[str, Any]) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    loader: Callable[..., Any] = AutoModelForCausalLM.from_pretrained
    was_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model, found = loader(str(folder), output_loading_info=True, **arguments)
    finally:
        if was_shown:
            logging.enable_progress_bar()
    missing = sorted(found.get("missing_keys") or ())
    if missing:
        raise EngineError(f"the weights lack {missing[0]}", where=str(folder), hint="the copy is incomplete")
    return model


def has_gpu() -> bool:
    """Whether torch has a GPU here."""
    return torch.cuda.is_available()


def gpu_held_mib() -> float:
    """Return what this process holds on its GPUs, in MiB, and count the peak anew from here."""
    for device in range(torch.cuda.device_count()):
        torch.cuda.reset_peak_memory_stats(device)
    return sum(torch.cuda.memory_allocated(device) for device in range(torch.cuda.device_count())) / 2**20


def gpu_peak_mib() -> float:
    """Return the most that this process has held on its GPUs since the last :func:`gpu_held_mib`, in MiB."""
    return sum(torch.cuda.max_memory_allocated(device) for device in range(torch.cuda.device_count())) / 2**20
