"""Harvest one package: fetch, watch its tests, cut, check, write. A process of its own for each package.

Run as ``python -m opencwm.corpus.harvest.unit`` with a request, one line of JSON, on standard input. The
traces are written first, the report last: a package without a report is harvested again.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import importlib.util
import json
import os
import sys
import sysconfig
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from opencwm.core.config import from_dict, to_dict
from opencwm.core.errors import OpenCWMError
from opencwm.core.files import write_atomic
from opencwm.corpus.harvest.fetch import Distribution, install
from opencwm.corpus.harvest.modules import Package
from opencwm.corpus.harvest.observe import ObserveRequest
from opencwm.corpus.harvest.programs import (
    KEPT,
    FunctionKey,
    Outcome,
    ProgramConfig,
    ProgramMaker,
    functions_seen,
)
from opencwm.corpus.harvest.sources import Source
from opencwm.corpus.structure import structure_of
from opencwm.sandbox import RunLimits, RunResult, Sandbox, SandboxConfig
from opencwm.traces import Trace

WORK_FOLDER: Final = ".harvest"
HARVEST_VERSION: Final = 4
"""Raised whenever the same request gives other programs than before."""
_PYTEST: Final = (
    "--quiet",
    "-p",
    "no:cacheprovider",
    "--assert=plain",
    "--continue-on-collection-errors",
    "--import-mode=append",
    "-c",
    "/dev/null",
    "-o",
    "python_files=test_*.py *_test.py *_tests.py tests.py test.py",
    "--disable-warnings",
)
_DOCTESTS: Final = (
    "--doctest-modules",
    "--doctest-ignore-import-errors",
    "--doctest-continue-on-failure",
    "-o",
    "python_files=_",
)
_PRELOADED: Final = (
    "abc",
    "ast",
    "base64",
    "bisect",
    "calendar",
    "collections.abc",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "inspect",
    "io",
    "itertools",
    "json",
    "locale",
    "logging",
    "math",
    "numbers",
    "operator",
    "os",
    "re",
    "string",
    "struct",
    "textwrap",
    "time",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
    "warnings",
    "weakref",
)
"""Modules that many programs import, so that no run pays for them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitReport:
    """What became of one package.

    Attributes:
        name: of the package.
        version: of the package, or of Python.
        licence: SPDX expression.
        problem: one line when the package could not be harvested, otherwise empty.
        tests: outcomes of its tests and doctests, by name.
        num_functions: functions that were seen to run.
        num_kept: functions that run on their own.
        num_traces: rows written.
        inputs: number of distinct inputs of each kept function, by the group of its programs.
        reasons: why the others fell out, and how many of each.
        structures: by group, a digest that equal functions share, see :func:`structure_digest`.
        fingerprint: of the request that this answers, see :func:`fingerprint`.
    """

    name: str
    version: str
    licence: str
    problem: str = ""
    tests: dict[str, int] = dataclasses.field(default_factory=dict)
    num_functions: int = 0
    num_kept: int = 0
    num_traces: int = 0
    inputs: dict[str, int] = dataclasses.field(default_factory=dict)
    reasons: dict[str, int] = dataclasses.field(default_factory=dict)
    structures: dict[str, str] = dataclasses.field(default_factory=dict)
    fingerprint: str = ""


def report_path(folder: Path, name: str) -> Path:
    """Return where the report of a package lies."""
    return folder / WORK_FOLDER / f"{name}.json"


def traces_path(folder: Path, name: str) -> Path:
    """Return where the traces of a package lie."""
    return folder / f"{name}.parquet"


def harvest_package(source: Source, folder: Path, config: ProgramConfig) -> UnitReport:
    """Harvest one package into ``folder`` and return the report, also written there.

    Raises:
        OpenCWMError: the package cannot be had, or the sandbox does not work.
    """
    if source.standard_library:
        version = ".".join(map(str, sys.version_info[:3]))
        root, origin = Path(sysconfig.get_path("stdlib")), f"pkg:generic/cpython@{version}"
        package = Package([root], source.modules)
        records, tests = _watch_standard_library(source)
    else:
        version, origin = source.version, f"pkg:pypi/{source.name.lower()}@{source.version}"
        place = folder / WORK_FOLDER / "packages"
        distribution = install(source.name, source.version, place)
        needs = [install(*_pinned(need), place) for need in source.needs]
        package = Package([distribution.site], source.modules or distribution.modules)
        records, tests = _watch_package(source, distribution, needs)
    outcomes = _outcomes(package, functions_seen(records), origin, source.licence, config)
    report = _report(source, version, tests, outcomes, fingerprint(source, config))
    _write(folder, source.name, outcomes, report)
    return report


