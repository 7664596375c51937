"""Runs command lines in this process, through the real entry point."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from opencwm.codec.vocabulary import Vocabulary
from opencwm.frontends.cli import main
from opencwm.frontends.exporting import export_run
from opencwm.model.testing import random_weights, tiny_config

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclasses.dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    def refused(self) -> str:
        """The one line of a refusal."""
        assert self.status == 2, self
        assert self.out == "", self
        lines = self.err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("opencwm: ")
        return lines[0]


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(status, out, err)

    return run


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a program's text to a file."""

    def write(text: str) -> Path:
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training run leaves behind, with random weights."""
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("run")
    vocab_size = len(Vocabulary.default())
    config = tiny_config(vocab_size=vocab_size, max_position_embeddings=1024)
    weights = random_weights(config, seed=1)
    del weights["lm_head.weight"]
    (folder / "model").mkdir()
    config.save(folder / "model" / "config.json")
    save_file(weights, folder / "model" / "model.safetensors")
    recipe = {"model": {"vocab_size": vocab_size}, "data": {"source": "generated", "options": {"seed": 1}}}
    (folder / "config.json").write_text(json.dumps({"opencwm_version": "0.1.0", "recipe": recipe}))
    records = [
        {"kind": "train", "step": 10, "tokens": 40960, "loss": 0.5, "elapsed_s": 1800.0},
        {"kind": "eval", "step": 10, "loss": 0.25, "exact/line": 0.75},
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


@pytest.fixture(scope="session")
def model_folder(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows nothing, in the form in which models are shipped."""
    return export_run(run_folder, tmp_path_factory.mktemp("models") / "tiny").path
