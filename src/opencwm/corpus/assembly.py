"""From recorded units to the shards of a corpus: the kept programs, shuffled, encoded and counted.

A shard is a pure function of the recipe, the traces of its units and the rows it was given, so it is made
again with the same bytes by whoever makes it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opencwm.core.files import write_atomic
from opencwm.core.seeds import derive_rng
from opencwm.corpus.formats import Format, TokenDocument, write_documents
from opencwm.corpus.recipe import Recipe
from opencwm.corpus.shards import TRACES, Shard, file_sha256
from opencwm.corpus.statistics import Counts, Statistics
from opencwm.corpus.units import BUILD_FOLDER, GENERATOR_VERSION, Unit, unit_paths
from opencwm.traces import Trace


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardPlan:
    """What goes into a shard.

    Attributes:
        split: of the shard.
        number: its place in the split.
        units: the units that it takes programs of.
        rows: for each program of the shard, in order: (place in ``units``, row in the unit's file).
    """

    split: str
    number: int
    units: tuple[Unit, ...]
    rows: tuple[tuple[int, int], ...]

    def fingerprint(self) -> str:
        """Return a hash of the plan."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self)).encode()).hexdigest()

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ShardPlan:
        """Read what ``dataclasses.asdict`` gave, through JSON or not."""
        return cls(
            split=fields["split"],
            number=fields["number"],
            units=tuple(Unit(**unit) for unit in fields["units"]),
            rows=tuple((int(unit), int(row)) for unit, row in fields["rows"]),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardRecord:
    """What a finished shard consists of.

    Attributes:
        plan: fingerprint of the plan it was made from.
        files: the trace shard, then the token shards.
        counts: of its programs, see :class:`Statistics`; by stratum under ``strata``.
    """

    plan: str
    files: tuple[Shard, ...]
    counts: Counts


def shard_path(split: str, number: int, kind: str = TRACES) -> str:
    """Return where a shard lies in a corpus, with forward slashes."""
    place = split if kind == TRACES else f"tokens/{kind}/{split}"
    return f"{place}/{number:05d}.parquet"


def _record_path(folder: Path, plan: ShardPlan) -> Path:
    return folder / BUILD_FOLDER / "shards" / f"{plan.split}-{plan.number:05d}.json"


def make_shard(recipe: Recipe, folder: Path, plan: ShardPlan, formats: Mapping[str, Format]) -> ShardRecord:
    """Write the shard and its token shards; return its record, written last.

    Holds the traces of one shard in memory.
    """
    from opencwm.traces.parquet import write_parquet

    traces = _read(folder, plan)
    statistics = Statistics()
    for (unit, _), trace in zip(plan.rows, traces, strict=True):
        statistics.add_trace(trace)
        stratum = recipe.stratum_of(plan.units[unit].source, trace)
        statistics.count("strata", stratum)
        statistics.count("strata_steps", stratum, len(trace.steps))
    path = shard_path(plan.split, plan.number)
    write_parquet(folder / path, traces, {"generator_version": str(GENERATOR_VERSION)})
    files = [_describe(folder, path, TRACES, plan.split, len(traces))]
    for name, codec in formats.items():
        path = shard_path(plan.split, plan.number, name)
        lengths: list[int] = []
        rows = write_documents(folder / path, codec, _documents(recipe, name, codec, traces, lengths))
        files.append(_describe(folder, path, name, plan.split, rows))
        statistics.add_documents(name, lengths)
    record = ShardRecord(plan=plan.fingerprint(), files=tuple(files), counts=statistics.counts())
    write_atomic(_record_path(folder, plan), json.dumps(dataclasses.asdict(record), sort_keys=True))
    return record


def _read(folder: Path, plan: ShardPlan) -> list[Trace]:
    """Return the traces of a plan in its order, each unit's file read once."""
    from opencwm.traces.parquet import read_parquet

    found: dict[tuple[int, int], Trace] = {}
    for number, unit in enumerate(plan.units):
        wanted = {row for place, row in plan.rows if place == number}
        for row, trace in enumerate(read_parquet(unit_paths(folder, unit)["traces"])):
            if row in wanted:
                found[number, row] = trace
            if row >= max(wanted):
                break
    return [found[place] for place in plan.rows]


def _documents(
    recipe: Recipe, name: str, codec: Format, traces: Sequence[Trace], lengths: list[int]
) -> Iterator[tuple[str, TokenDocument]]:
    """Yield the documents of the traces; append their lengths in ids."""
    for trace in traces:
        program = trace.program.id
        for document in codec.documents(trace, derive_rng("documents", recipe.seed, name, program)):
            if document.text is None:
                lengths.append(len(document.ids))
            yield program, document


def _describe(folder: Path, path: str, kind: str, split: str, rows: int) -> Shard:
    return Shard(
        path=path,
        kind=kind,
        split=split,
        rows=rows,
        num_bytes=(folder / path).stat().st_size,
        sha256=file_sha256(folder / path),
    )


def finished_shard(folder: Path, plan: ShardPlan) -> ShardRecord | None:
    """Return the record of a shard made from this plan whose files are there and whole, otherwise None."""
    try:
        fields = json.loads(_record_path(folder, plan).read_text(encoding="utf-8"))
        files = tuple(Shard(**file) for file in fields.pop("files"))
        record = ShardRecord(files=files, **fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if record.plan != plan.fingerprint():
        return None
    if any(file_sha256(folder / file.path) != file.sha256 for file in record.files):
        return None
    return record
