"""Build a corpus of generated programs: units to workers, then duplicates out, then the manifest.

Whatever happens, running the same build again continues it: finished units are verified and kept, the
others are made again, and since every unit is a pure function of the configuration and its range, the
bytes of the finished corpus do not depend on how often it was interrupted or how many workers made it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from opencwm.core.config import to_dict
from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.core.files import write_atomic
from opencwm.core.version import __version__
from opencwm.corpus.shards import (
    MANIFEST_NAME,
    Manifest,
    Shard,
    damaged_shards,
    file_sha256,
    read_manifest,
    write_manifest,
)
from opencwm.corpus.structure import SPLITS
from opencwm.corpus.units import (
    BUILD_FOLDER,
    GENERATOR_VERSION,
    CorpusConfig,
    UnitRecord,
    build_unit,
    finished_unit,
    recorder_factory,
    shard_path,
    write_shard,
)

Progress = Callable[[int, int], object]
"""Called with programs drawn and programs to draw; the latter grows a little when duplicates are replaced."""

_Range = tuple[int, int, int]
"""A unit to build: its number, its first program, one past its last."""

MAX_ROUNDS = 50


def build_corpus(
    config: CorpusConfig, out: Path, *, workers: int = 1, progress: Progress | None = None
) -> Manifest:
    """Build the corpus in the folder ``out``, or continue or verify the one that is there.

    Args:
        config: what the corpus contains.
        out: folder; made when it does not exist. It gets one folder of shards per split,
            ``manifest.json`` at the very end, and ``.build`` with what resuming needs.
        workers: processes; 0 builds in this process, whose hash seed then should be fixed.
        progress: told how far it is, from this thread.

    Returns:
        The manifest, also written to ``out``.

    Raises:
        ConfigError: ``out`` holds something else, or a corpus of another configuration.
        OpenCWMError: a worker died, or the configuration does not give enough distinct programs.
    """
    if workers < 0:
        raise ConfigError(f"must be at least 0, not {workers}", where="workers")
    recorder_factory(config.recorder)
    _claim(out, config)
    if (out / MANIFEST_NAME).exists():
        manifest = read_manifest(out)
        if not damaged_shards(out, manifest):
            if progress is not None:
                progress(config.num_programs, config.num_programs)
            return manifest
        (out / MANIFEST_NAME).unlink()
    records = _build_units(config, out, workers, progress)
    return _finish(config, out, records)


def _identity(config: CorpusConfig) -> dict[str, Any]:
    """Return all that decides the bytes of a corpus."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"config": to_dict(config), "python": python, "generator_version": GENERATOR_VERSION}


