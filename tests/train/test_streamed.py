"""Stored tokens of the published formats, in memory and a shard at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from opencwm.core.errors import ConfigError, TraceFormatError
from opencwm.corpus.formats import TokenDocument, open_formats, write_documents
from opencwm.corpus.recipe import EncodeConfig
from opencwm.train.stored import stored, stored_held_out
from opencwm.train.streamed import streamed


def write(path: Path, kind: str, documents: list[TokenDocument]) -> None:
    codec = open_formats(EncodeConfig(formats=(kind,)))[kind]
    write_documents(path, codec, [("", document) for document in documents])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three shards, one of them empty, of five documents with large ids."""
    for shard, first in enumerate((0, 3, 5)):
        ids = range(first, (3, 5, 5)[shard])
        write(
            tmp_path / f"{shard}.parquet",
            "cwm",
            [TokenDocument([128_000 + n, 128_100], [0, 1]) for n in ids],
        )
    return tmp_path


def test_ids_of_the_published_formats_are_read(folder: Path) -> None:
    source = stored(path=str(folder), format="cwm")
    documents = [next(source) for _ in range(5)]
    assert sorted(int(document.ids[0]) for document in documents) == [128_000 + n for n in range(5)]
    assert documents[0].loss_mask.tolist() == [False, True]
    assert len(stored_held_out(path=str(folder), num_documents=2, format="cwm")) == 2


def test_a_streamed_epoch_has_every_document_once_in_an_order_of_its_own(folder: Path) -> None:
    source = streamed(path=str(folder), seed=1, format="cwm")
    epochs = [[int(next(source).ids[0]) - 128_000 for _ in range(5)] for _ in range(6)]
    assert all(sorted(epoch) == list(range(5)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    for epoch in epochs:  # shard by shard
        assert {tuple(sorted(epoch[:3])), tuple(sorted(epoch[2:]))} & {(0, 1, 2)}


@pytest.mark.parametrize("taken", range(12))
def test_a_streamed_source_goes_on_where_its_state_was_taken(folder: Path, taken: int) -> None:
    source = streamed(path=str(folder), seed=1, format="cwm")
    for _ in range(taken):
        next(source)
    other = streamed(path=str(folder), seed=1, format="cwm")
    other.restore(source.state())
    assert [next(source).ids[0] for _ in range(9)] == [next(other).ids[0] for _ in range(9)]


def test_what_cannot_be_trained_on_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError, match="another vocabulary"):
        stored(path=str(folder))
    text = tmp_path / "text" / "0.parquet"
    write(text, "nd", [TokenDocument((), (), "def f(): ...")])
    with pytest.raises(TraceFormatError, match=r"holds text, and no ids \(build it with encode.tokenizer"):
        streamed(path=str(text), format="nd")
    with pytest.raises(ConfigError, match="no format 'words'"):
        streamed(path=str(folder), format="words")
    write(tmp_path / "none" / "0.parquet", "nd", [])
    with pytest.raises(ConfigError, match="holds no document"):
        streamed(path=str(tmp_path / "none"), format="nd")
