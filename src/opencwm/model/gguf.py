"""From a model's weights to one GGUF file, which llama.cpp and what is built on it open.

llama.cpp has no ``cwm`` architecture, and its ``llama`` graph has no sliding window: beyond the window it
would compute another function. Its ``mimo2`` graph, with no experts, is ours exactly: RMSNorm, grouped
queries, rotary positions in two halves, SwiGLU, and a window in the layers the file names. So that is the
architecture a file says. Ids go in and ids come out: the file carries no vocabulary, because no tokenizer of
llama.cpp cuts text as the ``native`` codec does. It needs the ``gguf`` package.

Source: ggml, docs/gguf.md; llama.cpp, src/models/mimo2.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from opencwm.core.errors import ConfigError
from opencwm.core.files import atomic_path
from opencwm.model.config import ModelConfig
from opencwm.model.precision import BLOCK_SIZE, FloatArray, WeightFormat

ARCHITECTURE: Final = "mimo2"
_KINDS: Final = {"fp32": "F32", "bf16": "BF16", "int8": "Q8_0", "int4": "Q4_0"}
_ENDS: Final = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_PARTS: Final = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def export_gguf(
    config: ModelConfig, weights: Mapping[str, FloatArray], path: Path, *, kind: str = "int8", name: str = ""
) -> None:
    """Write a GGUF file, whole or not at all.

    Args:
        config: the shape.
        weights: arrays under Hugging Face's names; ``lm_head.weight`` may be absent when embeddings are tied.
        path: the file to write.
        kind: ``fp32``, ``bf16``, ``int8`` (Q8_0) or ``int4`` (Q4_0, the output int8); blocks are of 32.
        name: of the model, as programs show it.

    Raises:
        ConfigError: ``gguf`` is not installed, no such ``kind``, or a width that blocks do not divide.
    """
    try:
        import gguf
    except ImportError:
        raise ConfigError("GGUF needs the package gguf", hint="pip install 'opencwm[gguf]'") from None
    form = WeightFormat.parse(kind)
    if form.bits is not None and form.block_size != BLOCK_SIZE:
        raise ConfigError(f"GGUF has blocks of {BLOCK_SIZE} only, not of {form.block_size}")
    tensors = dict(weights)
    if config.tie_word_embeddings:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    with atomic_path(path) as temporary:
        writer = gguf.GGUFWriter(temporary, ARCHITECTURE)
        _describe(writer, config, name)
        for tensor, array in tensors.items():
            stored = _stored_as(tensor, array, form)
            if stored == "F32":
                writer.add_tensor(_gguf_name(tensor), array)
                continue
            kind_of_tensor = gguf.GGMLQuantizationType[stored]
            _check_width(tensor, array, stored)
            data = gguf.quants.quantize(array, kind_of_tensor)
            writer.add_tensor(_gguf_name(tensor), data, raw_dtype=kind_of_tensor)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def _describe(writer: Any, config: ModelConfig, name: str) -> None:
    if name:
        writer.add_name(name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_expert_feed_forward_length(config.intermediate_size)  # asked for though there are no experts
    writer.add_expert_count(0)
    writer.add_expert_used_count(0)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_rope_freq_base_swa(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_sliding_window(config.sliding_window)
    slides = [config.window(layer) is not None for layer in range(config.num_hidden_layers)]
    writer.add_sliding_window_pattern(slides)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("no_vocab")


def _stored_as(name: str, array: FloatArray, form: WeightFormat) -> str:
    """Return ggml's name of how a tensor is stored: gains stay fp32, embeddings and head int8 beside int4."""
    if array.ndim < 2:
        return "F32"
    is_edge = name in ("model.embed_tokens.weight", "lm_head.weight")
    return _KINDS["int8" if form.precision == "int4" and is_edge else form.precision]


def _check_width(name: str, array: FloatArray, stored: str) -> None:
    if stored.startswith("Q") and array.shape[-1] % BLOCK_SIZE:
        raise ConfigError(
            f"{name} is {array.shape[-1]} wide, which blocks of {BLOCK_SIZE} do not divide",
            hint="choose bf16 or fp32",
        )


def _gguf_name(name: str) -> str:
    stem = name.removesuffix(".weight")
    if stem in _ENDS:
        return f"{_ENDS[stem]}.weight"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{_PARTS[part]}.weight"
