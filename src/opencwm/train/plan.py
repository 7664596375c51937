"""What a run needs and how long it takes, worked out from its recipe without a GPU or a weight.

The idea: the model is built on torch's meta device, where tensors have shapes and no memory, and one layer is
run there with a hook that counts what autograd keeps; the rest is arithmetic over those shapes. Memory is
that of tensors, for our own decoder; a CUDA context, fragmentation and NCCL's buffers come on top (2 to 4
GiB), and layers of transformers keep somewhat more while they are computed.

A token costs 2 operations a weight it is multiplied with forward and 4 backward (2 where the weight is
frozen), and in each layer ``4 * heads * head_dim`` operations for every token it sees, three times that with
the backward pass. MFU counts these alone, not what activation checkpointing computes again.

Source: Chowdhery et al., "PaLM", arXiv 2204.02311, appendix B; NVIDIA's data sheets of H100 and H200 (SXM).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from opencwm.model.torch_decoder import Decoder, rotary_tables
from opencwm.train.config import TrainConfig

GIB: Final = 2**30
DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class Gpu:
    """A GPU: its peak in dense bfloat16 operations a second, and its memory in bytes, as torch sees it."""

    name: str
    peak_flops: float
    memory_bytes: float


GPUS: Final = {
    "h100": Gpu("H100", 989e12, 78 * GIB),
    "h200": Gpu("H200", 989e12, 139 * GIB),
}
"""GPUs by name."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes that one rank needs at its fullest.

    ``weights``, ``gradients``, ``optimizer`` and ``average`` are its share of each; ``assembled`` what is put
    together of the other ranks' weights and gradients, or cast; ``activations`` what the backward pass
    needs; ``loss`` the logits, their softmax and their gradients, of as many targets as are held at once.
    """

    weights: float
    gradients: float
    optimizer: float
    average: float
    assembled: float
    activations: float
    loss: float

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(getattr(self, field.name) for field in dataclasses.fields(self)))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run on ``ranks`` GPUs. Tokens count padding; ``steps`` is 0 when the recipe limits time instead."""

    ranks: int
    memory: Memory
    rows_per_rank: int
    micro_batches: int
    tokens_per_s: float
    steps: int
    tokens: float
    flops: float
    days: float


@dataclass(frozen=True)
class Weights:
    """Numbers of weights by what becomes of them.

    ``matrices`` are those that Muon would train; ``layer`` and ``layer_trained`` are of one layer;
    ``outside`` are in no layer: embedding, head and last norm.
    """

    all: int
    trained: int
    frozen_bytes: int
    matrices: int
    layer: int
    layer_trained: int
    outside: int


