"""Traces as JSON objects, and as files with one such object a line.

The object is a literal picture of :class:`Trace`; nothing is recomputed. A step is a short array, because a
trace has many: ``[kind, code, lineno, depth, changed, deleted, value, flags, evaluations]``. ``changed`` is a
list of ``[name, value]``, ``evaluations`` one of ``[text, value, lineno, col, end_lineno, end_col]``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from opencwm.core.errors import TraceFormatError
from opencwm.core.files import atomic_path
from opencwm.traces.program import Program
from opencwm.traces.trace import (
    SCHEMA_VERSION,
    CodeInfo,
    Evaluation,
    Mutation,
    Status,
    Step,
    StepFlags,
    StepKind,
    Trace,
)

_TRACE_KEYS = (
    "schema_version",
    "program",
    "codes",
    "steps",
    "status",
    "detail",
    "python",
    "stdout",
    "mutation",
)
_PROGRAM_KEYS = ("source", "entry", "call", "filename", "origin", "licence", "group")
_CODE_KEYS = ("qualname", "firstlineno", "local_names")
_MUTATION_KEYS = ("original", "operator", "first_divergence", "is_equivalent")
_MAX_INT = 2**31 - 1
_ALL_FLAGS = sum(StepFlags)
_KINDS = {str(kind): kind for kind in StepKind}


def program_to_json(program: Program) -> dict[str, Any]:
    """Return ``program`` as JSON-compatible values."""
    return {key: getattr(program, key) for key in _PROGRAM_KEYS}


def program_from_json(obj: object, *, where: str = "program") -> Program:
    """Return the program that :func:`program_to_json` described.

    Raises:
        TraceFormatError: a key is missing, unknown or of the wrong type.
    """
    fields = _object(obj, _PROGRAM_KEYS, where)
    call = fields["call"]
    if call is not None:
        call = _text(call, f"{where}.call")
    texts = {key: _text(fields[key], f"{where}.{key}") for key in _PROGRAM_KEYS if key != "call"}
    return Program(call=call, **texts)


def trace_to_json(trace: Trace) -> dict[str, Any]:
    """Return ``trace`` as JSON-compatible values, keys in a fixed order."""
    return {
        "schema_version": SCHEMA_VERSION,
        "program": program_to_json(trace.program),
        "codes": [
            {
                "qualname": code.qualname,
                "firstlineno": code.firstlineno,
                "local_names": list(code.local_names),
            }
            for code in trace.codes
        ],
        "steps": [
            [
                str(step.kind),
                step.code,
                step.lineno,
                step.depth,
                [list(binding) for binding in step.changed],
                list(step.deleted),
                step.value,
                int(step.flags),
                [list(dataclasses.astuple(evaluation)) for evaluation in step.evaluations],
            ]
            for step in trace.steps
        ],
        "status": str(trace.status),
        "detail": trace.detail,
        "python": trace.python,
        "stdout": trace.stdout,
        "mutation": None if trace.mutation is None else dataclasses.asdict(trace.mutation),
    }


def trace_from_json(obj: object, *, where: str = "trace") -> Trace:
    """Return the trace that :func:`trace_to_json` described.

    Raises:
        TraceFormatError: another schema version, or a key missing, unknown, of the wrong type or out of
            range; the error names the place.
    """
    if not isinstance(obj, Mapping):
        raise TraceFormatError(f"expected a JSON object, found {_kind(obj)}", where=where)
    version = obj.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise TraceFormatError(
            f"schema version {version!r} instead of {SCHEMA_VERSION}",
            where=where,
            hint="record it again with this version of OpenCWM",
        )
    fields = _object(obj, _TRACE_KEYS, where)
    program = program_from_json(fields["program"], where=f"{where}.program")
    codes = tuple(
        _code_from_json(item, f"{where}.codes[{i}]")
        for i, item in enumerate(_list(fields["codes"], f"{where}.codes"))
    )
    steps = tuple(
        _step_from_json(item, len(codes), where, i)
        for i, item in enumerate(_list(fields["steps"], f"{where}.steps"))
    )
    try:
        status = Status(fields["status"])
    except ValueError:
        raise TraceFormatError(f"unknown status {fields['status']!r}", where=f"{where}.status") from None
    detail, python, stdout = (_text(fields[key], f"{where}.{key}") for key in ("detail", "python", "stdout"))
    mutation = None if fields["mutation"] is None else _mutation(fields["mutation"], f"{where}.mutation")
    return Trace(program, codes, steps, status, detail, python, stdout, mutation)


def write_jsonl(path: Path, traces: Iterable[Trace]) -> int:
    """Write ``traces`` to ``path``, one line each, whole or not at all; return how many.

    The same traces give the same bytes.
    """
    count = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for trace in traces:
            file.write(json.dumps(trace_to_json(trace), separators=(",", ":")) + "\n")
            count += 1
    return count


def read_jsonl(path: Path) -> Iterator[Trace]:
    """Yield the traces of ``path``. Blank lines are skipped.

    Raises:
        TraceFormatError: the file cannot be read, or a line is no trace; the error names the line.
    """
    hint = "the file was not written to its end; record it again"
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                where = f"{path}:{number}"
                try:
                    obj = json.loads(line)
                except (ValueError, RecursionError) as error:
                    cut = not line.endswith(b"\n")
                    what = "the last line is cut off" if cut else f"not JSON: {error}"
                    raise TraceFormatError(what, where=where, hint=hint if cut else "") from None
                yield trace_from_json(obj, where=where)
    except OSError as error:
        raise TraceFormatError(error.strerror or str(error), where=str(path)) from None


def _code_from_json(obj: object, where: str) -> CodeInfo:
    fields = _object(obj, _CODE_KEYS, where)
    names = tuple(
        _text(name, f"{where}.local_names") for name in _list(fields["local_names"], f"{where}.local_names")
    )
    return CodeInfo(
        _text(fields["qualname"], f"{where}.qualname"),
        _int(fields["firstlineno"], f"{where}.firstlineno"),
        names,
    )


def _step_from_json(obj: object, num_codes: int, trace: str, index: int) -> Step:
    where = f"{trace}.steps[{index}]"
    items = _list(obj, where)
    if len(items) != 9:
        raise TraceFormatError(f"a step has 9 items, found {len(items)}", where=where)
    kind, code, lineno, depth, changed, deleted, value, flags, evaluations = items
    if not isinstance(kind, str) or kind not in _KINDS:
        raise TraceFormatError(f"unknown kind {kind!r}", where=where)
    bindings = []
    for binding in _list(changed, f"{where}.changed"):
        pair = _list(binding, f"{where}.changed")
        if len(pair) != 2:
            raise TraceFormatError("a binding is [name, value]", where=f"{where}.changed")
        bindings.append((_text(pair[0], f"{where}.changed"), _text(pair[1], f"{where}.changed")))
    return Step(
        kind=_KINDS[kind],
        code=_int(code, f"{where}.code", most=num_codes - 1),
        lineno=_int(lineno, f"{where}.lineno"),
        depth=_int(depth, f"{where}.depth"),
        changed=tuple(bindings),
        deleted=tuple(_text(name, f"{where}.deleted") for name in _list(deleted, f"{where}.deleted")),
        value=None if value is None else _text(value, f"{where}.value"),
        flags=StepFlags(_int(flags, f"{where}.flags", most=_ALL_FLAGS)),
        evaluations=tuple(
            _evaluation(item, f"{where}.evaluations") for item in _list(evaluations, f"{where}.evaluations")
        ),
    )


def _evaluation(obj: object, where: str) -> Evaluation:
    items = _list(obj, where)
    if len(items) != 6:
        raise TraceFormatError(f"an evaluation has 6 items, found {len(items)}", where=where)
    text, value = (_text(item, where) for item in items[:2])
    lineno, col, end_lineno, end_col = (_int(item, where) for item in items[2:])
    return Evaluation(text, value, lineno, col, end_lineno, end_col)


def _mutation(obj: object, where: str) -> Mutation:
    fields = _object(obj, _MUTATION_KEYS, where)
    divergence, is_equivalent = fields["first_divergence"], fields["is_equivalent"]
    if not isinstance(is_equivalent, bool):
        raise TraceFormatError(
            f"expected a boolean, found {_kind(is_equivalent)}", where=f"{where}.is_equivalent"
        )
    return Mutation(
        _text(fields["original"], f"{where}.original"),
        _text(fields["operator"], f"{where}.operator"),
        None if divergence is None else _int(divergence, f"{where}.first_divergence"),
        is_equivalent,
    )


def _object(obj: object, keys: tuple[str, ...], where: str) -> Mapping[str, Any]:
    if not isinstance(obj, Mapping):
        raise TraceFormatError(f"expected a JSON object, found {_kind(obj)}", where=where)
    for key in keys:
        if key not in obj:
            raise TraceFormatError(f"key {key!r} is missing", where=where)
    for key in obj:
        if key not in keys:
            raise TraceFormatError(f"unknown key {key!r}", where=where)
    return obj


def _list(obj: object, where: str) -> list[Any]:
    if not isinstance(obj, list):
        raise TraceFormatError(f"expected an array, found {_kind(obj)}", where=where)
    return obj


def _text(obj: object, where: str) -> str:
    if not isinstance(obj, str):
        raise TraceFormatError(f"expected a string, found {_kind(obj)}", where=where)
    return obj


def _int(obj: object, where: str, *, most: int = _MAX_INT) -> int:
    if not isinstance(obj, int) or isinstance(obj, bool):
        raise TraceFormatError(f"expected an integer, found {_kind(obj)}", where=where)
    if not 0 <= obj <= most:
        raise TraceFormatError(f"{obj} is not between 0 and {most}", where=where)
    return obj


def _kind(obj: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(obj), "a number")
