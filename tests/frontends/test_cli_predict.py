"""``opencwm predict`` with the model in the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opencwm.frontends.cli import main


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "p.py"
    path.write_text("def f(a, b):\n    c = a + b\n    return c * 2\n\ndef g():\n    raise KeyError('x')\n")
    return str(path)


def test_the_outcome_is_data_and_the_rest_is_talk(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", program, "--call", "f('ab', 'c')"]) == 0
    out, err = capsys.readouterr()
    assert out == "'abcabc'\n"
    assert "returned after" in err
    assert main(["predict", program, "--call", "g()"]) == 0
    out, err = capsys.readouterr()
    assert out == "KeyError('x')\n"
    assert "raised after" in err


def test_runs_vote(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["predict", program, "--call", "f(1, 2)", "--rollouts", "3", "--search", "2", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["outcome"] == {"kind": "returned", "value": "6"}
    assert found["votes"] == found["rollouts"] == 2  # the third could not change it
    assert found["probability"] == 1
    assert found["ends"] == ["ended", "ended"]


def test_a_run_that_does_not_end_has_no_outcome(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", program, "--call", "f(1, 2)", "--max-steps", "2"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "no run came to an end: 2 steps are over" in err
    assert main(["predict", program, "--call", "f(1, 2)", "--max-steps", "2", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["outcome"] is None


def test_what_cannot_be_predicted_is_one_line(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", program, "--call", "h()"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