class Planner:
    """The shapes of a recipe's model, and what follows from them.

    Args:
        config: the recipe.
        gpu: what it would run on.
        mfu: the part of the GPU's peak that is taken to be reached, 0 to 1.
    """

    def __init__(self, config: TrainConfig, gpu: Gpu, mfu: float) -> None:
        self.config, self.gpu, self.mfu = config, gpu, mfu
        self._dtype = torch.float32 if config.dtype == "float32" else torch.bfloat16
        with torch.device("meta"):
            self._model = Decoder(config.model, compute_dtype=self._dtype).to(self._dtype)
        self.weights = _count(self._model, config)

    @property
    def tokens_per_step(self) -> int:
        """Tokens of a step, padding included."""
        batch = self.config.batch
        return batch.rows * batch.num_micro_batches * batch.row_tokens

    @property
    def flops_per_token(self) -> float:
        """Operations to train on one token of documents as long as the recipe allows."""
        return self.matmul_flops + self.attention_flops

    @property
    def matmul_flops(self) -> float:
        """Those with weights: the embedding is looked up, the head is multiplied with."""
        shape, counts = self.config.model, self.weights
        multiplied = counts.all - (0 if shape.tie_word_embeddings else shape.vocab_size * shape.hidden_size)
        frozen = counts.all - counts.trained if self.config.init.lora else 0
        return 6.0 * multiplied - 2.0 * min(frozen, multiplied)

    @property
    def attention_flops(self) -> float:
        """Those between tokens."""
        shape, length = self.config.model, self.config.batch.document_limit
        seen = sum(mean_context(length, shape.window(layer)) for layer in range(shape.num_hidden_layers))
        return 12.0 * shape.num_attention_heads * shape.head_dim * seen

    def plan(self, ranks: int) -> Plan:
        """Work out the run on ``ranks`` GPUs.

        Raises:
            ConfigError: the rows of a step cannot be dealt out to so many.
        """
        batch = self.config.batch.dealt_to(ranks)
        schedule = self.config.schedule
        rate = ranks * self.gpu.peak_flops * self.mfu / self.flops_per_token
        steps = schedule.num_steps
        tokens = float(steps * self.tokens_per_step) if steps else rate * schedule.time_budget_s
        return Plan(
            ranks=ranks,
            memory=self._memory(ranks, batch.rows // ranks),
            rows_per_rank=batch.rows // ranks,
            micro_batches=batch.num_micro_batches,
            tokens_per_s=rate,
            steps=steps,
            tokens=tokens,
            flops=tokens * self.flops_per_token,
            days=tokens / rate / DAY_S,
        )

    def _memory(self, ranks: int, rows: int) -> Memory:
        counts, config = self.weights, self.config
        by_muon = counts.matrices if config.optimizer.name == "muon" else 0
        tokens = rows * config.batch.row_tokens
        kept = self._kept_by_layer(rows)
        layers = config.model.num_hidden_layers
        inputs = tokens * config.model.hidden_size * self._dtype.itemsize
        is_less = config.parallel.checkpoint_activations
        return Memory(
            weights=(4 * counts.trained + counts.frozen_bytes) / ranks,
            gradients=4 * counts.trained / ranks,
            optimizer=(8 * counts.trained - 4 * by_muon) / ranks,
            average=(4 * counts.trained if config.optimizer.ema_decay else 0) / ranks,
            assembled=self._assembled(ranks),
            activations=layers * inputs + kept if is_less else layers * kept,
            loss=min(tokens, config.parallel.loss_chunk or tokens)
            * config.model.vocab_size
            * (3 * 4 + self._dtype.itemsize),
        )

    def _assembled(self, ranks: int) -> float:
        """Bytes of whole weights in the type they are computed with, and of whole gradients on their way."""
        counts, size, parallel = self.weights, self._dtype.itemsize, self.config.parallel
        layers = self.config.model.num_hidden_layers
        if ranks == 1:
            frozen = counts.all - counts.trained
            if size == 4 or (frozen and counts.frozen_bytes == size * frozen):
                return 0  # they are of that type already
            at_once = 1 if parallel.checkpoint_activations else layers
            return size * (counts.outside + at_once * counts.layer)
        at_once = 2 if parallel.reshard else layers
        outside_trained = 0 if self.config.init.lora else counts.outside
        gradients = size * (outside_trained + counts.layer_trained) + 4 * counts.layer_trained
        return size * (counts.outside + at_once * counts.layer) + gradients

    def _kept_by_layer(self, rows: int) -> int:
        """Bytes that autograd keeps of one layer beside its weights."""
        shape, length = self.config.model, self.config.batch.row_tokens
        layer = self._model.model.layers[0]
        with torch.device("meta"):
            x_BTC = torch.empty(rows, length, shape.hidden_size, dtype=self._dtype, requires_grad=True)
            borders = torch.zeros(257, dtype=torch.int32)
            tables = rotary_tables(length, shape, x_BTC.device, self._dtype)
            return bytes_kept(layer, x_BTC, *tables, borders)


def bytes_kept(module: nn.Module, *inputs: Tensor) -> int:
    """Return the bytes that autograd keeps for the backward pass of a module, its weights not counted."""
    weights = {weight.untyped_storage()._cdata for weight in module.parameters()}
    kept: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        module(*inputs)
    return sum(t.untyped_storage().nbytes() for address, t in kept.items() if address not in weights)


def mean_context(length: int, window: int | None) -> float:
    """Return how many tokens, itself included, a token of a document of ``length`` sees on average."""
    if window is None or window >= length:
        return (length + 1) / 2
    return window - window * (window - 1) / (2 * length)


def _count(model: Decoder, config: TrainConfig) -> Weights:
    shape, lora = config.model, config.init.lora
    layer = model.model.layers[0]
    in_layer = sum(weight.numel() for weight in layer.parameters())
    total = sum(weight.numel() for weight in model.parameters())
    layers = shape.num_hidden_layers
    if lora is None:
        matrices = sum(weight.numel() for weight in layer.parameters() if weight.ndim == 2)
        outside = total - layers * in_layer
        return Weights(total, total, 0, layers * matrices, in_layer, in_layer, outside)
    added = sum(lora.rank * (rows + columns) for rows, columns in _targets(layer, lora.targets))
    base_bytes = 2 if lora.base_dtype == "bfloat16" else 4
    return Weights(
        all=total + layers * added,
        trained=layers * added,
        frozen_bytes=base_bytes * total,
        matrices=layers * added,
        layer=in_layer + added,
        layer_trained=added,
        outside=total - layers * in_layer,
    )


def _targets(layer: nn.Module, names: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    for name, module in layer.named_modules():
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in names:
            yield module.out_features, module.in_features
