"""The chain that teaches a small model to act, at the size of a test: tasks, lessons, practice, rollouts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opencwm.agent.small.phrases import tokenizer
from opencwm.core.config import load_config
from opencwm.train.config import TrainConfig
from opencwm.train.metrics import read_metrics
from opencwm.train.practice import PracticeConfig

from .conftest import Cli

RECIPES = Path(__file__).parents[2] / "recipes"
LIMITS = ("turns=24", "tokens=1000", "context_lines=1", "output_chars=800", "timeout_s=2", "repeats=3")


def settings(*pairs: str) -> list[str]:
    return [part for pair in pairs for part in ("--set", pair)]


def test_the_recipes_fit_what_is_taught() -> None:
    taught = load_config(TrainConfig, RECIPES / "agent-small.toml")
    assert taught.model.vocab_size == len(tokenizer())
    assert load_config(PracticeConfig, RECIPES / "agent-practice.toml").num_rounds > 1


def test_bad_input_is_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for words in (
        ("tasks", "small", tmp_path / "empty", "-o", tmp_path / "out"),
        ("practice", RECIPES / "agent-practice.toml", "-o", tmp_path / "out", "--set", "attempts=1"),
        ("rollout", tmp_path, "--policy", f"model:{tmp_path}", "-o", tmp_path / "out"),
    ):
        done = cli(*words)
        assert done.status == 2
        assert len(done.err.strip().splitlines()) <= 2, done.err


@pytest.mark.slow
def test_from_nothing_to_a_model_that_acts(cli: Cli, tmp_path: Path) -> None:
    tasks, run, out = tmp_path / "tasks", tmp_path / "taught", tmp_path / "practice"
    made = cli("tasks", "small", "-n", 3, "--seed", 5, "--per-function", 1, "-o", tasks, "--json")
    assert made.status == 0, made.err
    assert len(json.loads(made.out)) == 3
    assert cli("tasks", "validate", tasks).status == 0
    small = settings(
        "init.weights=",
        "model.hidden_size=64",
        "model.intermediate_size=128",
        "model.num_hidden_layers=1",
        "model.num_attention_heads=1",
        "model.num_key_value_heads=1",
        f"data.options.tasks={tasks}",
        f"data.held_out_options.tasks={tasks}",
        "batch.row_tokens=1280",
        "schedule.time_budget_s=0",
        "schedule.num_steps=12",
        "schedule.warmup_steps=2",
        "log_interval_steps=2",
        "optimizer.learning_rate=2e-3",
    )
    trained = cli("train", RECIPES / "agent-small.toml", "-o", run, *small)
    assert trained.status == 0, trained.err
    losses = [record["loss"] for record in read_metrics(run / "metrics.jsonl") if record["kind"] == "train"]
    assert losses[-1] < losses[0] - 0.5
    few = settings(
        f"start={run / 'model'}", f"tasks={tasks}", "num_rounds=1", "tasks_per_round=2", "attempts=2"
    )
    practised = cli("practice", RECIPES / "agent-practice.toml", "-o", out, *few)
    assert practised.status == 0, practised.err
    limits = [part for limit in LIMITS for part in ("--limit", limit)]
    model = f"model:{out / 'round-001'}"
    acted = cli("rollout", tasks, "--policy", model, "--undo", *limits, "-o", tmp_path / "runs", "--json")
    assert acted.status == 0, acted.err
    records = [json.loads(line) for line in (tmp_path / "runs" / "rollouts.jsonl").read_text().splitlines()]
    assert len(records) == 3
    assert all(record["segments"][0]["logprobs"] for record in records)
