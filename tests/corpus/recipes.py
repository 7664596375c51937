"""Small recipes and odd recorders, for tests of building corpora."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opencwm.core.config import from_dict
from opencwm.core.errors import ConfigError
from opencwm.corpus.generator import GeneratorConfig, Recorder, in_process_recorder
from opencwm.corpus.recipe import Recipe
from opencwm.traces import Program, Trace


def recipe(programs: int = 240, /, **settings: Any) -> Recipe:
    """A recipe of generated programs alone; settings are top-level tables and keys."""
    fields: dict[str, Any] = {
        "seed": 3,
        "unit_programs": 60,
        "shard_programs": 80,
        "sources": {"generated": {"kind": "generated", "programs": programs}},
        "split": {"valid": 0.1, "test": 0.1},
    }
    return from_dict(Recipe, fields | settings)


def content(folder: Path) -> dict[str, str]:
    """Hashes of everything a user sees of a corpus."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".build" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextmanager
def repeating_recorder(config: GeneratorConfig, _expressions: bool) -> Iterator[Recorder]:
    """Runs one of a hundred programs in place of whichever it is given, so that duplicates abound."""
    run = in_process_recorder(config)

    def record(program: Program) -> Trace:
        number = int(program.id, 16) % 100
        return run(Program(f"def f(n):\n    n = n + {number}\n    return n\n", "main", "f(1)"))

    yield record


@contextmanager
def failing_recorder(_config: GeneratorConfig, _expressions: bool) -> Iterator[Recorder]:
    def record(program: Program) -> Trace:
        raise ConfigError(f"cannot run {program.id}")

    yield record
