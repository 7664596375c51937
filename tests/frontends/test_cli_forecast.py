"""``opencwm forecast`` and ``eval planning`` on a small repository, with the model in the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opencwm.agent.testing import why_no_boxes

from .conftest import Cli

pytestmark = pytest.mark.skipif(bool(why_no_boxes()), reason=why_no_boxes())

CODE = """\
def largest(xs):
    best = xs[0]
    for x in xs:
        if x > best:
            best = x
    return best
"""
TESTS = (
    "from best import largest\n\n\ndef test_one():\n    assert largest([4]) == 4\n\n\n"
    "def test_more():\n    assert largest([1, 3, 2]) == 3\n"
)
WRONG = CODE.replace("x > best", "x < best")
PATCH = """\
diff --git a/best.py b/best.py
--- a/best.py
+++ b/best.py
@@ -1,6 +1,6 @@
 def largest(xs):
     best = xs[0]
     for x in xs:
-        if x > best:
+        if x < best:
             best = x
     return best
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "best"
    (folder / "tests").mkdir(parents=True)
    (folder / "best.py").write_text(CODE)
    (folder / "tests" / "test_best.py").write_text(TESTS)
    return folder


def test_tests_are_forecast_and_checked(cli: Cli, repository: Path, tmp_path: Path) -> None:
    outcome = cli("forecast", repository, "--json")
    assert outcome.status == 0
    found = json.loads(outcome.out)
    assert {item["test"].split("::")[1]: item["outlook"] for item in found["tests"]} == {
        "test_one": "passes",
        "test_more": "passes",
    }
    (tmp_path / "wrong.diff").write_text(PATCH)
    outcome = cli("forecast", repository, "--patch", tmp_path / "wrong.diff", "--verify")
    assert outcome.status == 1  # as a test command would
    assert "test_one: passes" in outcome.out
    assert "test_more: fails" in outcome.out
    assert "2 of 2" in outcome.err


def test_what_planning_saves_is_measured(cli: Cli, repository: Path, tmp_path: Path) -> None:
    made = cli("tasks", "mutate", repository, "-n", 1, "--seed", 3, "-o", tmp_path / "tasks")
    assert made.status == 0
    outcome = cli("eval", "planning", tmp_path / "tasks", "-o", tmp_path / "out", "--candidates", 3, "--json")
    assert outcome.status == 0
    report = json.loads(outcome.out)
    assert report["num_tasks"] == 1
    assert report["num_candidates"] == 3
    assert set(report["fitted"]) == {"as_is", "changed"}
    assert report["before"]["num"] == 2
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    again = cli("eval", "planning", tmp_path / "tasks", "-o", tmp_path / "out", "--candidates", 3, "--json")
    assert json.loads(again.out) == report