def _pinned(need: str) -> tuple[str, str]:
    name, _, version = need.partition("==")
    return name, version


def _watch_standard_library(source: Source) -> tuple[list[Mapping[str, Any]], dict[str, int]]:
    request = ObserveRequest(
        modules=source.modules, num_paths=0, tests=source.tests, arguments=(*_PYTEST, "--pyargs")
    )
    doctests = dataclasses.replace(
        request, tests=source.modules, arguments=(*_PYTEST, *_DOCTESTS, "--pyargs")
    )
    return _watch((doctests, request), (), source.seconds)


def _watch_package(
    source: Source, distribution: Distribution, needs: list[Distribution]
) -> tuple[list[Mapping[str, Any]], dict[str, int]]:
    modules = source.modules or distribution.modules
    site = _with_tests(distribution, modules)
    paths = [site, *(need.site for need in needs)]
    if distribution.sources is not None:
        paths.append(distribution.sources)
    within = [_place(site, module) for module in modules]
    request = ObserveRequest(
        modules=modules,
        num_paths=len(paths),
        tests=tuple(f"{len(paths) - 1}:{test}" for test in source.tests or ("",))
        if distribution.sources
        else (),
        arguments=(*_PYTEST, f"--rootdir={distribution.sources or site}"),
    )
    doctests = dataclasses.replace(
        request,
        tests=tuple(f"0:{path}" for path in within),
        arguments=(*_PYTEST, *_DOCTESTS, f"--rootdir={site}"),
    )
    inside = dataclasses.replace(
        request, tests=tuple(f"0:{path}" for path in within if not path.endswith(".py"))
    )
    requests = [doctests]
    if request.tests:
        requests.append(request)
    is_inside = _has_tests_inside(distribution.site, modules) or not _has_tests(distribution.sources)
    if inside.tests and not source.tests and is_inside:
        requests.append(inside)
    return _watch(tuple(requests), tuple(paths), source.seconds)


def _with_tests(distribution: Distribution, modules: tuple[str, ...]) -> Path:
    """Return the folder to import a package from: the source distribution if it alone has the tests inside.

    Such tests import the package they are part of, so they and it come from one folder.
    """
    if distribution.sources is not None and not _has_tests_inside(distribution.site, modules):
        for root in (distribution.sources, distribution.sources / "src"):
            if _has_tests_inside(root, modules):
                return root
    return distribution.site


def _has_tests_inside(root: Path, modules: tuple[str, ...]) -> bool:
    places = [root / module.replace(".", "/") for module in modules]
    return any((place / "__init__.py").is_file() and _has_tests(place) for place in places)


def _has_tests(sources: Path | None) -> bool:
    return sources is not None and any(True for _ in sources.rglob("test*.py"))


def _place(site: Path, module: str) -> str:
    relative = module.replace(".", "/")
    return f"{relative}.py" if (site / f"{relative}.py").is_file() else relative


def _watch(
    requests: tuple[ObserveRequest, ...], paths: tuple[Path, ...], seconds: float
) -> tuple[list[Mapping[str, Any]], dict[str, int]]:
    """Run observations one after the other; return all records, and the outcomes of the tests."""
    records: list[Mapping[str, Any]] = []
    tests: collections.Counter[str] = collections.Counter()
    limits = RunLimits(
        wall_s=4 * seconds,
        cpu_s=seconds,
        memory_bytes=3 << 30,
        num_processes=64,
        num_files=256,
        file_bytes=16 << 20,
        output_bytes=512 << 20,
    )
    with Sandbox(SandboxConfig(python_path=(_pytest_folder(), *paths))) as sandbox:
        for request in requests:
            payload = json.dumps(dataclasses.asdict(request)).encode()
            result = sandbox.run("opencwm.corpus.harvest.observe:main", payload, limits)
            for record in _records(result):
                if isinstance(found := record.get("tests"), dict):
                    tests.update({str(k): v for k, v in found.items() if isinstance(v, int)})
                else:
                    records.append(record)
            if result.status != "returned":
                tests[f"ended: {result.status.value}"] += 1
    return records, dict(tests)


