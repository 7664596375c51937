"""``opencwm web`` as users type it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from .conftest import EXAMPLES, Cli

STRAWBERRY = EXAMPLES / "strawberry.py"
CALL = ("--call", "f('bar', 'r')")
RUN = "import sys; from opencwm.frontends.cli import main; sys.exit(main(sys.argv[1:]))"


def test_saving_writes_one_file_and_serves_nothing(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "session.html"
    outcome = cli("web", STRAWBERRY, *CALL, "--real", "--save", path)
    assert outcome.status == 0
    assert outcome.out == ""
    assert f"{path}: " in outcome.err
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "f('bar', 'r')" in text
    assert "the program returned 'bar has one r'" in text


def test_the_prediction_is_saved_to_its_end(cli: Cli, tmp_path: Path, model_folder: Path) -> None:
    path = tmp_path / "session.html"
    outcome = cli("web", STRAWBERRY, *CALL, "--model", model_folder, "--max-steps", 5, "--save", path)
    assert outcome.status == 0
    assert '"source":"predicted"' in path.read_text(encoding="utf-8")


def test_bad_input_gets_one_line(cli: Cli, tmp_path: Path) -> None:
    assert "defines no 'g'" in cli("web", STRAWBERRY, "--call", "g()", "--real").refused()
    assert "exclude each other" in cli("web", STRAWBERRY, *CALL, "--real", "--compare").refused()
    assert "cannot be read" in cli("web", tmp_path / "none.py", *CALL).refused()
    nowhere = tmp_path / "nowhere" / "session.html"
    assert "no such folder" in cli("web", STRAWBERRY, *CALL, "--save", nowhere).refused()
    assert "cannot listen there" in cli("web", STRAWBERRY, *CALL, "--host", "203.0.113.7").refused()
    assert (
        "--real and --model exclude each other"
        in cli("web", STRAWBERRY, *CALL, "--real", "--model", "x").refused()
    )
    assert "Invalid value" in cli("web", STRAWBERRY, *CALL, "--port", "70000").refused()


def test_without_the_extra_it_says_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("opencwm.frontends.web.serving", "opencwm.frontends.quiet_server"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    line = cli("web", STRAWBERRY, *CALL, "--real").refused()
    assert "uvicorn" in line
    assert "pip install 'opencwm[web]'" in line


def test_it_prints_an_address_serves_there_and_ends_when_told_to() -> None:
    command = [sys.executable, "-c", RUN, "web", str(STRAWBERRY), *CALL, "--real"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        try:
            url = running.stdout.readline().strip()
            with httpx.Client(follow_redirects=True, trust_env=False, timeout=30) as client:
                assert "OpenCWM" in client.get(url).text
                state = client.get(str(httpx.URL(url).copy_with(path="/api/state", query=None))).json()
            assert state["call"] == "f('bar', 'r')"
            assert state["mode"] == "real"
        finally:
            running.terminate()
        assert running.wait(20) in (0, -15, 143)
        assert running.stderr.read() == ""
