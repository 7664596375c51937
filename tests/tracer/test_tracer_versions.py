"""The same program gives the same trace on every supported Python: the one kept as golden file."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from relaid_programs import relaid
from tracer_programs import PROGRAMS, outline

import opencwm
from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import generate_program, sample_config
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Trace
from opencwm.traces.jsonl import trace_to_json
from other_pythons import VERSIONS, interpreter

GOLDEN = Path(__file__).parent / "golden"
SOURCE_ROOT = Path(opencwm.__file__).parent.parent
SCRIPT = """
import json, sys
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program
from opencwm.traces.jsonl import trace_to_json
limits = TraceLimits(max_steps=int(sys.argv[1]), expressions=bool(sys.argv[2:]))
programs = {name: Program(*program) for name, program in json.load(sys.stdin).items()}
json.dump({name: trace_to_json(record(program, limits)) for name, program in programs.items()}, sys.stdout)
"""


@functools.cache
def traces_by(version: str, *, expressions: bool = False) -> dict[str, Any]:
    """Return the traces of all programs recorded by another interpreter."""
    programs = {name: Program(source, "main") for name, source in PROGRAMS.items()}
    return recorded_by(version, programs, TraceLimits(expressions=expressions))


def recorded_by(
    version: str, programs: Mapping[str, Program], limits: TraceLimits
) -> dict[str, dict[str, Any]]:
    """Return the traces of programs recorded by another interpreter."""
    executable = interpreter(version)
    if executable is None:
        pytest.skip(f"no Python {version} here")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    options = [str(limits.max_steps), *["detail"] * limits.expressions]
    run = subprocess.run(
        [executable, "-W", "ignore", "-c", SCRIPT, *options],
        input=json.dumps({name: (item.source, item.entry, item.call) for name, item in programs.items()}),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    for trace in found.values():
        assert trace.pop("python") == version
    return found


def as_json(trace: Trace) -> dict[str, Any]:
    """Return a trace as JSON that was written and read, without the version that recorded it."""
    found: dict[str, Any] = json.loads(json.dumps(trace_to_json(trace)))
    del found["python"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_python_gives_the_same_trace(name: str, version: str) -> None:
    assert traces_by(version)[name] == as_json(record(Program(PROGRAMS[name], "main")))


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "deep"])
def test_every_python_gives_the_same_evaluations(name: str, version: str) -> None:
    trace = record(Program(PROGRAMS[name], "main"), TraceLimits(expressions=True))
    assert traces_by(version, expressions=True)[name] == as_json(trace)


WORDINGS = {
    r"\b(integer|float) ((floor )?division( or modulo)?|modulo)( by zero)?": "division by zero",
    r"""ValueError\(['"\\].* is not in list\\?["']\)""": "ValueError('list.index(x): x not in list')",
    r"0\.0 cannot be raised to a negative power": "zero to a negative power",
    r"max\(\) arg is an empty sequence": "max() iterable argument is empty",
}
"""What Pythons say otherwise: by a pattern of what earlier ones say, what later ones do."""


def worded_alike(trace: dict[str, Any]) -> list[str]:
    """Return a trace as texts, one a step, in which exceptions of all Pythons read the same."""
    texts = [trace["status"], *map(json.dumps, trace["codes"]), *map(json.dumps, trace["steps"])]
    for pattern, wording in WORDINGS.items():
        texts = [re.sub(pattern, wording, text) for text in texts]
    return texts


@functools.cache
def generated_programs(*, is_relaid: bool) -> dict[str, Program]:
    """Return generated programs without displays of sets: their order is each Python's own."""
    programs: dict[str, Program] = {}
    for number in range(150):
        rng = derive_rng("versions", number)
        program = generate_program(rng, sample_config(rng))
        text = relaid(program.source, rng) if is_relaid else program.source
        if not any(isinstance(node, ast.Set) for node in ast.walk(ast.parse(text))):
            programs[str(number)] = Program(text, program.entry, program.call)
    return programs


@pytest.mark.parametrize("is_relaid", [False, True], ids=["as generated", "with other ends of lines"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_python_gives_the_same_trace_of_generated_programs(version: str, *, is_relaid: bool) -> None:
    programs = generated_programs(is_relaid=is_relaid)
    assert len(programs) > 75
    limits = TraceLimits(max_steps=2000)
    theirs = recorded_by(version, programs, limits)
    for name, program in programs.items():
        ours = as_json(record(program, limits))
        assert worded_alike(theirs[name]) == worded_alike(ours), program.text


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
