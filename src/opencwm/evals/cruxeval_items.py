"""Items of an output-prediction benchmark, read strictly from JSONL.

One JSON object a line: ``id``, ``code`` that defines the function, ``input`` (its arguments as written
between the parentheses of a call), ``output`` (the rendered result; null, blank or absent when it is not
known). Other keys are ignored.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from opencwm.core.errors import ConfigError
from opencwm.evals.grading import is_right
from opencwm.traces import Outcome, OutcomeKind, Program

_KEYS = ("id", "task_id", "question_id")
_Made = TypeVar("_Made")

FUNCTION_NAME = "f"
"""What items call their function. A code without it must define exactly one function at its top level."""


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One question.

    Attributes:
        id: unique in its file.
        program: the code and the call.
        output: the gold answer as written, or None.

    """

    id: str
    program: Program
    output: str | None

    @property
    def gold(self) -> Outcome | None:
        """The gold answer as an outcome, or None without one; what reads as an exception means raising it."""
        if self.output is None:
            return None
        raised = Outcome(OutcomeKind.RAISED, self.output)
        return raised if is_right(raised, self.output) else Outcome(OutcomeKind.RETURNED, self.output)


def load_items(path: Path) -> list[Item]:
    """Read all items of a file.

    Raises:
        ConfigError: the file cannot be read, holds no item, or a line is no item; the error names the line.

    """
    return read_items(path, _item)


def read_items(
    path: Path, make: Callable[[dict[str, Any], str, str], _Made], keys: Sequence[str] = _KEYS
) -> list[_Made]:
    """Read a file of JSON objects, one a line, each with a key of its own.

    Args:
        path: of the file.
        make: is given the fields of a line, its key and where it is for errors.
        keys: names of the field that holds the key; the first that is there counts.

    Raises:
        ConfigError: the file cannot be read, holds nothing, a line is no object or has no key or that of an
            earlier one, or what ``make`` raises.

    """
    lines: dict[str, int] = {}
    items = []
    for number, fields in read_objects(path):
        where = f"{path}:{number}"
        key = _key(fields, where, keys)
        if key in lines:
            raise ConfigError(f"id {key!r} is taken by line {lines[key]}", where=where)
        lines[key] = number
        items.append(make(fields, key, where))
    if not items:
        raise ConfigError("the file is empty", where=str(path))
    return items


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the fields of every line that is not blank.

    Raises:
        ConfigError: the file cannot be read, or a line is no JSON object.

    """
    for number, line in enumerate(read_bytes(path).split(b"\n"), 1):
        if line.strip():
            yield number, _object(line, f"{path}:{number}")


def read_bytes(path: Path) -> bytes:
    """Return what a file holds; raises :class:`ConfigError` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(error.strerror or str(error), where=str(path)) from None


def _key(fields: dict[str, Any], where: str, keys: Sequence[str]) -> str:
    key = next((fields[name] for name in keys if name in fields), None)
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    if not isinstance(key, str) or not key:
        raise ConfigError(f"{keys[0]!r} must be a string or an integer", where=where)
    return key


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        fields = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8: {error.reason}", where=where) from None
    except (ValueError, RecursionError) as error:
        hint = "the file has one JSON object a line"
        raise ConfigError(f"not JSON: {error}", where=where, hint=hint) from None
    if not isinstance(fields, dict):
        raise ConfigError("not a JSON object", where=where)
    return fields


def _item(fields: dict[str, Any], key: str, where: str) -> Item:
    for name in ("code", "input"):
        if not isinstance(fields.get(name), str):
            raise ConfigError(f"{name!r} must be a string", where=where)
    output = fields.get("output")
    if output is not None and not isinstance(output, str):
        raise ConfigError("'output' must be a string that holds a rendered value, or null", where=where)
    code, given = fields["code"], fields["input"]
    program = program_of(code, lambda: f"{_function(code)}({given.strip()})", key, where)
    return Item(key, program, output if output and not output.isspace() else None)


def program_of(code: str, call: Callable[[], str], key: str, where: str) -> Program:
    """Return the program of an item.

    Args:
        code: defines the function.
        call: gives the call that starts the run.
        key: names the program.
        where: for errors.

    Raises:
        ConfigError: the code is not valid Python or defines no function to call, or no call comes out.

    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" and the like are the item's business
        try:
            return Program.from_call(code, call(), filename=key)
        except SyntaxError as error:
            raise ConfigError(
                f"'code' is not valid Python: {error.msg} (line {error.lineno})", where=where
            ) from None
        except (ValueError, RecursionError, MemoryError) as error:
            what = error.what if isinstance(error, ConfigError) else str(error)
            raise ConfigError(what, where=where) from None


def _function(code: str) -> str:
    functions = [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    if FUNCTION_NAME in functions:
        return FUNCTION_NAME
    if len(set(functions)) != 1:
        raise ConfigError(f"'code' must define a function {FUNCTION_NAME!r}, or exactly one function")
    return functions[0]
