"""GRPO through TRL, as published: no KL, no normalisation by deviation or length, clip 0.2/0.25.

The idea: TRL keeps the loss, the optimizer and the checkpoints; what is ours comes in at two places. The
rollout function draws answers to our questions as ids and grades them, asking further questions in the place
of groups whose answers all earned the same. And the log-probabilities of a batch are computed a prompt at a
time, its answers as one tree behind it (:mod:`opencwm.rl.answer_tree`), which is several times less work than
a row for each answer. Text is never made into ids.

Source: TRL 1.16, ``trl/trainer/grpo_trainer.py``; Copet et al., "CWM", arXiv 2510.02387, section on joint RL;
    Liu et al., "Understanding R1-Zero-like training", arXiv 2503.20783, for the loss without normalisation.

Shape suffixes: B answers of a batch, T ids of the longest.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from opencwm.codec.hub_tokenizer import hub_tokenizer, tokenizer_config
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.seeds import derive_seed
from opencwm.rl.answer_tree import group_logits
from opencwm.rl.batches import Batches, Group
from opencwm.rl.policy import answers
from opencwm.rl.recipe import RlConfig

os.environ.setdefault(
    "TRL_EXPERIMENTAL_SILENCE", "1"
)  # rollout functions are experimental there, and tested here

from trl import GRPOConfig, GRPOTrainer


class Rollouts:
    """TRL's rollout function: answers to our questions in the place of the prompts of a data set.

    Args:
        config: the recipe.
        batches: makes groups.

    Attributes:
        groups: of the last batch.
        truths: the true answer to each of its prompts.
    """

    def __init__(self, config: RlConfig, batches: Batches) -> None:
        self._config, self.batches = config, batches
        self.groups: list[Group] = []
        self.truths: dict[tuple[int, ...], list[int]] = {}

    def __call__(self, prompts: list[Any], trainer: Any) -> dict[str, Any]:
        """Return as many answers as there are ``prompts``, which are not looked at."""
        sampling, update = self._config.sampling, self._config.update
        generator = torch.Generator()
        generator.manual_seed(derive_seed(self._config.seed, "rl draws", self.batches.position) % 2**63)

        def ask(asked: Any) -> Any:
            return answers(
                trainer.model,
                asked,
                num_answers=sampling.group,
                stops=self.batches.environment.stops,
                max_tokens=sampling.max_tokens,
                temperature=sampling.temperature,
                generator=generator,
            )

        num_groups = len(prompts) // sampling.group
        self.groups = self.batches.take(
            ask, num_groups, most=update.max_questions, together=sampling.questions_together
        )
        self.truths = {tuple(group.prompt): group.truth for group in self.groups}
        drawn = [
            (group, answer, reward)
            for group in self.groups
            for answer, reward in zip(group.answers, group.rewards, strict=True)
        ]
        return {
            "prompt_ids": [group.prompt for group, _, _ in drawn],
            "completion_ids": [list(answer.ids) for _, answer, _ in drawn],
            "logprobs": [list(answer.logarithms) for _, answer, _ in drawn],
            "earned": [reward.value for _, _, reward in drawn],
        }


def earned_reward(prompts: list[Any], earned: list[float], **_: Any) -> list[float]:  # noqa: ARG001 - TRL's interface
    """Return what the answers earned when they were graded, as TRL asks for it."""
    return earned


class GroupTrainer(GRPOTrainer):  # type: ignore[misc]  # the library is not typed
    """The trainer; see the module.

    Args:
        rollouts: makes the batches.
        observation_weight: of the cross-entropy of the true answers.
        arguments: of ``GRPOTrainer``.
    """

    def __init__(self, rollouts: Rollouts, observation_weight: float, **arguments: Any) -> None:
        self._rollouts, self._weight = rollouts, observation_weight
        self._observed: Tensor | None = None
        super().__init__(rollout_func=rollouts, reward_funcs=[earned_reward], **arguments)

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        *_: Any,
        **__: Any,
    ) -> tuple[Tensor, Tensor, None]:
        """Return log-probabilities and entropies of the last ``logits_to_keep`` ids of each row, (B, T)."""
        split = input_ids.shape[1] - logits_to_keep
        rows_of: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for row, (ids, seen) in enumerate(zip(input_ids[:, :split], attention_mask[:, :split], strict=True)):
            rows_of[tuple(ids[seen.bool()].tolist())].append(row)
        logps_BT = torch.zeros(len(input_ids), logits_to_keep)
        entropies_BT = torch.zeros(len(input_ids), logits_to_keep)
        observed = []
        observes = self._weight > 0 and torch.is_grad_enabled()
        for prompt, rows in rows_of.items():
            texts = [input_ids[row, split:][attention_mask[row, split:].bool()].tolist() for row in rows]
            truth = [self._rollouts.truths[prompt]] if observes else []
            logits, paths = group_logits(model, prompt, texts + truth)
            logarithms = torch.log_softmax(logits.float() / self.temperature, dim=-1)
            entropies = -(logarithms.exp() * logarithms).sum(dim=-1)
            for row, text, path in zip(rows, texts, paths, strict=False):
                place = (torch.full((len(text),), row), torch.arange(len(text)))
                logps_BT = logps_BT.index_put(place, logarithms[path, text])
                entropies_BT = entropies_BT.index_put(place, entropies[path].detach())
            if truth:
                plain = torch.log_softmax(logits[paths[-1]].float(), dim=-1)
                observed.append(-plain[torch.arange(len(truth[0])), truth[0]].mean())
        self._observed = torch.stack(observed).mean() if observed else None
        return logps_BT, entropies_BT, None

    def _compute_loss(self, model: Any, inputs: Any) -> Tensor:
        """Return TRL's loss, with the cross-entropy of the true answers."""
        loss: Tensor = super()._compute_loss(model, inputs)
        if self._observed is not None:
            self._metrics["train"]["observation_loss"].append(self._observed.item())
            loss = loss + self._weight * self._observed / self.current_gradient_accumulation_steps
        return loss


