"""What a recipe of reinforcement learning may say. No torch here, so that recipes can be checked anywhere."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opencwm.core.errors import ConfigError


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ConfigError(what, where="recipe")


@dataclass(frozen=True, kw_only=True)
class QuestionsConfig:
    """Where recorded runs come from that are asked about.

    ``generated``: ``programs`` new programs of all sizes, drawn with ``seed``. ``traces``: up to ``programs``
    runs of ``path``, a corpus (its ``split``), a ``.jsonl`` or a ``.parquet`` file, the first ones that can
    be asked about; ``max_prompt_tokens`` leaves out longer prompts (0: none). ``held_out``: the programs that
    ``opencwm eval steps --seed SEED`` evaluates on.
    """

    kind: Literal["generated", "traces", "held_out"] = "generated"
    path: Path | None = None
    split: str = "train"
    programs: int = 1000
    max_prompt_tokens: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        _require((self.kind == "traces") == (self.path is not None), "a source of kind 'traces' has a path")
        _require(self.programs >= 1 and self.max_prompt_tokens >= 0, "programs is >= 1")


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How answers are drawn: ``group`` of them to a question, of at most ``max_tokens`` ids."""

    group: int = 16
    temperature: float = 1.0
    max_tokens: int = 32
    questions_together: int = 8

    def __post_init__(self) -> None:
        _require(self.group >= 2, "sampling.group is >= 2: an answer is compared with the others")
        _require(self.temperature > 0, "sampling.temperature is above 0")
        _require(min(self.max_tokens, self.questions_together) >= 1, "sampling counts are >= 1")


@dataclass(frozen=True, kw_only=True)
class UpdateConfig:
    """How the policy is changed.

    A step learns from ``questions`` questions whose answers did not all earn the same; up to
    ``max_questions`` are asked to find so many. ``clip_low`` and ``clip_high`` bound the ratio of
    probabilities to [1 - low, 1 + high]; with one update for each batch of answers the ratio is 1.
    ``observation_weight`` times the cross-entropy of the true answer, which the environment shows after the
    reward, is added to the loss.
    """

    num_steps: int = 100
    questions: int = 8
    max_questions: int = 64
    updates_per_batch: int = 1
    learning_rate: float = 1e-5
    warmup_steps: int = 5
    clip_low: float = 0.2
    clip_high: float = 0.25
    max_grad_norm: float = 1.0
    weight_decay: float = 0.0
    observation_weight: float = 0.0

    def __post_init__(self) -> None:
        counts = (self.num_steps, self.questions, self.updates_per_batch)
        _require(min(counts) >= 1 and self.warmup_steps >= 0, "update counts are >= 1")
        _require(self.max_questions >= self.questions, "update.max_questions is at least update.questions")
        _require(
            self.questions % self.updates_per_batch == 0,
            "update.questions is a multiple of updates_per_batch",
        )
        _require(self.learning_rate > 0 and self.max_grad_norm > 0, "rates and norms are above 0")
        _require(0 < self.clip_low < 1 and self.clip_high > 0, "clips are above 0, clip_low below 1")
        _require(self.observation_weight >= 0 and self.weight_decay >= 0, "weights are not negative")


@dataclass(frozen=True, kw_only=True)
class HeldOutConfig:
    """What is evaluated greedily: before, after, every ``interval_steps`` the first ``interval_questions``.

    ``sets`` are sources by name; their answers decide whether weights are kept, see
    :func:`opencwm.rl.held_out.is_better`.
    """

    sets: dict[str, QuestionsConfig] = dataclasses.field(default_factory=dict)
    interval_steps: int = 0
    interval_questions: int = 100

    def __post_init__(self) -> None:
        _require(self.interval_steps >= 0 and self.interval_questions >= 1, "held_out counts are >= 1")


@dataclass(frozen=True, kw_only=True)
class RlConfig:
    """A whole recipe.

    ``start`` is a model folder or the folder of a training run; empty for the model in the package. Questions
    whose prompt has more than ``max_prompt_tokens`` ids, or whose true answer has more than
    ``sampling.max_tokens``, are not asked while training; held-out sets are whole. ``dtype`` is what the
    policy draws and learns in, as in recipes of training; held-out answers are computed in fp32.
    """

    environment: str = "predict-output"
    start: Path | None = None
    sources: dict[str, QuestionsConfig] = dataclasses.field(
        default_factory=lambda: {"generated": QuestionsConfig()}
    )
    held_out: HeldOutConfig = HeldOutConfig()
    sampling: SamplingConfig = SamplingConfig()
    update: UpdateConfig = UpdateConfig()
    max_prompt_tokens: int = 256
    seed: int = 0
    num_threads: int = 1
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    checkpoint_interval_steps: int = 20

    def __post_init__(self) -> None:
        _require(bool(self.sources), "a run needs questions: name a source")
        counts = (self.max_prompt_tokens, self.num_threads, self.checkpoint_interval_steps)
        _require(min(counts) >= 1, "max_prompt_tokens, num_threads and checkpoint_interval_steps are >= 1")
