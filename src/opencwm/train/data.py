"""Documents in, packed batches out, resumable to the document.

The idea: a source is an iterator whose position is a JSON-able ``state``; the packer adds the documents it
has read ahead, so a run resumed from a checkpoint sees exactly the batches an uninterrupted run would have
seen. Sources may be finite or endless, read from disk or generate on the fly; where they live (a background
process, a dataset folder) is their own affair.

Shape suffixes: B rows, T tokens of a row, P positions that carry loss.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import ConfigError
from opencwm.train.config import BatchConfig, DataConfig

SOURCES: dict[str, str] = {
    "generated": "opencwm.train.curriculum:generated",
    "generated_held_out": "opencwm.train.curriculum:generated_held_out",
    "stored": "opencwm.train.stored:stored",
    "stored_held_out": "opencwm.train.stored:stored_held_out",
    "streamed": "opencwm.train.streamed:streamed",
    "mixture": "opencwm.train.mixture:mixture",
    "demonstrations": "opencwm.train.acting:demonstrations",
    "demonstrations_held_out": "opencwm.train.acting:demonstrations_held_out",
}
"""Short names of sources for recipes: name -> ``package.module:function``."""

_HOPELESS = 10_000  # documents dropped in a row: an endless source would be read for ever

NO_CLASS = 255
"""The class of a target whose document brings no ``class_ids``."""


class TokenDocument(Protocol):
    """One training document: what a source yields.

    ``ids`` are token ids; ``loss_mask`` is True where the id is a target, predicted from the ids before it
    (its first entry has no effect); ``class_ids`` (values 0-254, or None) names the kind of each token for
    metrics. All one-dimensional, equally long.
    """

    @property
    def ids(self) -> NDArray[Any]:
        """Token ids, of any integer type."""
        ...

    @property
    def loss_mask(self) -> NDArray[np.bool_]:
        """True where the id is a target."""
        ...

    @property
    def class_ids(self) -> NDArray[np.uint8] | None:
        """The kind of each token."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """The plain :class:`TokenDocument`."""

    ids: NDArray[Any]
    loss_mask: NDArray[np.bool_]
    class_ids: NDArray[np.uint8] | None = None


class TokenSource(Protocol):
    """An iterator of documents whose position can be saved and restored exactly."""

    def __iter__(self) -> Iterator[TokenDocument]:
        """Return itself."""
        ...

    def __next__(self) -> TokenDocument:
        """Return the next document; StopIteration ends training."""
        ...

    def state(self) -> dict[str, Any]:
        """Return the position as JSON-able data: the next document is a function of it."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a position that :meth:`state` returned."""
        ...


class MemorySource:
    """Documents held in memory, reshuffled every epoch by ``seed``; ``num_epochs`` None means endless."""

    def __init__(
        self, documents: Sequence[TokenDocument], *, seed: int = 0, num_epochs: int | None = None
    ) -> None:
        if not documents:
            raise ConfigError("a source needs at least one document")
        self._documents = documents
        self._seed = seed
        self._num_epochs = num_epochs
        self._epoch = 0
        self._index = 0
        self._order = self._shuffle()

    def _shuffle(self) -> NDArray[np.int64]:
        return np.random.default_rng([self._seed, self._epoch]).permutation(len(self._documents))

    def __iter__(self) -> MemorySource:
        return self

    def __next__(self) -> TokenDocument:
        if self._index == len(self._documents):
            self._epoch, self._index = self._epoch + 1, 0
            self._order = self._shuffle()
        if self._num_epochs is not None and self._epoch >= self._num_epochs:
            raise StopIteration
        self._index += 1
        return self._documents[int(self._order[self._index - 1])]

    def state(self) -> dict[str, Any]:
        """Epoch and index within it."""
        return {"epoch": self._epoch, "index": self._index}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        self._epoch, self._index = int(state["epoch"]), int(state["index"])
        self._order = self._shuffle()


@dataclass(frozen=True, slots=True)
class Batch:
    """Packed rows and their targets.

    ``ids_BT`` token ids (0 in padding); ``doc_BT`` slot index within the row, the padding after a document
    belonging to its slot; ``positions_P`` flattened positions whose next token is a target; ``targets_P``
    those tokens; ``classes_P`` their classes; ``documents_P`` a number per document, for spans;
    ``num_tokens`` tokens that are no padding.
    """

    ids_BT: NDArray[np.int64]
    doc_BT: NDArray[np.int64]
    positions_P: NDArray[np.int64]
    targets_P: NDArray[np.int64]
    classes_P: NDArray[np.uint8]
    documents_P: NDArray[np.int64]
    num_tokens: int


