"""Training documents kept in a file: recorded once, encoded once, read at every epoch.

The idea: real functions cost seconds to run and milliseconds to encode, so their documents are written down
as token ids; a file of them is read into memory as three arrays and shuffled anew every epoch.

A file is Parquet (zstd) with one row a document: ``ids`` and ``classes``, lists of integers. The native
vocabulary's fingerprint stands in its metadata: ids of another vocabulary are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from opencwm.codec.native import EncodedDocument, TokenClass
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import ConfigError, TraceFormatError
from opencwm.core.files import atomic_path
from opencwm.train.data import Document, MemorySource

_KEY = b"opencwm.vocabulary"
_ROWS_PER_GROUP = 4096


def fingerprint(vocabulary: Vocabulary) -> str:
    """Return 16 hexadecimal digits that change with the vocabulary."""
    return hashlib.sha256(vocabulary.to_json().encode()).hexdigest()[:16]


def as_document(encoded: EncodedDocument) -> Document:
    """Return the training document: everything after the prompt is a target."""
    classes = np.asarray(encoded.classes, np.uint8)
    return Document(np.asarray(encoded.ids, np.uint16), classes != TokenClass.PROMPT, classes)


def write_documents(path: Path, documents: Iterable[Document]) -> int:
    """Write documents to ``path``, whole or not at all; return how many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [pa.field("ids", pa.list_(pa.uint16()), False), pa.field("classes", pa.list_(pa.uint8()), False)],
        metadata={_KEY: fingerprint(Vocabulary.default())},
    )
    remaining: Iterator[Document] = iter(documents)
    count = 0
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", compression_level=12) as writer,
    ):
        while rows := [row for row, _ in zip(remaining, range(_ROWS_PER_GROUP), strict=False)]:
            columns = [[row.ids for row in rows], [row.class_ids for row in rows]]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(rows)
    return count


class DocumentFile(Sequence[Document]):
    """The documents of one file, in memory.

    Raises:
        TraceFormatError: the file is missing, cut off, or of another vocabulary.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path)
            found = (table.schema.metadata or {}).get(_KEY, b"").decode()
            ids, classes = (table[name].combine_chunks() for name in ("ids", "classes"))
        except (OSError, KeyError, pa.ArrowException) as error:
            what = "no file of documents: " + " ".join(str(error).split())[:200]
            raise TraceFormatError(what, where=str(path)) from None
        if found != fingerprint(Vocabulary.default()):
            raise TraceFormatError(
                "its documents were encoded with another vocabulary", where=str(path), hint="encode again"
            )
        self._ids = ids.flatten().to_numpy()
        self._classes = classes.flatten().to_numpy()
        self._ends = np.cumsum(ids.value_lengths().to_numpy())

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: Any) -> Any:
        end = int(self._ends[index])
        start = int(self._ends[index - 1]) if index else 0
        classes = self._classes[start:end]
        return Document(self._ids[start:end], classes != TokenClass.PROMPT, classes)


def stored(*, path: str, seed: int = 0) -> MemorySource:
    """Return the source a recipe names ``stored``: the documents of a file, endless, a new order each epoch.

    Raises:
        ConfigError: the file holds no document.
        TraceFormatError: see :class:`DocumentFile`.
    """
    documents = DocumentFile(Path(path))
    if not len(documents):
        raise ConfigError("holds no document", where=path)
    return MemorySource(documents, seed=seed)


def stored_held_out(*, path: str, num_documents: int = 256) -> list[Document]:
    """Return the first documents of a file, for evaluation."""
    documents = DocumentFile(Path(path))
    return [documents[index] for index in range(min(num_documents, len(documents)))]
