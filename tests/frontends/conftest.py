"""Runs command lines in this process, through the real entry point."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from opencwm.frontends.cli import main

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
