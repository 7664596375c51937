from __future__ import annotations

import json
from pathlib import Path

import pytest

from opencwm.frontends.diagnosis import Verdict, check_model, judge_protection
from opencwm.sandbox import IsolationKind
from opencwm.sandbox.isolation import Outcome, ProtectionReport

from .conftest import Cli


def test_doctor_looks_at_everything(cli: Cli, model_folder: Path) -> None:
    outcome = cli("doctor", "--json", "--model", model_folder)
    checks = {(check["area"], check["name"]): check for check in json.loads(outcome.out)["checks"]}
    bad = [key for key, check in checks.items() if check["verdict"] == "bad"]
    assert outcome.status == (1 if bad else 0)
    assert checks["model", "tiny"]["verdict"] == "good"
    assert checks["python", "numpy"]["verdict"] == "good"
    assert checks["sandbox", "isolation"]["tested"] == ""
    tested = {name: check["tested"] for (area, name), check in checks.items() if check["tested"]}
    assert len(tested) == 14
    assert set(tested.values()) <= {"holds", "does not hold", "could not be tested"}
    for name in ("memory", "output", "left files", "deadline"):
        assert tested[name] == "holds"
        assert checks["sandbox", name]["verdict"] == "good"
        assert checks["sandbox", name]["detail"].startswith("holds: ")


def test_a_missing_model_is_bad_news_and_no_crash(tmp_path: Path) -> None:
    check = check_model(tmp_path)
    assert check.verdict is Verdict.BAD
    assert f"{tmp_path}: opencwm.json is missing" in check.detail


@pytest.mark.parametrize(
    ("name", "outcome", "kind", "verdict"),
    [
        ("network", Outcome.HOLDS, IsolationKind.RLIMITS, Verdict.GOOD),
        ("network", Outcome.BROKEN, IsolationKind.RLIMITS, Verdict.WEAK),
        ("network", Outcome.BROKEN, IsolationKind.BUBBLEWRAP, Verdict.BAD),
        ("network", Outcome.UNTESTED, IsolationKind.BUBBLEWRAP, Verdict.WEAK),
        ("system calls", Outcome.BROKEN, IsolationKind.BUBBLEWRAP, Verdict.WEAK),
        ("deadline", Outcome.BROKEN, IsolationKind.RLIMITS, Verdict.BAD),
    ],
)
def test_what_is_promised_and_does_not_hold_is_bad(
    name: str, outcome: Outcome, kind: IsolationKind, verdict: Verdict
) -> None:
    assert judge_protection(ProtectionReport(name, outcome, "", ""), kind) is verdict
