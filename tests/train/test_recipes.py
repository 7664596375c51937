from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from opencwm.core.config import from_dict, load_config, to_dict
from opencwm.train.config import TrainConfig
from opencwm.train.data import resolve

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(path for path in FOLDER.glob("*.toml") if "model" in tomllib.loads(path.read_text()))


def test_there_are_recipes() -> None:
    assert {"cpu_smoke", "cpu_twin", "cpu_5m", "gpu_27m", "from-scratch-1.8b", "finetune-cwm-32b"} <= {
        path.stem for path in RECIPES
    }


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_parses_and_its_sources_exist(path: Path) -> None:
    config = load_config(TrainConfig, path)
    assert from_dict(TrainConfig, to_dict(config)) == config
    assert callable(resolve(config.data.source))
    assert callable(resolve(config.data.held_out))
    assert config.model.head_dim >= 64
    assert config.optimizer.learning_rate <= 2e-3


def keys_of(table: dict[str, Any], prefix: str = "") -> set[str]:
    """Return every key of a recipe with its path; of a list, those of its entries."""
    found = set()
    for key, value in table.items():
        entries = value if isinstance(value, list) else [value]
        for entry in entries:
            found |= keys_of(entry, f"{prefix}{key}.") if isinstance(entry, dict) else {prefix + key}
    return found


def test_the_cpu_twin_has_every_part_of_the_gpu_recipe() -> None:
    """What `make test-slow` runs whole is the command that trained the shipped model, but for its size."""
    gpu, twin = (tomllib.loads((FOLDER / f"{name}.toml").read_text()) for name in ("gpu_27m", "cpu_twin"))
    assert keys_of(twin) == keys_of(gpu)
    same = ("source", "options.shares", "options.sources.generated.source", "options.sources.real.source")
    for path in ("optimizer", "model.head_dim", "model.vocab_size", "seed", *(f"data.{key}" for key in same)):
        assert reached(twin, path) == reached(gpu, path), path


def reached(table: Any, path: str) -> Any:
    for key in path.split("."):
        table = table[key]
    return table
