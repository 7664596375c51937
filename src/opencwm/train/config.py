"""What a training recipe may say. No torch here, so that recipes can be checked anywhere.

The idea: one dataclass per concern, filled strictly by ``opencwm.core.config``; a recipe is a TOML file under
``recipes/``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from opencwm.core.errors import ConfigError
from opencwm.model.config import ModelConfig

PACKAGE: Final = "package"
"""What a recipe calls the model in the package."""


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ConfigError(what, where="recipe")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where documents come from.

    ``source`` is a name of ``opencwm.train.data.SOURCES`` or a dotted path ``package.module:function``; the
    function is called with ``options`` as keywords and returns a ``TokenSource``. ``held_out`` names
    documents the same way (an iterable, read whole); empty means no evaluation.
    """

    source: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    held_out: str = ""
    held_out_options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """How documents become a step's rows.

    A step takes ``num_micro_batches`` batches of ``rows`` rows of ``row_tokens`` tokens. Documents are never
    cut: one longer than ``max_document_tokens`` (0: ``row_tokens``) is dropped and counted. Each document's
    slot is a multiple of ``align_tokens``, and documents of a row lie in order of length: equally long
    neighbours are attended to in one call on a CPU. ``lookahead`` is the number of documents the packer
    chooses from; ``num_ahead`` batches are made ahead in a thread, which a GPU wants.

    The rows of a batch are dealt out to the ranks of a run. With ``rows_per_rank`` above 0 a rank computes
    that many at a time, and a step takes as many batches as that needs: the same rows on any number of ranks.
    """

    rows: int = 1
    row_tokens: int = 4096
    num_micro_batches: int = 1
    rows_per_rank: int = 0
    max_document_tokens: int = 0
    align_tokens: int = 32
    lookahead: int = 64
    num_ahead: int = 0

    def __post_init__(self) -> None:
        _require(
            min(self.rows, self.row_tokens, self.num_micro_batches) >= 1,
            "rows, row_tokens and num_micro_batches are >= 1",
        )
        _require(self.align_tokens >= 1 and self.lookahead >= 1, "align_tokens and lookahead are >= 1")
        _require(self.num_ahead >= 0 and self.rows_per_rank >= 0, "num_ahead and rows_per_rank are >= 0")
        _require(
            0 <= self.max_document_tokens <= self.row_tokens,
            "max_document_tokens must be between 0 and row_tokens",
        )

    @property
    def document_limit(self) -> int:
        """Longest document used, in tokens."""
        return self.max_document_tokens or self.row_tokens

    def dealt_to(self, world: int) -> BatchConfig:
        """Return the batches with which ``world`` ranks come to the same steps.

        Raises:
            ConfigError: the rows cannot be dealt out evenly.
        """
        if not self.rows_per_rank:
            if self.rows % world:
                raise ConfigError(
                    f"batch.rows {self.rows} cannot be dealt out to {world} ranks",
                    where="recipe",
                    hint=f"make it a multiple of {world}",
                )
            return self
        step_rows, rows = self.rows * self.num_micro_batches, self.rows_per_rank * world
        if step_rows % rows:
            raise ConfigError(
                f"a step's {step_rows} rows cannot be dealt out to {world} ranks, {self.rows_per_rank} each",
                where="recipe",
                hint=f"make batch.rows a multiple of {rows}",
            )
        return dataclasses.replace(self, rows=rows, num_micro_batches=step_rows // rows)


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW everywhere, or Muon for the matrices inside the layers and AdamW for embeddings and gains.

    ``learning_rate`` is the peak; Muon's update is scaled to AdamW's size, so one rate serves both.
    ``weight_decay`` applies to matrices only. ``max_grad_norm`` 0 means no clipping. ``ema_decay`` 0 means no
    averaged weights.
    """

    name: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.95
    muon_momentum: float = 0.95
    weight_decay: float = 0.1
    max_grad_norm: float = 1.0
    ema_decay: float = 0.0

    def __post_init__(self) -> None:
        _require(self.learning_rate > 0, "learning_rate must be above 0")
        _require(
            all(0 <= beta < 1 for beta in (self.beta1, self.beta2, self.muon_momentum)),
            "betas and momentum lie in [0, 1)",
        )
        _require(0 <= self.ema_decay < 1, "ema_decay lies in [0, 1)")
        _require(
            self.weight_decay >= 0 and self.max_grad_norm >= 0, "weight_decay and max_grad_norm are >= 0"
        )


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How long to train and how the learning rate moves.

    Exactly one of ``num_steps`` and ``time_budget_s`` (seconds of training, evaluation included, summed over
    resumed runs) is above 0; progress is the fraction of it that is used. ``wsd`` holds the peak and falls
    linearly over the last ``decay_fraction``; ``cosine`` falls all the way. Both end at ``final_ratio`` of
    the peak; both rise linearly over ``warmup_steps``.
    """

    name: Literal["wsd", "cosine"] = "wsd"
    num_steps: int = 0
    time_budget_s: float = 0.0
    warmup_steps: int = 100
    decay_fraction: float = 0.2
    final_ratio: float = 0.0

    def __post_init__(self) -> None:
        _require(
            (self.num_steps > 0) != (self.time_budget_s > 0),
            "give one of schedule.num_steps and schedule.time_budget_s",
        )
        _require(
            0 <= self.decay_fraction <= 1 and 0 <= self.final_ratio <= 1,
            "decay_fraction and final_ratio lie in [0, 1]",
        )
        _require(self.warmup_steps >= 0, "warmup_steps is >= 0")


@dataclass(frozen=True, kw_only=True)
class CanaryConfig:
    """When a run is given up because it does not copy.

    After ``after_tokens`` tokens (0: never) at least ``min_accuracy`` (0 to 1) of the targets of class
    ``token_class`` (:class:`opencwm.codec.native.TokenClass`; 6: values of a call's arguments) must have been
    right over the last tenth of them, or the run ends with an error.
    """

    after_tokens: int = 0
    token_class: int = 6
    min_accuracy: float = 0.9

    def __post_init__(self) -> None:
        _require(self.after_tokens >= 0, "canary.after_tokens is >= 0")
        _require(0 <= self.min_accuracy <= 1, "canary.min_accuracy lies in [0, 1]")


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """Small matrices trained beside weights that stay as they are, through peft (arXiv 2106.09685).

    ``targets`` are names of projections; beside each of them ``alpha / rank`` times the product of two
    matrices, of ``rank`` columns and rows, is learned. ``base_dtype`` is the type the frozen weights are kept
    in.
    """

    rank: int = 16
    alpha: float = 32.0
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    base_dtype: Literal["float32", "bfloat16"] = "bfloat16"

    def __post_init__(self) -> None:
        _require(self.rank >= 1 and self.alpha > 0, "init.lora.rank is >= 1 and init.lora.alpha above 0")
        _require(len(self.targets) >= 1, "init.lora.targets names no projection")


@dataclass(frozen=True, kw_only=True)
class InitConfig:
    """What training begins with.

    ``from`` is a Hugging Face folder, or the name of one on the hub: the model is then the one transformers
    makes of it, and ``[model]`` says its shape. ``weights`` is an earlier run, a model folder, or ``package``
    for the model in the package: our own decoder begins with its weights, int8 ones multiplied out, and ids
    that it does not know yet with random ones. Both empty means random weights of our own decoder. ``lora``
    trains an adapter instead of all weights. ``attention`` is transformers' name of an implementation;
    ``auto`` is sdpa on a CPU, and on a GPU flash attention where the package is installed, else
    FlexAttention.
    """

    from_: str = ""
    weights: str = ""
    lora: LoraConfig | None = None
    attention: str = "auto"

    def __post_init__(self) -> None:
        _require(bool(self.from_) or self.lora is None, "init.lora needs init.from: an adapter of what?")
        _require(not (self.from_ and self.weights), "give one of init.from and init.weights")

    @property
    def folder(self) -> Path | None:
        """The folder that ``weights`` names, None for the package."""
        return None if self.weights == PACKAGE else Path(self.weights)


@dataclass(frozen=True, kw_only=True)
class ParallelConfig:
    """How a large model fits: under torchrun every process keeps its share of weights and optimizer.

    ``checkpoint_activations`` keeps only the input of each layer for the backward pass, which computes the
    rest again: a third more arithmetic. ``reshard`` gives the other processes' share of a layer back after
    its forward pass and fetches it again for the backward one; false saves that for all the weights' memory.
    ``loss_chunk`` is the number of targets whose logits are held at once (0: all): with a vocabulary of
    128,256, a token's logits and their gradients take 1.8 MB.
    """

    checkpoint_activations: bool = False
    reshard: bool = True
    loss_chunk: int = 0

    def __post_init__(self) -> None:
        _require(self.loss_chunk >= 0, "parallel.loss_chunk is >= 0")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A whole recipe.

    ``checkpoint_interval_s`` is in seconds of wall clock; ``eval_interval_steps`` 0 means only at the end;
    ``peak_flops`` (floating-point operations a second of the device at its training type) turns on the MFU
    metric; ``num_threads`` is torch's intra-op thread count. ``dtype`` is the type activations are computed
    in; ``auto`` is bfloat16 where the device has instructions for it (every GPU, CPUs with AVX-512), else
    float32, which is ten times as fast there. Weights stay fp32.
    """

    model: ModelConfig
    data: DataConfig = DataConfig()
    batch: BatchConfig = BatchConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig
    canary: CanaryConfig = CanaryConfig()
    init: InitConfig = InitConfig()
    parallel: ParallelConfig = ParallelConfig()
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    num_threads: int = 1
    log_interval_steps: int = 20
    eval_interval_steps: int = 0
    checkpoint_interval_s: float = 300.0
    peak_flops: float = 0.0

    def __post_init__(self) -> None:
        _require(
            self.num_threads >= 1 and self.log_interval_steps >= 1,
            "num_threads and log_interval_steps are >= 1",
        )
        _require(
            self.batch.document_limit <= self.model.max_position_embeddings,
            "documents may be longer than model.max_position_embeddings: set batch.max_document_tokens",
        )
