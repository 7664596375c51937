"""Harvesting a package that lies on disk: what is kept, what falls out, what happens when it goes wrong."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_package

from opencwm.core.errors import ConfigError
from opencwm.corpus.harvest.harvest import HarvestManifest, harvest
from opencwm.corpus.harvest.programs import ProgramConfig
from opencwm.corpus.harvest.sources import Source, Sources
from opencwm.corpus.harvest.unit import WORK_FOLDER, UnitReport, fingerprint, report_path, traces_path
from opencwm.corpus.structure import split_of
from opencwm.traces import Status, Trace
from opencwm.traces.parquet import read_parquet

TINY = Source(name=tiny_package.NAME, version=tiny_package.VERSION, licence="MIT", seconds=30.0)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip, which these tests never need, find nothing."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def _folder(place: Path, *names: str, tests: str = tiny_package.TESTS) -> Path:
    for name in names:
        tiny_package.lay_out(place / WORK_FOLDER / "packages", name=name, tests=tests)
    return place


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HarvestManifest, list[Trace]]:
    folder = _folder(tmp_path_factory.mktemp("harvest"), "tinypack")
    manifest = harvest(Sources(package=(TINY,)), folder)
    return folder, manifest, list(read_parquet(traces_path(folder, "tinypack")))


def test_tests_that_are_a_part_of_the_package_run_too(tmp_path: Path) -> None:
    tiny_package.lay_out(tmp_path / WORK_FOLDER / "packages", inside=True)
    manifest = harvest(Sources(package=(TINY,)), tmp_path)
    assert manifest.files[0].tests == {"passed": 4}  # three of its own, one doctest
    assert manifest.num_kept == 12


def test_functions_run_alone_and_give_what_was_seen(
    harvested: tuple[Path, HarvestManifest, list[Trace]],
) -> None:
    _, manifest, traces = harvested
    assert manifest.num_kept == 12
    assert manifest.num_tried == 14
    assert manifest.reasons == {"looks at its module": 1, "differs from run to run": 1}
    assert manifest.num_traces == len(traces)
    assert manifest.median_inputs >= 5
    results = {trace.program.call: trace.result for trace in traces}
    assert results["shout('x', 2)"] == "'X!!'"
    assert results["vowels('banana')"] == "3"
    assert results["list(pairs([1, 2]))"] == "[(1, 2), (2, 4)]"
    assert results["apply((lambda x: x + 1), 3)"] == "4"
    assert results["object_with(BigBox, items=[1, 2]).total()"] == "6"
    assert results["Point(x=1, y=0).moved(2)"] == "Point(x=3, y=2)"
    raised = [trace for trace in traces if trace.status is Status.RAISED]
    assert any(trace.program.call == "third(-1)" for trace in raised)


def test_programs_say_where_they_are_from(harvested: tuple[Path, HarvestManifest, list[Trace]]) -> None:
    _, manifest, traces = harvested
    assert {trace.program.licence for trace in traces} == {"MIT"}
    origins = {trace.program.origin for trace in traces}
    assert "pkg:pypi/tinypack@1.0#tinypack.boxes:Box.add" in origins
    assert {trace.program.group for trace in traces} == origins
    assert (manifest.files[0].package, manifest.files[0].version) == ("tinypack", "1.0")
    by_group = {
        (trace.program.group, split_of(trace.program, valid_fraction=0.4, test_fraction=0.3))
        for trace in traces
    }
    assert len(by_group) == len(origins)


def test_a_finished_harvest_is_not_done_again(
    harvested: tuple[Path, HarvestManifest, list[Trace]],
) -> None:
    folder, manifest, _ = harvested
    before = traces_path(folder, "tinypack").stat().st_mtime_ns
    assert harvest(Sources(package=(TINY,)), folder) == manifest
    assert traces_path(folder, "tinypack").stat().st_mtime_ns == before


def test_equal_functions_of_two_packages_are_kept_once(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "tinypack", "twin")
    twin = Source(name="twin", version=tiny_package.VERSION, licence="MIT", seconds=30.0)
    manifest = harvest(Sources(package=(TINY, twin)), folder, workers=2)
    assert manifest.num_kept == 12
    assert manifest.files[1].num_kept == 0
    assert manifest.reasons["same as in another package"] == 12
    assert not traces_path(folder, "twin").exists()


def test_a_package_that_cannot_be_had_is_a_record(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "tinypack")
    absent = Source(name="absent", version="1.0", licence="MIT")
    told: list[UnitReport | None] = []
    manifest = harvest(
        Sources(package=(absent, TINY)), folder, progress=lambda _, __, unit: told.append(unit)
    )
    assert manifest.files[0].problem == "absent==1.0: cannot be fetched"
    assert manifest.files[1].num_kept == 12
    assert {unit.name for unit in told if unit is not None} == {"absent", "tinypack"}


@pytest.mark.parametrize(
    ("test", "ending"),
    [
        ("import os\n    os._exit(3)", "exited"),
        ("import os\n    os.kill(os.getpid(), 9)", "killed"),
        (
            "import signal\n    signal.setitimer(signal.ITIMER_REAL, 0)\n    while True:\n        pass",
            "timeout",
        ),
        ("held = bytearray(1 << 36)", ""),
    ],
    ids=["exit", "kill", "hang", "memory"],
)
def test_what_was_seen_before_a_test_ends_its_process_is_kept(tmp_path: Path, test: str, ending: str) -> None:
    tests = f"{tiny_package.TESTS}\n\ndef test_zzz():\n    {test}\n"
    folder = _folder(tmp_path, "tinypack", tests=tests)
    source = Source(name="tinypack", version=tiny_package.VERSION, licence="MIT", seconds=6.0)
    manifest = harvest(Sources(package=(source,)), folder)
    assert manifest.num_kept == 12
    if ending:
        assert manifest.files[0].tests[f"ended: {ending}"] == 1


def test_a_killed_harvest_leaves_nothing_half_written_and_goes_on(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "tinypack")
    (folder / "sources.toml").write_text(
        '[[package]]\nname = "tinypack"\nversion = "1.0"\nlicence = "MIT"\nseconds = 30.0\n', encoding="utf-8"
    )
    command = [
        sys.executable, "-c", "import sys; from opencwm.frontends.cli import main; sys.exit(main())",
        "corpus", "harvest", str(folder / "sources.toml"), "-o", str(folder), "--json",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        until = time.monotonic() + 60
        while not (folder / WORK_FOLDER / "lock").exists() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (folder / "manifest.json").exists()
    for path in folder.glob("*.parquet"):
        assert list(read_parquet(path))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["num_kept"] == 12


def test_one_folder_takes_one_harvest_at_a_time(tmp_path: Path) -> None:
    work = tmp_path / WORK_FOLDER
    work.mkdir()
    with (work / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="another harvest is at work"):
            harvest(Sources(package=(TINY,)), tmp_path)


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="holds no harvest"):
        harvest(Sources(package=(TINY,)), tmp_path)
    with pytest.raises(ConfigError, match="is not a folder"):
        harvest(Sources(package=(TINY,)), tmp_path / "notes.txt")


def test_a_damaged_report_is_made_again(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "tinypack")
    path = report_path(folder, "tinypack")
    path.write_text('{"name": "tinypack"', encoding="utf-8")
    assert harvest(Sources(package=(TINY,)), folder).num_kept == 12
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["fingerprint"] == fingerprint(TINY, ProgramConfig())


def test_other_settings_harvest_again() -> None:
    assert fingerprint(TINY, ProgramConfig()) != fingerprint(TINY, ProgramConfig(inputs=2))
    other = Source(name=TINY.name, version=TINY.version, licence="ISC", seconds=30.0)
    assert fingerprint(TINY, ProgramConfig()) != fingerprint(other, ProgramConfig())
