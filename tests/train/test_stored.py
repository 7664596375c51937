from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.codec.native import TokenClass
from opencwm.core.errors import ConfigError, TraceFormatError
from opencwm.corpus.formats import TokenDocument, open_formats
from opencwm.corpus.formats import write_documents as write_shard
from opencwm.corpus.recipe import EncodeConfig
from opencwm.train.data import Document
from opencwm.train.stored import StoredDocuments, stored, stored_held_out

NATIVE = open_formats(EncodeConfig(formats=("native",)))["native"]


def write_documents(path: Path, made: list[Document]) -> int:
    """Write a token shard as a build of a corpus does."""
    pairs = []
    for one in made:
        assert one.class_ids is not None
        pairs.append(("", TokenDocument(one.ids.tolist(), one.class_ids.tolist())))
    return write_shard(path, NATIVE, pairs)


def document(ids: list[int], classes: list[int]) -> Document:
    kinds = np.array(classes, np.uint8)
    return Document(np.array(ids, np.uint16), kinds != TokenClass.PROMPT, kinds)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    length = draw(st.integers(1, 20))
    ids = draw(st.lists(st.integers(0, 999), min_size=length, max_size=length))
    classes = draw(st.lists(st.sampled_from([int(c) for c in TokenClass]), min_size=length, max_size=length))
    return document(ids, classes)


@settings(max_examples=30, deadline=None)
@given(st.lists(documents(), max_size=8))
def test_documents_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, made: list[Document]
) -> None:
    path = tmp_path_factory.mktemp("stored") / "a.parquet"
    assert write_documents(path, made) == len(made)
    read = StoredDocuments(path)
    assert len(read) == len(made)
    for mine, theirs in zip(made, read, strict=True):
        assert mine.ids.tolist() == theirs.ids.tolist()
        assert mine.loss_mask.tolist() == theirs.loss_mask.tolist()
        assert mine.class_ids is not None
        assert theirs.class_ids is not None
        assert mine.class_ids.tolist() == theirs.class_ids.tolist()


def test_a_stored_source_gives_every_document_once_an_epoch(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_documents(path, [document([n, n], [0, 5]) for n in range(7)])
    source = stored(path=str(path), seed=3)
    epochs = [[int(next(source).ids[0]) for _ in range(7)] for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(7))
    assert epochs[0] != epochs[1]
    assert len(stored_held_out(path=str(path), num_documents=3)) == 3


def test_a_folder_is_its_shards_in_order(tmp_path: Path) -> None:
    for name, first in (("b", 10), ("a", 0)):
        write_documents(tmp_path / f"{name}.parquet", [document([first + n], [5]) for n in range(3)])
    assert [int(one.ids[0]) for one in StoredDocuments(tmp_path)] == [0, 1, 2, 10, 11, 12]
    (tmp_path / "empty").mkdir()
    with pytest.raises(TraceFormatError, match="holds no token shards"):
        StoredDocuments(tmp_path / "empty")


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError, match="no token shard"):
        stored(path=str(tmp_path / "none.parquet"))
    path = tmp_path / "a.parquet"
    write_documents(path, [])
    with pytest.raises(ConfigError, match="holds no document"):
        stored(path=str(path))
    write_documents(path, [document([1, 2], [0, 5])])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TraceFormatError, match="no token shard"):
        stored(path=str(path))