def _records(result: RunResult) -> list[dict[str, Any]]:
    found = []
    for output in result.outputs:
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(output)
            if isinstance(record, dict):
                found.append(record)
    return found


def _pytest_folder() -> Path:
    """Return the folder pytest is imported from.

    Raises:
        OpenCWMError: it is not installed.
    """
    spec = importlib.util.find_spec("pytest")
    if spec is None or spec.origin is None:
        raise OpenCWMError("pytest is not installed", where="harvest", hint="pip install pytest")
    return Path(spec.origin).parents[1]


def _outcomes(
    package: Package,
    functions: Mapping[FunctionKey, tuple[list[Mapping[str, Any]], str]],
    origin: str,
    licence: str,
    config: ProgramConfig,
) -> list[Outcome]:
    """Make programs of the functions; of equal ones the first is kept."""
    known: set[str] = set()
    outcomes = []
    with Sandbox(SandboxConfig(preload=_PRELOADED)) as sandbox:
        maker = ProgramMaker(package, origin=origin, licence=licence, sandbox=sandbox, config=config)
        for key in sorted(functions):
            outcome = maker.outcome(key, *functions[key])
            if outcome.traces:
                structure = structure_digest(outcome.traces[0])
                if structure in known:
                    outcome = Outcome(outcome.module, outcome.qualname, "same as another")
                known.add(structure)
            outcomes.append(outcome)
    return outcomes


def structure_digest(trace: Trace) -> str:
    """Return what decides whether the functions of two programs are one: the source but for its names."""
    program = trace.program
    entered = program.group.rpartition(".")[2].rpartition(":")[2]
    return hashlib.sha256(f"{structure_of(program.source)}\0{entered}".encode()).hexdigest()[:16]


def _report(
    source: Source, version: str, tests: dict[str, int], outcomes: list[Outcome], request: str
) -> UnitReport:
    kept = [outcome for outcome in outcomes if outcome.reason == KEPT]
    by_group = {outcome.traces[0].program.group: outcome.traces for outcome in kept}
    return UnitReport(
        name=source.name,
        version=version,
        licence=source.licence,
        tests=tests,
        num_functions=len(outcomes),
        num_kept=len(kept),
        num_traces=sum(len(outcome.traces) for outcome in kept),
        inputs={group: len(traces) for group, traces in by_group.items()},
        reasons=dict(collections.Counter(outcome.reason for outcome in outcomes if outcome.reason != KEPT)),
        structures={group: structure_digest(traces[0]) for group, traces in by_group.items()},
        fingerprint=request,
    )


def _write(folder: Path, name: str, outcomes: list[Outcome], report: UnitReport) -> None:
    from opencwm.traces.parquet import write_parquet

    path = traces_path(folder, name)
    traces = [trace for outcome in outcomes for trace in outcome.traces]
    if traces:
        write_parquet(path, traces, {"package": name})
    else:
        path.unlink(missing_ok=True)
    write_report(folder, report)


def write_report(folder: Path, report: UnitReport) -> None:
    """Write the report of a package, which declares it finished."""
    write_atomic(report_path(folder, report.name), json.dumps(dataclasses.asdict(report), sort_keys=True))


def read_report(folder: Path, source: Source, config: ProgramConfig) -> UnitReport | None:
    """Return the report of a package; None when there is none of this request."""
    try:
        report = UnitReport(**json.loads(report_path(folder, source.name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return report if report.fingerprint == fingerprint(source, config) else None


def fingerprint(source: Source, config: ProgramConfig) -> str:
    """Return a digest of all that decides what becomes of a package."""
    request = {
        "source": to_dict(source),
        "config": to_dict(config),
        "python": sys.version,
        "version": HARVEST_VERSION,
    }
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:16]


def main() -> None:
    """Answer one request from standard input; a problem is printed as one line, with exit status 2."""
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        harvest_package(
            from_dict(Source, request["source"]),
            Path(request["folder"]),
            from_dict(ProgramConfig, request["config"]),
        )
    except OpenCWMError as error:
        print(str(error), file=sys.stderr)
        sys.exit(2)


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the harvest holds open, and end with it."""
    sys.stdin.read()
    os._exit(3)


def request_for(source: Source, folder: Path, config: ProgramConfig) -> str:
    """Return what :func:`main` reads."""
    return json.dumps({"source": to_dict(source), "folder": str(folder), "config": to_dict(config)})


if __name__ == "__main__":
    main()
