"""The one command that trains the shipped model, at the size of a CPU core, from nothing to a debugger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opencwm.train.metrics import read_metrics

from .conftest import EXAMPLES, Cli

RECIPES = Path(__file__).parents[2] / "recipes"
BUILD = (
    "sources.generated.programs=400",
    "unit_programs=100",
    "split.test=0.1",
    'encode.formats=["native"]',
)


@pytest.mark.slow
def test_from_nothing_to_a_debugger(cli: Cli, tmp_path: Path) -> None:
    corpus, run, model = tmp_path / "corpus", tmp_path / "run", tmp_path / "model"
    changes = [part for change in BUILD for part in ("--set", change)]
    assert cli("corpus", "build", RECIPES / "corpus-small.toml", "-o", corpus, *changes).status == 0
    stored = corpus / "tokens" / "native" / "train"
    settings = (
        f"data.options.sources.real.path={json.dumps(str(stored))}",
        "schedule.time_budget_s=0",  # on a busy machine a minute is not enough
        "schedule.num_steps=120",
    )
    changes = [part for setting in settings for part in ("--set", setting)]
    trained = cli("train", RECIPES / "cpu_twin.toml", "-o", run, *changes, "--json")
    assert trained.status == 0, trained.err
    assert json.loads(trained.out)["status"] == "finished"
    losses = [record["loss"] for record in read_metrics(run / "metrics.jsonl") if record["kind"] == "train"]
    assert losses[0] > 5  # near the logarithm of the vocabulary
    assert losses[-1] < 0.6 * losses[0]
    assert cli("export", run, "-o", model).status == 0
    debugged = cli(
        "debug",
        EXAMPLES / "strawberry.py",
        "--call=f('strawberry', 'r')",
        "--model",
        model,
        "--commands",
        "s;s;s;q",
    )
    assert debugged.status == 0, debugged.err
    assert "-> count = count_letters(text, letter)" in debugged.out  # the one legal way so far
    scored = cli("eval", "steps", "--data", corpus, "--programs", 2, "--model", model, "--batch", 2, "--json")
    assert scored.status == 0, scored.err
    report = json.loads(scored.out)
    assert report["one_step"]["num_steps"] > 0
    assert report["one_step"]["next_line"]["num_right"] > 0  # half of the steps have one legal next line
