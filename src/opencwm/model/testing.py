"""Public fakes: an engine that says what it is told, the smallest config with every part, random weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.config import FULL_ATTENTION, SLIDING_ATTENTION, ModelConfig
from opencwm.model.engine import Logits

LogitsFunction = Callable[[Sequence[int]], Logits]


class ScriptedEngine:
    """An :class:`opencwm.model.engine.ScoringEngine` whose logits are a function of the ids held.

    ``calls`` counts the ids given to each :meth:`append` or :meth:`append_all`, forks sharing the list, so
    that a test can show how many forward passes something took.
    """

    def __init__(self, vocab_size: int, logits: LogitsFunction, *, max_tokens: int = 4096) -> None:
        self._vocab_size = vocab_size
        self._logits = logits
        self._max_tokens = max_tokens
        self._ids: list[int] = []
        self._num_passes = 0
        self.calls: list[int] = []

    @classmethod
    def saying(
        cls,
        vocab_size: int,
        sequences: Sequence[Sequence[int]],
        *,
        probability: float = 0.99,
        max_tokens: int = 4096,
    ) -> ScriptedEngine:
        """Return an engine that continues any prefix of ``sequences`` (the first that fits) with its next id.

        The next id gets ``probability``, the rest share what is left evenly; after anything else all ids are
        equally likely.
        """
        scripts = [list(sequence) for sequence in sequences]

        def logits(ids: Sequence[int]) -> Logits:
            held = list(ids)
            for script in scripts:
                if len(script) > len(held) and script[: len(held)] == held:
                    rest = (1.0 - probability) / (vocab_size - 1)
                    probabilities = np.full(vocab_size, rest, np.float32)
                    probabilities[script[len(held)]] = probability
                    return np.log(probabilities)
            return np.zeros(vocab_size, np.float32)

        return cls(vocab_size, logits, max_tokens=max_tokens)

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self._vocab_size

    @property
    def max_tokens(self) -> int:
        """Most ids the sequence may hold."""
        return self._max_tokens

    @property
    def ids(self) -> Sequence[int]:
        """The ids held now."""
        return self._ids

    @property
    def num_passes(self) -> int:
        """Appends to this engine, not to forks."""
        return self._num_passes

    def append(self, ids: Sequence[int]) -> Logits:
        """Add ``ids``; return the scripted logits.

        Raises:
            EngineError: no id, one out of range, or too many.
        """
        self._extend(ids)
        return np.asarray(self._logits(tuple(self._ids)), np.float32)

    def append_all(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add ``ids`` as one call; return the scripted logits after each, (T, V).

        Raises:
            EngineError: as :meth:`append`.
        """
        self._extend(ids)
        ends = range(len(self._ids) - len(ids) + 1, len(self._ids) + 1)
        return np.stack([np.asarray(self._logits(tuple(self._ids[:end])), np.float32) for end in ends])

    def _extend(self, ids: Sequence[int]) -> None:
        if not ids or min(ids) < 0 or max(ids) >= self._vocab_size:
            raise EngineError("append needs ids between 0 and vocab_size - 1")
        if len(self._ids) + len(ids) > self._max_tokens:
            raise EngineError(f"the sequence would exceed {self._max_tokens} tokens")
        self.calls.append(len(ids))
        self._num_passes += 1
        self._ids.extend(ids)

    def truncate(self, length: int) -> None:
        """Keep the first ``length`` ids.

        Raises:
            EngineError: more than there are.
        """
        if not 0 <= length <= len(self._ids):
            raise EngineError(f"cannot keep {length} of {len(self._ids)} ids")
        del self._ids[length:]

    def fork(self) -> ScriptedEngine:
        """Return an independent engine that holds the same ids."""
        other = ScriptedEngine(self._vocab_size, self._logits, max_tokens=self._max_tokens)
        other._ids = list(self._ids)
        other.calls = self.calls
        return other


def tiny_config(**changes: Any) -> ModelConfig:
    """Return a config of a few thousand weights with grouped heads, a sliding and a global layer."""
    settings: dict[str, Any] = {
        "vocab_size": 48,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "sliding_window": 8,
        "layer_types": (FULL_ATTENTION, SLIDING_ATTENTION, SLIDING_ATTENTION),
        "max_position_embeddings": 512,
    }
    return ModelConfig(**{**settings, **changes})


def random_weights(config: ModelConfig, *, seed: int, std: float = 0.1) -> dict[str, NDArray[np.float32]]:
    """Return weights under Hugging Face's names: matrices normal with ``std``, gains near 1.

    A tied head appears under both names.
    """
    rng = np.random.default_rng(seed)

    def matrix(*shape: int) -> NDArray[np.float32]:
        return (rng.standard_normal(shape) * std).astype(np.float32)

    def gain() -> NDArray[np.float32]:
        return (1.0 + 0.1 * rng.standard_normal(config.hidden_size)).astype(np.float32)

    hidden, inner = config.hidden_size, config.intermediate_size
    heads, groups = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    weights = {"model.embed_tokens.weight": matrix(config.vocab_size, hidden), "model.norm.weight": gain()}
    for layer in range(config.num_hidden_layers):
        prefix = f"model.layers.{layer}"
        weights |= {
            f"{prefix}.self_attn.q_proj.weight": matrix(heads, hidden),
            f"{prefix}.self_attn.k_proj.weight": matrix(groups, hidden),
            f"{prefix}.self_attn.v_proj.weight": matrix(groups, hidden),
            f"{prefix}.self_attn.o_proj.weight": matrix(hidden, heads),
            f"{prefix}.mlp.gate_proj.weight": matrix(inner, hidden),
            f"{prefix}.mlp.up_proj.weight": matrix(inner, hidden),
            f"{prefix}.mlp.down_proj.weight": matrix(hidden, inner),
            f"{prefix}.input_layernorm.weight": gain(),
            f"{prefix}.post_attention_layernorm.weight": gain(),
        }
    tied = config.tie_word_embeddings
    weights["lm_head.weight"] = (
        weights["model.embed_tokens.weight"] if tied else matrix(config.vocab_size, hidden)
    )
    return weights
