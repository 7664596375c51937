from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opencwm.core.errors import ConfigError
from opencwm.model.config import FULL_ATTENTION, SLIDING_ATTENTION, ModelConfig
from opencwm.model.testing import tiny_config


def test_the_default_pattern_is_that_of_facebook_cwm() -> None:
    config = ModelConfig(vocab_size=10, num_hidden_layers=6)
    globals_ = [layer for layer, kind in enumerate(config.layer_types) if kind == FULL_ATTENTION]
    assert globals_ == [0, 4]
    assert config.window(0) is None
    assert config.window(1) == config.sliding_window


def test_config_json_reads_back_the_same(tmp_path: Path) -> None:
    config = tiny_config(rope_theta=12345.0, eos_token_id=3)
    config.save(tmp_path / "config.json")
    assert ModelConfig.load(tmp_path / "config.json") == config
    data = json.loads((tmp_path / "config.json").read_text())
    assert data["architectures"] == ["CwmForCausalLM"]
    assert data["model_type"] == "cwm"


def test_the_older_spelling_of_rope_is_read() -> None:
    data = tiny_config().to_hugging_face()
    del data["rope_parameters"]
    assert ModelConfig.from_hugging_face({**data, "rope_theta": 777.0}).rope_theta == 777.0


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"model_type": "llama"}, "model_type is 'llama'"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1.0}}, "RoPE scaling 'llama3'"),
        ({"layer_types": None}, "wrong type"),
        ({"layer_types": ["full_attention"]}, "layer_types has 1 entries for 3 layers"),
        ({"layer_types": ["full_attention", "none", "none"]}, "unknown layer type 'none'"),
        ({"num_key_value_heads": 3}, "multiple of num_key_value_heads"),
        ({"hidden_size": 66}, "hidden_size must be a multiple"),
        ({"head_dim": 15}, "head_dim must be even"),
        ({"vocab_size": 0}, "vocab_size must be at least 1"),
        ({"hidden_size": "64"}, "wrong type"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        ModelConfig.from_hugging_face({**tiny_config().to_hugging_face(), **changes})


def test_missing_keys_and_broken_files_are_named(tmp_path: Path) -> None:
    data = tiny_config().to_hugging_face()
    del data["head_dim"]
    with pytest.raises(ConfigError, match="'head_dim' is missing"):
        ModelConfig.from_hugging_face(data)
    path = tmp_path / "config.json"
    for text, what in (("{", "cannot be read as JSON"), ("[1]", "not a JSON object")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=what):
            ModelConfig.load(path)


def test_training_cost_counts_every_product() -> None:
    config = tiny_config(tie_word_embeddings=False)
    layers = 64 * 16 * 4 * 2 + 64 * 16 * 2 * 2 + 3 * 64 * 96
    gains = 64 * 7
    matmuls = 3 * layers + 48 * 64 + gains
    attention = 2 * 4 * 16 * 3 * 10
    assert config.flops_per_token(10) == 6 * (matmuls + attention)
    assert SLIDING_ATTENTION in config.layer_types
