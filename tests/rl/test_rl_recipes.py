"""The recipes for prime-rl and verl: that they parse, what they say, and that those they are for take them.

prime-rl is on no index. Its keys are held against those of its configuration classes, read on 2026-11-26 in
``packages/prime-rl-configs/src/prime_rl/configs`` of PrimeIntellect-ai/prime-rl: ``algorithm.py`` of commit
065a864; ``rl.py``, ``orchestrator.py``, ``trainer.py``, ``inference.py`` and ``shared.py`` of the time of
verifiers 0.4.0, as the recipes of commits 89fe468 and 793c28f use them. ``dev/check_rl_recipes.py`` asks the
real classes where they are installed.
"""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

import check_rl_recipes
import rl_cost
from opencwm.core.config import load_config
from opencwm.rl.environment import ENVIRONMENTS
from opencwm.train.config import TrainConfig

PRIME_RL: dict[str, Any] = tomllib.loads(check_rl_recipes.PRIME_RL.read_text(encoding="utf-8"))
VERL: dict[str, Any] = yaml.safe_load(check_rl_recipes.VERL.read_text(encoding="utf-8"))
SHAPE = load_config(TrainConfig, rl_cost.ROOT / "recipes/finetune-cwm-32b.toml").model
PUBLISHED_CLIP = (0.2, 0.25)

KEYS: dict[str, type | tuple[Any, ...]] = {
    "max_steps": int,
    "seq_len": int,
    "run.name": str,
    "slurm.job_name": str,
    "deployment.type": ("single_node", "multi_node"),
    "deployment.gpus_per_node": int,
    "deployment.num_train_nodes": int,
    "deployment.num_infer_nodes": int,
    "deployment.num_infer_replicas": int,
    "model.name": str,
    "ckpt.interval": int,
    "ckpt.keep_last": int,
    "weight_broadcast.type": ("filesystem", "nccl", "nixl"),
    "weight_broadcast.timeout": int,
    "trainer.dist_timeout_seconds": int,
    "trainer.model.attn": (
        "eager",
        "sdpa",
        "flash_attention_2",
        "flash_attention_3",
        "flash_attention_4",
        "auto",
    ),
    "trainer.model.cp": int,
    "trainer.model.cp_style": ("ring", "ulysses"),
    "trainer.model.fused_lm_head_token_chunk_size": int,
    "trainer.model.optim_cpu_offload": bool,
    "trainer.model.ac.freq": int,
    "trainer.optim.type": ("sgd", "adamw", "muon", "sign_sgd"),
    "trainer.optim.lr": float,
    "trainer.optim.betas1": float,
    "trainer.optim.betas2": float,
    "trainer.optim.weight_decay": float,
    "trainer.optim.max_norm": float,
    "trainer.loss.type": ("ipo", "icepop", "ppo", "cispo", "custom"),
    "trainer.loss.ratio_low": float,
    "trainer.loss.ratio_high": float,
    "orchestrator.batch_size": int,
    "orchestrator.max_off_policy_steps": int,
    "orchestrator.concurrency.max_inflight": int,
    "orchestrator.renderer.name": str,
    "orchestrator.renderer.import_path": str,
    "orchestrator.renderer.thinks": bool,
    "orchestrator.train.group_size": int,
    "orchestrator.train.sampling.temperature": float,
    "orchestrator.train.sampling.top_p": float,
    "orchestrator.train.sampling.max_completion_tokens": int,
    "orchestrator.train.algo.type": (
        "grpo",
        "max_rl",
        "rae",
        "hierarchical_grpo",
        "opd",
        "opsd",
        "sft",
        "echo",
    ),
    "orchestrator.train.algo.loss_aggregation": ("token", "prompt"),
    "inference.vllm.tensor_parallel_size": int,
    "inference.vllm.max_model_len": int,  # goes to vLLM as it is
    "inference.vllm.gpu_memory_utilization": float,
}
SOURCE_KEYS: dict[str, type | tuple[Any, ...]] = {
    "name": str,
    "ratio": float,
    "min_abs_advantage": float,
    "algo.type": KEYS["orchestrator.train.algo.type"],
    "algo.roles.user.alpha": float,
}


def leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def fits(value: Any, wanted: type | tuple[Any, ...]) -> bool:
    return value in wanted if isinstance(wanted, tuple) else type(value) is wanted


def test_the_keys_of_the_recipe_for_prime_rl_are_those_that_it_has() -> None:
    recipe = {**PRIME_RL, "orchestrator": {**PRIME_RL["orchestrator"]}}
    train = dict(recipe["orchestrator"]["train"])
    sources = train.pop("source")
    recipe["orchestrator"]["train"] = train
    for name, value in leaves(recipe):
        assert fits(value, KEYS[name]), name
    for source in sources:
        for name, value in leaves({key: value for key, value in source.items() if key != "env"}):
            assert fits(value, SOURCE_KEYS[name]), name
    assert [source["name"] for source in sources] == list(ENVIRONMENTS)
    assert [source["env"]["taskset"]["environment"] for source in sources] == list(ENVIRONMENTS)
    assert {source["env"]["taskset"]["id"] for source in sources} == {"opencwm-env"}


