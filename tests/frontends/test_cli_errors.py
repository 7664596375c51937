"""What bad input gets: one line that says what, where and the mend, exit status 2, nothing half written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opencwm import __version__

from .conftest import EXAMPLES, Cli

STRAWBERRY = EXAMPLES / "strawberry.py"
COMMAND = (sys.executable, "-c", "import sys; from opencwm.frontends.cli import main; sys.exit(main())")


@pytest.fixture(params=["trace", "debug"])
def command(request: pytest.FixtureRequest) -> str:
    """Every command that takes a program refuses bad ones alike."""
    return str(request.param)


def test_a_file_that_does_not_parse(cli: Cli, command: str, program: Callable[[str], Path]) -> None:
    path = program("def f():\n    return (\n")
    line = cli(command, path, "--call", "f()").refused()
    assert f"{path}:2: not valid Python" in line


def test_a_call_that_names_no_function(cli: Cli, command: str) -> None:
    line = cli(command, STRAWBERRY, "--call", "count_letter('a', 'b')").refused()
    assert line.endswith("defines no 'count_letter' (did you mean 'count_letters'?)")


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_file(cli: Cli, command: str, program: Callable[[str], Path], text: str) -> None:
    assert "holds no code" in cli(command, program(text), "--call", "f()").refused()


def test_a_file_in_another_encoding(cli: Cli, command: str, tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes("def f():\n    return 'ü'\n".encode("latin-1"))
    line = cli(command, path, "--call", "f()").refused()
    assert str(path) in line
    assert "save it as UTF-8" in line


def test_a_declared_encoding_is_honoured(cli: Cli, command: str, tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes("# -*- coding: latin-1 -*-\ndef f():\n    return 'ü'\n".encode("latin-1"))
    outcome = cli(
        command, path, "--call", "f()", *(["--real", "--commands", "c"] if command == "debug" else [])
    )
    assert outcome.status == 0
    assert "'ü'" in outcome.out


def test_a_directory(cli: Cli, command: str, tmp_path: Path) -> None:
    assert f"{tmp_path}: is a directory" in cli(command, tmp_path, "--call", "f()").refused()


def test_a_missing_file(cli: Cli, command: str, tmp_path: Path) -> None:
    path = tmp_path / "nothing.py"
    assert f"{path}: cannot be read: No such file" in cli(command, path, "--call", "f()").refused()


def test_a_call_and_an_entry(cli: Cli, command: str) -> None:
    assert "exclude each other" in cli(command, STRAWBERRY, "--call", "f('a', 'b')", "--entry", "f").refused()


def test_an_unknown_format(cli: Cli) -> None:
    line = cli("trace", STRAWBERRY, "--call", "f('a', 'b')", "--format", "xml").refused()
    assert "xml" in line
    assert "jsonl" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["trace"],
        ["trace", "a.py", "--nonsense"],
        ["--nonsense"],
        ["trace", "a.py", "--timeout", "soon"],
    ],
)
def test_a_command_line_that_makes_no_sense(cli: Cli, arguments: list[str]) -> None:
    assert "--help`)" in cli(*arguments).refused()


def test_an_output_that_cannot_be_written(cli: Cli, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    line = cli(
        "trace", str(STRAWBERRY), "--call", "f('a', 'b')", "--format", "jsonl", "-o", blocker / "t.jsonl"
    ).refused()
    assert str(blocker) in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_traceback_shows_where(tmp_path: Path) -> None:
    finished = subprocess.run(
        [*COMMAND, "--traceback", "trace", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback (most recent call last)" in finished.stderr
    assert "is a directory" in finished.stderr
    assert finished.returncode == 2


def test_nothing_prints_the_help_of_a_group(cli: Cli) -> None:
    outcome = cli()
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.startswith("Usage: opencwm")


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"opencwm {__version__}\n"


def test_a_reader_that_stops_early_is_no_error() -> None:
    arguments = [*COMMAND, "trace", str(STRAWBERRY), "--call", "f('ab' * 120, 'r')", "--rows", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) in (0, 1)


def test_help_lists_every_command_with_its_whole_sentence(cli: Cli) -> None:
    text = cli("--help").out
    assert "..." not in text.partition("ARGS]...")[2]
    sections = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert sections[:2] == ["Options:", "Predict a program:"]
    for name in ("predict", "corpus", "eval", "tasks", "doctor"):
        assert f"\n  {name.ljust(8)}  " in text
    assert cli("rollout", "--help").out.startswith("Usage: opencwm rollout [OPTIONS] TASKS...\n")


@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_a_full_disk_is_one_line(form: str) -> None:
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run(
            [*COMMAND, "trace", STRAWBERRY, "--call", "f('a', 'b')", "--format", form],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert finished.returncode == 2
    assert finished.stderr == "opencwm: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_a_reader_that_stops_is_no_failure(form: str, program: Callable[[str], Path]) -> None:
    path = program("def f():\n    for i in range(900):\n        pass\n")
    arguments = [*COMMAND, "trace", str(path), "--entry", "f", "--format", form, "--rows", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_output_onto_a_folder_names_the_folder(cli: Cli, tmp_path: Path) -> None:
    line = cli("trace", STRAWBERRY, "--call", "f('a', 'b')", "-o", tmp_path).refused()
    assert line == f"opencwm: {tmp_path}: Is a directory"
