from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from opencwm.codec.native import NativeCodec
from opencwm.core.errors import ConfigError
from opencwm.debugger.working import Working
from opencwm.evals.decode_cost import Cost
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.quantization import Candidate
from opencwm.frontends.exporting import export_hub_folder
from opencwm.frontends.quantizing import TORCH, TorchLoading, is_hugging_face, open_candidates
from opencwm.model.testing import ScriptedEngine

from .conftest import Cli


def test_precisions_are_compared(
    cli: Cli, program: Callable[[str], Path], run_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    short = program("def f(x):\n    return x\n")
    runs = tmp_path / "runs.jsonl"
    assert cli("trace", short, "--call", "f(1)", "--format", "jsonl", "-o", runs).status == 0
    options = ("--precisions", "fp32,int8:64", "--programs", "1", "--data", runs)
    arguments = ("eval", "quantization", run_folder, *options, "-o", tmp_path / "out")
    first = cli(*arguments)
    assert first.status == 0, first
    assert "Less fp32, paired by program" in first.out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"results.jsonl", "report.json", "report.md", "report.html", "quantization.png"}
    again = cli(*arguments, "--json")
    report = json.loads(again.out)
    assert report["command"].endswith("--json")
    assert list(report["precisions"]) == ["fp32", "int8:64"]
    cost = report["precisions"]["int8:64"]["cost"]
    assert cost["tokens_per_s"] > 0
    assert 20 < cost["peak_mib"] < 1_000
    assert report["precisions"]["int8:64"]["size_bytes"] < report["precisions"]["fp32"]["size_bytes"]


@pytest.mark.parametrize(
    ("precisions", "said"),
    [
        ("fp32", "two different precisions"),
        ("fp32,int3", "no such precision"),
        ("int8,int8:32", "two different"),
    ],
)
def test_other_lists_are_refused(cli: Cli, run_folder: Path, precisions: str, said: str) -> None:
    assert said in cli("eval", "quantization", run_folder, "--precisions", precisions).refused()


def test_int8_weights_are_no_source(cli: Cli, model_folder: Path) -> None:
    assert "holds int8 weights only" in cli("eval", "quantization", model_folder).refused()


class TestHuggingFaceFolders:
    """The seam to the torch engine: a fake stands for it."""

    @pytest.fixture
    def folder(self, run_folder: Path, tmp_path: Path) -> Path:
        export_hub_folder(run_folder, tmp_path / "hf")
        return tmp_path / "hf"

    def test_precisions_become_what_torch_is_told(self, folder: Path, tmp_path: Path) -> None:
        told: list[tuple[Path, TorchLoading]] = []

        def opener(path: Path, loading: TorchLoading) -> Candidate:
            told.append((path, loading))
            engine = ScriptedEngine.saying(48, [])
            predictor = NativePredictor("fake", NativeCodec(), engine)
            return Candidate("whatever", predictor, 1, lambda: Cost(1, 1, 1, 1))

        found = open_candidates(
            folder,
            ["bf16", "int8", "int4", "fp32"],
            tmp_path,
            expressions=True,
            working=Working.FOLLOWED,
            torch_opener=opener,
        )
        assert [candidate.name for candidate in found] == ["bf16", "int8", "int4", "fp32"]
        assert told == [
            (folder, TorchLoading("bfloat16")),
            (folder, TorchLoading("bfloat16", "int8")),
            (folder, TorchLoading("bfloat16", "int4")),
            (folder, TorchLoading("float32")),
        ]

    def test_a_block_size_is_nothing_for_torch(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="int8:128"):
            open_candidates(folder, ["int8:128"], tmp_path, expressions=True, working=Working.FOLLOWED)

    def test_one_that_speaks_no_cwm_is_said(self, cli: Cli, folder: Path) -> None:
        line = cli("eval", "quantization", folder, "--precisions", "bf16,int8").refused()
        assert "its tokenizer does not fit" in line

    def test_ours_are_told_from_theirs(self, folder: Path, run_folder: Path, model_folder: Path) -> None:
        assert is_hugging_face(folder)
        assert not is_hugging_face(run_folder)
        assert not is_hugging_face(model_folder)
        assert is_hugging_face(Path("facebook/cwm"))
        assert not is_hugging_face(Path("/nowhere/at/all"))

    def test_options_are_one_word(self) -> None:
        assert TORCH["int8"].spec(Path("facebook/cwm")) == "facebook/cwm,dtype=bfloat16,quantize=int8"
        assert TORCH["fp32"].spec(Path("folder")) == "folder,dtype=float32"