def test_both_say_grpo_as_published() -> None:
    low, high = PUBLISHED_CLIP
    loss, train = PRIME_RL["trainer"]["loss"], PRIME_RL["orchestrator"]["train"]
    assert (loss["type"], loss["ratio_low"], loss["ratio_high"]) == ("ppo", 1 - low, 1 + high)
    assert train["algo"] == {"type": "grpo", "loss_aggregation": "token"}
    assert (train["sampling"]["temperature"], train["sampling"]["top_p"]) == (1.0, 1.0)
    assert {source["min_abs_advantage"] for source in train["source"]} == {0.0}
    algorithm, worker = VERL["algorithm"], VERL["actor_rollout_ref"]
    actor, rollout = worker["actor"], worker["rollout"]
    assert (actor["clip_ratio_low"], actor["clip_ratio_high"]) == PUBLISHED_CLIP
    assert algorithm["adv_estimator"] == "grpo"
    assert (
        algorithm["norm_adv_by_std_in_grpo"] is algorithm["use_kl_in_reward"] is actor["use_kl_loss"] is False
    )
    assert algorithm["filter_groups"]["enable"] is True
    assert actor["loss_agg_mode"] == "seq-mean-token-sum-norm"
    assert actor["entropy_coeff"] == 0.0
    assert (rollout["temperature"], rollout["top_p"]) == (1.0, 1.0)
    assert algorithm["rollout_correction"]["bypass_mode"] is rollout["calculate_log_probs"] is True


def test_the_numbers_of_each_fit_together_and_the_model() -> None:
    trainer, orchestrator = PRIME_RL["trainer"]["model"], PRIME_RL["orchestrator"]
    size, group = PRIME_RL["seq_len"], orchestrator["train"]["group_size"]
    assert PRIME_RL["model"]["name"] == VERL["actor_rollout_ref"]["model"]["path"] == "facebook/cwm"
    assert size == PRIME_RL["inference"]["vllm"]["max_model_len"] <= SHAPE.max_position_embeddings
    assert SHAPE.num_key_value_heads % trainer["cp"] == 0
    assert SHAPE.num_key_value_heads % PRIME_RL["inference"]["vllm"]["tensor_parallel_size"] == 0
    assert orchestrator["batch_size"] % group == 0
    (bugs,) = [source for source in orchestrator["train"]["source"] if source["name"] == "fix-bug"]
    assert bugs["env"]["agent"]["harness"]["tokens"] + 8_192 <= size
    rollout, actor, data = (
        VERL["actor_rollout_ref"]["rollout"],
        VERL["actor_rollout_ref"]["actor"],
        VERL["data"],
    )
    length = data["max_prompt_length"] + data["max_response_length"]
    parts = actor["fsdp_config"]["ulysses_sequence_parallel_size"]
    assert length == rollout["max_model_len"] == actor["ppo_max_token_len_per_gpu"] * parts
    assert actor["loss_scale_factor"] == data["max_response_length"]
    assert actor["ppo_mini_batch_size"] == data["train_batch_size"], "one update for each batch of answers"
    assert rollout["n"] == group
    assert data["train_batch_size"] * group == orchestrator["batch_size"]


def test_the_loop_that_the_recipe_names_is_there() -> None:
    path = rl_cost.ROOT / VERL["actor_rollout_ref"]["rollout"]["agent"]["agent_loop_config_path"]
    (loop,) = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert loop["name"] == VERL["actor_rollout_ref"]["rollout"]["agent"]["default_agent_loop"]
    module, _, name = loop["_target_"].rpartition(".")
    source = rl_cost.ROOT / "environments/opencwm_env" / f"{module.replace('.', '/')}.py"
    assert f"class {name}(" in source.read_text(encoding="utf-8")
    from opencwm_env.token_play import PlayConfig

    PlayConfig(max_tokens=1, **loop["settings"])


def test_the_cost_in_the_documentation_is_what_the_recipes_cost() -> None:
    """After a change, ``python dev/rl_cost.py`` writes it anew."""
    text = rl_cost.PAGE.read_text(encoding="utf-8")
    assert "<!-- rl cost -->" in text
    assert rl_cost.with_table(text) == text


def test_verifiers_takes_the_environments_of_the_recipe_for_prime_rl() -> None:
    if importlib.util.find_spec("verifiers") is None:
        pytest.skip("NOT TESTED: verifiers is not installed (pip install 'opencwm[verifiers]')")
    import verifiers.v1 as vf
    from pydantic import TypeAdapter
    from renderers import RendererConfig

    for source in PRIME_RL["orchestrator"]["train"]["source"]:
        config = vf.resolve_env_config(source["env"])
        assert config.taskset.environment == source["name"]
        assert config.agent.runtime.type == "subprocess"
    assert config.agent.harness.turns == 128
    assert config.taskset.task.threshold == 0.5
    wrong = {**source["env"], "taskset": {**source["env"]["taskset"], "no_such_key": 1}}
    with pytest.raises(ValueError, match="no_such_key"):
        vf.resolve_env_config(wrong)
    TypeAdapter(RendererConfig).validate_python(PRIME_RL["orchestrator"]["renderer"])


@pytest.mark.slow  # imports verl
@pytest.mark.filterwarnings("ignore")  # theirs, as they are imported
def test_verl_takes_its_recipe(tmp_path: Any) -> None:
    if importlib.util.find_spec("verl") is None:
        pytest.skip("NOT TESTED: verl is not installed (pip install verl==0.9.1)")
    config = check_rl_recipes.verl_config()
    assert config.actor_rollout_ref.actor.clip_ratio_high == PUBLISHED_CLIP[1]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(check_rl_recipes.VERL.read_text(encoding="utf-8").replace("grad_clip", "gard_clip"))
    with pytest.raises(ValueError, match=r"verl knows no actor_rollout_ref\.actor\.gard_clip"):
        check_rl_recipes.verl_config(wrong)


def test_prime_rl_takes_its_recipe() -> None:
    if importlib.util.find_spec("prime_rl") is None:
        pytest.skip("NOT TESTED: prime-rl is not installed, and is on no index")
    assert check_rl_recipes.prime_rl_config().trainer.loss.ratio_high == 1.25
