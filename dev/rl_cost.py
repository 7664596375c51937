"""Write what the recipes for prime-rl and verl cost into docs/scaling.md, behind ``<!-- rl cost -->``.

python dev/rl_cost.py

Training is worked out as ``opencwm train --dry-run`` does. Sampling is bound by memory: for every token that
each sequence gets, an engine reads all weights once, and the keys and values of all sequences. What is
assumed stands in :data:`ASSUMED` and in the table.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from opencwm.core.config import load_config
from opencwm.model.config import ModelConfig
from opencwm.train.config import TrainConfig
from opencwm.train.plan import DAY_S, GIB, GPUS, Planner, mean_context

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "scaling.md"
_MARK: Final = re.compile(r"<!-- rl cost -->\n(?:\n```\n.*?```\n)?", re.DOTALL)
ASSUMED: Final = {
    "predict": (4_096, 3_072),
    "fix-bug": (49_152, 16_384),
}
"""Tokens of an episode, and how many of them are sampled. Guesses: nothing of this size was run here."""
KEPT: Final = 0.5
"""Part of the episodes whose group has an advantage; the others are sampled and dropped."""
MFU: Final = 0.4
BANDWIDTH: Final = 3.35e12
"""Bytes a second of an H100's memory, by NVIDIA's data sheet; :data:`REACHED` of them are reached."""
REACHED: Final = 0.5
DOLLARS: Final = 2.5
"""For an hour of an H100: a price to put in the place of."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a recipe says of sizes: ``is_shared`` when the same GPUs train and sample, one after the other."""

    name: str
    train_gpus: int
    sample_gpus: int
    engine_gpus: int
    episodes: int
    in_flight: int
    row_tokens: int
    parts: int
    steps: int
    is_shared: bool
    shares: dict[str, float]


def prime_rl() -> Setup:
    """Return what the recipe for prime-rl says."""
    recipe = tomllib.loads((ROOT / "recipes/prime-rl/cwm-32b.toml").read_text(encoding="utf-8"))
    nodes, orchestrator = recipe["deployment"], recipe["orchestrator"]
    ratios = {source["name"]: source["ratio"] for source in orchestrator["train"]["source"]}
    fix_bug = ratios.pop("fix-bug")
    whole = fix_bug + sum(ratios.values())
    return Setup(
        name="prime-rl",
        train_gpus=nodes["num_train_nodes"] * nodes["gpus_per_node"],
        sample_gpus=nodes["num_infer_nodes"] * nodes["num_infer_replicas"] * nodes["gpus_per_node"],
        engine_gpus=recipe["inference"]["vllm"]["tensor_parallel_size"],
        episodes=orchestrator["batch_size"],
        in_flight=orchestrator["concurrency"]["max_inflight"],
        row_tokens=recipe["seq_len"],
        parts=recipe["trainer"]["model"]["cp"],
        steps=recipe["max_steps"],
        is_shared=False,
        shares={"predict": 1 - fix_bug / whole, "fix-bug": fix_bug / whole},
    )


