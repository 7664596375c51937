"""From a model's weights to a folder that transformers and vLLM open: ``CwmForCausalLM``, safetensors.

Weights are fp32 or bf16: what is smaller is made by those libraries themselves while they load. The tokenizer
belongs to a codec and is written by whoever knows it.

Source: transformers, ``CwmConfig``; vLLM, ``model_executor/models/registry.py``, where ``CwmForCausalLM`` is
its Llama.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opencwm.core.errors import ConfigError
from opencwm.core.files import write_atomic
from opencwm.model.config import ModelConfig
from opencwm.model.folder import CONFIG_NAME, SAFETENSORS_NAME
from opencwm.model.precision import FloatArray, WeightFormat

GENERATION_CONFIG_NAME: Final = "generation_config.json"
_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16"}


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids with which a sequence begins and ends, and that fill up what is shorter than others."""

    begin: int
    end: int
    pad: int


def export_hugging_face(
    config: ModelConfig,
    weights: Mapping[str, FloatArray],
    out: Path,
    *,
    kind: str = "bf16",
    special: SpecialIds,
) -> None:
    """Write ``config.json``, ``generation_config.json`` and ``model.safetensors`` to the folder ``out``.

    Args:
        config: the shape; its own special ids are replaced.
        weights: arrays under Hugging Face's names; a tied head is left out.
        out: made when missing.
        kind: ``fp32`` or ``bf16``.
        special: of the codec. Decoding is greedy and ends with ``end``.

    Raises:
        ConfigError: another ``kind``.
    """
    from safetensors.numpy import save

    dtype = _DTYPES.get(WeightFormat.parse(kind).precision)
    if dtype is None:
        raise ConfigError(
            f"a Hugging Face folder holds no {kind} weights",
            hint="choose bf16 or fp32; transformers and vLLM quantize while they load",
        )
    out.mkdir(parents=True, exist_ok=True)
    tensors = {name: array for name, array in weights.items() if not _is_tied_head(config, name)}
    if dtype == "bfloat16":
        import ml_dtypes

        tensors = {name: array.astype(ml_dtypes.bfloat16) for name, array in tensors.items()}
    write_atomic(out / SAFETENSORS_NAME, save(tensors, metadata={"format": "pt"}))
    ids = {"bos_token_id": special.begin, "eos_token_id": special.end, "pad_token_id": special.pad}
    described = {**config.to_hugging_face(), **ids, "torch_dtype": dtype}
    write_atomic(out / CONFIG_NAME, json.dumps(described, indent=2) + "\n")
    write_atomic(out / GENERATION_CONFIG_NAME, json.dumps({**ids, "do_sample": False}, indent=2) + "\n")


def _is_tied_head(config: ModelConfig, name: str) -> bool:
    return name == "lm_head.weight" and config.tie_word_embeddings
