from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import ConfigError, EngineError
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.frontends.exporting import export_run
from opencwm.frontends.model_card import portable_command
from opencwm.model.onnx_engine import OnnxEngine
from opencwm.model.speculation import SpeculativeEngine
from opencwm.train.history import history_of

from .conftest import Cli


def edited(folder: Path, name: str, change: Callable[[dict[str, object]], object]) -> None:
    path = folder / name
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(model_folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_an_exported_model_opens_and_answers(model_folder: Path) -> None:
    model = NativeWorldModel.load(model_folder)
    assert model.name == "tiny"
    assert len(model.revision) == 16
    assert model.codec.vocabulary.words == Vocabulary.default().words
    assert model.engine.fork().append([1]).shape == (len(Vocabulary.default()),)


def test_a_model_runs_ahead_unless_told_not_to(model_folder: Path) -> None:
    ahead, alone = (NativeWorldModel.load(model_folder, speculative=flag).engine for flag in (True, False))
    assert isinstance(NativeWorldModel.load(model_folder).engine, SpeculativeEngine)
    assert isinstance(alone, OnnxEngine)
    for token in [5, 6, 7, 5, 6, 7, 5, 6, 9]:
        # int8 activations are rounded otherwise in a pass over several tokens
        np.testing.assert_allclose(ahead.append([token]), alone.append([token]), atol=0.1)


def test_the_card_says_what_is_on_record_and_nothing_else(model_folder: Path) -> None:
    card = (model_folder / "README.md").read_text()
    assert "10 steps, 40,960 tokens, 0.50 h" in card
    assert "| exact/line | 0.7500 |" in card
    assert "accuracy/echo" not in card
    assert "Nothing was measured." in card


def test_runs_are_averaged_and_the_card_says_so(run_folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    other = tmp_path / "other"
    shutil.copytree(run_folder, other)
    weights = load_file(other / "model" / "model.safetensors")
    save_file({name: weight + 1 for name, weight in weights.items()}, other / "model" / "model.safetensors")
    folder = export_run(run_folder, tmp_path / "out", others=[other], with_safetensors=True)
    mean = load_file(folder.path / "model.safetensors")
    assert all(np.allclose(mean[name], weight + 0.5) for name, weight in weights.items())
    assert "averaged with a run from the same checkpoint" in (folder.path / "README.md").read_text()


def test_a_card_tells_what_a_training_began_with(
    run_folder: Path, model_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    config = json.loads((run / "config.json").read_text())
    recipe = {
        "environment": "predict-output",
        "sources": {"own": {"kind": "traces", "path": "/home/somebody/corpus"}},
        "model": config["recipe"]["model"],
    }
    config |= {"recipe": recipe, "start": history_of(model_folder)}
    (run / "config.json").write_text(json.dumps(config))
    assert history_of(run)["start"] == history_of(run_folder) == history_of(model_folder)
    folder = export_run(run, tmp_path / "out")
    card = (folder.path / "README.md").read_text()
    first, second = card.split("First:")[1].split("Then, with these weights:")
    assert "- data: `" in first
    assert '- reinforcement learning: `predict-output`, questions {"own": "traces"}' in second
    assert "somebody" not in (folder.path / "opencwm.json").read_text()
    assert history_of(tmp_path) == {}


@pytest.fixture
def report(cli: Cli, model_folder: Path, tmp_path: Path) -> Path:
    """What ``opencwm eval steps --json`` prints, made on this machine."""
    outcome = cli("eval", "steps", "--programs", "2", "--seed=3", "--max-steps", "5", "--model", model_folder,
                  "-o", tmp_path / "results", "--json")  # fmt: skip
    path = tmp_path / "report.json"
    path.write_text(outcome.out)
    return path


def test_the_card_tells_what_a_report_says(run_folder: Path, tmp_path: Path, report: Path) -> None:
    folder = export_run(run_folder, tmp_path / "out", reports=[report])
    card = (folder.path / "README.md").read_text()
    found = json.loads(report.read_text())
    assert "\nopencwm eval steps --programs 2 --seed=3 --max-steps 5\n" in card
    assert "On 2 generated held-out programs, seed 3" in card
    assert found["settings"]["predictor"]["revision"] in card
    assert str(tmp_path) not in card + (folder.path / "opencwm.json").read_text()
    ahead, free = found["one_step"], found["free_running"]
    assert "(2 programs, 10 steps)" in card
    order = []
    for label, score in (
        ("next line", ahead["next_line"]),
        ("state (changed locals)", ahead["state"]),
        ("whole step", ahead["step"]),
        ("call arguments", ahead["arguments"]),
        ("values: strings", ahead["value_string"]),
        ("whole run", free["exact"]),
        ("outcome", free["outcome"]),
        ("outcome at once", found["direct"]["outcome"]),
    ):
        (row,) = (line for line in card.splitlines() if line.startswith(f"| {label} |"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[3:] == [str(score["num_right"]), str(score["num_total"])]
        if score["num_total"]:
            assert float(cells[1]) == pytest.approx(100 * score["fraction"], abs=0.011)
            ends = [float(end) for end in cells[2].split(" - ")]
            assert ends == pytest.approx([100 * end for end in score["interval_95"]], abs=0.011)
        order.append(card.index(row))
    assert order == sorted(order)
    for part in (ahead, free):
        assert f"A step takes {part['ms_per_step']:.1f} ms" in card
        assert f"and {part['tokens_per_step']:.1f} tokens" in card
    for bucket in free["by_num_steps"]:
        assert f"| {bucket['num_steps']} |" in card
    assert card.index("## Scores") < card.index("## Training") < card.index("### During training")
    assert "Nothing was measured." not in card


def test_a_part_that_was_not_measured_is_not_in_the_card(
    run_folder: Path, tmp_path: Path, report: Path
) -> None:
    edited(report.parent, report.name, lambda data: data.update(one_step=None))
    card = (export_run(run_folder, tmp_path / "out", reports=[report]).path / "README.md").read_text()
    assert "#### One step ahead" not in card
    assert "### Whole runs" in card


def test_jumps_and_inputs_are_in_the_card(
    cli: Cli, run_folder: Path, model_folder: Path, tmp_path: Path
) -> None:
    commands = {"jumps": ("--programs", "2"), "inputs": ("--programs", "2", "--draws", "2")}
    reports = {}
    for name, options in commands.items():
        reports[name] = tmp_path / f"{name}.json"
        outcome = cli("eval", name, *options, "--model", model_folder, "-o", tmp_path / name, "--json")
        reports[name].write_text(outcome.out)
    card = (
        export_run(run_folder, tmp_path / "out", reports=list(reports.values())).path / "README.md"
    ).read_text()
    jumps, inputs = (json.loads(path.read_text()) for path in reports.values())
    assert f"{jumps['num_jumps']} actions in 2 programs" in card
    for label, score in (
        ("place and state", jumps["right"]),
        ("place", jumps["place"]),
        ("over a line: all", jumps["by_action"]["step_over"]),
        ("the first call", inputs["pass_at_1"]),
        ("one of 2", inputs["pass_at_k"]),
    ):
        (row,) = (line for line in card.splitlines() if line.startswith(f"| {label} |"))
        assert row.endswith(f"| {score['num_right']} | {score['num_total']} |")
    for steps in jumps["by_distance"]:
        assert f"| over {steps} steps: all |" in card
    assert "\nopencwm eval inputs --programs 2 --draws 2\n" in card


def test_output_prediction_is_in_the_card(run_folder: Path, tmp_path: Path) -> None:
    score = {"num_right": 1, "num_total": 4, "interval_95": [0.05, 0.7]}
    report = tmp_path / "report.json"
    report.write_text(
        json.dumps(
            {
                "kind": "cruxeval",
                "command": "opencwm eval benchmark --data /there/items.jsonl --json",
                "data": "/there/items.jsonl",
                "by_method": {"trace": score},
            }
        )
    )
    card = (export_run(run_folder, tmp_path / "out", reports=[report]).path / "README.md").read_text()
    assert "| trace | 25.00 | 5.00 - 70.00 | 1 | 4 |" in card
    assert "\nopencwm eval benchmark --data items.jsonl\n" in card
    assert "/there" not in card


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("opencwm eval steps --programs 4", "opencwm eval steps --programs 4"),
        ("opencwm eval steps --model '/my models/m' --seed 3 -o out", "opencwm eval steps --seed 3"),
        ("opencwm eval steps --model=/m --output=/o -o/x --json", "opencwm eval steps"),
        ("opencwm eval steps --data=/d/e.parquet", "opencwm eval steps --data=e.parquet"),
        ("opencwm eval steps --data /d/e.parquet -o", "opencwm eval steps --data e.parquet"),
    ],
)
def test_commands_are_told_without_paths(typed: str, told: str) -> None:
    assert portable_command(typed) == told


def test_without_measurements_the_card_says_so(run_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    (run / "metrics.jsonl").unlink()
    folder = export_run(run, tmp_path / "out")
    assert "Nothing was measured." in (folder.path / "README.md").read_text()


def test_export_from_the_command_line(cli: Cli, run_folder: Path, tmp_path: Path) -> None:
    outcome = cli("export", run_folder, "-o", tmp_path / "out", "--safetensors")
    assert (outcome.status, outcome.out) == (0, "")
    assert "MiB written to" in outcome.err
    assert (tmp_path / "out" / "model.safetensors").exists()


def test_what_is_no_run_is_not_exported(cli: Cli, tmp_path: Path) -> None:
    assert "is no training run" in cli("export", tmp_path, "-o", tmp_path / "out").refused()
    assert not (tmp_path / "out").exists()


def test_a_run_with_another_vocabulary_is_not_exported(run_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    edited(run, "config.json", lambda data: data.update(recipe={"model": {"vocab_size": 7}}))
    with pytest.raises(ConfigError, match="7 token ids"):
        export_run(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"num_programs": 3}',
        '{"kind": "steps", "one_step": {"step": 1}}',
        '{"kind": "steps", "free_running": []}x',
        '{"kind": "steps", "command": "opencwm \'"}',
        '{"kind": "cruxeval", "by_method": [1]}',
    ],
)
def test_a_score_that_is_no_report_is_refused(run_folder: Path, tmp_path: Path, text: str) -> None:
    report = tmp_path / "report.json"
    report.write_text(text)
    with pytest.raises(ConfigError) as caught:
        export_run(run_folder, tmp_path / "out", reports=[report])
    assert caught.value.where == str(report)


def test_a_model_of_another_schema_version(cli: Cli, copy: Path) -> None:
    edited(copy, "opencwm.json", lambda data: data.update(schema_version=99))
    line = cli("eval", "steps", "--model", copy, "--programs", "1").refused()
    assert "schema version 99" in line
    assert "export the model again" in line


def test_a_model_with_a_vocabulary_of_another_version_of_the_format(cli: Cli, copy: Path) -> None:
    edited(copy, "native_vocabulary.json", lambda data: data.update(schema_version=99))
    assert "format version 99" in cli("eval", "steps", "--model", copy, "--programs", "1").refused()


def test_a_model_that_speaks_another_format(copy: Path) -> None:
    edited(copy, "opencwm.json", lambda data: data.update(codec="cwm"))
    with pytest.raises(EngineError, match="names no codec file"):
        NativeWorldModel.load(copy)


def test_weights_that_do_not_fit_the_vocabulary(copy: Path) -> None:
    def grow(data: dict[str, object]) -> None:
        words = data["words"]
        assert isinstance(words, list)
        words.append("notawordofthemodel")

    edited(copy, "native_vocabulary.json", grow)
    with pytest.raises(EngineError, match="1001"):
        NativeWorldModel.load(copy)


@pytest.mark.parametrize("name", ["opencwm.json", "config.json", "model.onnx", "native_vocabulary.json"])
def test_an_incomplete_model_folder(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(EngineError, match=name):
        NativeWorldModel.load(copy)


@pytest.mark.parametrize("name", ["opencwm.json", "config.json", "model.onnx", "native_vocabulary.json"])
def test_a_corrupt_model_folder(copy: Path, name: str) -> None:
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(EngineError):
        NativeWorldModel.load(copy)


def test_a_folder_that_is_no_model(cli: Cli, tmp_path: Path) -> None:
    assert "not an OpenCWM model folder" in cli("eval", "steps", "--model", tmp_path).refused()
    assert "no such model folder" in cli("eval", "steps", "--model", tmp_path / "nothing").refused()
