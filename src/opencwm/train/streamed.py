"""Stored documents that do not fit into memory: one shard at a time.

The idea: an epoch goes through the shards in a new order, and through each shard's documents in a new order,
both functions of the seed, so that a position is three numbers. A corpus is shuffled by its build already;
what is lost against ``stored`` is only that documents of one shard stay near each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import ConfigError
from opencwm.train.data import Document
from opencwm.train.stored import StoredDocuments, shard_files


class StreamedSource:
    """An endless source over the token shards of a folder.

    Args:
        path: a folder of token shards, or one of them.
        seed: of the orders.
        kind: the format of the tokens, see :class:`opencwm.train.stored.StoredDocuments`.

    Raises:
        ConfigError: there is no such format, or no document in any shard.
        TraceFormatError: the folder holds no shards; while it is read, one is damaged.
    """

    def __init__(self, path: Path, *, seed: int = 0, kind: str = "native") -> None:
        self._files, self._seed, self._kind = shard_files(path, kind), seed, kind
        self._epoch = self._shard = self._index = 0
        self._documents: StoredDocuments | None = None
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)
        self._demand_documents(path)

    def _demand_documents(self, path: Path) -> None:
        """Read shards up to the first that is not empty: usually one."""
        if not any(len(StoredDocuments(file, self._kind)) for file in self._files):
            raise ConfigError("holds no document", where=str(path))

    def __iter__(self) -> Iterator[Document]:
        return self

    def __next__(self) -> Document:
        while self._documents is None or self._index == len(self._documents):
            if self._documents is not None:
                self._advance()
            self._open()
        self._index += 1
        document: Document = self._documents[int(self._order[self._index - 1])]
        return document

    def _advance(self) -> None:
        self._shard, self._index = self._shard + 1, 0
        if self._shard == len(self._files):
            self._epoch, self._shard = self._epoch + 1, 0

    def _open(self) -> None:
        shards = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._files))
        self._documents = StoredDocuments(self._files[int(shards[self._shard])], self._kind)
        order = np.random.default_rng([self._seed, self._epoch, self._shard])
        self._order = order.permutation(len(self._documents))

    def state(self) -> dict[str, Any]:
        """Return epoch, shard of the epoch and document of the shard."""
        return {"epoch": self._epoch, "shard": self._shard, "index": self._index}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        self._epoch, self._shard = int(state["epoch"]), int(state["shard"])
        self._index, self._documents = int(state["index"]), None


def streamed(*, path: str, seed: int = 0, format: str = "native") -> StreamedSource:  # noqa: A002 - a recipe's key
    """Return the source a recipe names ``streamed``.

    Raises:
        ConfigError: see :class:`StreamedSource`.
        TraceFormatError: see :class:`StreamedSource`.
    """
    return StreamedSource(Path(path), seed=seed, kind=format)
