"""``opencwm eval`` over several processes: the report of one, whatever happens to a process on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from opencwm.corpus.trace_files import save_traces
from opencwm.tracer import record
from opencwm.traces import Program

from .conftest import Cli

STEPS = ("eval", "steps", "--programs", "6", "--max-steps", "4", "--json")
TIMES = frozenset({"ms_per_step", "seconds", "seconds_per_item", "command", "seconds_per_program"})


def without_times(report: Any) -> Any:
    if isinstance(report, dict):
        return {
            key: without_times(value)
            for key, value in report.items()
            if key not in TIMES and not key.startswith(("ms_", "seconds"))
        }
    return [without_times(value) for value in report] if isinstance(report, list) else report


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six short recorded runs."""
    path = tmp_path_factory.mktemp("runs") / "runs.jsonl"
    programs = [Program.from_call(f"def f(a):\n    return a + {n}\n", f"f({n})") for n in range(6)]
    save_traces(path, [record(program) for program in programs])
    return path


def start(*arguments: object) -> subprocess.Popen[str]:
    code = "import sys; from opencwm.frontends.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def engine_pids(parent: int) -> list[int]:
    """The engine processes that a process started."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parts = (path / "stat").read_text().rpartition(")")[2].split()
            is_engine = b"engine_process" in (path / "cmdline").read_bytes()
        except OSError:
            continue
        if is_engine and int(parts[1]) == parent and parts[0] != "Z":
            found.append(int(path.name))
    return found


def keys_of(journal: Path) -> list[str]:
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [json.loads(line)["key"] for line in lines[1:]]


def wait_for(journal: Path, num_results: int) -> None:
    deadline = time.monotonic() + 60
    while journal.exists() is False or journal.read_bytes().count(b"\n") < num_results + 1:
        assert time.monotonic() < deadline, "no result came"
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_process_changes_nothing_in_the_report(
    cli: Cli, model_folder: Path, runs: Path, tmp_path: Path
) -> None:
    asked = (*STEPS, "--data", runs, "--model", model_folder)
    alone = json.loads(cli(*asked).out)
    folder = tmp_path / "results"
    run = start(*asked, "--engine-workers", 2, "-o", folder)
    wait_for(folder / "results.jsonl", 1)
    os.kill(engine_pids(run.pid)[0], signal.SIGKILL)
    out, err = run.communicate(timeout=120)
    assert (run.returncode, err) == (0, "")
    spread = json.loads(out)
    assert without_times(spread) == without_times(alone)
    assert len(keys_of(folder / "results.jsonl")) == len(set(keys_of(folder / "results.jsonl"))) == 6


def test_an_interrupted_run_leaves_results_and_no_process_and_goes_on(
    cli: Cli, model_folder: Path, runs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    asked = (*STEPS, "--data", runs, "--model", model_folder, "-o", folder)
    run = start(*asked, "--engine-workers", 2)
    wait_for(folder / "results.jsonl", 1)
    engines = engine_pids(run.pid)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out, err) == (130, "", "")
    assert not any(Path(f"/proc/{pid}").exists() for pid in engines)
    kept = keys_of(folder / "results.jsonl")
    assert 1 <= len(kept) < 6
    whole = json.loads(cli(*asked).out)  # another number of processes is no other evaluation
    assert keys_of(folder / "results.jsonl")[: len(kept)] == kept
    assert without_times(whole) == without_times(json.loads(cli(*asked[:-2]).out))


@pytest.mark.slow
def test_other_evaluations_are_spread_as_well(
    cli: Cli, model_folder: Path, runs: Path, tmp_path: Path
) -> None:
    items = tmp_path / "items.jsonl"
    codes = ("def f(a):\n    return a + 1", "def f(a):\n    return [a] * 2")
    lines = [{"id": f"own_{n}", "code": code, "input": "1"} for n, code in enumerate(codes)]
    items.write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked: tuple[object, ...]
    for asked in (
        ("eval", "benchmark", "--data", items, "--max-steps", "5"),
        ("eval", "jumps", "--data", runs, "--programs", "2", "--per-program", "1"),
        ("eval", "inputs", "--data", runs, "--programs", "2"),
    ):
        reports = []
        for workers in (1, 2):
            outcome = cli(*asked, "--model", model_folder, "--engine-workers", workers, "--json")
            assert outcome.status == 0, outcome
            reports.append(without_times(json.loads(outcome.out)))
        assert reports[0] == reports[1]


@pytest.mark.slow
def test_everything_is_spread_as_well(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    reports = []
    for workers in (1, 2):
        command = ("eval", "all", "--programs", "2", "--max-steps", "5", "-o", tmp_path / str(workers))
        outcome = cli(*command, "--model", model_folder, "--engine-workers", workers, "--json")
        reports.append(without_times(json.loads(outcome.out)))
    assert reports[0] == reports[1]


def test_options_that_exclude_each_other(cli: Cli, model_folder: Path) -> None:
    both = cli(*STEPS, "--model", model_folder, "--engine-workers", 2, "--batch", 2)
    assert "one of --batch and --engine-workers" in both.refused()
    assert "--engine-gpus: GPUs are handed out" in cli(*STEPS, "--engine-gpus", 1).refused()


def test_without_ray_the_mend_is_named(model_folder: Path) -> None:
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from opencwm.frontends.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [*STEPS, "--model", str(model_folder), "--ray"]
    finished = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=100, check=False
    )
    assert finished.returncode == 2
    assert finished.stderr == "opencwm: --ray: Ray is not installed (pip install 'opencwm[ray]')\n"


@pytest.mark.slow
def test_a_cluster_gives_the_same_report(cli: Cli, model_folder: Path, runs: Path) -> None:
    pytest.importorskip("ray")
    asked = (*STEPS, "--data", runs, "--model", model_folder)
    alone = json.loads(cli(*asked).out)
    run = start(*asked, "--engine-workers", 2, "--ray")
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert without_times(json.loads(out)) == without_times(alone)
