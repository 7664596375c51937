"""The same program gives the same trace on every supported Python: the one kept as golden file."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tracer_programs import PROGRAMS, outline

import opencwm
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program
from opencwm.traces.jsonl import trace_to_json

GOLDEN = Path(__file__).parent / "golden"
SOURCE_ROOT = Path(opencwm.__file__).parent.parent
SCRIPT = """
import json, sys
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program
from opencwm.traces.jsonl import trace_to_json
programs = json.load(sys.stdin)
limits = TraceLimits(expressions=bool(sys.argv[1:]))
traces = {name: trace_to_json(record(Program(source, "main"), limits)) for name, source in programs.items()}
json.dump(traces, sys.stdout)
"""


def interpreter(version: str) -> str | None:
    """Return a working interpreter of that version, from PATH or from pyenv."""
    candidates = [shutil.which(f"python{version}")]
    pyenv = shutil.which("pyenv")
    if pyenv:
        found = subprocess.run([pyenv, "prefix", version], capture_output=True, text=True, check=False)
        candidates.append(f"{found.stdout.strip()}/bin/python" if found.returncode == 0 else None)
    for candidate in candidates:
        if candidate is None or not Path(candidate).exists():
            continue
        check = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if subprocess.run(check, capture_output=True, text=True, check=False).stdout.strip() == version:
            return candidate
    return None


@functools.cache
def traces_by(version: str, *, expressions: bool = False) -> dict[str, Any]:
    """Return the traces of all programs recorded by another interpreter."""
    executable = interpreter(version)
    if executable is None:
        pytest.skip(f"no Python {version} here")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [executable, "-c", SCRIPT, *["expressions"] * expressions],
        input=json.dumps(PROGRAMS),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


REPEATED_SINCE_3_14 = frozenset({"comprehension_shadowing", "comprehensions", "loops"})
"""Programs with a line that 3.14 reports again: the last test of a ``while`` on one line, ``any(...)``."""


def with_lines_once(trace: dict[str, Any]) -> dict[str, Any]:
    """Join the LINE steps of one line that follow each other, in a trace as JSON."""
    steps: list[Any] = []
    carried: tuple[dict[str, str], list[Any]] = {}, []
    for kind, *place, changed, deleted, value, flags, evaluations in trace["steps"]:
        changes, before = {**carried[0], **dict(changed)}, [*carried[1], *evaluations]
        if kind == "line" and steps and steps[-1][:4] == [kind, *place] and not deleted:
            carried = changes, before
            continue
        steps.append([kind, *place, sorted(changes.items()), deleted, value, flags, before])
        carried = {}, []
    return {**trace, "steps": steps}


def assert_same(name: str, version: str, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert theirs.pop("python") == version
    del ours["python"]
    ours = json.loads(json.dumps(ours))
    if version >= "3.14" and name in REPEATED_SINCE_3_14:
        assert theirs != ours
        theirs, ours = with_lines_once(theirs), with_lines_once(ours)
        text = json.dumps(ours).replace("integer division or modulo by zero", "division by zero")
        ours, theirs = json.loads(text), json.loads(json.dumps(theirs))
    assert theirs == ours


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_python_gives_the_same_trace(name: str, version: str) -> None:
    ours = trace_to_json(record(Program(PROGRAMS[name], "main")))
    assert_same(name, version, dict(traces_by(version)[name]), ours)


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "deep"])
def test_every_python_gives_the_same_evaluations(name: str, version: str) -> None:
    ours = trace_to_json(record(Program(PROGRAMS[name], "main"), TraceLimits(expressions=True)))
    assert_same(name, version, dict(traces_by(version, expressions=True)[name]), ours)


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "deep"])
def test_the_trace_is_the_golden_one(name: str) -> None:
    """Set OPENCWM_UPDATE_GOLDEN=1 to write the files anew, then read the difference."""
    path = GOLDEN / f"{name}.txt"
    found = outline(record(Program(PROGRAMS[name], "main")))
    if os.environ.get("OPENCWM_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_deep_recursion_ends_at_a_known_depth() -> None:
    trace = record(Program(PROGRAMS["deep"], "main"))
    assert trace.result == "('RecursionError', 998, True)"
    assert max(step.depth for step in trace.steps) == 999
