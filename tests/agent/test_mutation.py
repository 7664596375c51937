"""Tasks from repositories: which changes, which tasks, which repositories are refused."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opencwm.agent import mutation
from opencwm.agent.box import open_box
from opencwm.agent.mutation.baseline import Baseline, box_spec, prepare, record_baseline
from opencwm.agent.mutation.candidates import draw_candidates
from opencwm.agent.mutation.make import MutateConfig, _Maker, mutate_repository
from opencwm.agent.task import read_task
from opencwm.agent.testing import why_no_boxes
from opencwm.frontends.cli import main

from .conftest import WAREHOUSE, Made

needs_boxes = pytest.mark.skipif(bool(why_no_boxes()), reason=why_no_boxes())


def _all_covered() -> Baseline:
    paths = [path.relative_to(WAREHOUSE).as_posix() for path in sorted(WAREHOUSE.rglob("*.py"))]
    lines = {path: frozenset(range(1, 200)) for path in paths}
    return Baseline({"t": 0.1}, {}, {"t": lines}, {}, {}, "pytest")


def test_changes_are_of_every_kind_and_parse() -> None:
    found = list(draw_candidates(WAREHOUSE, _all_covered(), 0))
    operators = {candidate.operator for candidate in found}
    assert operators >= {
        *("remove-function", "remove-part", "remove-import", "remove-return"),
        *("drop-argument", "swap-arguments", "swap-names", "swap-arithmetic", "drop-negation"),
        *("boundary", "swap-comparison", "change-number", "negate-condition"),
    }
    for candidate in found:
        ast.parse(candidate.text)
        assert candidate.text != candidate.original
        assert not candidate.path.startswith("tests/")
    assert len({candidate.key for candidate in found}) == len(found) > 150


def test_a_seed_fixes_the_changes() -> None:
    drawn = [list(draw_candidates(WAREHOUSE, _all_covered(), seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert {candidate.key for candidate in drawn[0]} == {candidate.key for candidate in drawn[2]}


def test_only_lines_that_tests_run_are_changed() -> None:
    lines = {"warehouse/money.py": frozenset({8, 9})}
    baseline = Baseline({"t": 0.1}, {}, {"t": lines}, {}, {}, "pytest")
    found = list(draw_candidates(WAREHOUSE, baseline, 0))
    assert found
    assert {candidate.path for candidate in found} == {"warehouse/money.py"}
    assert all({8, 9} & set(candidate.lines) for candidate in found)


def test_tasks_say_what_fails_and_not_what_was_changed(made: Made) -> None:
    assert len(made.report.tasks) == 2
    for name in made.report.tasks:
        task = read_task(made.folder / name)
        assert task.fail_to_pass
        assert task.pass_to_pass
        assert not set(task.fail_to_pass) & set(task.pass_to_pass)
        assert task.fail_to_pass[0] in task.instruction
        mended = [line[1:].strip() for line in (task.gold_patch or "").splitlines()[3:] if line[0] == "+"]
        assert all(line not in task.instruction for line in mended if len(line) > 12)
        repository = task.directory / "environment/repo"
        assert not list(repository.rglob(".git"))
        (path,) = task.oracle_files
        assert (repository / path).read_text() != (WAREHOUSE / path).read_text()
    told = json.loads((made.folder / "mutate.json").read_text())
    assert told["status"] == "complete"
    assert "/" not in told["repository"]


def test_the_same_command_goes_on_and_runs_nothing_twice(made: Made) -> None:
    journal = (made.folder / "mutate.jsonl").read_text()
    with (made.folder / "mutate.jsonl").open("a") as file:
        file.write('{"signature": "torn')  # as a killed process leaves it
    again = mutate_repository(WAREHOUSE, made.folder, MutateConfig(num_tasks=2, seed=3))
    assert again.tasks == made.report.tasks
    assert (made.folder / "mutate.jsonl").read_text().startswith(journal)
    assert len((made.folder / "mutate.jsonl").read_text().splitlines()) == len(journal.splitlines()) + 1


def _repository(folder: Path, test: str, **files: str) -> Path:
    (folder / "test_it.py").write_text(test)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@needs_boxes
@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("def test(): assert False", "test_it.py::test: fails: assert False"),
        ("import nothing_there", "before any change: test_it.py: fails: ModuleNotFoundError"),
        ("import time\ndef test(): time.sleep(99)", "the tests take over 5 s, test_it.py::test had begun"),
        ("import socket\ndef test(): socket.create_connection(('192.0.2.1', 9))", "needs the network"),
        ("def test(): open('/home/x', 'w').write('x')", "the tests write outside their folder: /home/x"),
        ("x = 1", "the test command ran no test of pytest"),
    ],
)
def test_repositories_that_cannot_be_used_are_refused(
    tmp_path: Path, test: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"
    arguments = ["tasks", "mutate", str(_repository(tmp_path, test)), "-o", str(tmp_path / "out")]
    timeout = "5" if "sleep" in test else "60"
    assert main([*arguments, "--timeout", timeout, "--test-command", command]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert reason in told.err
    assert told.err.count("\n") == 1
    assert json.loads((tmp_path / "out/mutate.json").read_text())["status"] == "refused"


@needs_boxes
def test_tests_that_fail_before_are_left_out_with_their_reason(tmp_path: Path) -> None:
    test = "import it\ndef test_a(): assert it.f(1) == 2\ndef test_b(): assert it.f(1) == 3\n"
    repository = _repository(tmp_path, test, it="def f(x):\n    return x + 1\n")
    command = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest"
    found = record_baseline(repository, command=command, timeout_s=60)
    assert list(found.tests) == ["test_it.py::test_a"]
    assert found.left_out == {"test_it.py::test_b": "fails: assert 2 == 3"}
    assert found.touching("it.py", [2]) == ["test_it.py::test_a"]


def test_the_command_line_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "mutate", str(tmp_path / "none"), "-o", str(tmp_path)]) == 2
    assert main(["tasks", "import", str(tmp_path / "none"), "-o", str(tmp_path)]) == 2
    assert main(["tasks", "validate", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 3


def test_tasks_are_validated(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    path = made.folder / made.report.tasks[0]
    assert main(["tasks", "validate", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {str(path): {"is_sound": True, "reason": ""}}


SUMS = """\
def positive(numbers):
    total = 0
    for number in numbers:
        if number > 0:
            total += number
    return total

