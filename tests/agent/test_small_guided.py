"""The grammar of small models: whatever the model would say, what is written can be carried out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from opencwm.agent.conversation import Occasion, Utterance
from opencwm.agent.edits import DIVIDER, REPLACE, SEARCH
from opencwm.agent.loop import run_agent
from opencwm.agent.policies import PolicySpec, make_policy
from opencwm.agent.rollout import RolloutConfig, run_rollout
from opencwm.agent.small.actor import export_actor
from opencwm.agent.small.desk import TOOLS, Desk
from opencwm.agent.small.examples_file import RUN, SHOW, SOLUTION
from opencwm.agent.small.guided import FULL, GuidedPolicy, shown, tried
from opencwm.agent.small.lessons import LIMITS
from opencwm.agent.small.phrases import BECOMES, DONE, tokenizer
from opencwm.agent.small.runner import Runner
from opencwm.agent.tools import UNDONE
from opencwm.core.errors import EngineError
from opencwm.model.config import ModelConfig
from opencwm.model.engine import Logits
from opencwm.model.testing import ScriptedEngine, random_weights

from .small_lessons import one_lesson

WORDS = tokenizer()
OCCASION = Occasion(task="t", rollout=0, seed=1, tools=TOOLS)


def noise(ids: Sequence[int]) -> Logits:
    """Return logits that differ from place to place."""
    rng = np.random.default_rng([len(ids), *ids[-3:]])
    return rng.normal(0.0, 3.0, len(WORDS)).astype(np.float32)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_every_reply_is_a_call_that_can_be_carried_out(tmp_path: Path, temperature: float) -> None:
    lesson = one_lesson(tmp_path)
    policy = GuidedPolicy(ScriptedEngine(len(WORDS), noise), WORDS, temperature=temperature)
    with Runner() as runner:
        for seed in range(3):
            occasion = Occasion(task="t", rollout=0, seed=seed, tools=TOOLS)
            desk = Desk(lesson.files, runner, LIMITS)
            episode = run_agent(policy.begin(occasion), desk, lesson.opening, LIMITS)
            plans = [
                turn.reply.text.partition(BECOMES)[0] for turn in episode.turns if BECOMES in turn.reply.text
            ]
            assert len(set(plans)) == len(plans)
            for turn in episode.turns:
                assert turn.call is not None or turn.reply.text == DONE
                assert not (turn.call and turn.call.name == "edit" and turn.problem)
                tokens = turn.reply.tokens
                assert tokens is not None
                assert len(tokens.ids) == len(tokens.logarithms)
            first = episode.turns[0].reply.tokens
            assert first is not None
            assert 0.0 in first.logarithms  # what could only go on one way was not asked for
            assert min(first.logarithms) < 0.0


def test_the_file_is_what_the_conversation_has_shown() -> None:
    edit = (
        f"     2\t1{BECOMES}2\n<tool: edit>\n{SOLUTION}\n{SEARCH}\n    return 1\n{DIVIDER}\n"
        f"    return 2\n{REPLACE}\n</tool>"
    )
    said = [
        Utterance(role="user", text="task"),
        Utterance(role="assistant", text=f"<tool: bash>\n{SHOW}\n</tool>"),
        Utterance(
            role="tool", tool="bash", text="<output>\n     1\tdef f():\n     2\t    return 1\n</output>"
        ),
    ]
    assert shown(said[:2]) is None
    assert shown(said) == "def f():\n    return 1\n"
    said += [
        Utterance(role="assistant", text=edit),
        Utterance(role="tool", tool="edit", text=f"{SOLUTION} was changed at line 2."),
        Utterance(role="assistant", text=f"<tool: bash>\n{RUN}\n</tool>"),
        Utterance(role="tool", tool="bash", text="     9\tno listing"),
    ]
    assert shown(said) == "def f():\n    return 2\n"
    said += [
        Utterance(role="assistant", text="<tool: undo>\n\n</tool>"),
        Utterance(role="tool", tool="undo", text=UNDONE),
    ]
    assert shown(said) == "def f():\n    return 1\n"
    assert tried(said) == {"     2\t1"}


def test_a_full_context_ends_the_attempt() -> None:
    engine = ScriptedEngine(len(WORDS), noise, max_tokens=520)
    reply = GuidedPolicy(engine, WORDS).begin(OCCASION)([Utterance(role="user", text="x y z " * 9)])
    assert (reply.text, reply.is_last) == (FULL, True)


def test_a_folder_is_a_policy_and_its_rollouts_have_tokens(tmp_path: Path) -> None:
    lesson = one_lesson(tmp_path / "tasks")
    config = ModelConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=32,
        sliding_window=64,
        max_position_embeddings=2048,
    )
    save(config, tmp_path / "weights")
    export_actor(tmp_path / "weights", tmp_path / "model", training={}, precision="fp32")
    policy = make_policy(PolicySpec(spec=f"model:{tmp_path / 'model'}"))
    rollout = run_rollout(lesson.task, policy, 0, RolloutConfig(limits=LIMITS, tools=TOOLS, at_desk=True))
    assert rollout.record["status"] == "graded"
    (segment,) = rollout.record["segments"]
    assert len(segment["token_ids"]) == len(segment["loss_mask"]) == len(segment["logprobs"])
    other = ModelConfig.from_hugging_face({**config.to_hugging_face(), "vocab_size": len(WORDS) + 1})
    save(other, tmp_path / "other")
    with pytest.raises(EngineError, match="acting takes"):
        export_actor(tmp_path / "other", tmp_path / "bad", training={}, precision="fp32")


def save(config: ModelConfig, folder: Path) -> None:
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    config.save(folder / "config.json")
    save_file(random_weights(config, seed=1), folder / "model.safetensors")
