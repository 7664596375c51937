from __future__ import annotations

import json
from pathlib import Path

import pytest

from opencwm.debugger.native_model import NativeWorldModel

from .conftest import Cli

RECIPE = """
log_interval_steps = 1
dtype = "float32"

[model]
vocab_size = 1000
hidden_size = 64
intermediate_size = 96
num_hidden_layers = 1
num_attention_heads = 1
num_key_value_heads = 1
max_position_embeddings = 512

[data]
source = "generated"
options = { num_programs = 100, seed = 1, max_tokens = 256 }

[batch]
row_tokens = 256
lookahead = 8

[schedule]
num_steps = 2
warmup_steps = 1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_train_then_export_then_predict(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    run, model = tmp_path / "run", tmp_path / "model"
    trained = cli("train", recipe, "-o", run, "--json")
    assert trained.status == 0
    assert json.loads(trained.out)["status"] == "finished"
    assert "step 2 train: loss" in trained.err
    assert {"config.json", "metrics.jsonl", "loss.png", "checkpoint", "model"} <= {
        p.name for p in run.iterdir()
    }
    assert cli("export", run, "-o", model).status == 0
    folder = NativeWorldModel.load(model).folder
    assert folder is not None
    assert folder.meta.training["num_steps"] == 2
    assert cli("export", run, "-o", tmp_path / "fp32", "--precision", "fp32").status == 0
    sizes = [(folder / "model.onnx").stat().st_size for folder in (model, tmp_path / "fp32")]
    assert sizes[1] > 2 * sizes[0]
    program = tmp_path / "program.py"
    program.write_text("def f(x):\n    return x\n")
    debugged = cli("debug", program, "--call=f(1)", "--model", model, "--detail=line", "--commands", "s;q")
    assert debugged.status == 0


def test_a_setting_overrides_the_recipe_and_the_run_goes_on(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    cli("train", recipe, "-o", tmp_path / "run", "--set", "schedule.num_steps=1")
    outcome = cli("train", recipe, "-o", tmp_path / "run")
    assert outcome.out.startswith("finished after 2 steps")
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if record["kind"] == "train"] == [1, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RECIPE.replace("hidden_size = 64", "hiden_size = 64"), "did you mean 'hidden_size'?"),
        (RECIPE.replace('"generated"', '"nowhere"'), "nowhere"),
        (RECIPE.replace("num_steps = 2", "num_steps = 'two'"), "num_steps: must be an integer"),
        ("[model", "is not valid TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_before_anything_is_written(
    cli: Cli, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    assert said in cli("train", path, "-o", tmp_path / "run").refused()
    assert not (tmp_path / "run").exists()


def test_a_dry_run_tells_what_a_run_takes_and_writes_nothing(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    told = cli("train", recipe, "--dry-run", "--ranks", "1", "-o", tmp_path / "run", "--set", "device=cpu")
    assert (told.status, told.err) == (0, "")
    assert "weights        99,008\n" in told.out
    assert "rows at once x accumulated         1 x 1\n" in told.out
    assert not (tmp_path / "run").exists()


def test_a_dry_run_ends_with_the_first_error_of_a_run(cli: Cli, recipe: Path) -> None:
    told = cli("train", recipe, "--dry-run", "--ranks", 1, "--ranks", 2, "--json", "--set", "device=cpu")
    assert told.status == 2
    assert told.err.startswith(
        "opencwm: the first error of a run: recipe: batch.rows 1 cannot be dealt out to 2"
    )
    data = json.loads(told.out)
    assert data["error"] in told.err
    assert [plan["ranks"] for plan in data["plans"]] == [1]
    assert data["plans"][0]["memory_total"] == sum(data["plans"][0]["memory"].values())


def test_a_run_needs_a_folder(cli: Cli, recipe: Path) -> None:
    assert "give one with -o" in cli("train", recipe).refused()


def test_a_missing_recipe(cli: Cli, tmp_path: Path) -> None:
    assert "cannot be read" in cli("train", tmp_path / "no.toml", "-o", tmp_path / "run").refused()
