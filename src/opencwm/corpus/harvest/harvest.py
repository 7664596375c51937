"""Harvest the packages of a list: one process each, then equal functions out, then the manifest.

Whatever happens, running the same harvest again continues it: a package with a report is done, the others are
harvested again. A package that fails is a report with a reason; the rest goes on.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import fcntl
import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.core.files import write_atomic
from opencwm.core.version import __version__
from opencwm.corpus.harvest.programs import ProgramConfig
from opencwm.corpus.harvest.sources import Source, Sources
from opencwm.corpus.harvest.unit import (
    WORK_FOLDER,
    UnitReport,
    fingerprint,
    read_report,
    request_for,
    traces_path,
    write_report,
)
from opencwm.corpus.shards import MANIFEST_NAME, file_sha256

MANIFEST_KIND: Final = "opencwm-harvest"
UNIT_S: Final = 4 * 3600.0
"""Longest that one package may take, in seconds."""
DUPLICATE: Final = "same as in another package"

Progress = Callable[[int, int, UnitReport | None], object]
"""Called with packages done, packages in all, and the one just done."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HarvestedFile:
    """The traces of one package in the manifest.

    Attributes:
        package: its name.
        version: exact.
        licence: SPDX expression.
        path: relative to the harvest; empty when nothing was kept.
        num_tried: functions that were seen to run.
        num_kept: functions in the file.
        num_traces: rows of the file.
        sha256: of the file.
        problem: why the package gave nothing, or less; empty when all went well.
        tests: outcomes of its tests.
        reasons: why functions fell out, and how many.
    """

    package: str
    version: str
    licence: str
    path: str
    num_tried: int
    num_kept: int
    num_traces: int
    sha256: str
    problem: str
    tests: dict[str, int]
    reasons: dict[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class HarvestManifest:
    """What a finished harvest holds.

    Attributes:
        python: ``major.minor.micro`` of the interpreter.
        opencwm: version of the package that wrote it.
        num_tried: functions that were seen to run, in all packages.
        num_kept: distinct functions that run on their own.
        num_traces: rows in all files.
        median_inputs: distinct inputs of a kept function, the median.
        reasons: why functions fell out, and how many, most frequent first.
        files: one for each package, in the order of the sources.
    """

    python: str
    opencwm: str
    num_tried: int
    num_kept: int
    num_traces: int
    median_inputs: float
    reasons: dict[str, int]
    files: tuple[HarvestedFile, ...]


def harvest(
    sources: Sources,
    folder: Path,
    *,
    workers: int = 1,
    config: ProgramConfig | None = None,
    progress: Progress | None = None,
) -> HarvestManifest:
    """Harvest ``sources`` into ``folder``, or continue the harvest that is there.

    Args:
        sources: the packages.
        folder: made when it does not exist; gets one Parquet file of traces for each package, and
            ``manifest.json`` at the very end.
        workers: packages at a time.
        config: what programs have to be like.
        progress: told of each package that is done.

    Raises:
        ConfigError: the folder holds something else, or another harvest is at work in it.
        OpenCWMError: a report cannot be written, for example because the disk is full.
    """
    config = config or ProgramConfig()
    with _claimed(folder):
        (folder / MANIFEST_NAME).unlink(missing_ok=True)
        reports = _reports(sources, folder, workers, config, progress)
        return _finish(sources, folder, reports)


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Hold the folder for this harvest alone; the lock ends with the process."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError("is not a folder", where=str(folder))
    work = folder / WORK_FOLDER
    if folder.exists() and not work.exists() and any(folder.iterdir()):
        raise ConfigError(
            "is not empty and holds no harvest", where=str(folder), hint="choose another folder"
        )
    work.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(work / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                "another harvest is at work in this folder", where=str(folder), hint="wait, or choose another"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _reports(
    sources: Sources, folder: Path, workers: int, config: ProgramConfig, progress: Progress | None
) -> dict[str, UnitReport]:
    reports: dict[str, UnitReport] = {}
    total = len(sources.package)
    running: set[subprocess.Popen[str]] = set()
    with concurrent.futures.ThreadPoolExecutor(max(workers, 1)) as pool:
        waiting = []
        for source in sources.package:
            report = read_report(folder, source, config)
            if report is not None and not report.problem:
                reports[source.name] = report
            else:
                waiting.append(pool.submit(_harvest_one, source, folder, config, running))
        if progress is not None:
            progress(len(reports), total, None)
        try:
            for future in concurrent.futures.as_completed(waiting):
                report = future.result()
                reports[report.name] = report
                if progress is not None:
                    progress(len(reports), total, report)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stopped = list(running)
            running.clear()  # tells that their ends are no failures
            for process in stopped:
                process.kill()
            raise
    return reports


def _harvest_one(
    source: Source, folder: Path, config: ProgramConfig, running: set[subprocess.Popen[str]]
) -> UnitReport:
    """Harvest one package in a process of its own; what goes wrong there is its report."""
    with subprocess.Popen(
        [sys.executable, "-m", "opencwm.corpus.harvest.unit"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONHASHSEED": "0"},
    ) as process:
        running.add(process)
        problem = _conversation(process, request_for(source, folder.resolve(), config))
        if process not in running:
            raise concurrent.futures.CancelledError
        running.discard(process)
    report = read_report(folder, source, config)
    if not problem and report is not None:
        return report
    failed = UnitReport(
        name=source.name,
        version=source.version,
        licence=source.licence,
        problem=" ".join((problem or "ended without a report").split())[:300],
        fingerprint=fingerprint(source, config),
    )
    try:
        write_report(folder, failed)
    except OSError as error:
        raise OpenCWMError(f"cannot be written: {error.strerror}", where=str(folder)) from None
    return failed


def _conversation(process: subprocess.Popen[str], request: str) -> str:
    """Send a unit its request and wait until it has ended; return what it says went wrong.

    Its standard input stays open meanwhile: when this process dies, that ends, and with it the unit.
    """
    if process.stdin is None or process.stderr is None:
        raise OSError("a unit without pipes")
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(request + "\n")
        process.stdin.flush()
    timer = threading.Timer(UNIT_S, process.kill)
    timer.daemon = True
    timer.start()
    lines = process.stderr.read().strip().splitlines()
    status = process.wait()
    timer.cancel()
    if status == 0:
        return ""
    return lines[-1] if lines else f"ended with status {status}"


# -- finish ----------------------------------------------------------------------------------------


def _finish(sources: Sources, folder: Path, reports: dict[str, UnitReport]) -> HarvestManifest:
    """Drop functions that an earlier package has, and write the manifest."""
    known: set[str] = set()
    files = []
    inputs: list[int] = []
    reasons: collections.Counter[str] = collections.Counter()
    for source in sources.package:
        report = reports[source.name]
        groups = [group for group, structure in report.structures.items() if structure not in known]
        known.update(report.structures.values())
        if len(groups) < report.num_kept:
            _keep_only(traces_path(folder, report.name), frozenset(groups))
        file = _described(folder, report, groups)
        inputs += [report.inputs[group] for group in groups]
        reasons.update(file.reasons)
        files.append(file)
    manifest = HarvestManifest(
        python=".".join(map(str, sys.version_info[:3])),
        opencwm=__version__,
        num_tried=sum(file.num_tried for file in files),
        num_kept=sum(file.num_kept for file in files),
        num_traces=sum(file.num_traces for file in files),
        median_inputs=statistics.median(inputs) if inputs else 0.0,
        reasons=dict(reasons.most_common()),
        files=tuple(files),
    )
    fields: dict[str, Any] = {"kind": MANIFEST_KIND, **dataclasses.asdict(manifest)}
    write_atomic(folder / MANIFEST_NAME, json.dumps(fields, indent=1) + "\n")
    return manifest


def _described(folder: Path, report: UnitReport, groups: list[str]) -> HarvestedFile:
    path = traces_path(folder, report.name)
    num_duplicates = report.num_kept - len(groups)
    return HarvestedFile(
        package=report.name,
        version=report.version,
        licence=report.licence,
        path=path.name if groups else "",
        num_tried=report.num_functions,
        num_kept=len(groups),
        num_traces=sum(report.inputs[group] for group in groups),
        sha256=file_sha256(path) if groups else "",
        problem=report.problem,
        tests=report.tests,
        reasons={**report.reasons, **({DUPLICATE: num_duplicates} if num_duplicates else {})},
    )


def _keep_only(path: Path, groups: frozenset[str]) -> None:
    """Write a file again with the programs of these groups only; remove it when there are none."""
    from opencwm.traces.parquet import read_metadata, read_parquet, write_parquet

    if not groups:
        path.unlink(missing_ok=True)
        return
    kept = [trace for trace in read_parquet(path) if trace.program.group in groups]
    write_parquet(path, kept, read_metadata(path))
