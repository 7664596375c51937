"""From packed batches to tensors on the device, made ahead of time in a thread.

The idea: every prepared batch carries the position of the data after it, so that a checkpoint taken while
batches lie ready resumes at the batch after the last one used, not after the last one made. The time the
trainer waits here is counted, so that data is never the unseen bottleneck.
"""

from __future__ import annotations

import queue
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from opencwm.core.errors import ConfigError
from opencwm.model.torch_decoder import document_borders
from opencwm.train.data import Batch, Packer, part_of
from opencwm.train.ranks import ALONE, Ranks

_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class DeviceBatch:
    """A batch as tensors on the device: those of a :class:`Batch` but numbers, and the borders of documents.

    ``borders_A`` is what :func:`document_borders` returns, found before the batch goes to the device. The
    tensors are this rank's rows; ``num_tokens`` and ``num_targets`` count those of all ranks, and
    ``checksum`` is that of all their ids (0 when there is one rank).
    """

    ids_BT: Tensor
    doc_BT: Tensor
    borders_A: Tensor
    positions_P: Tensor
    targets_P: Tensor
    classes_P: Tensor
    num_tokens: int
    num_targets: int
    checksum: int


class Feed:
    """Batches of a packer, moved to a device.

    Args:
        packer: where batches come from; nothing else may take from it.
        device: where tensors go; copies to a GPU run while it computes.
        vocab_size: a batch with an id at or above it is refused.
        num_ahead: how many batches are made ahead in a thread; 0 makes each when it is asked for.
        ranks: whose packers all make the same batches; this rank's rows are moved.

    Attributes:
        waited_s: seconds that :meth:`next` took, all together.
    """

    def __init__(
        self,
        packer: Packer,
        device: torch.device,
        vocab_size: int,
        *,
        num_ahead: int,
        ranks: Ranks = ALONE,
    ) -> None:
        self._packer, self._device, self._vocab_size, self._ranks = packer, device, vocab_size, ranks
        self._ready: queue.Queue[_Prepared | BaseException] = queue.Queue(max(num_ahead, 1))
        self._thread = threading.Thread(target=self._fill, daemon=True) if num_ahead else None
        self._is_closed = threading.Event()
        self._state: Mapping[str, Any] | None = None
        self.waited_s = 0.0

    def next(self) -> DeviceBatch:
        """Return the next batch.

        Raises:
            StopIteration: the data ends.
            ConfigError: a document holds an id that the model does not know.
        """
        started = time.perf_counter()
        if self._thread is None:
            prepared: _Prepared | BaseException = self._prepare()
        else:
            if not self._thread.ident:
                self._thread.start()
            prepared = self._ready.get()
        self.waited_s += time.perf_counter() - started
        if isinstance(prepared, BaseException):
            raise prepared
        self._state = prepared.state
        ids, doc, borders, positions, targets, classes = (
            tensor.to(self._device, non_blocking=True) for tensor in prepared.tensors
        )
        return DeviceBatch(ids, doc, borders, positions, targets, classes, *prepared.counts)

    def state(self) -> Mapping[str, Any]:
        """Return the packer's position after the last batch that :meth:`next` returned."""
        return self._packer.state() if self._state is None else self._state

    def close(self) -> None:
        """End the thread."""
        self._is_closed.set()

    def _prepare(self) -> _Prepared:
        everyones = next(self._packer)
        check_ids(everyones, self._vocab_size)
        checksum = zlib.crc32(everyones.ids_BT.tobytes()) if self._ranks.world > 1 else 0
        batch = part_of(everyones, self._ranks.rank, self._ranks.world)
        arrays = (batch.ids_BT, batch.doc_BT, batch.positions_P, batch.targets_P, batch.classes_P)
        ids, doc, *of_targets = (torch.from_numpy(array) for array in arrays)
        tensors = [ids, doc, document_borders(doc), *of_targets]
        if self._device.type == "cuda":
            tensors = [tensor.pin_memory() for tensor in tensors]
        counts = (everyones.num_tokens, len(everyones.targets_P), checksum)
        return _Prepared(tensors, counts, self._packer.state())

    def _fill(self) -> None:
        item: _Prepared | BaseException
        while not self._is_closed.is_set():
            try:
                item = self._prepare()
            except BaseException as error:
                item = error
            while not self._is_closed.is_set():
                try:
                    self._ready.put(item, timeout=_POLL_S)
                    break
                except queue.Full:
                    continue
            if isinstance(item, BaseException):
                return


@dataclass(frozen=True, slots=True)
class _Prepared:
    tensors: list[Tensor]
    counts: tuple[int, int, int]
    state: Mapping[str, Any]


def check_ids(batch: Batch, vocab_size: int) -> None:
    """Demand that a model of ``vocab_size`` ids knows all of a batch.

    Raises:
        ConfigError: it does not.
    """
    largest = int(batch.ids_BT.max())
    if largest >= vocab_size:
        raise ConfigError(
            f"a document holds id {largest} but model.vocab_size {vocab_size} ends before it", where="recipe"
        )
