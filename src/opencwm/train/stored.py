"""Training documents kept in files: recorded once, encoded once, read at every epoch.

The idea: real functions cost seconds to run and milliseconds to encode, so a build of a corpus writes their
documents down as token ids (``tokens/native/`` of its folder); here such files are read into memory as three
arrays and shuffled anew every epoch. Ids of another vocabulary are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from opencwm.codec.native import TokenClass
from opencwm.core.errors import ConfigError, TraceFormatError
from opencwm.corpus.formats import VOCABULARY_KEY, open_formats
from opencwm.corpus.recipe import EncodeConfig
from opencwm.train.data import Document, MemorySource

_MEND = "name a folder tokens/native/SPLIT of a corpus, or one of its files"


class StoredDocuments(Sequence[Document]):
    """The documents of one token shard, or of all shards of a folder in order, in memory.

    Raises:
        TraceFormatError: a file is missing, cut off, or of another vocabulary.
    """

    def __init__(self, path: Path) -> None:
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not files:
            raise TraceFormatError("holds no token shards", where=str(path), hint=_MEND)
        columns = [_read(file) for file in files]
        ids, classes, lengths = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        self._ids, self._classes, self._ends = ids, classes, np.cumsum(lengths)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: Any) -> Any:
        end = int(self._ends[index])
        start = int(self._ends[index - 1]) if index else 0
        classes = self._classes[start:end]
        return Document(self._ids[start:end], classes != TokenClass.PROMPT, classes)


def _read(path: Path) -> tuple[Any, Any, Any]:
    """Return the ids, the classes and the documents' lengths of one shard.

    Raises:
        TraceFormatError: see :class:`StoredDocuments`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["ids", "classes"])
        ids, classes = (table[name].combine_chunks() for name in ("ids", "classes"))
    except (OSError, KeyError, pa.ArrowException) as error:
        what = "no token shard: " + " ".join(str(error).split())[:200]
        raise TraceFormatError(what, where=str(path), hint=_MEND) from None
    found = (table.schema.metadata or {}).get(VOCABULARY_KEY.encode(), b"").decode()
    if found != open_formats(EncodeConfig(formats=("native",)))["native"].vocabulary:
        raise TraceFormatError("its ids are of another vocabulary", where=str(path), hint="build it again")
    return (
        ids.flatten().to_numpy().astype(np.uint16),
        classes.flatten().to_numpy(),
        ids.value_lengths().to_numpy(),
    )


def stored(*, path: str, seed: int = 0) -> MemorySource:
    """Return the source a recipe names ``stored``: documents of files, endless, a new order each epoch.

    Raises:
        ConfigError: the files hold no document.
        TraceFormatError: see :class:`StoredDocuments`.
    """
    documents = StoredDocuments(Path(path))
    if not len(documents):
        raise ConfigError("holds no document", where=path)
    return MemorySource(documents, seed=seed)


def stored_held_out(*, path: str, num_documents: int = 256) -> list[Document]:
    """Return the first documents of files, for evaluation."""
    documents = StoredDocuments(Path(path))
    return [documents[index] for index in range(min(num_documents, len(documents)))]
