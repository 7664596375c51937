"""Traces in Parquet files: one row a trace, steps nested, zstd.

Any Parquet reader can use the files; the schema version stands in the file's key-value metadata. The same
traces written by the same pyarrow give the same bytes. pyarrow is imported by the first call.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opencwm.core.errors import TraceFormatError
from opencwm.core.files import atomic_path
from opencwm.traces.jsonl import trace_from_json, trace_to_json
from opencwm.traces.trace import SCHEMA_VERSION, Trace

if TYPE_CHECKING:
    import pyarrow as pa

VERSION_KEY = "opencwm.schema_version"
ROWS_PER_GROUP = 256
_STEP_FIELDS = ("kind", "code", "lineno", "depth", "changed", "deleted", "value", "flags", "evaluations")
_EVALUATION_FIELDS = ("text", "value", "lineno", "col", "end_lineno", "end_col")
_MEND = "write it again; a file that was copied may have been cut"


def trace_schema() -> pa.Schema:
    """Return the columns of a trace file."""
    import pyarrow as pa

    texts = pa.list_(pa.field("item", pa.string(), nullable=False))
    binding = pa.struct([pa.field("name", pa.string(), False), pa.field("value", pa.string(), False)])
    code = pa.struct(
        [
            pa.field("qualname", pa.string(), False),
            pa.field("firstlineno", pa.int32(), False),
            pa.field("local_names", texts, False),
        ]
    )
    evaluation = pa.struct(
        [
            pa.field(name, pa.string() if i < 2 else pa.int32(), False)
            for i, name in enumerate(_EVALUATION_FIELDS)
        ]
    )
    step = pa.struct(
        [
            pa.field("kind", pa.string(), False),
            pa.field("code", pa.int32(), False),
            pa.field("lineno", pa.int32(), False),
            pa.field("depth", pa.int32(), False),
            pa.field("changed", pa.list_(pa.field("item", binding, False)), False),
            pa.field("deleted", texts, False),
            pa.field("value", pa.string(), True),
            pa.field("flags", pa.int32(), False),
            pa.field("evaluations", pa.list_(pa.field("item", evaluation, False)), False),
        ]
    )
    mutation = pa.struct(
        [
            pa.field("original", pa.string(), False),
            pa.field("operator", pa.string(), False),
            pa.field("first_divergence", pa.int32(), True),
            pa.field("is_equivalent", pa.bool_(), False),
        ]
    )
    names = ("source", "entry", "call", "filename", "origin", "licence", "group")
    program = pa.struct([pa.field(name, pa.string(), name == "call") for name in names])
    return pa.schema(
        [
            pa.field("program", program, False),
            pa.field("codes", pa.list_(pa.field("item", code, False)), False),
            pa.field("steps", pa.list_(pa.field("item", step, False)), False),
            *(pa.field(name, pa.string(), False) for name in ("status", "detail", "python", "stdout")),
            pa.field("mutation", mutation, True),
        ]
    )


def write_parquet(path: Path, traces: Iterable[Trace], metadata: Mapping[str, str] | None = None) -> int:
    """Write ``traces`` to ``path``, whole or not at all; return how many.

    Args:
        path: file to write.
        traces: taken one row group (256) at a time, so they may be many.
        metadata: added to the file's key-value metadata.

    Raises:
        TraceFormatError: a text cannot be written as UTF-8.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = trace_schema().with_metadata({**(metadata or {}), VERSION_KEY: str(SCHEMA_VERSION)})
    remaining = iter(traces)
    count = 0
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while group := list(itertools.islice(remaining, ROWS_PER_GROUP)):
            try:
                table = pa.Table.from_pylist([_row(trace) for trace in group], schema=schema)
            except UnicodeEncodeError as error:
                what = f"text that is no Unicode after trace {count}: {error.reason}"
                hint = "leave out programs with lone surrogates"
                raise TraceFormatError(what, where=str(path), hint=hint) from None
            writer.write_table(table)
            count += len(group)
    return count


def read_parquet(path: Path) -> Iterator[Trace]:
    """Yield the traces of ``path`` in order, one row group in memory at a time.

    Raises:
        TraceFormatError: the file cannot be read, is cut off, is of another schema, or holds a row that is no
            trace.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_schema(file, path)
            number = 0
            for group in range(file.num_row_groups):
                for row in file.read_row_group(group).to_pylist():
                    yield trace_from_json(_object(row), where=f"{path}: row {number}")
                    number += 1
    except FileNotFoundError:
        raise TraceFormatError("no such file", where=str(path)) from None
    except IsADirectoryError:
        raise TraceFormatError("is a directory", where=str(path), hint="name one of its files") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        what = "not a whole Parquet file: " + " ".join(str(error).split())[:200]
        raise TraceFormatError(what, where=str(path), hint=_MEND) from None


def read_metadata(path: Path) -> dict[str, str]:
    """Return the key-value metadata given to :func:`write_parquet`.

    Raises:
        TraceFormatError: the file cannot be read or is no trace file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_schema(file, path)
            found = file.schema_arrow.metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise TraceFormatError("not a whole Parquet file", where=str(path), hint=_MEND) from error
    return {key.decode(): value.decode() for key, value in found.items() if key.decode() != VERSION_KEY}


def _check_schema(file: Any, path: Path) -> None:
    found = (file.schema_arrow.metadata or {}).get(VERSION_KEY.encode())
    if found is None:
        hint = "traces are written by `opencwm trace --format parquet`"
        raise TraceFormatError("a Parquet file, but not one of traces", where=str(path), hint=hint)
    if found != str(SCHEMA_VERSION).encode():
        raise TraceFormatError(
            f"schema version {found.decode(errors='replace')} instead of {SCHEMA_VERSION}",
            where=str(path),
            hint="record it again with this version of OpenCWM",
        )
    if not file.schema_arrow.equals(trace_schema(), check_metadata=False):
        raise TraceFormatError("its columns are not those of a trace file", where=str(path), hint=_MEND)


def _row(trace: Trace) -> dict[str, Any]:
    row = trace_to_json(trace)
    del row["schema_version"]
    row["steps"] = [
        {
            **dict(zip(_STEP_FIELDS, step, strict=True)),
            "changed": [{"name": name, "value": value} for name, value in step[4]],
            "evaluations": [dict(zip(_EVALUATION_FIELDS, item, strict=True)) for item in step[8]],
        }
        for step in row["steps"]
    ]
    return row


def _object(row: dict[str, Any]) -> dict[str, Any]:
    steps = []
    for step in row["steps"]:
        lists = {
            "changed": [[binding["name"], binding["value"]] for binding in step["changed"]],
            "evaluations": [[item[field] for field in _EVALUATION_FIELDS] for item in step["evaluations"]],
        }
        steps.append([lists[field] if field in lists else step[field] for field in _STEP_FIELDS])
    return {**row, "schema_version": SCHEMA_VERSION, "steps": steps}
