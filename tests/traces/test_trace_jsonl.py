from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import TraceFormatError
from opencwm.traces import Program, Status, Step, StepKind, Trace
from opencwm.traces.jsonl import read_jsonl, trace_from_json, trace_to_json, write_jsonl
from opencwm.traces.testing import traces

PROGRAM = Program("def main():\n    return 1\n", "main")
EMPTY = Trace(PROGRAM, (), (), Status.RETURNED)


@settings(max_examples=25, deadline=None)
@given(traces())
def test_a_trace_survives_json(trace: Trace) -> None:
    assert trace_from_json(json.loads(json.dumps(trace_to_json(trace)))) == trace


@settings(max_examples=15, deadline=None)
@given(st.lists(traces(max_steps=4), max_size=3))
def test_traces_survive_a_file(tmp_path_factory: pytest.TempPathFactory, some: list[Trace]) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "traces.jsonl"
    assert write_jsonl(path, some) == len(some)
    assert list(read_jsonl(path)) == some


def test_a_lone_surrogate_survives_json() -> None:
    trace = Trace(Program("'\ud800'", "main"), (), (), Status.REFUSED)
    assert trace_from_json(json.loads(json.dumps(trace_to_json(trace)))) == trace


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(traces(max_steps=3), st.data())
def test_a_damaged_object_is_refused_or_read_never_worse(trace: Trace, data: st.DataObject) -> None:
    obj = trace_to_json(trace)
    key: Any = data.draw(st.sampled_from(sorted(obj)))
    place: Any = obj
    if obj[key] and isinstance(obj[key], list):
        place, key = obj[key], data.draw(st.integers(0, len(obj[key]) - 1))
    place[key] = data.draw(JSON)
    with contextlib.suppress(TraceFormatError):
        assert isinstance(trace_from_json(obj), Trace)


CODE = {"qualname": "main", "firstlineno": 1, "local_names": []}


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"schema_version": 99}, "t", "schema version 99"),
        ({"schema_version": True}, "t", "schema version True"),
        ({"status": "fine"}, "t.status", "unknown status"),
        ({"extra": 1}, "t", "unknown key 'extra'"),
        ({"steps": 3}, "t.steps", "expected an array, found a number"),
        ({"steps": [["call", 0, 1, 0, [], [], None, 0, []]]}, "t.steps[0].code", "0 is not between 0 and -1"),
        ({"steps": [["call", 0, 1]]}, "t.steps[0]", "a step has 9 items"),
        ({"steps": [["jump", 0, 1, 0, [], [], None, 0, []]]}, "t.steps[0]", "unknown kind"),
        (
            {"steps": [["call", 0, 1, 0, [], [], None, 0, [["1 + 2"]]]], "codes": [CODE]},
            "t.steps[0].evaluations",
            "an evaluation has 6 items",
        ),
        ({"mutation": {}}, "t.mutation", "key 'original' is missing"),
        ({"program": {}}, "t.program", "key 'source' is missing"),
        ({"detail": None}, "t.detail", "expected a string, found null"),
    ],
)
def test_errors_say_where(change: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(TraceFormatError) as caught:
        trace_from_json({**trace_to_json(EMPTY), **change}, where="t")
    assert caught.value.where == where
    assert what in caught.value.what


def test_flags_out_of_range_are_refused() -> None:
    from opencwm.traces import CodeInfo

    good = Trace(PROGRAM, (CodeInfo("main", 1, ()),), (Step(StepKind.CALL, 0, 1, 0),), Status.RETURNED)
    obj = trace_to_json(good)
    obj["steps"][0][7] = 16
    with pytest.raises(TraceFormatError, match="16 is not between 0 and 15"):
        trace_from_json(obj)


def test_a_cut_last_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    write_jsonl(path, [EMPTY, EMPTY])
    path.write_bytes(path.read_bytes()[:-20])
    reader = read_jsonl(path)
    assert next(reader) == EMPTY
    with pytest.raises(TraceFormatError, match=r"cut\.jsonl:2: the last line is cut off \(.*record it again"):
        next(reader)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("\n{]\n")
    with pytest.raises(TraceFormatError, match=r"bad\.jsonl:2: not JSON"):
        list(read_jsonl(path))


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"a": "\xff"}\n')
    with pytest.raises(TraceFormatError, match=r"latin\.jsonl:1"):
        list(read_jsonl(path))


def test_a_missing_file_or_a_directory_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(TraceFormatError):
            list(read_jsonl(path))
