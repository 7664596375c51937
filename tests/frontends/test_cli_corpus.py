from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Cli

RECIPE = """
seed = 5
unit_programs = 12
shard_programs = 12
[sources.generated]
kind = "generated"
programs = 24
[split]
test = 0.3
"""


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def built(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from opencwm.frontends.cli import main

    folder = tmp_path_factory.mktemp("corpora") / "corpus"
    assert main(["corpus", "build", str(recipe), "--workers", "1", "-o", str(folder)]) == 0
    return folder


@pytest.fixture
def corpus(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "corpus")
    return tmp_path / "corpus"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_info_shows_the_card_of_what_build_made(cli: Cli, corpus: Path) -> None:
    outcome = cli("corpus", "info", corpus)
    assert outcome.status == 0
    report = json.loads(cli("corpus", "info", corpus, "--json").out)
    assert sum(shard["rows"] for shard in report["shards"]) == report["num_programs"]
    assert outcome.out.startswith(f"{corpus}: {report['num_programs']} programs, seed 5\n")
    card = (corpus / "README.md").read_text()
    for title in ("Splits", "Sources", "Licences", "Length", "Constructs", "Values"):
        assert f"## {title}\n" in outcome.out
        assert f"## {title}\n" in card
    assert "| generated | 24 |" in outcome.out


def test_building_again_changes_nothing_and_names_the_card(cli: Cli, corpus: Path, recipe: Path) -> None:
    before = files(corpus)
    outcome = cli("corpus", "build", recipe, "-o", corpus)
    assert outcome.status == 0
    assert outcome.err == f"opencwm: the data card is {corpus / 'README.md'}\n"
    assert files(corpus) == before


def test_the_folder_is_named_after_the_recipe(
    cli: Cli, corpus: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(corpus.parent)
    corpus.rename(corpus.parent / "tiny")
    assert cli("corpus", "build", recipe, "--json").out.startswith('{\n  "folder": "tiny"')


def test_test_sets_are_reported_on_stderr(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"code": "def g(q):\\n    return q\\n"}\n')
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.py").write_text("x = 1\n")
    against = [word for name in ("mine.jsonl", "mine") for word in ("--against", tmp_path / name)]
    outcome = cli("corpus", "build", recipe, "-o", tmp_path / "out", "--workers", "0", *against, "--json")
    assert outcome.status == 0
    first, second, _ = outcome.err.splitlines()
    assert first.startswith("opencwm: mine.jsonl: 1 items; fell: ")
    assert second == "opencwm: mine: 1 items; fell: nothing"
    names = [one["name"] for one in json.loads(outcome.out)["decontamination"]]
    assert names == ["mine.jsonl", "mine"]


def test_a_damaged_shard_is_renewed_by_building_again(cli: Cli, corpus: Path, recipe: Path) -> None:
    before = files(corpus)
    shard = next((corpus / "train").glob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:100])
    assert cli("corpus", "build", recipe, "-o", corpus, "--workers", "0").status == 0
    assert files(corpus) == before


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes) -> bytes:
    return data[:50] + bytes([data[50] ^ 1]) + data[51:]


@pytest.mark.parametrize("damage", [truncate, flip])
def test_a_corrupt_shard(cli: Cli, corpus: Path, damage: Callable[[bytes], bytes]) -> None:
    shard = next((corpus / "test").glob("*.parquet"))
    shard.write_bytes(damage(shard.read_bytes()))
    line = cli("corpus", "info", corpus).refused()
    assert str(shard) in line
    assert "run opencwm corpus build again" in line


def test_a_corrupt_shard_is_not_evaluated_on(cli: Cli, corpus: Path, model_folder: Path) -> None:
    shard = next((corpus / "test").glob("*.parquet"))
    shard.write_bytes(truncate(shard.read_bytes()))
    assert str(shard) in cli("eval", "steps", "--data", corpus, "--model", model_folder).refused()


def test_a_truncated_parquet_file(cli: Cli, corpus: Path, model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    path.write_bytes(truncate(next((corpus / "train").glob("*.parquet")).read_bytes()))
    assert str(path) in cli("eval", "steps", "--data", path, "--model", model_folder).refused()


def test_a_missing_shard(cli: Cli, corpus: Path) -> None:
    next((corpus / "test").glob("*.parquet")).unlink()
    assert "missing or damaged" in cli("corpus", "info", corpus).refused()


def test_a_manifest_of_another_schema_version(cli: Cli, corpus: Path) -> None:
    path = corpus / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    assert "schema version 99" in cli("corpus", "info", corpus).refused()


def test_what_is_no_corpus(cli: Cli, tmp_path: Path) -> None:
    assert "not a finished corpus" in cli("corpus", "info", tmp_path).refused()
    assert "not a finished corpus" in cli("corpus", "info", tmp_path / "nothing").refused()


def test_a_folder_with_something_else_in_it_is_left_alone(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("kept")
    assert str(tmp_path) in cli("corpus", "build", recipe, "-o", tmp_path).refused()
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_corpus_of_another_recipe_is_left_alone(cli: Cli, corpus: Path, recipe: Path) -> None:
    before = files(corpus)
    line = cli("corpus", "build", recipe, "--set", "seed=6", "-o", corpus).refused()
    assert "seed is 5 there, 6 here" in line
    assert files(corpus) == before


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("shard_program=3", "unknown key 'shard_program' (did you mean 'shard_programs'?)"),
        ("shard_programs=x", "shard_programs: must be an integer"),
        ("shard_programs", "must look like table.key=value"),
        ("sources.generated.programs=0", "must be at least 1, not 0"),
        ("sources.generated.path=x", "sources.generated: unknown key 'path'"),
    ],
)
def test_a_wrong_setting(cli: Cli, recipe: Path, tmp_path: Path, setting: str, what: str) -> None:
    assert what in cli("corpus", "build", recipe, "--set", setting, "-o", tmp_path / "new").refused()
    assert not (tmp_path / "new").exists()


def test_what_is_no_recipe(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("seed = ")
    assert "not valid TOML" in cli("corpus", "build", tmp_path / "r.toml", "-o", tmp_path / "new").refused()
    assert "cannot be read" in cli("corpus", "build", tmp_path / "absent.toml").refused()
    assert "no engine 'x'" in cli("corpus", "build", recipe_of(tmp_path), "--engine", "x").refused()


def recipe_of(folder: Path) -> Path:
    path = folder / "whole.toml"
    path.write_text(RECIPE)
    return path
