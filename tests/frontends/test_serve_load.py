"""The load test of ``opencwm serve``: 64 sessions at once, as ``benchmarks/serve_load.py`` runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_64_sessions_at_once_lose_nothing_and_share_passes() -> None:
    """All ids are those of one session at a time; processor time of each is less by far.

    Docs/serving.md has what is gained on a quiet machine, three times; the bound leaves room for a busy one.
    """
    shape = ("--sessions", "64", "--prompt", "16", "--requests", "4", "--new", "32", "--alone", "6")
    run = subprocess.run(
        [sys.executable, "benchmarks/serve_load.py", *shape],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "64 at once" in run.stdout
    assert "nothing lost, all ids equal" in run.stdout
    found = re.search(r"CPU time ([\d.]+) times less", run.stdout)
    assert found is not None
    assert float(found[1]) >= 2.5, run.stdout
    print(run.stdout)
