"""Models are loaded once for all threads, ahead of need or when needed."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from opencwm.core.errors import EngineError
from opencwm.debugger.world_model import WorldModel
from opencwm.frontends.models import Models


def test_all_threads_get_the_same_model(model_folder: Path) -> None:
    models = Models()
    found: list[WorldModel] = []
    threads = [threading.Thread(target=lambda: found.append(models.get(model_folder))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({id(world) for world in found}) == 1


def test_loading_can_begin_ahead_and_is_not_done_twice(model_folder: Path) -> None:
    models = Models()
    models.begin(model_folder)
    models.begin(model_folder)
    assert models.get(model_folder) is models.get(model_folder)


def test_what_is_loaded_already_is_used(model_folder: Path) -> None:
    world = WorldModel.load(model_folder)
    assert Models({None: world}).get() is world


def test_a_failure_is_told_to_who_wants_the_model_and_tried_again(tmp_path: Path, model_folder: Path) -> None:
    models, path = Models(), tmp_path / "late"
    models.begin(path)
    with pytest.raises(EngineError):
        models.get(path)
    shutil.copytree(model_folder, path)
    assert models.get(path).name == "late"
