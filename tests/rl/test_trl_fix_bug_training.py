"""fix-bug inside TRL's own trainer: real boxes, real rewards, a step that makes the repair likelier."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="training needs the extra rl")

import torch

from agent.rollout_tasks import write_task
from opencwm.agent.rollout import RolloutConfig
from opencwm.rl.fix_bug import FixBug, FixBugConfig, read_bugs
from opencwm.rl.trl_environment import rows
from opencwm.rl.trl_fix_bug import fix_bug_factory

REPAIR = ("edit", {"path": "calc.py", "search": "    return a - b\n", "replacement": "    return a + b\n"})
LOOK = ("bash", {"command": "cat calc.py"})
SUBMIT = ("submit", {"result": ""})
END, PAD = "<|im_end|>", "<|endoftext|>"


def byte_tokenizer() -> Any:
    """Return a tokenizer of bytes that speaks as Qwen 3 does."""
    import trl
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={letter: n for n, letter in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([PAD, "<|im_start|>", END])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END, pad_token=PAD)
    template = Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja"
    tokenizer.chat_template = template.read_text(encoding="utf-8")
    return tokenizer


def tiny_model(tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=8192,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


class Script:
    """Stands in for ``generate``: every other rollout repairs the bug, the others look at it; all submit."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._begun = itertools.count()
        self.said: list[str] = []

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> torch.Tensor:
        texts = [
            self._tokenizer.decode(row[seen.bool()])
            for row, seen in zip(input_ids, attention_mask, strict=True)
        ]
        answers = [self._answer(text) for text in texts]
        self.said += answers
        ids = [self._tokenizer(answer).input_ids for answer in answers]
        width = max(map(len, ids))
        padded = [one + [self._tokenizer.pad_token_id] * (width - len(one)) for one in ids]
        return torch.cat([input_ids, torch.tensor(padded)], dim=1)

    def _answer(self, text: str) -> str:
        turn = text.count("<tool_response>")
        if turn >= 2:
            return f"Done.{END}"
        name, arguments = SUBMIT if turn else (LOOK, REPAIR)[next(self._begun) % 2]
        call = json.dumps({"name": name, "arguments": arguments})
        return f"<tool_call>\n{call}\n</tool_call>{END}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_step_of_trls_trainer_makes_the_repair_likelier(tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    rollout = RolloutConfig(prompt="Repair the program with the tools, then submit.")
    environment = FixBug(FixBugConfig(rollout=rollout))
    bugs = read_bugs([write_task(tmp_path / "task")])
    tokenizer = byte_tokenizer()
    model = tiny_model(tokenizer)
    script = Script(tokenizer)
    model.generate = script
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows(environment, bugs) * 4),
        environment_factory=fix_bug_factory(environment, bugs),
        args=GRPOConfig(
            output_dir=str(tmp_path / "out"),
            max_steps=1,
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=4096,
            learning_rate=1e-3,
            beta=0.0,
            loss_type="dr_grpo",
            scale_rewards="none",
            report_to=[],
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
        ),
    )
    prompt = tokenizer.apply_chat_template(
        rows(environment, bugs)[0]["prompt"], tokenize=False, add_generation_prompt=True
    )
    repair, look = (text for text in _first_turns())
    before = likelihood(model, tokenizer, prompt, repair) - likelihood(model, tokenizer, prompt, look)
    trainer.train()
    (logged,) = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert logged["reward"] == 0.5, "two of four rollouts repaired it, in boxes of their own"
    assert logged["tools/failure_frequency"] == 0
    assert sum("submit" in text for text in script.said) == 4
    after = likelihood(model, tokenizer, prompt, repair) - likelihood(model, tokenizer, prompt, look)
    assert after > before


def _first_turns() -> list[str]:
    calls = [json.dumps({"name": name, "arguments": arguments}) for name, arguments in (REPAIR, LOOK)]
    return [f"<tool_call>\n{call}\n</tool_call>{END}" for call in calls]


def likelihood(model: Any, tokenizer: Any, prompt: str, answer: str) -> float:
    """Return the logarithm of the probability of an answer."""
    asked, said = tokenizer(prompt).input_ids, tokenizer(answer).input_ids
    with torch.no_grad():
        logits = model(torch.tensor([asked + said])).logits[0, len(asked) - 1 : -1]
    return float(torch.log_softmax(logits, -1)[range(len(said)), said].sum())