def _claim(out: Path, config: CorpusConfig) -> None:
    """Make ``out`` the folder of this corpus, or make sure that it is."""
    stamp = out / BUILD_FOLDER / "config.json"
    identity = _identity(config)
    if out.exists() and not out.is_dir():
        raise ConfigError("is not a folder", where=str(out))
    if stamp.exists():
        try:
            found = json.loads(stamp.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != identity:
            raise ConfigError(
                f"holds a corpus of another configuration ({_difference(found, identity)})",
                where=str(out),
                hint="choose another folder, or remove this one",
            )
        return
    if out.exists() and any(out.iterdir()):
        raise ConfigError("is not empty and holds no corpus", where=str(out), hint="choose another folder")
    write_atomic(stamp, json.dumps(identity, indent=1, sort_keys=True) + "\n")


def _difference(found: Any, wanted: dict[str, Any]) -> str:
    """Name the first setting in which two identities differ."""
    if not isinstance(found, dict):
        return "its stamp is damaged"
    pairs = [(key, found.get(key), wanted[key]) for key in wanted if key != "config"]
    old = found.get("config")
    if isinstance(old, dict):
        pairs = [(key, old.get(key), value) for key, value in wanted["config"].items()] + pairs
    for key, before, after in pairs:
        if before != after:
            return f"{key} is {before!r} there, {after!r} here"
    return "it has further settings"


# -- units -----------------------------------------------------------------------------------------


def _build_units(
    config: CorpusConfig, out: Path, workers: int, progress: Progress | None
) -> list[UnitRecord]:
    """Build units until they hold enough distinct programs; return their records in order."""
    records: list[UnitRecord] = []
    size = config.programs_per_shard
    ranges: list[_Range] = [
        (unit, first, min(first + size, config.num_programs))
        for unit, first in enumerate(range(0, config.num_programs, size))
    ]
    for _ in range(MAX_ROUNDS):
        records.extend(_build_round(config, out, ranges, workers, progress))
        distinct = len({program for record in records for ids in record.ids.values() for program in ids})
        missing = config.num_programs - distinct
        if missing <= 0:
            return records
        drawn = records[-1].stop
        if drawn > 20 * config.num_programs + 1000:
            break
        ranges = [(len(records), drawn, drawn + min(missing, size))]
    raise OpenCWMError(
        f"only {distinct} distinct programs after {records[-1].stop} draws",
        where=str(out),
        hint="ask for fewer programs, or for larger ones",
    )


def _build_round(
    config: CorpusConfig, out: Path, ranges: Sequence[_Range], workers: int, progress: Progress | None
) -> list[UnitRecord]:
    records = {unit: finished_unit(out, unit, first, stop) for unit, first, stop in ranges}
    todo = [entry for entry in ranges if records[entry[0]] is None]
    start = ranges[0][1] + sum(stop - first for unit, first, stop in ranges if records[unit] is not None)
    total = max(config.num_programs, ranges[-1][2])

    def report(drawn: int) -> None:
        if progress is not None:
            progress(start + drawn, total)

    report(0)
    if workers == 0:
        _build_here(config, out, todo, report)
    elif todo:
        _build_in_processes(config, out, todo, min(workers, len(todo)), report)
    result = []
    for unit, first, stop in ranges:
        record = records[unit] or finished_unit(out, unit, first, stop)
        if record is None:
            raise OpenCWMError(f"unit {unit} is damaged right after it was written", where=str(out))
        result.append(record)
    return result


def _build_here(
    config: CorpusConfig, out: Path, todo: Sequence[_Range], report: Callable[[int], object]
) -> None:
    finished = 0
    with recorder_factory(config.recorder)(config.curriculum.generator) as recorder:
        for unit, first, stop in todo:
            build_unit(config, out, unit, first, stop, recorder, functools.partial(_add, report, finished))
            finished += stop - first
            report(finished)


def _add(report: Callable[[int], object], before: int, drawn: int) -> None:
    report(before + drawn)


def _build_in_processes(
    config: CorpusConfig, out: Path, todo: Sequence[_Range], workers: int, report: Callable[[int], object]
) -> None:
    """Let workers take units from one queue; report from this thread; the first failure ends all."""
    waiting: queue.SimpleQueue[_Range] = queue.SimpleQueue()
    for entry in todo:
        waiting.put(entry)
    events: queue.SimpleQueue[tuple[int, int] | Exception | None] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        for _ in range(workers):
            worker = stack.enter_context(_worker(config, out))
            thread = threading.Thread(target=_drive, args=(worker, waiting, events), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(
                worker.kill
            )  # runs first: a thread waiting for a reply then sees the end of the pipe
        drawn: dict[int, int] = {}
        running = workers
        while running:
            event = events.get()
            if event is None:
                running -= 1
            elif isinstance(event, Exception):
                raise event
            else:
                drawn[event[0]] = event[1]
                report(sum(drawn.values()))


@contextlib.contextmanager
def _worker(config: CorpusConfig, out: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "opencwm.corpus.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    try:
        setup = {"config": to_dict(config), "folder": str(out.resolve())}
        _send(process, setup)
        yield process
    finally:
        process.kill()
        process.communicate()


def _send(worker: subprocess.Popen[str], message: dict[str, Any]) -> None:
    if worker.stdin is None:
        raise OSError("the worker takes no requests")
    worker.stdin.write(json.dumps(message) + "\n")
    worker.stdin.flush()


def _receive(worker: subprocess.Popen[str]) -> dict[str, Any]:
    line = worker.stdout.readline() if worker.stdout is not None else ""
    message: dict[str, Any] = (
        json.loads(line) if line else {"error": "a worker of the build ended unexpectedly"}
    )
    return message


def _drive(
    worker: subprocess.Popen[str],
    waiting: queue.SimpleQueue[_Range],
    events: queue.SimpleQueue[tuple[int, int] | Exception | None],
) -> None:
    """Hand units to one worker until none are left; tell ``events`` what happens."""
    try:
        while True:
            try:
                unit, first, stop = waiting.get_nowait()
            except queue.Empty:
                break
            _send(worker, {"unit": unit, "first": first, "stop": stop})
            while True:
                message = _receive(worker)
                if "error" in message:
                    events.put(OpenCWMError(str(message["error"]), where=f"programs {first} to {stop - 1}"))
                    return
                if "done" in message:
                    events.put((unit, stop - first))
                    break
                events.put((unit, int(message["drawn"])))
    except (OSError, ValueError) as error:
        events.put(OpenCWMError(f"a worker of the build failed: {error}"))
    events.put(None)


# -- finish ----------------------------------------------------------------------------------------


def _finish(config: CorpusConfig, out: Path, records: Sequence[UnitRecord]) -> Manifest:
    """Drop programs that an earlier shard has, and write the manifest."""
    seen: set[str] = set()
    shards: dict[str, list[Shard]] = {split: [] for split in SPLITS}
    num_duplicates = 0
    for record in records:
        num_duplicates += record.stop - record.first - record.num_failed
        for split in SPLITS:
            ids = record.ids[split]
            fresh = [program for program in ids if program not in seen]
            seen.update(fresh)
            num_duplicates -= len(fresh)
            path = shard_path(out, split, record.unit)
            if len(fresh) < len(ids):
                _keep_only(path, fresh, record.unit)
            if fresh:
                shards[split].append(_describe(out, path, split, record, len(fresh)))
    ordered = tuple(shard for split in SPLITS for shard in shards[split])
    manifest = Manifest(
        config=to_dict(config),
        python=_identity(config)["python"],
        opencwm=__version__,
        num_programs=sum(shard.rows for shard in ordered),
        num_duplicates=num_duplicates,
        num_failed=sum(record.num_failed for record in records),
        shards=ordered,
    )
    write_manifest(out, manifest)
    return manifest


def _keep_only(path: Path, ids: Sequence[str], unit: int) -> None:
    """Write a shard again with these programs only; remove it when there are none."""
    from opencwm.traces.parquet import read_parquet

    if not ids:
        path.unlink(missing_ok=True)
        return
    wanted = set(ids)
    write_shard(path, [trace for trace in read_parquet(path) if trace.program.id in wanted], unit)


def _describe(out: Path, path: Path, split: str, record: UnitRecord, rows: int) -> Shard:
    return Shard(
        path=path.relative_to(out).as_posix(),
        split=split,
        first=record.first,
        stop=record.stop,
        rows=rows,
        num_bytes=path.stat().st_size,
        sha256=file_sha256(path),
    )
