"""Syntax that is newer than the oldest Python supported is recorded on those that have it, the same on each.

PEP 695 (type parameters, ``type``) and PEP 701 (f-strings) since 3.12; PEP 649 (annotations), PEP 750
(t-strings) and PEP 758 (``except`` without brackets) since 3.14.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from test_tracer_versions import recorded_by

from opencwm.tracer import TraceLimits
from opencwm.traces import Program
from other_pythons import VERSIONS

PROGRAMS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent / "new_syntax").glob("*.txt"))
}
CASES = [(name, version) for name in PROGRAMS for version in VERSIONS if version >= name.rpartition("_")[2]]
RESULTS = {
    "annotations_since_3.14": "(1, True, {'next': 'Node | None', 'value': 'Missing'})",
    "except_without_brackets_since_3.14": "(None, None, 0.5)",
    "f_strings_since_3.12": "('1 4 3 n=3', 'x, y')",
    "generics_since_3.12": "(3, 3, 'Pair', [3])",
    "t_strings_since_3.14": "('hello WORLD!', 'WORLD1 x 2')",
}
LINES = {
    "annotations_since_3.14": [11, 12, 5, 6, 7, 8, 8, 13, 14, 9, 10, 10, 14],
    "except_without_brackets_since_3.14": [7, 8, *[2, 3, 4, 4, 5, 6, 6] * 2, 2, 3, 4, 4, 8],
    "f_strings_since_3.12": [2, 3, 4, 5, 6, 5, 7, 5, 8, 9, 9],
    "generics_since_3.12": [11, 12, 13, 15, 7, 8, 8, 16, 9, 10, 10, 17, 3, 4, 4, 13, 14, 14, 17],
}


@functools.cache
def traces_by(version: str, *, expressions: bool) -> dict[str, dict[str, Any]]:
    """Return the traces of all programs that a version compiles."""
    names = {name for name, other in CASES if other == version}
    programs = {name: Program(PROGRAMS[name], "main") for name in names}
    return recorded_by(version, programs, TraceLimits(expressions=expressions))


@pytest.mark.parametrize(("name", "version"), CASES)
def test_new_syntax_is_recorded(name: str, version: str) -> None:
    trace = traces_by(version, expressions=False)[name]
    assert trace["status"] == "returned", trace["detail"]
    assert trace["steps"][-1][6] == RESULTS[name]
    if name in LINES:
        assert [step[2] for step in trace["steps"]] == LINES[name]


@pytest.mark.parametrize(("name", "version"), CASES)
def test_sub_expressions_change_no_step_of_new_syntax(name: str, version: str) -> None:
    plain = traces_by(version, expressions=False)[name]["steps"]
    detailed = traces_by(version, expressions=True)[name]["steps"]
    assert [step[:-1] for step in detailed] == [step[:-1] for step in plain]
    assert any(step[-1] for step in detailed)


@pytest.mark.parametrize("name", ["f_strings_since_3.12", "generics_since_3.12"])
@pytest.mark.parametrize("version", VERSIONS[2:])
def test_new_syntax_gives_the_same_trace_since_it_is_there(name: str, version: str) -> None:
    first = traces_by("3.12", expressions=False)[name]
    assert traces_by(version, expressions=False)[name] == first
