from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from opencwm.core.errors import EngineError
from opencwm.model.export import export_onnx, read_weights
from opencwm.model.folder import (
    ModelFolder,
    ModelMeta,
    default_model_path,
    export_folder,
    load_folder,
    write_meta,
)
from opencwm.model.testing import random_weights, tiny_config

pytest.importorskip("onnx")
safetensors_numpy = pytest.importorskip("safetensors.numpy")


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    config = tiny_config()
    run = tmp_path / "run"
    run.mkdir()
    weights = random_weights(config, seed=0)
    del weights["lm_head.weight"]
    safetensors_numpy.save_file(weights, run / "model.safetensors")
    config.save(run / "config.json")
    vocabulary = tmp_path / "vocabulary.json"
    vocabulary.write_text("{}")
    meta = ModelMeta(
        codec="native", codec_files=("vocabulary.json",), scores={"state": 0.5}, training={"steps": 10}
    )
    return export_folder(run, tmp_path / "out", meta=meta, card="# A model\n", codec_sources=[vocabulary])


def test_a_folder_is_whole_and_runs(folder: ModelFolder) -> None:
    names = {path.name for path in folder.path.iterdir()}
    assert names == {
        "config.json",
        "model.onnx",
        "batch.onnx",
        "rows.onnx",
        "opencwm.json",
        "README.md",
        "vocabulary.json",
    }
    again = load_folder(folder.path)
    assert again == folder
    assert again.codec_file("vocabulary.json").read_text() == "{}"
    with pytest.raises(EngineError, match="no codec file 'other'"):
        again.codec_file("other")
    engine = again.engine()
    assert (engine.vocab_size, engine.max_tokens) == (48, 512)
    assert np.isfinite(engine.append([1, 2, 3])).all()


def test_a_folder_in_fp32_gives_the_weights_as_they_are(folder: ModelFolder, tmp_path: Path) -> None:
    exact = export_folder(
        tmp_path / "run",
        tmp_path / "fp32",
        meta=dataclasses.replace(folder.meta, weights="fp32"),
        card="",
        codec_sources=[tmp_path / "vocabulary.json"],
    )
    export_onnx(
        folder.config, read_weights(tmp_path / "run" / "model.safetensors"), tmp_path / "x.onnx", kind="fp32"
    )
    assert (exact.path / "model.onnx").read_bytes() == (tmp_path / "x.onnx").read_bytes()
    rounded, whole = (model.engine().append([1, 2, 3]) for model in (folder, exact))
    assert 0 < np.abs(rounded - whole).max() < 0.1


def test_scores_can_be_added_later(folder: ModelFolder) -> None:
    meta = ModelMeta(codec="native", codec_files=("vocabulary.json",), scores={"line": 0.9}, training={})
    write_meta(folder.path, meta)
    assert load_folder(folder.path).meta == meta


def replace_meta(**changes: object) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "opencwm.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return apply


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda folder: (folder / "opencwm.json").unlink(), "opencwm.json is missing"),
        (lambda folder: (folder / "opencwm.json").write_text("{"), "cannot be read as JSON"),
        (lambda folder: (folder / "opencwm.json").write_text("[]"), "schema version None"),
        (replace_meta(schema_version=99), "has schema version 99, this version of OpenCWM reads 1"),
        (replace_meta(scores=3), "incomplete or malformed"),
        (replace_meta(codec_files=["../secret"]), "plain file names"),
        (replace_meta(codec_files="vocabulary.json"), "plain file names"),
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx is missing"),
        (lambda folder: (folder / "vocabulary.json").unlink(), "vocabulary.json is missing"),
        (lambda folder: (folder / "config.json").write_text("{}"), "model_type is None"),
    ],
)
def test_a_damaged_folder_is_one_line(
    folder: ModelFolder, damage: Callable[[Path], object], what: str
) -> None:
    damage(folder.path)
    with pytest.raises(EngineError, match=what) as caught:
        load_folder(folder.path)
    assert "\n" not in str(caught.value)
    assert str(folder.path) in str(caught.value)


def test_a_truncated_graph_is_an_engine_error(folder: ModelFolder) -> None:
    path = folder.path / "model.onnx"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(EngineError, match="cannot be loaded"):
        load_folder(folder.path).engine()


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no such model folder"):
        load_folder(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="is a file, not a model folder"):
        load_folder(tmp_path / "file")


def test_export_leaves_no_half_folder(folder: ModelFolder, tmp_path: Path) -> None:
    weights = tmp_path / "run" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    meta = ModelMeta(codec="native", scores={}, training={})
    with pytest.raises(EngineError, match="cannot be read"):
        export_folder(tmp_path / "run", tmp_path / "new", meta=meta, card="")
    assert not (tmp_path / "new").exists()
    with pytest.raises(EngineError, match="codec_sources differ"):
        export_folder(tmp_path / "run", tmp_path / "new", meta=folder.meta, card="")


def test_the_default_model_lies_in_the_package() -> None:
    path = default_model_path()
    assert path.parts[-4:] == ("opencwm", "model", "weights", "default")
