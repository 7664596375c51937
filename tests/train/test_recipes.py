from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from opencwm.core.config import from_dict, load_config, to_dict
from opencwm.train.config import TrainConfig
from opencwm.train.data import resolve

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(path for path in FOLDER.glob("*.toml") if "model" in tomllib.loads(path.read_text()))


def test_there_are_recipes() -> None:
    assert {"cpu_smoke", "cpu_5m", "gpu_27m"} <= {path.stem for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_parses_and_its_sources_exist(path: Path) -> None:
    config = load_config(TrainConfig, path)
    assert from_dict(TrainConfig, to_dict(config)) == config
    assert callable(resolve(config.data.source))
    assert callable(resolve(config.data.held_out))
    assert config.model.head_dim == 64
    assert config.optimizer.learning_rate <= 2e-3