def make_trainer(
    config: RlConfig, model: Any, batches: Batches, folder: Path, *, callbacks: list[Any]
) -> GroupTrainer:
    """Return the trainer of a recipe.

    Args:
        config: the recipe.
        model: the policy.
        batches: makes groups.
        folder: where checkpoints go.
        callbacks: of transformers' trainer.
    """
    from datasets import Dataset

    update, sampling = config.update, config.sampling
    size = update.questions * sampling.group
    arguments = GRPOConfig(
        output_dir=str(folder),
        max_steps=update.num_steps,
        per_device_train_batch_size=size // update.updates_per_batch,
        gradient_accumulation_steps=1,
        steps_per_generation=update.updates_per_batch,
        num_generations=sampling.group,
        max_completion_length=sampling.max_tokens,
        temperature=sampling.temperature,
        beta=0.0,
        epsilon=update.clip_low,
        epsilon_high=update.clip_high,
        loss_type="dr_grpo",
        scale_rewards="none",
        learning_rate=update.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=update.warmup_steps,
        max_grad_norm=update.max_grad_norm,
        weight_decay=update.weight_decay,
        save_strategy="steps",
        save_steps=config.checkpoint_interval_steps,
        save_total_limit=2,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        remove_unused_columns=False,
        ignore_data_skip=True,
        shuffle_dataset=False,
        dataloader_pin_memory=False,
        seed=config.seed,
    )
    placeholders = Dataset.from_dict({"prompt": ["asked by the rollout function"] * (64 * update.questions)})
    return GroupTrainer(
        Rollouts(config, batches),
        update.observation_weight,
        model=model,
        args=arguments,
        train_dataset=placeholders,
        processing_class=_tokenizer(model),
        callbacks=callbacks,
    )


def _tokenizer(model: Any) -> Any:
    """Return the vocabulary as TRL wants it; it makes text of ids for logs, and never ids of text."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    vocabulary = Vocabulary.default()
    described = tokenizer_config(vocabulary, max_tokens=model.config.max_position_embeddings)
    marks = {name: described[name] for name in ("bos_token", "eos_token", "pad_token")}
    made = Tokenizer.from_str(hub_tokenizer(vocabulary))
    return PreTrainedTokenizerFast(tokenizer_object=made, padding_side="left", **marks)
