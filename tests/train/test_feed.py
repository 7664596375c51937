from __future__ import annotations

import time

import numpy as np
import pytest

from opencwm.core.errors import ConfigError
from opencwm.train.config import BatchConfig
from opencwm.train.data import Document, MemorySource, Packer

torch = pytest.importorskip("torch")

from opencwm.model.torch_decoder import document_borders  # noqa: E402 - needs torch
from opencwm.train.feed import Feed  # noqa: E402 - needs torch

CPU = torch.device("cpu")


def packer(num_epochs: int | None = None) -> Packer:
    rng = np.random.default_rng(0)
    documents = [
        Document(rng.integers(1, 50, n).astype(np.uint16), np.ones(n, np.bool_)) for n in range(2, 40)
    ]
    config = BatchConfig(rows=2, row_tokens=64, align_tokens=1, lookahead=5)
    return Packer(MemorySource(documents, num_epochs=num_epochs), config)


@pytest.mark.parametrize("num_ahead", [0, 3])
def test_batches_are_those_of_the_packer_whether_made_ahead_or_not(num_ahead: int) -> None:
    plain = packer(num_epochs=2)
    feed = Feed(packer(num_epochs=2), CPU, 50, num_ahead=num_ahead)
    for batch in plain:
        fed = feed.next()
        assert fed.ids_BT.tolist() == batch.ids_BT.tolist()
        assert fed.doc_BT.tolist() == batch.doc_BT.tolist()
        assert fed.borders_A.tolist() == document_borders(fed.doc_BT).tolist()
        assert fed.positions_P.tolist() == batch.positions_P.tolist()
        assert fed.targets_P.tolist() == batch.targets_P.tolist()
        assert fed.num_tokens == batch.num_tokens
    with pytest.raises(StopIteration):
        feed.next()
    assert feed.waited_s > 0


@pytest.mark.parametrize("num_ahead", [0, 3])
def test_the_position_is_that_after_the_last_batch_used(num_ahead: int) -> None:
    feed = Feed(packer(), CPU, 50, num_ahead=num_ahead)
    for _ in range(4):
        feed.next()
    if num_ahead:
        time.sleep(0.2)  # batches now lie ready that nobody used
    state = feed.state()
    expected = [feed.next().ids_BT.tolist() for _ in range(3)]
    feed.close()
    resumed = packer()
    resumed.restore(state)
    assert [next(resumed).ids_BT.tolist() for _ in range(3)] == expected


@pytest.mark.parametrize("num_ahead", [0, 2])
def test_what_goes_wrong_while_making_a_batch_is_raised_where_it_is_asked_for(num_ahead: int) -> None:
    feed = Feed(packer(), CPU, 10, num_ahead=num_ahead)
    with pytest.raises(ConfigError, match=r"but model\.vocab_size 10 ends before it"):
        feed.next()
