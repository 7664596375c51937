from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.train.config import BatchConfig
from opencwm.train.data import NO_CLASS, Batch, Document, MemorySource, Packer, pack, pack_all, resolve


def numbered(lengths: list[int], *, classes: bool = True) -> list[Document]:
    """Documents whose ids tell them apart: document i holds i * 100, i * 100 + 1, ..."""
    documents = []
    for index, length in enumerate(lengths):
        ids = (index * 100 + np.arange(length)).astype(np.uint16)
        mask = np.arange(length) % 3 != 1
        kinds = (np.arange(length) % 2).astype(np.uint8) if classes else None
        documents.append(Document(ids, mask, kinds))
    return documents


def check_targets(batch: Batch) -> None:
    """Every target is the next id of its own document."""
    ids, slots = batch.ids_BT.ravel(), batch.doc_BT.ravel()
    np.testing.assert_array_equal(ids[batch.positions_P + 1], batch.targets_P)
    np.testing.assert_array_equal(slots[batch.positions_P + 1], slots[batch.positions_P])
    offset = batch.targets_P % 100
    assert (offset % 3 != 1).all()
    assert (offset > 0).all()


lengths = st.lists(st.integers(2, 60), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(1, 3), st.sampled_from([1, 4, 8]), st.integers(1, 10))
def test_every_document_that_fits_is_used_once_and_whole(
    sizes: list[int], rows: int, align: int, lookahead: int
) -> None:
    config = BatchConfig(
        rows=rows, row_tokens=64, max_document_tokens=50, align_tokens=align, lookahead=lookahead
    )
    documents = numbered(sizes)
    packer = Packer(MemorySource(documents, num_epochs=1), config)
    seen: list[int] = []
    for batch in packer:
        check_targets(batch)
        assert batch.ids_BT.shape == (rows, 64)
        seen.extend(batch.targets_P.tolist())
        assert batch.num_tokens <= rows * 64
    usable = [d for d in documents if len(d.ids) <= 50 and d.loss_mask[1:].any()]
    assert sorted(seen) == sorted(i for d in usable for i in d.ids[1:][d.loss_mask[1:]].tolist())
    assert packer.num_dropped == len(documents) - len(usable)


@settings(max_examples=30, deadline=None)
@given(lengths, st.integers(0, 12), st.integers(0, 1000))
def test_a_packer_resumes_exactly(sizes: list[int], taken: int, seed: int) -> None:
    config = BatchConfig(rows=2, row_tokens=64, align_tokens=4, lookahead=6)
    documents = numbered(sizes)
    if not any(d.loss_mask[1:].any() for d in documents):
        return
    packer = Packer(MemorySource(documents, seed=seed), config)
    for _ in range(taken):
        next(packer)
    state = pickle.loads(pickle.dumps(packer.state()))  # noqa: S301 - our own
    other = Packer(MemorySource(documents, seed=seed), config)
    other.restore(state)
    for _ in range(5):
        for mine, theirs in zip(fields(next(packer)), fields(next(other)), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def fields(batch: Batch) -> list[Any]:
    return [getattr(batch, name) for name in Batch.__slots__]


def test_equally_long_slots_are_neighbours_and_padding_is_no_target() -> None:
    documents = numbered([9, 5, 9, 7])
    batch = pack([documents], row_tokens=48, align_tokens=8)
    check_targets(batch)
    assert batch.doc_BT[0].tolist() == [0] * 8 + [1] * 8 + [2] * 16 + [3] * 16
    assert batch.num_tokens == 30
    assert batch.classes_P.tolist() == (batch.targets_P % 100 % 2).tolist()


def test_documents_without_classes_get_the_class_that_means_none() -> None:
    batch = pack([numbered([6], classes=False)], row_tokens=8, align_tokens=1)
    assert set(batch.classes_P.tolist()) == {NO_CLASS}


def test_memory_source_reshuffles_every_epoch_and_can_end() -> None:
    documents = numbered([3] * 20)
    source = MemorySource(documents, seed=1, num_epochs=2)
    order = [int(document.ids[0]) for document in source]
    assert len(order) == 40
    assert sorted(order[:20]) == sorted(order[20:])
    assert order[:20] != order[20:]
    with pytest.raises(ConfigError, match="at least one document"):
        MemorySource([])


def test_evaluation_batches_hold_everything_in_order() -> None:
    config = BatchConfig(rows=2, row_tokens=32, align_tokens=4)
    batches = pack_all(numbered([20, 10, 30, 40, 5, 1]), config)
    assert [batch.ids_BT.shape for batch in batches] == [(2, 32), (1, 32)]
    owners = {int(target) // 100 for batch in batches for target in batch.targets_P}
    assert owners == {0, 1, 2, 4}


def test_sources_are_found_by_dotted_path() -> None:
    assert resolve("opencwm.train.data:MemorySource") is MemorySource
    for name, what in (
        ("nothing", "unknown source 'nothing'"),
        ("opencwm.nowhere:x", "cannot load"),
        ("opencwm.train.data:nothing", "cannot load"),
    ):
        with pytest.raises(ConfigError, match=what):
            resolve(name)
