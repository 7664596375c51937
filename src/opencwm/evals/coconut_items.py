"""Items of CoCoNUT, read strictly from its files: which lines a run executes, in order.

A file is a CSV with a header, or JSONL with the same names. Calls of HumanEval's functions: ``HumanEval_ID``,
``Name`` of the called function, ``FunctionCall``, its arguments in parentheses, ``Code_Indices``, the code
with the number of each line behind it as a comment, ``ExecutedLines``, the list of lines. Programs of the
advanced topics: ``Filename``, ``Category``, ``Code_Indices``, ``ExecutedLines``; their run is that of the
block ``if __name__ == "__main__":``, which is made a function in place, so that lines keep their numbers.
Other columns are ignored.

A trace is right when it is the list; beside it stand the tasks all of whose traces are right, and the
similarity. Our traces take a comprehension for part of its function: where the interpreter that made a list
counted its rounds as lines, no prediction can be right, and ``--validate`` rejects the list. So it does where
code reads a variable of the main block as a global. Concurrency is not covered: its lists mark with
parentheses lines whose order is free.

The names of the columns, the task and the scores were taken from the code and the README of the authors'
repository. It does not say whether ``FunctionCall`` may be the whole call; one of ``Name`` is taken as such.
Source: Beger and Dutta, "CoCoNUT: structural code understanding does not fall out of a tree", arXiv
2501.16456. No item comes with this package.
"""

from __future__ import annotations

import ast
import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.evals.cruxeval_items import program_of, read_bytes, read_objects
from opencwm.evals.probes import Probe, Probes
from opencwm.evals.questions import Lines
from opencwm.evals.runs import literal
from opencwm.traces import Program

_MAIN = re.compile(r"if\s+__name__\s*==\s*(['\"])__main__\1\s*:\s*(#.*)?")
_ENTRY = "main"


def load_items(path: Path) -> Probes:
    """Read all items of a file.

    Raises:
        ConfigError: the file cannot be read, holds no item, or a row is none; the error names the line.
    """
    found = Probes()
    rows = read_objects(path) if path.suffix in (".jsonl", ".json") else _rows(path)
    seen: Counter[str] = Counter()
    for number, fields in rows:
        probe = item_of(fields, f"{path}:{number}")
        found.items.append(probe.named(f"{probe.group}#{seen[probe.group]}"))
        seen[probe.group] += 1
    if not found.items:
        raise ConfigError("the file is empty", where=str(path))
    return found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8: {error.reason}", where=str(path)) from None
    limit = csv.field_size_limit(sys.maxsize)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows: list[tuple[int, dict[str, Any]]] = []
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise ConfigError(
                        "the row has more or fewer cells than the header", where=f"{path}:{reader.line_num}"
                    )
                rows.append((reader.line_num, dict(row)))
        except csv.Error as error:
            raise ConfigError(f"not CSV: {error}", where=f"{path}:{reader.line_num}") from None
    finally:
        csv.field_size_limit(limit)
    yield from rows


def item_of(fields: dict[str, Any], where: str) -> Probe:
    """Return the item that a row holds; raises :class:`ConfigError` for what is none."""
    is_call = "HumanEval_ID" in fields
    texts = ("Name", "FunctionCall", "Code_Indices") if is_call else ("Filename", "Category", "Code_Indices")
    for name in texts:
        if not isinstance(fields.get(name), str):
            raise ConfigError(f"{name!r} must be a string", where=where)
    code = unnumbered(fields["Code_Indices"])
    if is_call:
        group = fields["HumanEval_ID"]
        if not isinstance(group, str | int) or isinstance(group, bool) or group == "":
            raise ConfigError("'HumanEval_ID' must be a string or an integer", where=where)
        call = _call(fields["Name"], fields["FunctionCall"].strip())
        program = program_of(code, lambda: call, str(group), where)
    else:
        group = f"{fields['Category']}/{fields['Filename']}"
        program = _main(code, group, where)
    gold = _lines(fields.get("ExecutedLines"), code.count("\n") + 1, where)
    return Probe(id=str(group), group=str(group), program=program, questions=(Lines(),), golds=(gold,))


def unnumbered(code: str) -> str:
    """Return code without the comment on each line that holds the line's number."""
    lines = code.replace("\r\n", "\n").split("\n")
    return "\n".join(re.sub(rf"[ \t]*#[ \t]*{n}[ \t]*$", "", line) for n, line in enumerate(lines, 1))


def _call(name: str, arguments: str) -> str:
    return f"{name}{arguments}" if arguments.startswith("(") else arguments


def _main(code: str, group: str, where: str) -> Program:
    """Return the program whose entry is the main block."""
    lines = code.split("\n")
    blocks = [number for number, line in enumerate(lines) if _MAIN.fullmatch(line.rstrip())]
    if len(blocks) != 1:
        raise ConfigError("'Code_Indices' must have one block if __name__ == \"__main__\":", where=where)
    program = program_of(code, lambda: "0", group, where)
    entry = program.entry  # no name of the code
    lines[blocks[0]] = f"def {entry}():"
    source = "\n".join(lines)
    body = ast.parse(source).body
    if not isinstance(body[-1], ast.FunctionDef) or body[-1].name != entry:
        raise ConfigError("nothing may follow the main block", where=where)
    return Program(source, entry, filename=group)


def _lines(value: Any, num_lines: int, where: str) -> list[int]:
    lines = literal(value) if isinstance(value, str) else value
    if not isinstance(lines, list) or not all(type(line) is int and 1 <= line <= num_lines for line in lines):
        raise ConfigError(
            "'ExecutedLines' must be a list of lines of the code",
            where=where,
            hint="lists of the topic concurrency, with parentheses, are not covered",
        )
    return lines
