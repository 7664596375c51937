from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Cli

BUILD = ("corpus", "build", "--programs", "24", "--seed", "5", "--workers", "1")
SETTINGS = ("--set", "programs_per_shard=12", "--set", "test_fraction=0.3")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from opencwm.frontends.cli import main

    folder = tmp_path_factory.mktemp("corpora") / "corpus"
    assert main([*BUILD, *SETTINGS, "-o", str(folder)]) == 0
    return folder


@pytest.fixture
def corpus(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "corpus")
    return tmp_path / "corpus"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_info_tells_what_build_made(cli: Cli, corpus: Path) -> None:
    outcome = cli("corpus", "info", corpus)
    assert outcome.status == 0
    assert outcome.out.startswith(f"{corpus}: 24 programs, seed 5\n")
    report = json.loads(cli("corpus", "info", corpus, "--json").out)
    assert sum(shard["rows"] for shard in report["shards"]) == report["num_programs"] == 24


def test_building_again_changes_nothing(cli: Cli, corpus: Path) -> None:
    before = files(corpus)
    assert cli(*BUILD, *SETTINGS, "-o", corpus).status == 0
    assert files(corpus) == before


def test_a_damaged_shard_is_renewed_by_building_again(cli: Cli, corpus: Path) -> None:
    before = files(corpus)
    shard = next((corpus / "train").glob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:100])
    assert cli(*BUILD, *SETTINGS, "-o", corpus).status == 0
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


def test_a_folder_with_something_else_in_it_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("kept")
    assert str(tmp_path) in cli(*BUILD, "-o", tmp_path).refused()
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_corpus_of_other_settings_is_left_alone(cli: Cli, corpus: Path) -> None:
    before = files(corpus)
    line = cli("corpus", "build", "--programs", "24", "--seed", "6", *SETTINGS, "-o", corpus).refused()
    assert "seed is 5 there, 6 here" in line
    assert files(corpus) == before


@pytest.mark.parametrize("setting", ["programs_per_shart=3", "programs_per_shard=x", "programs_per_shard"])
def test_a_wrong_setting(cli: Cli, tmp_path: Path, setting: str) -> None:
    assert "programs_per_sh" in cli(*BUILD, "--set", setting, "-o", tmp_path / "new").refused()
    assert not (tmp_path / "new").exists()
