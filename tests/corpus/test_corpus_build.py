"""Building corpora: the same bytes whoever builds, nothing lost or doubled, clear refusals."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from recipes import content, recipe

from opencwm.core.config import from_dict
from opencwm.core.errors import ConfigError, OpenCWMError, TraceFormatError
from opencwm.corpus.build import build_corpus
from opencwm.corpus.recipe import Recipe
from opencwm.corpus.shards import Manifest, damaged_shards, read_manifest, read_split
from opencwm.corpus.structure import SPLITS, group_of, structure_tokens
from opencwm.traces import Program, Status, Trace
from opencwm.traces.jsonl import write_jsonl
from opencwm.traces.parquet import write_parquet

RECIPE = recipe(encode={"formats": ["native"]})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("corpus") / "built"
    return folder, build_corpus(RECIPE, folder, workers=0)


def programs(folder: Path) -> dict[str, list[Program]]:
    return {split: [trace.program for trace in read_split(folder, split)] for split in SPLITS}


def test_the_manifest_describes_the_shards(built: tuple[Path, Manifest]) -> None:
    folder, manifest = built
    assert read_manifest(folder) == manifest
    assert damaged_shards(folder, manifest) == []
    assert sum(manifest.num_rows(split) for split in SPLITS) == manifest.num_programs
    fallen = sum(manifest.dropped["generated"].values())
    assert manifest.num_programs + fallen == manifest.num_drawn["generated"] == 240
    assert fallen < 20
    for split in SPLITS:
        traces = list(read_split(folder, split))
        assert len(traces) == manifest.num_rows(split) == manifest.counts[split]["programs"]["programs"]
        assert all(trace.status in (Status.RETURNED, Status.RAISED) for trace in traces)
        assert manifest.num_rows(split, "native") >= len(traces)
    assert 0.03 < manifest.num_rows("valid") / 240 < 0.2


def test_no_program_occurs_twice_and_no_function_in_two_splits(built: tuple[Path, Manifest]) -> None:
    found = programs(built[0])
    ids = [program.id for split in SPLITS for program in found[split]]
    assert len(set(ids)) == len(ids)
    for key in (group_of, lambda program: "\0".join(structure_tokens(program.source))):
        train, valid, test = ({key(program) for program in found[split]} for split in SPLITS)
        assert not train & valid
        assert not train & test
        assert not valid & test


def test_same_bytes_with_two_workers_and_another_hash_seed(
    built: tuple[Path, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "4711")
    seen: list[tuple[str, int, int]] = []
    manifest = build_corpus(RECIPE, tmp_path / "again", workers=2, progress=lambda *state: seen.append(state))
    assert manifest == built[1]
    assert content(tmp_path / "again") == content(built[0])
    assert [name for name, done, _ in seen if done == 0] == ["recording", "writing"]
    assert [done for name, done, total in seen if name == "recording" and total == 4] == [0, 1, 2, 3, 4]


def test_another_seed_gives_other_programs(built: tuple[Path, Manifest], tmp_path: Path) -> None:
    build_corpus(recipe(20, seed=4), tmp_path / "other", workers=0)
    ids = {trace.program.id for trace in read_split(tmp_path / "other", "train")}
    assert not ids & {trace.program.id for trace in read_split(built[0], "train")}


def test_damaged_shards_are_found_and_made_again(built: tuple[Path, Manifest], tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    build_corpus(RECIPE, folder, workers=0)
    (folder / "train" / "00001.parquet").write_bytes(b"PAR1 no more")
    (folder / "tokens" / "native" / "train" / "00002.parquet").unlink()
    kept = (folder / "train" / "00000.parquet").stat().st_mtime_ns
    assert {shard.path for shard in damaged_shards(folder, read_manifest(folder))} == {
        "train/00001.parquet",
        "tokens/native/train/00002.parquet",
    }
    with pytest.raises(TraceFormatError, match="missing or damaged"):
        list(read_split(folder, "train"))
    build_corpus(RECIPE, folder, workers=0)
    assert content(folder) == content(built[0])
    assert (folder / "train" / "00000.parquet").stat().st_mtime_ns == kept


def test_a_finished_corpus_is_left_alone(built: tuple[Path, Manifest]) -> None:
    folder, manifest = built
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    seen: list[str] = []
    assert build_corpus(RECIPE, folder, progress=lambda name, *_: seen.append(name)) == manifest
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")} == before
    assert seen == []
    assert not (folder / ".build" / "units").exists()


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (recipe(seed=9), "seed is 3 there, 9 here"),
        (recipe(200), "sources.generated.programs is 240 there, 200 here"),
        (recipe(), r"encode.formats is \['native'\] there, \[\] here"),
    ],
)
def test_another_recipe_in_the_same_folder_is_refused(
    built: tuple[Path, Manifest], other: Recipe, what: str
) -> None:
    with pytest.raises(ConfigError, match=what):
        build_corpus(other, built[0])


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        build_corpus(RECIPE, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ConfigError, match="not a folder"):
        build_corpus(RECIPE, tmp_path / "thesis.tex")


def test_two_builds_into_one_folder(tmp_path: Path) -> None:
    code = (
        "import fcntl, pathlib, sys\n"
        "file = open(sys.argv[1], 'w')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    lock = tmp_path / "out" / ".build" / "lock"
    lock.parent.mkdir(parents=True)
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(ConfigError, match="another build is running in this folder"):
        build_corpus(recipe(20), tmp_path / "out", workers=0)
    assert [path.name for path in lock.parent.iterdir()] == ["lock"]
    other.kill()
    other.communicate()
    assert build_corpus(recipe(20), tmp_path / "out", workers=0).num_programs > 15


def test_the_leftovers_of_a_killed_build_are_removed(tmp_path: Path) -> None:
    build_corpus(recipe(20), tmp_path / "out", workers=0)
    (tmp_path / "out" / "train" / ".00000.parquet.17.ab.tmp").write_bytes(b"half")
    build_corpus(recipe(20), tmp_path / "out", workers=0)
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_a_full_disk_is_one_line_and_the_build_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """The limit on the size of a file stands in for a disk without room: the writing fails alike."""
    code = (
        "import resource, sys\n"
        "from opencwm.frontends.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))\n"
        "sys.exit(main(sys.argv[2:]))\n"
    )
    (tmp_path / "r.toml").write_text(
        "unit_programs = 20\n[sources.generated]\nkind = 'generated'\nprograms = 40\n"
    )
    command = ["corpus", "build", str(tmp_path / "r.toml"), "-o", str(tmp_path / "out"), "--workers"]
    for workers, limit in (("0", "9000"), ("1", "9000")):
        full = subprocess.run(
            [sys.executable, "-c", code, limit, *command, workers],
            capture_output=True,
            text=True,
            check=False,
        )
        assert full.returncode == 2, full
        assert full.stdout == ""
        (line,) = full.stderr.splitlines()
        assert "the disk is full" in line
        assert "run the same command again" in line
        assert not (tmp_path / "out" / "manifest.json").exists()
        assert not [path for path in (tmp_path / "out").rglob("*.tmp") if path.is_file()]
    room = subprocess.run(
        [sys.executable, "-c", code, str(2**30), *command, "0"], capture_output=True, text=True, check=False
    )
    assert room.returncode == 0, room
    assert read_manifest(tmp_path / "out").num_programs > 30


def test_duplicates_are_dropped(tmp_path: Path) -> None:
    sources = {"generated": {"kind": "generated", "programs": 160, "recorder": "recipes:repeating_recorder"}}
    few = recipe(sources=sources, deduplicate={"near": 1.0})
    manifest = build_corpus(few, tmp_path / "few", workers=0)
    found = [program.id for part in programs(tmp_path / "few").values() for program in part]
    assert len(found) == len(set(found)) == manifest.num_programs <= 100
    assert sum(manifest.dropped["generated"].values()) == 160 - manifest.num_programs
    assert manifest.dropped["generated"]["same run"] > 50


def test_a_failing_worker_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    sources = {"generated": {"kind": "generated", "programs": 10, "recorder": "recipes:failing_recorder"}}
    for workers in (0, 2):
        with pytest.raises(OpenCWMError, match="cannot run"):
            build_corpus(recipe(sources=sources), tmp_path / "out", workers=workers)


def test_nothing_left_is_said(tmp_path: Path) -> None:
    with pytest.raises(OpenCWMError, match="no program is left"):
        build_corpus(recipe(5, filter={"min_steps": 900}), tmp_path / "out", workers=0)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"sources": {}}, "at least one source"),
        ({"sources": {"a b": {"kind": "generated", "programs": 1}}}, "the name of a source"),
        ({"sources": {"a": {"kind": "magic"}}}, "'magic' is not one of 'generated', 'traces'"),
        ({"sources": {"a": {"programs": 1}}}, "'kind' is missing .*'generated', 'traces'"),
        ({"sources": {"a": {"kind": "generated"}}}, "'programs' is missing"),
        (
            {"sources": {"a": {"kind": "generated", "program": 3}}},
            "sources.a: unknown key 'program'.*'programs'",
        ),
        ({"sources": {"a": {"kind": "generated", "programs": 0}}}, "at least 1, not 0"),
        ({"split": {"valid": 0.6, "test": 0.4}}, "nothing for train"),
        ({"split": {"valid": -0.1}}, r"\[0, 1\]"),
        ({"seeed": 3}, "unknown key 'seeed'.*'seed'"),
        ({"deduplicate": {"near": 0.1}}, r"\[0.5, 1\]"),
        ({"encode": {"formats": ["native", "native"]}}, "named twice"),
        ({"shard_programs": 0}, "shard_programs: must be at least 1"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        recipe(**settings)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (
            {"sources": {"a": {"kind": "generated", "programs": 1, "recorder": "magic"}}},
            "no recorder 'magic'",
        ),
        ({"sources": {"a": {"kind": "generated", "programs": 1, "recorder": "json:x"}}}, "no recorder"),
        ({"sources": {"a": {"kind": "traces", "path": "/no/such"}}}, "/no/such: no such file"),
        ({"encode": {"formats": ["neon"]}}, "no format 'neon'"),
        ({"encode": {"formats": ["cwm"], "tokenizer": "/no/such"}}, "no such tokenizer"),
        ({"decontaminate": {"against": ["/no/such.jsonl"]}}, "/no/such.jsonl: no such file"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tmp_path: Path, settings: dict[str, Any], what: str
) -> None:
    with pytest.raises(OpenCWMError, match=what):
        build_corpus(recipe(**settings), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_engines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no engine 'steam'.*local, ray"):
        build_corpus(RECIPE, tmp_path / "out", engine="steam")


def test_weights_are_given_to_all_or_none() -> None:
    source = {"kind": "generated", "programs": 10}
    with pytest.raises(ConfigError, match="every source"):
        recipe(sources={"a": source | {"weight": 1}, "b": source})
    with pytest.raises(ConfigError, match="above 0"):
        recipe(sources={"a": source | {"weight": 0}})


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


# -- recorded runs as a source ---------------------------------------------------------------------


@pytest.fixture
def harvested(tmp_path: Path, built: tuple[Path, Manifest]) -> tuple[Path, list[Trace]]:
    """A folder of traces as if harvested: two packages, several runs of each function."""
    traces = []
    for number, trace in enumerate(read_split(built[0], "train")):
        origin = f"pkg:pypi/{'abc'[number % 3]}@1.0#m:f{number}"
        program = dataclasses.replace(
            trace.program, origin=origin, licence="MIT", group=f"harvested {number // 2}"
        )
        traces.append(dataclasses.replace(trace, program=program))
    folder = tmp_path / "harvested"
    (folder / "deep").mkdir(parents=True)
    write_parquet(folder / "deep" / "b.parquet", traces[40:60])
    write_parquet(folder / "a.parquet", traces[:40])
    write_jsonl(folder / "c.jsonl", traces[60:80])
    return folder, traces[:80]


def mixed(folder: Path, **settings: Any) -> Recipe:
    sources = {
        "harvested": {"kind": "traces", "path": str(folder)},
        "generated": {"kind": "generated", "programs": 60},
    }
    return recipe(**{"sources": sources, "seed": 8, "filter": {"idle": True}, **settings})


def test_recorded_runs_are_a_source(harvested: tuple[Path, list[Trace]], tmp_path: Path) -> None:
    folder, traces = harvested
    manifest = build_corpus(mixed(folder), tmp_path / "out", workers=0)
    assert manifest.num_drawn == {"harvested": 80, "generated": 60}
    assert list(manifest.inputs["harvested"]) == ["a.parquet", "c.jsonl", "deep/b.parquet"]
    by_id = {trace.program.id: trace for trace in traces}
    kept = [t for split in SPLITS for t in read_split(tmp_path / "out", split) if t.program.licence == "MIT"]
    assert len(kept) > 60
    assert all(by_id[trace.program.id] == trace for trace in kept)
    place = {t.program.id: split for split in SPLITS for t in read_split(tmp_path / "out", split)}
    groups: dict[str, set[str]] = {}
    for trace in kept:
        groups.setdefault(trace.program.group, set()).add(place[trace.program.id])
    assert all(len(splits) == 1 for splits in groups.values())
    assert manifest.counts["train"]["licences"]["MIT"] > 50


def test_recorded_programs_are_run_again_for_their_sub_expressions(
    tmp_path: Path, harvested: tuple[Path, list[Trace]]
) -> None:
    _, traces = harvested
    changed = dataclasses.replace(traces[0], steps=traces[0].steps[:-1])  # its run is not the same again
    write_parquet(tmp_path / "in.parquet", [changed, *traces[1:6]])
    again = {"kind": "traces", "path": str(tmp_path / "in.parquet"), "expressions": True}
    detailed = recipe(sources={"a": again}, filter={"idle": True})
    manifest = build_corpus(detailed, tmp_path / "out", workers=0)
    kept = [trace for split in SPLITS for trace in read_split(tmp_path / "out", split)]
    assert {trace.program.id for trace in kept} == {trace.program.id for trace in traces[1:6]}
    assert any(step.evaluations for trace in kept for step in trace.steps)
    assert manifest.dropped["a"]["not the same again"] == 1


def test_a_corrupt_file_is_recorded_and_the_rest_goes_on(
    harvested: tuple[Path, list[Trace]], tmp_path: Path
) -> None:
    folder, _ = harvested
    whole = (folder / "a.parquet").read_bytes()
    (folder / "a.parquet").write_bytes(whole[: len(whole) // 2])
    lines = (folder / "c.jsonl").read_text().splitlines(keepends=True)
    (folder / "c.jsonl").write_text("".join(lines[:10]) + "{\n")
    manifest = build_corpus(mixed(folder), tmp_path / "out", workers=1)
    assert len(manifest.problems) == 2
    assert str(folder / "a.parquet") in manifest.problems[0]
    assert "c.jsonl:11" in manifest.problems[1]
    assert manifest.num_drawn == {"harvested": 20, "generated": 60}
    assert "## Files that could not be read" in (tmp_path / "out" / "README.md").read_text()


def test_the_earlier_source_keeps_what_two_have(harvested: tuple[Path, list[Trace]], tmp_path: Path) -> None:
    folder, traces = harvested
    write_parquet(tmp_path / "copies" / "x.parquet", traces[:30])
    sources = {
        "first": {"kind": "traces", "path": str(folder)},
        "copies": {"kind": "traces", "path": str(tmp_path / "copies" / "x.parquet")},
    }
    manifest = build_corpus(mixed(folder, sources=sources), tmp_path / "out", workers=0)
    assert manifest.dropped["copies"] == {"same run": 30}


def test_the_order_of_sources_belongs_to_a_recipe(
    harvested: tuple[Path, list[Trace]], tmp_path: Path
) -> None:
    first = mixed(harvested[0])
    build_corpus(first, tmp_path / "out", workers=0)
    other = dataclasses.replace(first, sources=dict(reversed(first.sources.items())))
    with pytest.raises(ConfigError, match=r"another recipe .order of sources is"):
        build_corpus(other, tmp_path / "out", workers=0)


def test_a_changed_input_is_another_corpus(harvested: tuple[Path, list[Trace]], tmp_path: Path) -> None:
    folder, traces = harvested
    build_corpus(mixed(folder), tmp_path / "out", workers=0)
    write_parquet(folder / "a.parquet", traces[:39])
    with pytest.raises(ConfigError, match=r"inputs.harvested.a.parquet is"):
        build_corpus(mixed(folder), tmp_path / "out", workers=0)


def test_test_sets_are_kept_out(harvested: tuple[Path, list[Trace]], tmp_path: Path) -> None:
    folder, traces = harvested
    item = tmp_path / "mine.jsonl"
    item.write_text(json.dumps({"task_id": "a", "code": traces[4].program.source}) + "\n")
    plain = build_corpus(mixed(folder), tmp_path / "plain", workers=0)
    manifest = build_corpus(
        mixed(folder, decontaminate={"against": [str(item)]}), tmp_path / "clean", workers=1
    )
    (report,) = manifest.decontamination
    assert (report["name"], report["items"]) == ("mine.jsonl", 1)
    assert traces[4].program.id in report["programs"]["exact"]
    kept = {program.id for part in programs(tmp_path / "clean").values() for program in part}
    fallen = {program for ids in report["programs"].values() for program in ids}
    assert not kept & fallen
    assert not kept & {t.program.id for t in traces if t.program.group == traces[4].program.group}
    assert manifest.num_programs < plain.num_programs


def test_filters_leave_out_and_count(harvested: tuple[Path, list[Trace]], tmp_path: Path) -> None:
    limits = {"max_steps": 40, "min_steps": 5, "max_lines": 20, "max_tokens": 800}
    manifest = build_corpus(mixed(harvested[0], filter=limits), tmp_path / "out", workers=0)
    reasons = manifest.dropped["harvested"]
    assert {"too many steps", "too many lines"} <= set(reasons)
    for split in SPLITS:
        for trace in read_split(tmp_path / "out", split):
            assert 5 <= len(trace.steps) <= 40
            assert len(trace.program.lines) <= 20


def test_a_recipe_comes_back_from_its_dictionary() -> None:
    from opencwm.core.config import to_dict

    assert from_dict(Recipe, to_dict(RECIPE)) == RECIPE


# -- mutants ---------------------------------------------------------------------------------------


def test_mutants_lie_with_their_originals_and_have_a_weight(
    harvested: tuple[Path, list[Trace]], tmp_path: Path
) -> None:
    sources = {"harvested": {"kind": "traces", "path": str(harvested[0]), "weight": 2}}
    mutants = {"weight": 1, "recorder": "in_process", "changes": {"max_mutants": 3}}
    manifest = build_corpus(
        mixed(harvested[0], sources=sources, mutants=mutants), tmp_path / "out", workers=0
    )
    split_of_group: dict[str, set[str]] = {}
    found: list[Trace] = []
    for split in SPLITS:
        for trace in read_split(tmp_path / "out", split):
            split_of_group.setdefault(trace.program.group, set()).add(split)
            found.append(trace)
    assert all(len(splits) == 1 for splits in split_of_group.values())
    of_mutants = [trace for trace in found if trace.mutation is not None]
    assert len(of_mutants) == pytest.approx(len(found) / 3, abs=3)
    assert {trace.program.group for trace in of_mutants} <= {
        trace.program.group for trace in harvested[1] if trace.mutation is None
    }
    assert sum(counts["strata"].get("mutants", 0) for counts in manifest.counts.values()) == len(of_mutants)
    assert "## Mutants" in (tmp_path / "out" / "README.md").read_text()


def test_a_share_of_the_functions_gets_mutants(harvested: tuple[Path, list[Trace]], tmp_path: Path) -> None:
    mutants = {"recorder": "in_process", "share": 0.0}
    manifest = build_corpus(mixed(harvested[0], mutants=mutants), tmp_path / "out", workers=0)
    assert manifest.dropped["mutants"] == {}
    assert all("mutants" not in counts["strata"] for counts in manifest.counts.values())
