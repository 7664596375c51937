from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import TraceFormatError
from opencwm.traces import CodeInfo, Program, Status, Step, StepKind, Trace
from opencwm.traces.parquet import read_metadata, read_parquet, trace_schema, write_parquet
from opencwm.traces.testing import traces

PROGRAM = Program("def main():\n    return 1\n", "main")
TRACE = Trace(
    PROGRAM,
    (CodeInfo("main", 1, ("x",)),),
    (Step(StepKind.CALL, 0, 1, 0, (("x", "'é'"),)), Step(StepKind.RETURN, 0, 2, 0, (), ("x",), "1")),
    Status.RETURNED,
    python="3.11",
    stdout="out\n",
)


@settings(max_examples=12, deadline=None)
@given(st.lists(traces(max_steps=5), max_size=3))
def test_traces_survive_a_file(tmp_path_factory: pytest.TempPathFactory, some: list[Trace]) -> None:
    path = tmp_path_factory.mktemp("parquet") / "traces.parquet"
    assert write_parquet(path, some) == len(some)
    assert list(read_parquet(path)) == some


def test_more_than_a_row_group_keeps_its_order(tmp_path: Path) -> None:
    some = [Trace(PROGRAM, (), (), Status.RETURNED, detail=str(i)) for i in range(600)]
    write_parquet(tmp_path / "many.parquet", iter(some))
    assert list(read_parquet(tmp_path / "many.parquet")) == some


def test_the_same_traces_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_parquet(tmp_path / name, [TRACE] * 300, {"seed": "1"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_metadata_is_kept(tmp_path: Path) -> None:
    write_parquet(tmp_path / "m.parquet", [], {"seed": "7", "größe": "é"})
    assert read_metadata(tmp_path / "m.parquet") == {"seed": "7", "größe": "é"}


def test_a_cut_file_is_one_line_with_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "cut.parquet"
    write_parquet(path, [TRACE])
    whole = path.read_bytes()
    for size in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(
            TraceFormatError, match=r"cut\.parquet: not a whole Parquet file.*write it again"
        ) as caught:
            list(read_parquet(path))
        assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused_or_read(tmp_path: Path) -> None:
    path = tmp_path / "damaged.parquet"
    write_parquet(path, [TRACE] * 3)
    whole = path.read_bytes()
    num_refused = 0
    for place in range(0, len(whole), max(len(whole) // 60, 1)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            list(read_parquet(path))
        except TraceFormatError:
            num_refused += 1
    assert num_refused > 10


def test_other_parquet_files_are_told_apart(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"x": [1]}), other)
    with pytest.raises(TraceFormatError, match="not one of traces"):
        list(read_parquet(other))
    schema = trace_schema().with_metadata({"opencwm.schema_version": "99"})
    pq.write_table(pa.Table.from_pylist([], schema=schema), other)
    with pytest.raises(TraceFormatError, match="schema version 99 instead of 2"):
        list(read_parquet(other))
    pq.write_table(pa.table({"x": [1]}).replace_schema_metadata({"opencwm.schema_version": "2"}), other)
    with pytest.raises(TraceFormatError, match="its columns are not"):
        list(read_parquet(other))
    with pytest.raises(TraceFormatError, match="no such file"):
        list(read_parquet(tmp_path / "none"))
    with pytest.raises(TraceFormatError):
        list(read_parquet(tmp_path))


def test_a_failing_source_of_traces_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> object:
        yield TRACE
        raise KeyError("lost")

    with pytest.raises(KeyError):
        write_parquet(tmp_path / "half.parquet", failing())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError, match="text that is no Unicode"):
        write_parquet(tmp_path / "s.parquet", [Trace(Program("'\ud800'", "main"), (), (), Status.REFUSED)])
    assert list(tmp_path.iterdir()) == []


def test_importing_does_not_load_pyarrow() -> None:
    code = "import sys, opencwm.traces.parquet, opencwm.tracer.child; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
