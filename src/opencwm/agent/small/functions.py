"""Small functions with calls: from trace files of real functions, or from the program generator."""

from __future__ import annotations

import ast
import dataclasses
import random
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from opencwm.core.errors import ConfigError, TraceFormatError
from opencwm.corpus.generator import generate_program, sample_config
from opencwm.traces import Program

MIN_LINES: Final = 3
MAX_LINES: Final = 16
MAX_CHARS: Final = 450
MAX_CALL_CHARS: Final = 60
_MOST_CALLS: Final = 8
_TRIES: Final = 24


@dataclasses.dataclass(frozen=True, slots=True)
class SmallFunction:
    """A module and calls of it.

    Attributes:
        source: the module.
        calls: expressions, each different.
        group: as :class:`~opencwm.traces.Program` has it; the source's own text where that has none.
        licence: SPDX expression; empty when unknown.
    """

    source: str
    calls: tuple[str, ...]
    group: str
    licence: str


def functions_of(files: Sequence[Path], seed: int) -> Iterator[SmallFunction]:
    """Yield the small functions of trace files in an order that ``seed`` fixes; one of each group.

    Without files: endless ones of the program generator.

    Raises:
        ConfigError: the files hold none.
        TraceFormatError: a file cannot be read.
    """
    rng = random.Random(f"small {seed}")  # noqa: S311 - reproducible, nothing secret
    if not files:
        yield from _generated(rng)
        return
    groups: dict[str, dict[str, list[Program]]] = {}
    for program in _programs(files):
        by_source = groups.setdefault(program.group or program.source, {})
        by_source.setdefault(program.source, []).append(program)
    if not groups:
        raise ConfigError("the trace files hold no small function", where=str(files[0]))
    names = sorted(groups)
    rng.shuffle(names)
    for name in names:
        source = max(sorted(groups[name]), key=lambda text: len(groups[name][text]))
        programs = groups[name][source]
        calls = sorted({program.call for program in programs if program.call})
        yield SmallFunction(source, _with_more(calls, rng), name, programs[0].licence)


def _programs(files: Iterable[Path]) -> Iterator[Program]:
    """Yield the programs of unchanged runs that returned, read without their steps."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in files:
        try:
            rows = pq.read_table(path, columns=["program", "status", "mutation"]).to_pylist()
        except (OSError, pa.ArrowException, KeyError) as error:
            raise TraceFormatError(f"no trace file: {str(error)[:200]}", where=str(path)) from None
        for row in rows:
            program = row["program"]
            is_plain_run = row["mutation"] is None and row["status"] == "returned"
            has_call = bool(program["call"]) and len(program["call"]) <= MAX_CALL_CHARS
            if is_plain_run and has_call and is_small(program["source"]):
                yield Program(**program)


def is_small(source: str) -> bool:
    """Whether a module is short, of plain lines, and no class."""
    lines = source.rstrip("\n").split("\n")
    return (
        MIN_LINES <= len(lines) <= MAX_LINES
        and len(source) <= MAX_CHARS
        and source.isascii()
        and "class " not in source
        and "\t" not in source
        and "\n\n\n" not in source
    )


def _generated(rng: random.Random) -> Iterator[SmallFunction]:
    while True:
        program = generate_program(rng, sample_config(rng, rng.random()))
        if is_small(program.source) and program.call and len(program.call) <= MAX_CALL_CHARS:
            yield SmallFunction(program.source, _with_more([program.call], rng), program.source, "")


def _with_more(calls: Sequence[str], rng: random.Random) -> tuple[str, ...]:
    """Add calls with slightly other arguments, up to a handful in all."""
    found = dict.fromkeys(rng.sample(list(calls), min(len(calls), _MOST_CALLS)))
    for _ in range(_TRIES):
        if len(found) >= _MOST_CALLS:
            break
        other = _varied(rng.choice(list(found)), rng)
        if other is not None and len(other) <= MAX_CALL_CHARS:
            found[other] = None
    return tuple(found)


def _varied(call: str, rng: random.Random) -> str | None:
    """Return a call with one literal in it changed; None when there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(call, mode="eval")
    places = [node for node in ast.walk(tree.body) if isinstance(node, ast.Constant | ast.List)]
    if not places or not isinstance(tree.body, ast.Call):
        return None
    node = rng.choice(places)
    if isinstance(node, ast.List):
        if not node.elts:
            return None
        node.elts = rng.sample(node.elts, rng.randint(1, len(node.elts)))
    elif isinstance(node.value, bool):
        node.value = not node.value
    elif isinstance(node.value, int):
        node.value = max(node.value + rng.choice((-2, -1, 1, 2, 3)), 0)
    elif isinstance(node.value, str) and node.value:
        start = rng.randrange(len(node.value))
        node.value = node.value[start:] + node.value[: rng.randrange(len(node.value))]
    else:
        return None
    return ast.unparse(tree)
