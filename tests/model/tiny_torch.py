"""Tiny models of transformers with random weights, and what they compute without any cache."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="TORCH IS NOT INSTALLED: the torch engine is not tested")
transformers = pytest.importorskip(
    "transformers", reason="TRANSFORMERS IS NOT INSTALLED: the torch engine is not tested"
)
torch.set_num_threads(1)
V = 61
SIZES: dict[str, Any] = {
    "vocab_size": V,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 600,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}


def cwm() -> Any:
    """Sliding layers see 5 tokens, in three layers of four; the rotation is scaled as in facebook/cwm."""
    torch.manual_seed(0)
    rope = {"rope_type": "llama3", "rope_theta": 1e6, "factor": 16.0, "low_freq_factor": 1.0}
    rope |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    config = transformers.CwmConfig(**SIZES, sliding_window=5, rope_parameters=rope)
    assert config.layer_types.count("sliding_attention") == 3
    return transformers.CwmForCausalLM(config).eval()


def llama() -> Any:
    torch.manual_seed(1)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES)).eval()


def mistral() -> Any:
    """Every layer slides."""
    torch.manual_seed(2)
    return transformers.MistralForCausalLM(transformers.MistralConfig(**SIZES, sliding_window=7)).eval()


MODELS = {make.__name__: make() for make in (cwm, llama, mistral)}


def recomputed(model: Any, ids: list[int]) -> Any:
    """Logits at every position, from nothing, without any cache."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].numpy()
