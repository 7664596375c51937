"""The weights of a model folder as fp32 arrays: as they were trained if it has them, else as it stores them.

The idea: a folder that only holds ``model.onnx`` can still be trained on. Its weights are then the numbers
that the graph computes with, blocks multiplied by their scales, which differ from what was trained by the
rounding that the folder's users get anyway. They are read back out of the graph that
:mod:`opencwm.model.export` writes. It needs the ``onnx`` package.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.config import ModelConfig
from opencwm.model.export import read_weights
from opencwm.model.folder import ONNX_NAME, SAFETENSORS_NAME, ModelFolder
from opencwm.model.precision import FloatArray


def stored_weights(folder: ModelFolder) -> dict[str, FloatArray]:
    """Return the weights of a model folder under Hugging Face's names, fp32.

    Raises:
        EngineError: they cannot be read, or the graph is none that this package writes.
    """
    if (folder.path / SAFETENSORS_NAME).is_file():
        return read_weights(folder.path / SAFETENSORS_NAME)
    return read_graph(folder.path / ONNX_NAME, folder.config)


def read_graph(path: Path, config: ModelConfig) -> dict[str, FloatArray]:
    """Return the weights of an exported graph under Hugging Face's names, fp32; a tied head is left out.

    Raises:
        EngineError: as :func:`stored_weights`.
    """
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # protobuf's own, whose class depends on its version
        raise EngineError(f"cannot be read: {error}", where=str(path)) from None
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    try:
        return dict(_weights(arrays, _blocks(graph), config))
    except (KeyError, ValueError) as error:
        raise EngineError(f"is no graph of this package: {error}", where=str(path)) from None


def _weights(
    arrays: Mapping[str, NDArray[Any]], blocks: Mapping[str, _Blocks], config: ModelConfig
) -> list[tuple[str, FloatArray]]:
    matrix = functools.partial(_matrix, arrays, blocks)
    heads = config.num_attention_heads * config.head_dim
    groups = config.num_key_value_heads * config.head_dim
    found = [("model.embed_tokens.weight", arrays["embed_tokens"].astype(np.float32))]
    for layer in range(config.num_hidden_layers):
        prefix = f"model.layers.{layer}"
        norms = (f"{prefix}.{name}.weight" for name in ("input_layernorm", "post_attention_layernorm"))
        found += [(name, arrays[name].astype(np.float32)) for name in norms]
        attention, mlp = f"{prefix}.self_attn", f"{prefix}.mlp"
        packed = matrix(f"{attention}.qkv_proj")
        q, k, v = np.split(packed, [heads, heads + groups])
        gate, up = np.split(matrix(f"{mlp}.gate_up_proj"), 2)
        found += [
            (f"{attention}.{name}.weight", part)
            for name, part in zip(("q_proj", "k_proj", "v_proj"), (q, k, v), strict=True)
        ]
        found.append((f"{attention}.o_proj.weight", matrix(f"{attention}.o_proj")))
        found += [(f"{mlp}.gate_proj.weight", gate), (f"{mlp}.up_proj.weight", up)]
        found.append((f"{mlp}.down_proj.weight", matrix(f"{mlp}.down_proj")))
    found.append(("model.norm.weight", arrays["model.norm.weight"].astype(np.float32)))
    if not config.tie_word_embeddings:
        found.append(("lm_head.weight", matrix("lm_head")))
    return [(name, np.ascontiguousarray(array)) for name, array in found]


@dataclasses.dataclass(frozen=True)
class _Blocks:
    """How a projection is stored in integers: ``width`` inputs in blocks, ``bits`` a weight."""

    width: int
    bits: int
    size: int


def _blocks(graph: Any) -> dict[str, _Blocks]:
    """Return how projections in integers are stored, by the name of their codes."""
    found = {}
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            told = {attribute.name: attribute.i for attribute in node.attribute}
            found[node.input[1]] = _Blocks(told["K"], told["bits"], told["block_size"])
    return found


def _matrix(arrays: Mapping[str, NDArray[Any]], blocks: Mapping[str, _Blocks], name: str) -> FloatArray:
    """Return a projection, (out, in), whatever it is stored as."""
    if f"{name}.weight" in arrays:
        return np.asarray(arrays[f"{name}.weight"].T, np.float32)
    codes, scales, form = arrays[f"{name}.codes"], arrays[f"{name}.scales"], blocks[f"{name}.codes"]
    if form.bits == 4:
        codes = np.stack([codes & 15, codes >> 4], axis=-1)
    signed = codes.reshape(len(codes), -1, form.size).astype(np.float32) - np.float32(1 << (form.bits - 1))
    whole: FloatArray = (signed * scales.reshape(len(codes), -1, 1)).reshape(len(codes), -1)
    return whole[:, : form.width]
