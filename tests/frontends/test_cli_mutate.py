from __future__ import annotations

from pathlib import Path

import pytest

from opencwm.tracer import record
from opencwm.traces import Program, Trace
from opencwm.traces.jsonl import read_jsonl, write_jsonl
from opencwm.traces.parquet import read_parquet

from .conftest import Cli

SOURCES = (
    "def count(text, letter):\n    return sum(1 for one in text if one == letter)\n",
    "def first(xs):\n    return xs[0] if xs else None\n",
)
CALLS = (("count('abba', 'b')", "count('', 'b')"), ("first([1, 2])", "first([])"))


@pytest.fixture(scope="module")
def originals() -> list[Trace]:
    return [
        record(Program.from_call(source, call))
        for source, calls in zip(SOURCES, CALLS, strict=True)
        for call in calls
    ]


@pytest.fixture
def file(originals: list[Trace], tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "originals.jsonl", originals)
    return tmp_path / "originals.jsonl"


def test_mutants_of_a_file_are_written(cli: Cli, file: Path, originals: list[Trace], tmp_path: Path) -> None:
    outcome = cli(
        "corpus", "mutate", file, "-o", tmp_path / "mutants.parquet", "--per-program", 3, "--seed", 5
    )
    assert (outcome.status, outcome.out) == (0, "")
    assert "12 runs of mutants of 2 sources written" in outcome.err
    found = list(read_parquet(tmp_path / "mutants.parquet"))
    assert [trace.program.call for trace in found] == [
        call for calls in CALLS for _ in range(3) for call in calls
    ]
    ids = {trace.program.id for trace in originals}
    assert {trace.mutation.original for trace in found if trace.mutation} == ids
    assert (
        cli("corpus", "mutate", file, "-o", tmp_path / "b.jsonl", "--per-program", 3, "--seed", 5).status == 0
    )
    assert list(read_jsonl(tmp_path / "b.jsonl")) == found


def test_mutants_are_not_mutated_again(cli: Cli, file: Path, tmp_path: Path) -> None:
    assert cli("corpus", "mutate", file, "-o", tmp_path / "one.jsonl").status == 0
    assert "0 runs of mutants of 0 sources" in cli("corpus", "mutate", tmp_path / "one.jsonl", "-o", file).err


def test_runs_that_differ_are_told(cli: Cli, file: Path, tmp_path: Path) -> None:
    outcome = cli("corpus", "mutate", file, "-o", tmp_path / "one.jsonl", "--max-steps", 5)
    assert "(4 runs of originals; 4 runs were not the same again)" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nothing.jsonl", "-o", "x.jsonl"), "nothing.jsonl: no such file"),
        (("originals.jsonl", "-o", "x.txt"), "x.txt: unknown kind of file '.txt'"),
        (("originals.jsonl", "-o", "x.jsonl", "--set", "weights.bondary=1"), "did you mean 'boundary'?"),
        (("originals.jsonl", "-o", "x.jsonl", "--per-program", "0"), "--per-program"),
    ],
)
@pytest.mark.usefixtures("file")
def test_bad_input_is_one_line(
    cli: Cli, arguments: tuple[str, ...], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert problem in cli("corpus", "mutate", *arguments).refused()
    assert not list(tmp_path.glob("x.*"))
