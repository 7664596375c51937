"""A build that is killed at any moment goes on where it was: nothing lost, nothing twice, the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recipes import content

RECIPE = """
seed = 11
unit_programs = 6
shard_programs = 20
[sources.generated]
kind = "generated"
programs = 48
[split]
valid = 0.1
test = 0.1
[encode]
formats = ["native"]
"""
NUM_KILLS = 20


def start(recipe: Path, folder: Path) -> subprocess.Popen[bytes]:
    """The command itself, with a worker of its own, as leader of a process group."""
    code = "import sys; from opencwm.frontends.cli import main; sys.exit(main())"
    command = ("corpus", "build", str(recipe), "-o", str(folder), "--workers", "1")
    return subprocess.Popen(
        [sys.executable, "-c", code, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate()
    assert process.returncode == 0, errors


@pytest.mark.slow
def test_killed_at_twenty_random_moments(tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE)
    began = time.monotonic()
    finish(start(recipe, tmp_path / "whole"))
    lasts_s = time.monotonic() - began
    wanted = content(tmp_path / "whole")
    rng = random.Random(2026)
    kills, builds, in_progress = 0, 0, 0
    folder = tmp_path / "killed0"
    while kills < NUM_KILLS:
        process = start(recipe, folder)
        try:
            process.wait(rng.uniform(0.1, 1.0) * lasts_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
            in_progress += (folder / ".build" / "units").exists()
            visible = {name: hash_ for name, hash_ in content(folder).items() if not name.endswith(".tmp")}
            assert visible.items() <= wanted.items(), "something half written was to be seen"
        else:
            finish(process)
            assert content(folder) == wanted
            builds += 1
            folder = tmp_path / f"killed{builds}"
    finish(start(recipe, folder))
    assert content(folder) == wanted
    assert in_progress >= 5, "too few kills met a build at work"