def shifted(number):
    return number + 5
"""
TEST_SUMS = """\
from sums import positive, shifted

def test_positive():
    assert positive([1, 0, -2, 3]) == 4

def test_shifted():
    assert shifted(1) > 3
"""


@needs_boxes
def test_what_changes_nothing_is_told_from_what_no_test_notices(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "sums.py").write_text(SUMS)
    (repository / "test_sums.py").write_text(TEST_SUMS)
    baseline = record_baseline(repository, timeout_s=60)
    maker = _Maker(repository, tmp_path, MutateConfig(), baseline)
    ends = {"number >= 0": "equivalent: the tests run as before", "number + 6": "no test breaks"}
    with open_box(box_spec(repository, 60, "auto")) as base:
        prepare(base)
        for text, end in ends.items():
            candidates = draw_candidates(repository, baseline, 0)
            candidate = next(candidate for candidate in candidates if text in candidate.text)
            assert maker._judged(base, candidate)["outcome"] == end


DID = """\
class Box:
    def __init__(self, items):
        self.items = items
        self.me = self

    def __repr__(self):
        raise ValueError("nobody asks")

def f(given, *, loud=False):
    if loud:
        raise KeyError(given)
    return Box(given)

def test():
    f({"a", "b", "c"})
    try:
        f(VALUE, loud=True)
    except KeyError:
        pass
"""


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("{'x', 'y'}", "{'y', 'x'}", True),
        ("object()", "object()", True),
        ("1", "2", False),
        ("1", "1.0", False),
    ],
)
def test_a_test_has_the_digest_of_what_it_did(tmp_path: Path, one: str, other: str, is_same: bool) -> None:
    digests = []
    for number, value in enumerate((one, other)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "test_it.py").write_text(DID.replace("VALUE", value))
        recorder = Path(mutation.__file__).parents[1] / "verifier"
        env = {
            **os.environ,
            "PYTHONPATH": str(recorder),
            "PYTHONHASHSEED": str(number),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "OPENCWM_RECORD": str(folder / "record"),
            "OPENCWM_CALLS": str(folder),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "opencwm_recorder", "-p", "no:cacheprovider"]
        subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
        entries = [json.loads(line) for line in (folder / "record").read_text().splitlines()]
        digests.append(next(entry["calls"] for entry in entries if "test" in entry))
    assert all(digests)
    assert (digests[0] == digests[1]) is is_same
