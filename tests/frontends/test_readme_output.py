"""What the README shows is what its commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from .conftest import Cli

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL
)
SHOWN = [
    part.partition("\n") for block in BLOCKS for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


@pytest.mark.parametrize(("command", "output"), [(command, output) for command, _, output in SHOWN])
def test_a_command_prints_what_the_readme_shows(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str, output: str
) -> None:
    monkeypatch.chdir(ROOT)
    program, *arguments = shlex.split(command)
    assert program == "opencwm"
    outcome = cli(*arguments)
    assert outcome.out + outcome.err == output
    assert outcome.status == 0