def verl(shares: dict[str, float]) -> Setup:
    """Return what the recipe for verl says; its file of questions is taken to have these shares."""
    recipe: dict[str, Any] = yaml.safe_load((ROOT / "recipes/verl/cwm-32b.yaml").read_text(encoding="utf-8"))
    worker, trainer = recipe["actor_rollout_ref"], recipe["trainer"]
    gpus = trainer["nnodes"] * trainer["n_gpus_per_node"]
    episodes = recipe["data"]["train_batch_size"] * worker["rollout"]["n"]
    return Setup(
        name="verl",
        train_gpus=gpus,
        sample_gpus=gpus,
        engine_gpus=worker["rollout"]["tensor_model_parallel_size"],
        episodes=episodes,
        in_flight=2 * episodes,
        row_tokens=recipe["data"]["max_prompt_length"] + recipe["data"]["max_response_length"],
        parts=worker["actor"]["fsdp_config"]["ulysses_sequence_parallel_size"],
        steps=trainer["total_training_steps"],
        is_shared=True,
        shares=shares,
    )


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a step takes, and all of them."""

    tokens: float
    sampled: float
    flops: float
    train_s: float
    sample_s: float
    step_s: float
    days: float
    gpu_hours: float
    gib: float
    kv_gib: float


def cost(setup: Setup) -> Cost:
    """Work out a recipe."""
    planner = _planner(setup)
    shape, flops_s = planner.config.model, GPUS["h100"].peak_flops * MFU
    per_episode = [(share, *ASSUMED[kind]) for kind, share in setup.shares.items()]
    tokens = setup.episodes * sum(share * length for share, length, _ in per_episode)
    sampled = setup.episodes * sum(share * said for share, _, said in per_episode) / KEPT
    flops = setup.episodes * sum(
        share * length * (planner.matmul_flops + _attention(planner, length))
        for share, length, _ in per_episode
    )
    engines = setup.sample_gpus // setup.engine_gpus
    at_once = setup.in_flight / engines
    weights = 2.0 * planner.weights.all
    by_said = sum(share * said for share, _, said in per_episode)
    held = sum(share * said / by_said * _kept(shape, length / 2) for share, length, said in per_episode)
    round_s = (weights + at_once * held) / (setup.engine_gpus * BANDWIDTH * REACHED)
    read_flops = (tokens / KEPT - sampled) * planner.matmul_flops / 3
    sample_s = sampled / (engines * at_once) * round_s + read_flops / (setup.sample_gpus * flops_s)
    train_s = flops / (setup.train_gpus * flops_s)
    step_s = train_s + sample_s if setup.is_shared else max(train_s, sample_s)
    gpus = setup.train_gpus if setup.is_shared else setup.train_gpus + setup.sample_gpus
    return Cost(
        tokens=tokens,
        sampled=sampled,
        flops=flops,
        train_s=train_s,
        sample_s=sample_s,
        step_s=step_s,
        days=setup.steps * step_s / DAY_S,
        gpu_hours=setup.steps * step_s / 3600 * gpus,
        gib=planner.plan(setup.train_gpus).memory.total / GIB,
        kv_gib=(weights + at_once * held) / setup.engine_gpus / GIB,
    )


def _planner(setup: Setup) -> Planner:
    overrides = [f"batch.row_tokens={setup.row_tokens // setup.parts}", f"batch.rows={setup.train_gpus}"]
    config = load_config(TrainConfig, ROOT / "recipes/finetune-cwm-32b.toml", overrides)
    return Planner(config, GPUS["h100"], MFU)


def _attention(planner: Planner, length: int) -> float:
    shape = planner.config.model
    seen = sum(mean_context(length, shape.window(layer)) for layer in range(shape.num_hidden_layers))
    return 12.0 * shape.num_attention_heads * shape.head_dim * seen


def _kept(shape: ModelConfig, length: float) -> float:
    """Return the bytes of keys and values of a sequence, which sliding layers keep for their window only."""
    tokens = sum(min(length, shape.window(layer) or length) for layer in range(shape.num_hidden_layers))
    return 2 * 2.0 * shape.num_key_value_heads * shape.head_dim * tokens


def table() -> str:
    """Return what both recipes cost, as text."""
    first = prime_rl()
    setups = [first, verl(first.shares)]
    costs = [cost(setup) for setup in setups]
    kinds = ", ".join(
        f"{share:.0%} {kind} of {ASSUMED[kind][0]:,} tokens ({ASSUMED[kind][1]:,} sampled)"
        for kind, share in first.shares.items()
    )
    rows: list[tuple[str, Sequence[str]]] = [
        ("", [setup.name for setup in setups]),
        ("H100s that train", [f"{setup.train_gpus}" for setup in setups]),
        ("H100s that sample", [f"{setup.sample_gpus}{' (the same)' * setup.is_shared}" for setup in setups]),
        ("episodes a step", [f"{setup.episodes}" for setup in setups]),
        ("tokens trained a step", [f"{one.tokens:.3e}" for one in costs]),
        ("tokens sampled a step", [f"{one.sampled:.3e}" for one in costs]),
        ("FLOPs trained a step", [f"{one.flops:.3e}" for one in costs]),
        ("training, GiB a GPU", [f"{one.gib:.1f}" for one in costs]),
        ("sampling, GiB a GPU", [f"{one.kv_gib:.1f}" for one in costs]),
        ("training, s a step", [f"{one.train_s:.0f}" for one in costs]),
        ("sampling, s a step", [f"{one.sample_s:.0f}" for one in costs]),
        ("a step, s", [f"{one.step_s:.0f}" for one in costs]),
        ("steps", [f"{setup.steps:,}" for setup in setups]),
        ("days", [f"{one.days:.2f}" for one in costs]),
        ("GPU hours", [f"{one.gpu_hours:,.0f}" for one in costs]),
        (f"dollars at {DOLLARS:.2f} an hour", [f"{one.gpu_hours * DOLLARS:,.0f}" for one in costs]),
    ]
    head = [
        f"episodes       {kinds}",
        f"kept           {KEPT:.0%} of them; the other groups have no advantage",
        f"a GPU          H100, 78 GiB, 989 TFLOP/s, {MFU:.0%} reached; 3.35 TB/s, {REACHED:.0%} reached",
        "",
    ]
    return "\n".join(
        [*head, *(f"{name:<28}" + "".join(f"{cell:>18}" for cell in cells) for name, cells in rows)]
    )


def with_table(text: str) -> str:
    """Return the page with the table, worked out anew."""
    return _MARK.sub(lambda _: f"<!-- rl cost -->\n\n```\n$ python dev/rl_cost.py\n{table()}\n```\n", text)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(table())
