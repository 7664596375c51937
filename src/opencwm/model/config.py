"""The shape of a decoder, under the names Hugging Face gives it, and its ``config.json``. No torch here.

The idea: one description serves training, export and every runtime, because a folder holding this
``config.json`` and a ``model.safetensors`` *is* a ``CwmForCausalLM`` checkpoint. Only plain RoPE is
described: facebook/cwm's llama3-scaled RoPE is refused rather than approximated.

Source: transformers, ``CwmConfig``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.core.files import write_atomic

FULL_ATTENTION = "full_attention"
SLIDING_ATTENTION = "sliding_attention"

_PLAIN_FIELDS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "rms_norm_eps",
    "sliding_window",
    "tie_word_embeddings",
    "max_position_embeddings",
)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape of a Llama-like decoder with sliding-window and global layers.

    ``hidden_size`` is the residual width, ``intermediate_size`` the SwiGLU width, both in channels.
    ``sliding_window`` is the number of tokens, itself included, that a token sees in a sliding layer.
    ``layer_types`` has one of ``"full_attention"`` and ``"sliding_attention"`` per layer; empty means global
    layers 0, 4, 8, ... and sliding ones between, as in facebook/cwm. ``max_position_embeddings`` is the
    longest sequence in tokens. ``bos_token_id`` and ``eos_token_id`` are for other runtimes; the codec knows
    its own.

    Raises:
        ConfigError: sizes that do not fit together.
    """

    vocab_size: int
    hidden_size: int = 256
    intermediate_size: int = 704
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 4
    head_dim: int = 64
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    sliding_window: int = 512
    layer_types: tuple[str, ...] = ()
    tie_word_embeddings: bool = True
    max_position_embeddings: int = 4096
    bos_token_id: int = 0
    eos_token_id: int = 0

    def __post_init__(self) -> None:
        if not self.layer_types:
            pattern = (FULL_ATTENTION, SLIDING_ATTENTION, SLIDING_ATTENTION, SLIDING_ATTENTION)
            types = tuple(pattern[layer % 4] for layer in range(self.num_hidden_layers))
            object.__setattr__(self, "layer_types", types)
        for problem in self._problems():
            raise ConfigError(problem, where="model config")

    def _problems(self) -> list[str]:
        sizes = {
            name: getattr(self, name)
            for name in _PLAIN_FIELDS
            if name not in {"rms_norm_eps", "tie_word_embeddings"}
        }
        problems = [f"{name} must be at least 1, not {size}" for name, size in sizes.items() if size < 1]
        if problems:
            return problems
        if self.num_attention_heads % self.num_key_value_heads:
            problems.append("num_attention_heads must be a multiple of num_key_value_heads")
        if self.hidden_size % self.num_attention_heads:
            problems.append("hidden_size must be a multiple of num_attention_heads (transformers demands it)")
        if self.head_dim % 2:
            problems.append("head_dim must be even")
        if len(self.layer_types) != self.num_hidden_layers:
            problems.append(
                f"layer_types has {len(self.layer_types)} entries for {self.num_hidden_layers} layers"
            )
        if unknown := set(self.layer_types) - {FULL_ATTENTION, SLIDING_ATTENTION}:
            problems.append(f"unknown layer type {sorted(unknown)[0]!r}")
        return problems

    def window(self, layer: int) -> int | None:
        """Tokens visible in ``layer``, the current one included; None in a global layer."""
        return self.sliding_window if self.layer_types[layer] == SLIDING_ATTENTION else None

    @property
    def num_parameters(self) -> int:
        """Trainable weights, embeddings included."""
        attention = (
            2 * self.hidden_size * self.head_dim * (self.num_attention_heads + self.num_key_value_heads)
        )
        layer = attention + 3 * self.hidden_size * self.intermediate_size + 2 * self.hidden_size
        embeddings = self.vocab_size * self.hidden_size * (1 if self.tie_word_embeddings else 2)
        return self.num_hidden_layers * layer + embeddings + self.hidden_size

    def flops_per_token(self, context_tokens: int) -> float:
        """Return the floating-point operations to train on one token, forward and backward.

        ``context_tokens`` is the mean number of tokens it sees.
        """
        matmuls = self.num_parameters - (
            0 if self.tie_word_embeddings else self.vocab_size * self.hidden_size
        )
        attention = 2 * self.num_attention_heads * self.head_dim * self.num_hidden_layers * context_tokens
        return 6.0 * (matmuls + attention)

    def to_hugging_face(self) -> dict[str, Any]:
        """Return the content of a ``config.json`` that transformers loads as ``CwmForCausalLM``."""
        return {
            "architectures": ["CwmForCausalLM"],
            "model_type": "cwm",
            "hidden_act": "silu",
            **{name: getattr(self, name) for name in _PLAIN_FIELDS},
            "layer_types": list(self.layer_types),
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "bos_token_id": self.bos_token_id,
            "eos_token_id": self.eos_token_id,
            "torch_dtype": "float32",
        }

    @classmethod
    def from_hugging_face(cls, data: Mapping[str, Any], *, where: str = "config.json") -> ModelConfig:
        """Build from the content of a ``config.json``; keys that do not concern the shape are ignored.

        Raises:
            ConfigError: another architecture, a missing size, or RoPE scaling.
        """
        if data.get("model_type") != "cwm":
            raise ConfigError(f"model_type is {data.get('model_type')!r}, not 'cwm'", where=where)
        rope = data.get("rope_parameters") or data.get("rope_scaling") or {}
        if rope.get("rope_type", "default") != "default":
            raise ConfigError(f"RoPE scaling {rope['rope_type']!r} is not supported", where=where)
        try:
            return cls(
                **{name: data[name] for name in _PLAIN_FIELDS},
                layer_types=tuple(data["layer_types"]),
                rope_theta=float(rope["rope_theta"] if "rope_theta" in rope else data["rope_theta"]),
                **{
                    name: data[name]
                    for name in ("bos_token_id", "eos_token_id")
                    if isinstance(data.get(name), int)
                },
            )
        except KeyError as error:
            raise ConfigError(f"the key {error.args[0]!r} is missing", where=where) from None
        except TypeError as error:
            raise ConfigError(f"a value has the wrong type: {error}", where=where) from None

    def save(self, path: Path) -> None:
        """Write ``path`` (usually ``config.json``) whole or not at all."""
        write_atomic(path, json.dumps(self.to_hugging_face(), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> ModelConfig:
        """Read a ``config.json``.

        Raises:
            ConfigError: unreadable, not JSON, or not a shape this package knows.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot be read as JSON: {error}", where=str(path)) from None
        if not isinstance(data, dict):
            raise ConfigError("is not a JSON object", where=str(path))
        return cls.from_hugging_face(data, where=str(path))
