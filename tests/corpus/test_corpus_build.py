"""Building corpora: the same bytes whoever builds, nothing lost or doubled by a kill, clear refusals."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opencwm.core.errors import ConfigError, OpenCWMError, TraceFormatError
from opencwm.corpus.build import build_corpus
from opencwm.corpus.generator import CurriculumConfig, GeneratorConfig, Recorder, in_process_recorder
from opencwm.corpus.shards import Manifest, damaged_shards, read_manifest, read_split
from opencwm.corpus.structure import SPLITS, structure_of
from opencwm.corpus.units import CorpusConfig, record_path
from opencwm.traces import Program, Status, Trace

CONFIG = CorpusConfig(num_programs=240, seed=3, programs_per_shard=60, valid_fraction=0.1, test_fraction=0.1)


def content(folder: Path) -> dict[str, str]:
    """Hashes of everything a user sees of a corpus."""
    files = [*folder.glob("*/*.parquet"), folder / "manifest.json"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("corpus") / "built"
    return folder, build_corpus(CONFIG, folder, workers=0)


def test_manifest_describes_the_shards(built: tuple[Path, Manifest]) -> None:
    folder, manifest = built
    assert read_manifest(folder) == manifest
    assert manifest.num_programs == CONFIG.num_programs
    assert sum(manifest.num_rows(split) for split in SPLITS) == CONFIG.num_programs
    assert damaged_shards(folder, manifest) == []
    for split in SPLITS:
        traces = list(read_split(folder, split))
        assert len(traces) == manifest.num_rows(split)
        assert all(trace.status in (Status.RETURNED, Status.RAISED) for trace in traces)
    assert 0.03 < manifest.num_rows("valid") / CONFIG.num_programs < 0.2


def test_no_program_occurs_twice_and_no_structure_in_two_splits(built: tuple[Path, Manifest]) -> None:
    folder, _ = built
    programs = {split: [trace.program for trace in read_split(folder, split)] for split in SPLITS}
    ids = [program.id for split in SPLITS for program in programs[split]]
    assert len(set(ids)) == len(ids)
    structures = [{structure_of(program.source) for program in programs[split]} for split in SPLITS]
    assert not structures[0] & structures[1]
    assert not structures[0] & structures[2]
    assert not structures[1] & structures[2]


def test_same_bytes_with_two_workers_and_another_hash_seed(
    built: tuple[Path, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "4711")
    seen: list[tuple[int, int]] = []
    manifest = build_corpus(
        CONFIG, tmp_path / "again", workers=2, progress=lambda done, total: seen.append((done, total))
    )
    assert manifest == built[1]
    assert content(tmp_path / "again") == content(built[0])
    assert seen[0][0] == 0
    assert seen[-1] == (240, 240)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_another_seed_gives_other_programs(built: tuple[Path, Manifest], tmp_path: Path) -> None:
    other = CorpusConfig(num_programs=20, seed=4, programs_per_shard=20)
    build_corpus(other, tmp_path / "other", workers=0)
    ids = {trace.program.id for trace in read_split(tmp_path / "other", "train")}
    assert not ids & {trace.program.id for trace in read_split(built[0], "train")}


def test_kill_in_the_middle_loses_nothing(built: tuple[Path, Manifest], tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    code = (
        "import sys; from pathlib import Path\n"
        "from opencwm.corpus.build import build_corpus\n"
        "from opencwm.corpus.units import CorpusConfig\n"
        "build_corpus(CorpusConfig(num_programs=240, seed=3, programs_per_shard=60, valid_fraction=0.1,"
        " test_fraction=0.1), Path(sys.argv[1]), workers=1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], start_new_session=True)
    deadline = time.monotonic() + 60
    while not record_path(folder, 0).exists():
        assert time.monotonic() < deadline, "the build does not get on"
        assert process.poll() is None, "the build ended before it could be killed"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "manifest.json").exists()
    with pytest.raises(ConfigError, match="not a finished corpus"):
        read_manifest(folder)
    stamp = record_path(folder, 0).stat().st_mtime_ns
    build_corpus(CONFIG, folder, workers=1)
    assert record_path(folder, 0).stat().st_mtime_ns == stamp  # what was done was kept
    assert content(folder) == content(built[0])


def test_damaged_shards_are_found_and_made_again(built: tuple[Path, Manifest], tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    build_corpus(CONFIG, folder, workers=0)
    (folder / "train" / "00001.parquet").write_bytes(b"PAR1 no more")
    (folder / "train" / "00002.parquet").unlink()
    assert {shard.path for shard in damaged_shards(folder, read_manifest(folder))} == {
        "train/00001.parquet",
        "train/00002.parquet",
    }
    with pytest.raises(TraceFormatError, match="missing or damaged"):
        list(read_split(folder, "train"))
    build_corpus(CONFIG, folder, workers=0)
    assert content(folder) == content(built[0])


def test_a_finished_corpus_is_left_alone(built: tuple[Path, Manifest]) -> None:
    folder, manifest = built
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    seen: list[tuple[int, int]] = []
    assert build_corpus(CONFIG, folder, progress=lambda done, total: seen.append((done, total))) == manifest
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
    assert seen == [(240, 240)]


def test_another_configuration_in_the_same_folder_is_refused(built: tuple[Path, Manifest]) -> None:
    with pytest.raises(ConfigError, match="seed is 3 there, 9 here"):
        build_corpus(CorpusConfig(num_programs=240, seed=9, programs_per_shard=60), built[0])


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        build_corpus(CONFIG, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ConfigError, match="not a folder"):
        build_corpus(CONFIG, tmp_path / "thesis.tex")


@contextmanager
def repeating_recorder(config: GeneratorConfig) -> Iterator[Recorder]:
    """Runs one of a hundred programs in place of whichever it is given, so that duplicates abound."""
    run = in_process_recorder(config)

    def record(program: Program) -> Trace:
        number = int(program.id, 16) % 100
        return run(Program(f"def f(n):\n    n = n + {number}\n    return n\n", "main", "f(1)"))

    yield record


@contextmanager
def failing_recorder(config: GeneratorConfig) -> Iterator[Recorder]:  # noqa: ARG001 - a factory's signature
    def record(program: Program) -> Trace:
        raise ConfigError(f"cannot run {program.id}")

    yield record


def test_duplicates_are_dropped_and_replaced(tmp_path: Path) -> None:
    curriculum = CurriculumConfig(generator=GeneratorConfig(raise_fraction=0.0))
    config = CorpusConfig(
        num_programs=60,
        programs_per_shard=20,
        curriculum=curriculum,
        recorder=f"{__name__}:repeating_recorder",
    )
    manifest = build_corpus(config, tmp_path / "few", workers=0)
    ids = [trace.program.id for split in SPLITS for trace in read_split(tmp_path / "few", split)]
    assert len(ids) == len(set(ids)) == manifest.num_programs >= 60
    assert manifest.num_duplicates > 10
    before = content(tmp_path / "few")
    (tmp_path / "few" / "manifest.json").unlink()
    build_corpus(config, tmp_path / "few", workers=0)
    assert content(tmp_path / "few") == before


def test_too_few_distinct_programs_is_said(tmp_path: Path) -> None:
    curriculum = CurriculumConfig(generator=GeneratorConfig(raise_fraction=0.0))
    config = CorpusConfig(
        num_programs=150,
        programs_per_shard=500,
        curriculum=curriculum,
        recorder=f"{__name__}:repeating_recorder",
    )
    with pytest.raises(OpenCWMError, match="only 100 distinct programs"):
        build_corpus(config, tmp_path / "many", workers=0)


def test_a_failing_worker_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    config = CorpusConfig(num_programs=10, recorder=f"{Path(__file__).stem}:failing_recorder")
    with pytest.raises(OpenCWMError, match="cannot run"):
        build_corpus(config, tmp_path / "out", workers=2)


def test_unknown_recorders_are_refused(tmp_path: Path) -> None:
    for name in ("magic", "nowhere.at.all:f", "json:no_such"):
        with pytest.raises(ConfigError, match="no recorder"):
            build_corpus(CorpusConfig(recorder=name), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "bad", [{"num_programs": 0}, {"valid_fraction": 1.0}, {"test_fraction": 0.6, "valid_fraction": 0.5}]
)
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        CorpusConfig(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"kind": "opencwm-corpus"}', '{"kind": 3, "schema_version": 99}']
)
def test_damaged_manifests_are_said(built: tuple[Path, Manifest], tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(TraceFormatError):
        read_manifest(tmp_path)
    fields = json.loads((built[0] / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**fields, "schema_version": 99}))
    with pytest.raises(TraceFormatError, match="schema version 99"):
        read_manifest(tmp_path)


def test_unknown_splits_are_refused(built: tuple[Path, Manifest]) -> None:
    with pytest.raises(ConfigError, match="no split 'dev'"):
        list(read_split(built[0], "dev"))


def test_structure_ignores_names_and_nothing_else() -> None:
    first = "def f(text):\n    out = text.upper()  # loud\n    return f'{out}!' + 'text'\n"
    renamed = "def shout(s):\n    t = s.upper()  \n    return f'{t}!' + 'text'\n"
    assert structure_of(first) == structure_of(renamed)
    assert structure_of(first) != structure_of(first.replace("upper", "lower"))
    assert structure_of(first) != structure_of(first.replace("'text'", "'s'"))
    assert structure_of("a = b\n") != structure_of("a = a\n")
