"""What the global pass of a build has to know of a program: a row of numbers, not its trace.

Facts lie in a Parquet file beside the traces they describe, row for row. The pass that looks for duplicates
over a whole corpus reads these alone: about 50 bytes a program, and 512 for each distinct function.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import TraceFormatError
from opencwm.core.files import atomic_path
from opencwm.corpus.contamination import Hit
from opencwm.corpus.minhash import NUM_HASHES
from opencwm.corpus.structure import SPLITS

_NUMBERS = {"id": "uint64", "run": "uint64", "function": "uint64", "group": "uint64"}
_SMALL = {"split": "uint8", "stratum": "uint8"}
_LISTS = ("subject", "parts")


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """One program.

    Attributes:
        id: ``Program.id`` as a number.
        run: of its structure together with its call: equal for runs that differ in names alone.
        function: of its structure.
        group: of the name of its group, see ``structure.group_of``.
        split: number of its split in ``SPLITS``.
        stratum: number of its source, or of the mutants, in ``Recipe.strata()``.
        hits: what it shares with test sets.
        signature: MinHash of its structure, shape (128,); None where an earlier row of the file has it.
        subject: the functions that it is about, see ``structure.subject_and_parts``; empty where an earlier
            row of the file has them.
        parts: the functions that its source holds, likewise.
    """

    id: int
    run: int
    function: int
    group: int
    split: int
    stratum: int
    hits: Sequence[Hit]
    signature: NDArray[np.uint32] | None
    subject: Sequence[int] = ()
    parts: Sequence[int] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Pairs:
    """A relation of N pairs: ``functions_N[i]`` has ``structures_N[i]``."""

    functions_N: NDArray[np.uint64]
    structures_N: NDArray[np.uint64]


def _pairs(functions: Sequence[NDArray[np.uint64]], structures: Sequence[NDArray[np.uint64]]) -> Pairs:
    empty = np.zeros(0, np.uint64)
    return Pairs(np.concatenate([empty, *functions]), np.concatenate([empty, *structures]))


@dataclasses.dataclass(frozen=True, slots=True)
class FactTable:
    """The facts of many programs, one array a column; P programs, F rows with a signature.

    ``signed_F`` are the functions that ``signatures_F`` (shape (F, 128)) belong to; ``hits`` maps row numbers
    to hits; ``subjects`` and ``parts`` are two columns each, what structures a program (by its
    ``function``) is about and holds.
    """

    id_P: NDArray[np.uint64]
    run_P: NDArray[np.uint64]
    function_P: NDArray[np.uint64]
    group_P: NDArray[np.uint64]
    split_P: NDArray[np.uint8]
    stratum_P: NDArray[np.uint8]
    hits: dict[int, list[Hit]]
    signed_F: NDArray[np.uint64]
    signatures_F: NDArray[np.uint32]
    subjects: Pairs = dataclasses.field(default_factory=lambda: _pairs([], []))
    parts: Pairs = dataclasses.field(default_factory=lambda: _pairs([], []))


def write_facts(path: Path, facts: Sequence[Fact]) -> None:
    """Write facts, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        name: pa.array([getattr(fact, name) for fact in facts], kind)
        for name, kind in (_NUMBERS | _SMALL).items()
    }
    columns["hits"] = pa.array([json.dumps(fact.hits) if fact.hits else None for fact in facts], pa.string())
    columns["signature"] = pa.array(
        [None if fact.signature is None else fact.signature.tobytes() for fact in facts],
        pa.binary(4 * NUM_HASHES),
    )
    for name in _LISTS:
        columns[name] = pa.array([list(getattr(fact, name)) for fact in facts], pa.list_(pa.uint64()))
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def read_facts(paths: Sequence[Path]) -> FactTable:
    """Return the facts of several files as one table, in their order.

    Raises:
        TraceFormatError: a file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers: dict[str, list[NDArray[Any]]] = {name: [] for name in _NUMBERS | _SMALL}
    hits: dict[int, list[Hit]] = {}
    lists: dict[str, tuple[list[NDArray[Any]], list[NDArray[Any]]]] = {name: ([], []) for name in _LISTS}
    signed, signatures, count = [np.zeros(0, np.uint64)], [np.zeros((0, NUM_HASHES), np.uint32)], 0
    for path in paths:
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise TraceFormatError(
                f"cannot be read: {' '.join(str(error).split())[:200]}", where=str(path)
            ) from None
        for name, parts in numbers.items():
            parts.append(table[name].to_numpy())
        for row, text in enumerate(table["hits"].to_pylist()):
            if text is not None:
                hits[count + row] = [Hit(*hit) for hit in json.loads(text)]
        found = table["signature"].combine_chunks()
        has = found.is_valid().to_numpy(zero_copy_only=False)
        signed.append(numbers["function"][-1][has])
        raw = b"".join(found.drop_null().to_pylist())
        signatures.append(np.frombuffer(raw, np.uint32).reshape(-1, NUM_HASHES))
        for name, (functions, structures) in lists.items():
            column = table[name].combine_chunks()
            functions.append(np.repeat(numbers["function"][-1], column.value_lengths().to_numpy()))
            structures.append(column.flatten().to_numpy())
        count += len(table)
    joined = {
        f"{name}_P": np.concatenate([*parts, np.zeros(0, (_NUMBERS | _SMALL)[name])])
        for name, parts in numbers.items()
    }
    return FactTable(
        **joined,
        hits=hits,
        signed_F=np.concatenate(signed),
        signatures_F=np.concatenate(signatures),
        subjects=_pairs(*lists["subject"]),
        parts=_pairs(*lists["parts"]),
    )


def split_number(split: str) -> int:
    """Return the number of a split in ``SPLITS``."""
    return SPLITS.index(split)
