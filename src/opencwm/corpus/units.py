"""The unit of a build: a part of one source, recorded, filtered and described by one worker.

A unit is a range of program indices of a generated source, or one file of traces. Program ``i`` of a
generated source is a pure function of the recipe and ``i``, and a file's hash is part of the corpus'
identity, so a unit is a pure function of the recipe and its number, whoever makes it and when. It leaves a
Parquet file of traces, one of facts (:mod:`opencwm.corpus.facts`), and then a record that names them: a unit
with a record is done.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import ConfigError, TraceFormatError
from opencwm.core.files import write_atomic
from opencwm.core.seeds import derive_rng
from opencwm.corpus.contamination import ContaminationIndex, Hit
from opencwm.corpus.facts import Fact, split_number, write_facts
from opencwm.corpus.filters import reason_to_drop
from opencwm.corpus.generator import Recorder, generate_traced, sample_config
from opencwm.corpus.minhash import signature
from opencwm.corpus.mutants import mutant_traces, reproduced
from opencwm.corpus.mutants.recording import COMPARABLE, behaves_the_same
from opencwm.corpus.recipe import MUTANTS, GeneratedSource, MutantsConfig, Recipe, TraceSource
from opencwm.corpus.shards import file_sha256
from opencwm.corpus.structure import digest, split_of, structure_tokens, subject_and_parts
from opencwm.traces import Program, Trace

BUILD_FOLDER: Final = ".build"
GENERATOR_VERSION: Final = 3
"""Raised whenever the same seed gives other programs than before, or puts them into other splits."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unit:
    """A piece of a source.

    Attributes:
        source: name of the source.
        number: its place among the units of the source.
        first: of a generated source, index of its first program.
        stop: one past the index of its last.
        file: of a source of traces, the file's path relative to the source's.
    """

    source: str
    number: int
    first: int = 0
    stop: int = 0
    file: str = ""

    @property
    def name(self) -> str:
        """What its files are named after."""
        return f"{self.source}.{self.number:06d}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitRecord:
    """What a finished unit left behind.

    Attributes:
        unit: the unit, as a dictionary.
        num_drawn: programs drawn or read, mutants not counted.
        num_rows: programs kept, mutants included.
        dropped: programs left out, by stratum and reason.
        problem: why its file could not be read; it then has no rows.
        files: SHA-256 of its files.
    """

    unit: dict[str, Any]
    num_drawn: int
    num_rows: int
    dropped: dict[str, dict[str, int]]
    problem: str
    files: dict[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tools:
    """What making a unit takes besides the recipe.

    Attributes:
        recorder: runs the programs of a generated source.
        mutant_recorder: runs mutants, and what they are compared with.
        index: the test sets.
    """

    recorder: Recorder
    mutant_recorder: Recorder
    index: ContaminationIndex


def units_of(recipe: Recipe, files: dict[str, list[str]]) -> list[Unit]:
    """Return all units, in the order that decides which of two equal programs is kept.

    Args:
        recipe: the corpus.
        files: for each source of traces, its files as :func:`trace_files` returns them.
    """
    units = []
    for name, source in recipe.sources.items():
        if isinstance(source, GeneratedSource):
            size = recipe.unit_programs
            for number, first in enumerate(range(0, source.programs, size)):
                stop = min(first + size, source.programs)
                units.append(Unit(source=name, number=number, first=first, stop=stop))
        else:
            units += [Unit(source=name, number=number, file=file) for number, file in enumerate(files[name])]
    return units


def trace_files(path: Path) -> list[str]:
    """Return the files of traces under ``path``, relative to it, sorted; ``.`` when it is a file itself.

    Raises:
        ConfigError: there are none.
    """
    if path.is_file():
        return ["."]
    found = sorted(
        file.relative_to(path).as_posix()
        for file in path.rglob("*")
        if file.suffix in (".parquet", ".jsonl") and file.is_file()
    )
    found = [name for name in found if not any(part.startswith(".") for part in name.split("/"))]
    if not found:
        what = "holds no .parquet or .jsonl files" if path.is_dir() else "no such file or folder"
        raise ConfigError(what, where=str(path), hint="opencwm corpus harvest writes such a folder")
    return found


def unit_paths(folder: Path, unit: Unit) -> dict[str, Path]:
    """Return where a unit's traces, facts and record lie."""
    place = folder / BUILD_FOLDER / "units"
    return {
        "traces": place / f"{unit.name}.traces.parquet",
        "facts": place / f"{unit.name}.facts.parquet",
        "record": place / f"{unit.name}.json",
    }


def make_unit(recipe: Recipe, folder: Path, unit: Unit, tools: Tools) -> UnitRecord:
    """Record, filter and describe the programs of a unit; return its record, written last.

    A file that cannot be read whole gives no programs, and a problem in the record.
    """
    from opencwm.traces.parquet import write_parquet

    paths = unit_paths(folder, unit)
    maker = _Maker(recipe, unit, tools)
    problem = ""
    try:
        write_parquet(paths["traces"], maker.traces())
    except TraceFormatError as error:
        problem = str(error)
        maker = _Maker(recipe, unit, tools)
        write_parquet(paths["traces"], ())
    write_facts(paths["facts"], maker.facts)
    record = UnitRecord(
        unit=dataclasses.asdict(unit),
        num_drawn=maker.num_drawn,
        num_rows=len(maker.facts),
        dropped={stratum: dict(sorted(counts.items())) for stratum, counts in maker.dropped.items()},
        problem=problem,
        files={kind: file_sha256(paths[kind]) for kind in ("traces", "facts")},
    )
    write_atomic(paths["record"], json.dumps(dataclasses.asdict(record), sort_keys=True))
    return record


class _Maker:
    """Makes one unit: yields the traces it keeps, and has their facts when all are taken."""

    def __init__(self, recipe: Recipe, unit: Unit, tools: Tools) -> None:
        self.facts: list[Fact] = []
        self.num_drawn = 0
        self.dropped: dict[str, collections.Counter[str]] = {}
        self._recipe = recipe
        self._unit = unit
        self._tools = tools
        self._strata = recipe.strata()
        self._signed: set[int] = set()
        self._described: set[int] = set()
        self._source = ""
        self._structure: list[str] = []
        self._hits: list[Hit] = []

    def traces(self) -> Iterator[Trace]:
        source = self._recipe.sources[self._unit.source]
        drawn: Iterator[Trace | None]
        drawn = self._generated(source) if isinstance(source, GeneratedSource) else self._read(source)
        if not isinstance(source, GeneratedSource) and source.expressions:
            drawn = self._again(drawn)
        for _, runs in itertools.groupby(self._wanted(drawn), lambda trace: trace.program.source):
            of_one_function = []
            for trace in runs:
                of_one_function.append(self._keep(trace, self._stratum(trace)))
                yield of_one_function[-1]
            if self._recipe.mutants is not None:
                yield from self._mutants(of_one_function, self._recipe.mutants)

    def _stratum(self, trace: Trace) -> str:
        return self._recipe.stratum_of(self._unit.source, trace)

    def _wanted(self, drawn: Iterator[Trace | None]) -> Iterator[Trace]:
        """Yield what the filter lets through; facts wait, as this may be ahead of what is written."""
        for trace in drawn:
            self.num_drawn += 1
            reason = "no program" if trace is None else self._reason(trace)
            if trace is None or reason:
                self._drop(self._unit.source if trace is None else self._stratum(trace), reason)
            else:
                yield trace

    def _mutants(self, runs: list[Trace], config: MutantsConfig) -> Iterator[Trace]:
        """Yield the mutants of one function that are worth keeping."""
        source = runs[0].program.source
        rng = derive_rng("mutants", self._recipe.seed, source)
        if rng.random() >= config.share:
            return
        recorder = self._tools.mutant_recorder
        originals = [trace for trace in runs if trace.mutation is None]
        if not isinstance(self._recipe.sources[self._unit.source], GeneratedSource):
            originals = reproduced(originals, recorder)
        for trace in mutant_traces(originals, rng, config.changes, recorder):
            if reason := self._reason(trace):
                self._drop(MUTANTS, reason)
            else:
                yield self._keep(trace, MUTANTS)

    def _generated(self, source: GeneratedSource) -> Iterator[Trace | None]:
        for index in range(self._unit.first, self._unit.stop):
            rng = derive_rng("program", self._recipe.seed, self._unit.source, index)
            config = sample_config(rng, source.progress, source.curriculum)
            yield generate_traced(rng, config, self._tools.recorder)

    def _again(self, drawn: Iterator[Trace | None]) -> Iterator[Trace | None]:
        """Yield new records of runs, as detailed as the recorder makes them."""
        for trace in drawn:
            if trace is None or trace.status not in COMPARABLE or not trace.steps:
                yield trace  # what the filter is to say of it needs no second run
                continue
            again = self._tools.recorder(trace.program)
            if behaves_the_same(trace, again):
                yield dataclasses.replace(again, mutation=trace.mutation)
            else:
                self.num_drawn += 1
                self._drop(self._stratum(trace), "not the same again")

    def _read(self, source: TraceSource) -> Iterator[Trace]:
        path = source.path / self._unit.file
        if path.suffix == ".jsonl":
            from opencwm.traces.jsonl import read_jsonl

            return read_jsonl(path)
        from opencwm.traces.parquet import read_parquet

        return read_parquet(path)

    def _reason(self, trace: Trace) -> str:
        source = self._recipe.sources[self._unit.source]
        return reason_to_drop(trace, self._recipe.filter, is_generated=isinstance(source, GeneratedSource))

    def _drop(self, stratum: str, reason: str) -> None:
        self.dropped.setdefault(stratum, collections.Counter())[reason] += 1

    def _keep(self, trace: Trace, stratum: str) -> Trace:
        program = trace.program
        if program.source != self._source:  # runs of one function follow each other
            self._source = program.source
            self._structure = structure_tokens(program.source)
            self._hits = self._tools.index.hits(program.source)
        function = digest(self._structure)
        if not program.group:
            program = dataclasses.replace(program, group=f"structure:{function:016x}")
            trace = dataclasses.replace(trace, program=program)
        self.facts.append(self._fact(program, function, stratum))
        return trace

    def _fact(self, program: Program, function: int, stratum: str) -> Fact:
        fractions = self._recipe.split
        split = split_of(program, valid_fraction=fractions.valid, test_fraction=fractions.test)
        return Fact(
            id=int(program.id, 16),
            run=self._run(program),
            function=function,
            group=digest([program.group]),
            split=split_number(split),
            stratum=self._strata.index(stratum),
            hits=self._hits,
            signature=self._signature(function),
            **self._functions(program, function),
        )

    def _run(self, program: Program) -> int:
        if program.call is None:
            return digest([program.entry, *self._structure])
        return digest(structure_tokens(program.text))

    def _functions(self, program: Program, function: int) -> dict[str, tuple[int, ...]]:
        """Return ``subject`` and ``parts`` of a fact, once for each structure."""
        if function in self._described:
            return {}
        self._described.add(function)
        return dict(zip(("subject", "parts"), subject_and_parts(program), strict=True))

    def _signature(self, function: int) -> NDArray[np.uint32] | None:
        if self._recipe.deduplicate.near >= 1.0 or function in self._signed:
            return None
        self._signed.add(function)
        return signature(self._structure)


def finished_unit(folder: Path, unit: Unit) -> UnitRecord | None:
    """Return the record of a unit whose files are all there and whole, otherwise None."""
    paths = unit_paths(folder, unit)
    try:
        fields: dict[str, Any] = json.loads(paths["record"].read_text(encoding="utf-8"))
        record = UnitRecord(**fields)
    except (OSError, ValueError, TypeError):
        return None
    if record.unit != dataclasses.asdict(unit):
        return None
    if any(file_sha256(paths[kind]) != record.files.get(kind) for kind in ("traces", "facts")):
        return None
    return record
