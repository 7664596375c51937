"""Training documents kept in files: recorded once, encoded once, read at every epoch.

The idea: real functions cost seconds to run and milliseconds to encode, so a build of a corpus writes their
documents down as token ids (``tokens/FORMAT/`` of its folder); here such files are read into memory as three
arrays and shuffled anew every epoch. Ids of another vocabulary are refused; those of the published formats
mean what the tokenizer says that the corpus was built with. More than fits into memory: ``streamed``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from opencwm.codec.native import TokenClass
from opencwm.core.errors import ConfigError, TraceFormatError
from opencwm.corpus.formats import FORMATS, VOCABULARY_KEY, open_formats
from opencwm.corpus.recipe import EncodeConfig
from opencwm.train.data import Document, MemorySource

_MEND = "name a folder tokens/{}/SPLIT of a corpus, or one of its files"


class StoredDocuments(Sequence[Document]):
    """The documents of one token shard, or of all shards of a folder in order, in memory.

    Args:
        path: a shard, or a folder of them.
        kind: the format of their tokens: ``native``, ``cwm`` or ``nd``.

    Raises:
        TraceFormatError: a file is missing, cut off, of another vocabulary, or holds text only.
    """

    def __init__(self, path: Path, kind: str = "native") -> None:
        columns = [_read(file, kind) for file in shard_files(path, kind)]
        ids, classes, lengths = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        self._ids, self._classes, self._ends = ids, classes, np.cumsum(lengths)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: Any) -> Any:
        end = int(self._ends[index])
        start = int(self._ends[index - 1]) if index else 0
        classes = self._classes[start:end]
        return Document(self._ids[start:end], classes != TokenClass.PROMPT, classes)


def shard_files(path: Path, kind: str) -> list[Path]:
    """Return the token shards of a folder in order, or the one that ``path`` is.

    Raises:
        ConfigError: there is no such format.
        TraceFormatError: the folder holds none.
    """
    if kind not in FORMATS:
        raise ConfigError(
            f"no format {kind!r}", where="data.options.format", hint=f"one of {', '.join(FORMATS)}"
        )
    if not path.exists():
        raise TraceFormatError(
            "no token shard: there is no such file or folder", where=str(path), hint=_MEND.format(kind)
        )
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise TraceFormatError("holds no token shards", where=str(path), hint=_MEND.format(kind))
    return files


def _read(path: Path, kind: str) -> tuple[Any, Any, Any]:
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
        raise TraceFormatError(what, where=str(path), hint=_MEND.format(kind)) from None
    found = (table.schema.metadata or {}).get(VOCABULARY_KEY.encode(), b"").decode()
    if found != open_formats(EncodeConfig(formats=(kind,)))[kind].vocabulary:
        raise TraceFormatError("its ids are of another vocabulary", where=str(path), hint="build it again")
    lengths = ids.value_lengths().to_numpy()
    if len(lengths) and not lengths.any():
        raise TraceFormatError(
            "holds text, and no ids",
            where=str(path),
            hint="build it with encode.tokenizer, the model's folder",
        )
    return ids.flatten().to_numpy(), classes.flatten().to_numpy(), lengths


def stored(*, path: str, seed: int = 0, format: str = "native") -> MemorySource:  # noqa: A002 - a recipe's key
    """Return the source a recipe names ``stored``: documents of files, endless, a new order each epoch.

    Raises:
        ConfigError: the files hold no document.
        TraceFormatError: see :class:`StoredDocuments`.
    """
    documents = StoredDocuments(Path(path), format)
    if not len(documents):
        raise ConfigError("holds no document", where=path)
    return MemorySource(documents, seed=seed)


def stored_held_out(
    *,
    path: str,
    num_documents: int = 256,
    format: str = "native",  # noqa: A002 - a recipe's key
) -> list[Document]:
    """Return the first documents of files, for evaluation."""
    documents = StoredDocuments(Path(path), format)
    return [documents[index] for index in range(min(num_documents, len(documents)))]
