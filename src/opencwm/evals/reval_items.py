"""Items of REval, read strictly from its two files, ``DREval_data.jsonl`` and ``DREval_tasks.jsonl``.

Data, one JSON object a line: ``task_id``, ``code`` that defines ``entry_point``, ``inputs``, texts of
argument tuples such as ``"(1, 'x',)"``. Tasks, likewise: ``task_id`` of a line of data, ``tasks``, a list of
objects with ``input_idx``, which input, ``task``, a list of ``lineno`` and ``var``, and ``output_pred``, an
assertion about the call with ``??`` for what it returns. Other keys are ignored.

For every input the run is recorded, in whatever confines it, by our tracer, which takes a comprehension for
part of its function. Of every place it is asked whether the line is executed, what the variable is after it
and which line follows; once for the input, what the call returns. Items made of ClassEval test a class and
have no call; they are left out and counted.

Format and scores were taken from the code of the replication package. Source: Chen et al., "Reasoning runtime
behavior of a program with LLM: how far are we?", ICSE 2025, arXiv 2403.16437. No item comes with this
package.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.evals.cruxeval_items import program_of, read_items
from opencwm.evals.probes import Probe, Probes
from opencwm.evals.questions import Coverage, NextLine, Question, Returned, Value
from opencwm.traces import Program, Trace

TASKS_FILE = "DREval_tasks.jsonl"
"""The tasks' file, beside the data when none is named."""

CLASS_TEST = "ClassEval: a test class, no call"
OTHER_OUTPUT = "output: the assertion is not about the call"

_KEYS = ("task_id",)

Record = Callable[[Program], Trace]


def load_items(path: Path, tasks: Path | None, record: Record) -> Probes:
    """Read data and tasks, and record the runs.

    Args:
        path: of the data.
        tasks: of the tasks; None: :data:`TASKS_FILE` beside the data.
        record: runs and records a program; use one that confines it.

    Raises:
        ConfigError: a file cannot be read or holds nothing, or a line is not what it should be; the error
            names the line.
    """
    tasks = tasks or path.with_name(TASKS_FILE)
    found = Probes()
    data = dict(read_items(path, lambda fields, key, where: (key, _data(fields, where)), _KEYS))

    def of(fields: dict[str, Any], key: str, where: str) -> list[Probe]:
        if key not in data:
            raise ConfigError(f"no line of {path} has task_id {key!r}", where=where)
        return probes_of(data[key], fields, key, where, found)

    for probes in read_items(tasks, of, _KEYS):
        found.items += [probe.recorded(record) for probe in probes]
    return found


def _data(fields: dict[str, Any], where: str) -> dict[str, Any]:
    for name in ("code", "entry_point"):
        if not isinstance(fields.get(name), str):
            raise ConfigError(f"{name!r} must be a string", where=where)
    inputs = fields.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(text, str) for text in inputs):
        raise ConfigError("'inputs' must be a list of strings", where=where)
    return {**fields, "where": where}


def probes_of(
    data: dict[str, Any], fields: dict[str, Any], key: str, where: str, found: Probes
) -> list[Probe]:
    """Return the probes of a line of tasks; raises :class:`ConfigError` for what is none.

    What is left out is counted in ``found``.
    """
    entries = fields.get("tasks")
    if not isinstance(entries, list):
        raise ConfigError("'tasks' must be a list", where=where)
    if _is_class(data["code"], data["entry_point"]):
        found.left_out[CLASS_TEST] += len(entries)
        return []
    return [_probe(data, entry, f"{key}#{number}", where, found) for number, entry in enumerate(entries)]


def _probe(data: dict[str, Any], entry: Any, key: str, where: str, found: Probes) -> Probe:
    if not isinstance(entry, dict) or not isinstance(entry.get("task"), list):
        raise ConfigError("'tasks' must hold objects with a list 'task'", where=where)
    index = entry.get("input_idx")
    if not _is_index(index, len(data["inputs"])):
        raise ConfigError(f"'input_idx' must number one of {len(data['inputs'])} inputs", where=where)
    arguments = data["inputs"][index]
    call = f"{data['entry_point']}({_arguments(arguments, data['where'])})"
    program = program_of(data["code"], lambda: call, key, data["where"])
    wrapper = program.wrapper_lineno or 1
    questions: list[Question] = []
    for place in entry["task"]:
        lineno, var = _place(place, wrapper - 1, where)
        questions += [Coverage(lineno), Value(lineno, var), NextLine(lineno)]
    asked = entry.get("output_pred")
    if not isinstance(asked, str) or "??" not in asked:
        raise ConfigError("'output_pred' must be a string with '??'", where=where)
    if _is_about(asked, call):
        questions.append(Returned())
    else:
        found.left_out[OTHER_OUTPUT] += 1
    return Probe(id=key, group=key.rpartition("#")[0], program=program, questions=tuple(questions))


def _is_class(code: str, name: str) -> bool:
    """Whether a code defines a class of that name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\\d" and the like are the item's business
        try:
            body = ast.parse(code).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return any(isinstance(node, ast.ClassDef) and node.name == name for node in body)


def _is_index(value: Any, length: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < length


def _arguments(text: str, where: str) -> str:
    """Return what stands between the parentheses of a tuple."""
    inner = text.strip()[1:-1]
    try:
        node = ast.parse(text.strip(), mode="eval").body
        is_tuple = isinstance(node, ast.Tuple) and text.strip()[:1] == "("
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        is_tuple = False
    if not is_tuple:
        raise ConfigError(f"an input must be a tuple in parentheses, not {text[:40]!r}", where=where)
    return inner.strip().removesuffix(",")


def _place(place: Any, num_lines: int, where: str) -> tuple[int, str]:
    if not isinstance(place, dict):
        raise ConfigError("'task' must hold objects", where=where)
    lineno, var = place.get("lineno"), place.get("var")
    if not isinstance(lineno, int) or isinstance(lineno, bool) or not 1 <= lineno <= num_lines:
        raise ConfigError(f"'lineno' must be a line of the code, 1 to {num_lines}", where=where)
    text = var.strip() if isinstance(var, str) else ""
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConfigError("'var' must be an expression", where=where) from None
    return lineno, text


def _is_about(asked: str, call: str) -> bool:
    """Whether an assertion reads ``assert CALL == ??``."""
    try:
        return ast.dump(ast.parse(asked.replace("??", "None"))) == ast.dump(
            ast.parse(f"assert {call} == None")
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
