"""The unit of a build: a range of program indices, generated, run and written by one worker.

Program ``i`` of a corpus is a pure function of the corpus's seed and ``i``, so a unit is one of its
range, whoever makes it and when. A unit leaves one Parquet file per split that it has programs of, and
then a record that names them: a unit with a record is done.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from opencwm.core.errors import ConfigError
from opencwm.core.files import write_atomic
from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import (
    CurriculumConfig,
    GeneratorConfig,
    Recorder,
    generate_traced,
    in_process_recorder,
    sample_config,
)
from opencwm.corpus.shards import file_sha256
from opencwm.corpus.structure import SPLITS, split_of
from opencwm.traces import Trace

BUILD_FOLDER: Final = ".build"
GENERATOR_VERSION: Final = 2
"""Raised whenever the same seed gives other programs than before, or puts them into other splits."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """What a corpus contains. How it is made (where, by how many workers) is no part of it.

    Attributes:
        num_programs: distinct programs in all splits together.
        seed: of everything.
        programs_per_shard: programs drawn for one shard of each split.
        valid_fraction: share of distinct program structures that go to ``valid``.
        test_fraction: share that go to ``test``.
        curriculum: the mixture of sizes, and the bounds on programs.
        progress: place in the curriculum, 0.0 to 1.0; 1.0 is the full mixture.
        recorder: how programs are run: a name of :data:`RECORDERS`, or ``package.module:factory``.
    """

    num_programs: int = 10_000
    seed: int = 0
    programs_per_shard: int = 5_000
    valid_fraction: float = 0.01
    test_fraction: float = 0.01
    curriculum: CurriculumConfig = dataclasses.field(default_factory=CurriculumConfig)
    progress: float = 1.0
    recorder: str = "in_process"

    def __post_init__(self) -> None:
        for name in ("num_programs", "programs_per_shard"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} must be at least 1, not {getattr(self, name)}", where="CorpusConfig"
                )
        for name in ("valid_fraction", "test_fraction"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(
                    f"{name} must be in [0, 1), not {getattr(self, name)}", where="CorpusConfig"
                )
        if self.valid_fraction + self.test_fraction >= 1.0:
            raise ConfigError("the splits leave nothing for train", where="CorpusConfig")
        if not 0.0 <= self.progress <= 1.0:
            raise ConfigError(f"progress must be in [0, 1], not {self.progress}", where="CorpusConfig")


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitRecord:
    """What a finished unit left behind.

    Attributes:
        unit: its number, which names its files.
        first: index of its first program.
        stop: one past the index of its last.
        num_failed: draws that gave no program.
        files: for each split it has programs of, the SHA-256 of the file.
        ids: for each split, the ids of its programs in order.
    """

    unit: int
    first: int
    stop: int
    num_failed: int
    files: dict[str, str]
    ids: dict[str, list[str]]


RecorderFactory = Callable[[GeneratorConfig], contextlib.AbstractContextManager[Recorder]]


@contextlib.contextmanager
def _in_process(config: GeneratorConfig) -> Iterator[Recorder]:
    yield in_process_recorder(config)


@contextlib.contextmanager
def _sandbox(config: GeneratorConfig) -> Iterator[Recorder]:
    from opencwm.sandbox import Sandbox, record
    from opencwm.tracer import TraceLimits

    limits = TraceLimits(
        max_steps=config.max_steps + 1, max_value_chars=4 * config.max_value_chars, max_bytes=2**20
    )
    with Sandbox() as sandbox:
        yield lambda program: record(program, sandbox=sandbox, trace_limits=limits, accelerate=True)


RECORDERS: Final[dict[str, RecorderFactory]] = {"in_process": _in_process, "sandbox": _sandbox}
"""Ways to run programs: ``in_process`` for programs of our own generator, ``sandbox`` for any."""


def recorder_factory(name: str) -> RecorderFactory:
    """Return what opens the recorder of this name.

    Raises:
        ConfigError: no such name, and nothing of the form ``package.module:factory`` that can be imported.
    """
    if name in RECORDERS:
        return RECORDERS[name]
    module, _, attribute = name.partition(":")
    try:
        import importlib

        factory: RecorderFactory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError):
        raise ConfigError(
            f"no recorder {name!r}",
            where="recorder",
            hint=f"one of {', '.join(RECORDERS)}, or package.module:factory",
        ) from None
    return factory


def shard_path(folder: Path, split: str, unit: int) -> Path:
    """Return where a unit's programs of one split lie."""
    return folder / split / f"{unit:05d}.parquet"


def record_path(folder: Path, unit: int) -> Path:
    """Return where a unit's record lies."""
    return folder / BUILD_FOLDER / f"{unit:05d}.json"


def draw_program(config: CorpusConfig, index: int, recorder: Recorder) -> Trace | None:
    """Return the trace of program ``index``, a pure function of the configuration and the index."""
    rng = derive_rng("program", config.seed, index)
    return generate_traced(rng, sample_config(rng, config.progress, config.curriculum), recorder)


def build_unit(
    config: CorpusConfig,
    folder: Path,
    unit: int,
    first: int,
    stop: int,
    recorder: Recorder,
    progress: Callable[[int], object] | None = None,
) -> UnitRecord:
    """Generate, run and write programs ``first`` to ``stop``; return the unit's record, written last.

    Equal programs within the unit are written once. ``progress`` is called now and then with the programs
    drawn so far.
    """
    by_split: dict[str, dict[str, Trace]] = {split: {} for split in SPLITS}
    num_failed = 0
    for index in range(first, stop):
        trace = draw_program(config, index, recorder)
        if trace is None:
            num_failed += 1
            continue
        split = split_of(
            trace.program, valid_fraction=config.valid_fraction, test_fraction=config.test_fraction
        )
        by_split[split].setdefault(trace.program.id, trace)
        if progress is not None and (index - first + 1) % 100 == 0:
            progress(index - first + 1)
    files = {}
    for split, traces in by_split.items():
        path = shard_path(folder, split, unit)
        if traces:
            write_shard(path, list(traces.values()), unit)
            files[split] = file_sha256(path)
        else:
            path.unlink(missing_ok=True)
    ids = {split: list(traces) for split, traces in by_split.items()}
    record = UnitRecord(unit=unit, first=first, stop=stop, num_failed=num_failed, files=files, ids=ids)
    write_atomic(record_path(folder, unit), json.dumps(dataclasses.asdict(record), sort_keys=True))
    return record


def write_shard(path: Path, traces: list[Trace], unit: int) -> None:
    """Write one Parquet shard, whole or not at all."""
    from opencwm.traces.parquet import write_parquet

    write_parquet(path, traces, {"unit": str(unit), "generator_version": str(GENERATOR_VERSION)})


def finished_unit(folder: Path, unit: int, first: int, stop: int) -> UnitRecord | None:
    """Return the record of a unit whose files are all there and whole, otherwise None."""
    try:
        fields: dict[str, Any] = json.loads(record_path(folder, unit).read_text(encoding="utf-8"))
        record = UnitRecord(**fields)
    except (OSError, ValueError, TypeError):
        return None
    if (record.unit, record.first, record.stop) != (unit, first, stop):
        return None
    for split in SPLITS:
        if file_sha256(shard_path(folder, split, unit)) != record.files.get(split, ""):
            return None
    return record
