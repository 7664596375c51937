"""``opencwm corpus harvest``: refusals are one line; the harvest itself is tested in tests/corpus/harvest."""

from __future__ import annotations

from pathlib import Path

import pytest

from opencwm.core.files import write_atomic

from .conftest import Cli

GOOD = '[[package]]\nname = "tinypack"\nversion = "1.0"\nlicence = "MIT"\n'


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (GOOD + "speed = 1\n", (), "unknown key 'speed'"),
        (GOOD.replace("MIT", "GPL-3.0-only"), (), "is not permissive"),
        (GOOD, ("--packages", "other"), "no package 'other'"),
        (GOOD, ("--set", "inputz=3"), "did you mean 'inputs'?"),
    ],
)
def test_what_is_wrong_is_one_line(
    cli: Cli, tmp_path: Path, text: str, arguments: tuple[str, ...], message: str
) -> None:
    write_atomic(tmp_path / "sources.toml", text)
    outcome = cli("corpus", "harvest", tmp_path / "sources.toml", "-o", tmp_path / "out", *arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
