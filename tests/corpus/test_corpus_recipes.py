from __future__ import annotations

from pathlib import Path

import pytest

from opencwm.core.config import from_dict, load_config, to_dict
from opencwm.corpus.formats import FORMATS
from opencwm.corpus.recipe import Recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("corpus-*.toml"))


def test_there_are_recipes() -> None:
    assert {"corpus-small", "corpus-full"} <= {path.stem for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_parses(path: Path) -> None:
    recipe = load_config(Recipe, path)
    assert from_dict(Recipe, to_dict(recipe)) == recipe
    assert set(recipe.encode.formats) <= set(FORMATS)
    assert recipe.split.test > 0
    assert recipe.deduplicate.near < 1
