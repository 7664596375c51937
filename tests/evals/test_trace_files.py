from pathlib import Path

import pytest
from evals_programs import loop, mixed

from opencwm.core.errors import ConfigError, TraceFormatError
from opencwm.corpus.shards import Manifest, Shard, file_sha256, write_manifest
from opencwm.corpus.trace_files import load_traces
from opencwm.traces.jsonl import write_jsonl
from opencwm.traces.parquet import write_parquet

TRACES = [loop(2), mixed()]


def shard(folder: Path, split: str, index: int) -> Shard:
    path = folder / f"{split}.parquet"
    rows = write_parquet(path, [TRACES[index]])
    return Shard(
        path=path.name,
        kind="traces",
        split=split,
        rows=rows,
        num_bytes=path.stat().st_size,
        sha256=file_sha256(path),
    )


def test_files_of_traces(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "t.jsonl", TRACES)
    write_parquet(tmp_path / "t.parquet", TRACES)
    assert list(load_traces(tmp_path / "t.jsonl")) == TRACES
    assert list(load_traces(tmp_path / "t.parquet")) == TRACES


def test_only_one_split_of_a_corpus_is_read(tmp_path: Path) -> None:
    shards = (shard(tmp_path, "train", 0), shard(tmp_path, "test", 1))
    manifest = Manifest(
        recipe={},
        inputs={},
        python="3.11",
        opencwm="0",
        num_programs=2,
        num_drawn={},
        dropped={},
        problems=(),
        decontamination=(),
        counts={},
        shards=shards,
    )
    write_manifest(tmp_path, manifest)
    assert list(load_traces(tmp_path)) == [TRACES[1]]
    assert list(load_traces(tmp_path, ("train",))) == [TRACES[0]]
    with pytest.raises(ConfigError, match="no split 'other'"):
        list(load_traces(tmp_path, ("other",)))


def test_what_is_no_trace_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("")
    (tmp_path / "t.jsonl").write_text("{")
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    for name, kind in {
        "absent.jsonl": ConfigError,
        "t.txt": ConfigError,
        ".": ConfigError,
        "t.jsonl": TraceFormatError,
        "t.parquet": TraceFormatError,
    }.items():
        with pytest.raises(kind) as caught:
            list(load_traces(tmp_path / name))
        assert str(tmp_path) in caught.value.where