def pack(rows: Sequence[Sequence[TokenDocument]], row_tokens: int, align_tokens: int) -> Batch:
    """Lay documents out in rows, each slot a multiple of ``align_tokens``, shortest first."""
    ids_BT = np.zeros((len(rows), row_tokens), np.int64)
    doc_BT = np.zeros((len(rows), row_tokens), np.int64)
    positions, targets, classes, owners = [], [], [], []
    numbers = itertools.count()
    for row, documents in enumerate(rows):
        start = 0
        for slot, document in enumerate(sorted(documents, key=lambda document: len(document.ids))):
            length = len(document.ids)
            end = start + _aligned(length, align_tokens)
            ids_BT[row, start : start + length] = document.ids
            doc_BT[row, start:end] = slot
            where = np.flatnonzero(document.loss_mask[1:])
            positions.append(row * row_tokens + start + where)
            targets.append(document.ids[1:][where])
            kinds = document.class_ids
            classes.append(np.full(len(where), NO_CLASS, np.uint8) if kinds is None else kinds[1:][where])
            owners.append(np.full(len(where), next(numbers)))
            start = end
        doc_BT[row, start:] = len(documents)
    return Batch(
        ids_BT=ids_BT,
        doc_BT=doc_BT,
        positions_P=np.concatenate(positions),
        targets_P=np.concatenate(targets).astype(np.int64),
        classes_P=np.concatenate(classes).astype(np.uint8),
        documents_P=np.concatenate(owners),
        num_tokens=sum(len(document.ids) for documents in rows for document in documents),
    )


def part_of(batch: Batch, part: int, num_parts: int) -> Batch:
    """Return the ``part``-th of ``num_parts`` equal runs of rows, which must divide the rows.

    ``num_tokens`` stays that of the whole batch.
    """
    size = len(batch.ids_BT) // num_parts
    rows = slice(part * size, (part + 1) * size)
    low, high = rows.start * batch.ids_BT.shape[1], rows.stop * batch.ids_BT.shape[1]
    mine = (batch.positions_P >= low) & (batch.positions_P < high)
    return dataclasses.replace(
        batch,
        ids_BT=batch.ids_BT[rows],
        doc_BT=batch.doc_BT[rows],
        positions_P=batch.positions_P[mine] - low,
        targets_P=batch.targets_P[mine],
        classes_P=batch.classes_P[mine],
        documents_P=batch.documents_P[mine],
    )


