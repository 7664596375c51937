"""The same recipe on Ray Data: the same bytes."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from recipes import content, recipe

from opencwm.corpus.engines import run_ray_task
from opencwm.corpus.tasks import Setup
from opencwm.corpus.units import units_of

RECIPE = """
seed = 12
unit_programs = 10
shard_programs = 12
[sources.generated]
kind = "generated"
programs = 20
[mutants]
recorder = "in_process"
share = 0.5
[split]
valid = 0.2
test = 0.2
[encode]
formats = ["native"]
"""


def build(path: Path, folder: Path, engine: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from opencwm.frontends.cli import main; sys.exit(main())"
    command = ("corpus", "build", str(path), "-o", str(folder), "--workers", "2", "--engine", engine)
    return subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
def test_a_local_ray_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("ray.data")
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    for engine in ("local", "ray"):
        finished = build(path, tmp_path / engine, engine)
        assert finished.returncode == 0, finished
    assert content(tmp_path / "ray") == content(tmp_path / "local")
    assert len(content(tmp_path / "ray")) > 9


def test_a_task_that_fails_says_why(tmp_path: Path) -> None:
    sources = {"generated": {"kind": "generated", "programs": 5, "recorder": "recipes:failing_recorder"}}
    setup = Setup(recipe=recipe(sources=sources), folder=tmp_path)
    (unit,) = units_of(setup.recipe, {})
    row = {"setup": json.dumps(setup.to_json()), "task": json.dumps({"unit": dataclasses.asdict(unit)})}
    what, where, hint = json.loads(run_ray_task(row)["error"])
    assert what.startswith("cannot run ")
    assert (where, hint) == ("", "")


def test_without_ray_the_mend_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from opencwm.frontends.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = ("corpus", "build", str(path), "-o", str(tmp_path / "out"), "--engine", "ray")
    finished = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=100, check=False
    )
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line == "opencwm: --engine ray: Ray is not installed (pip install 'opencwm[ray]')"