def _aligned(length: int, align: int) -> int:
    return -(-length // align) * align


class Packer:
    """Turns a source into an endless or finite iterator of batches.

    Rows are filled in the order documents arrive; when the next one does not fit, the longest of the
    ``lookahead`` buffer that does fills the rest. Documents over the limit are dropped and counted in
    ``num_dropped``; so are documents without a target. When ten thousand in a row are, ``next`` raises
    ConfigError.
    """

    def __init__(self, source: TokenSource, config: BatchConfig) -> None:
        self._source = source
        self._config = config
        self._buffer: list[TokenDocument] = []
        self._dropped_in_a_row = 0
        self.num_dropped = 0

    def __iter__(self) -> Packer:
        return self

    def __next__(self) -> Batch:
        rows = [row for _ in range(self._config.rows) if (row := self._fill_row())]
        if not rows:
            raise StopIteration
        rows += [[] for _ in range(self._config.rows - len(rows))]
        return pack(rows, self._config.row_tokens, self._config.align_tokens)

    def _refill(self) -> None:
        while len(self._buffer) < self._config.lookahead:
            try:
                document = next(self._source)
            except StopIteration:
                return
            too_long = _aligned(len(document.ids), self._config.align_tokens) > self._config.row_tokens
            if (
                too_long
                or len(document.ids) > self._config.document_limit
                or not document.loss_mask[1:].any()
            ):
                self.num_dropped += 1
                self._dropped_in_a_row += 1
                if self._dropped_in_a_row == _HOPELESS:
                    raise nothing_fits()
            else:
                self._dropped_in_a_row = 0
                self._buffer.append(document)

    def _fill_row(self) -> list[TokenDocument]:
        row: list[TokenDocument] = []
        room = self._config.row_tokens
        while True:
            self._refill()
            sizes = [_aligned(len(document.ids), self._config.align_tokens) for document in self._buffer]
            fitting = [index for index, size in enumerate(sizes) if size <= room]
            if not fitting:
                return row
            index = 0 if fitting[0] == 0 else max(fitting, key=lambda i: (sizes[i], -i))
            room -= sizes[index]
            row.append(self._buffer.pop(index))

    def state(self) -> dict[str, Any]:
        """Return the source's state, the drop count, and the documents read ahead, as arrays end to end."""
        empty = np.zeros(0, np.int32)
        kinds = [
            np.full(len(document.ids), NO_CLASS, np.uint8)
            if document.class_ids is None
            else document.class_ids
            for document in self._buffer
        ]
        return {
            "source": self._source.state(),
            "num_dropped": self.num_dropped,
            "lengths": np.array([len(document.ids) for document in self._buffer], np.int32),
            "ids": np.concatenate([empty, *(document.ids for document in self._buffer)]).astype(np.int32),
            "loss_mask": np.concatenate([empty, *(d.loss_mask for d in self._buffer)]).astype(np.bool_),
            "class_ids": np.concatenate([empty, *kinds]).astype(np.uint8),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``, whose arrays may be anything numpy takes for one."""
        self._source.restore(state["source"])
        self.num_dropped = int(state["num_dropped"])
        ends = np.cumsum(np.asarray(state["lengths"], np.int64))[:-1]
        ids, mask, kinds = (
            np.split(np.asarray(state[name], dtype), ends)
            for name, dtype in (("ids", np.int32), ("loss_mask", np.bool_), ("class_ids", np.uint8))
        )
        documents = (Document(*parts) for parts in zip(ids, mask, kinds, strict=True))
        self._buffer = [document for document in documents if len(document.ids)]


def pack_all(documents: Iterable[TokenDocument], config: BatchConfig) -> list[Batch]:
    """Pack every document that fits into batches, for evaluation, in order of arrival."""
    rows: list[list[TokenDocument]] = []
    room = 0
    for document in documents:
        size = _aligned(len(document.ids), config.align_tokens)
        if size > config.row_tokens or not document.loss_mask[1:].any():
            continue
        if size > room:
            rows.append([])
            room = config.row_tokens
        rows[-1].append(document)
        room -= size
    chunks = [rows[start : start + config.rows] for start in range(0, len(rows), config.rows)]
    return [pack(chunk, config.row_tokens, config.align_tokens) for chunk in chunks]


def open_source(config: DataConfig) -> TokenSource:
    """Return the source of a recipe.

    Raises:
        ConfigError: it is unknown, or its options are wrong.
    """
    return cast("TokenSource", _call(config.source, config.options, "data.options"))


def open_held_out(config: DataConfig) -> Iterable[TokenDocument]:
    """Return the evaluation documents of a recipe; none when it names none.

    Raises:
        ConfigError: see :func:`open_source`.
    """
    if not config.held_out:
        return ()
    made = _call(config.held_out, config.held_out_options, "data.held_out_options")
    return cast("Iterable[TokenDocument]", made)


def nothing_fits() -> ConfigError:
    """Return the error of a source from which nothing can be trained on."""
    return ConfigError(
        "the source yields no document that fits",
        where="data.source",
        hint="documents longer than batch.max_document_tokens, or without a target, are dropped",
    )


def _call(name: str, options: Mapping[str, Any], where: str) -> Any:
    function = resolve(name)
    try:
        inspect.signature(function).bind(**options)
    except TypeError as error:
        raise ConfigError(str(error), where=where) from None
    return function(**options)


def resolve(name: str) -> Callable[..., Any]:
    """Return the function a recipe names: a key of :data:`SOURCES` or ``package.module:function``.

    Raises:
        ConfigError: no such name, module or function.
    """
    path = SOURCES.get(name, name)
    module_name, colon, attribute = path.partition(":")
    if not colon:
        hint = f"known: {', '.join(sorted(SOURCES))}" if SOURCES else "write package.module:function"
        raise ConfigError(f"unknown source {name!r}", where="data.source", hint=hint)
    try:
        return cast("Callable[..., Any]", getattr(importlib.import_module(module_name), attribute))
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"cannot load {path!r}: {error}", where="data.source") from None
