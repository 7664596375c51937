"""Traces as training documents in each of the token formats, and as Parquet shards of them.

One protocol: a format turns a trace into documents. ``native`` gives ids and a class for each; the published
formats give ids when there is a tokenizer, and otherwise their exact text, to be tokenized by whoever has
one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from opencwm.core.errors import CodecError, ConfigError
from opencwm.core.files import atomic_path
from opencwm.corpus.documents import documents
from opencwm.corpus.recipe import EncodeConfig
from opencwm.traces import Trace

if TYPE_CHECKING:
    import pyarrow as pa

    from opencwm.codec.cwm_tokenizer import Tokenizer

ROWS_PER_GROUP: Final = 256
VOCABULARY_KEY: Final = "opencwm.vocabulary"
"""Metadata of a token shard: what its ids mean, see :attr:`Format.vocabulary`."""


@dataclasses.dataclass(frozen=True, slots=True)
class TokenDocument:
    """One training document.

    Attributes:
        ids: token ids; empty when only the text is written.
        classes: what each id is for: 0 for what is given and not predicted. In the native format a
            ``TokenClass``, in the others 1 for what is predicted.
        text: of a published format without a tokenizer, its exact text.
    """

    ids: Sequence[int]
    classes: Sequence[int]
    text: str | None = None


class Format(Protocol):
    """A way to write traces for training."""

    @property
    def vocabulary(self) -> str:
        """Fingerprint of what the ids mean; empty when that is the user's tokenizer."""
        ...

    def documents(self, trace: Trace, rng: random.Random) -> Iterator[TokenDocument]:
        """Yield the documents of one trace; none when it does not fit the format.

        A pure function of the trace and the state of ``rng``.
        """
        ...


class _Native:
    def __init__(self, config: EncodeConfig) -> None:
        from opencwm.codec.native import NativeCodec

        self._codec = NativeCodec()
        self._config = config.native

    @property
    def vocabulary(self) -> str:
        return hashlib.sha256(self._codec.vocabulary.to_json().encode()).hexdigest()[:16]

    def documents(self, trace: Trace, rng: random.Random) -> Iterator[TokenDocument]:
        for document in documents(trace, self._codec, rng, self._config):
            yield TokenDocument(document.ids, document.classes)


class _Cwm:
    vocabulary = ""

    def __init__(self, config: EncodeConfig) -> None:
        self._tokenizer = _load_tokenizer(config)

    def documents(self, trace: Trace, rng: random.Random) -> Iterator[TokenDocument]:  # noqa: ARG002
        from opencwm.codec.cwm import CwmCodec
        from opencwm.codec.cwm_text import trace_text

        try:
            if self._tokenizer is None:
                yield TokenDocument((), (), trace_text(trace))
            else:
                encoded = CwmCodec(self._tokenizer).encode(trace)
                yield TokenDocument(encoded.ids, [int(is_target) for is_target in encoded.is_predicted()])
        except CodecError:  # an entry that its text does not define, a lone surrogate
            return


class _Nd:
    """A walk forward and one backward for each run, their actions drawn."""

    vocabulary = ""

    def __init__(self, config: EncodeConfig) -> None:
        from opencwm.codec.nd import NdCodec, ReservedTokens

        tokenizer = _load_tokenizer(config)
        self._codec: NdCodec | None = None
        if tokenizer is not None:
            try:
                self._codec = NdCodec(tokenizer)
            except CodecError:  # one that has only the published tokens
                self._codec = NdCodec(ReservedTokens(tokenizer))

    def documents(self, trace: Trace, rng: random.Random) -> Iterator[TokenDocument]:
        from opencwm.codec.nd_text import trajectory_text
        from opencwm.codec.nd_walk import inverse_trajectory, trajectory

        for walk in (trajectory, inverse_trajectory):
            try:
                written = walk(trace, rng)
                if self._codec is None:
                    yield TokenDocument((), (), trajectory_text(written))
                else:
                    encoded = self._codec.encode_trajectory(written)
                    yield TokenDocument(encoded.ids, [int(is_target) for is_target in encoded.is_predicted()])
            except CodecError:
                continue


FORMATS: Final[dict[str, Callable[[EncodeConfig], Format]]] = {"native": _Native, "cwm": _Cwm, "nd": _Nd}
"""Formats by name."""


def open_formats(config: EncodeConfig) -> dict[str, Format]:
    """Return the formats that a recipe asks for, by name.

    Raises:
        ConfigError: there is no such format.
        CodecError: the tokenizer cannot be read, or lacks a token.
    """
    for name in config.formats:
        if name not in FORMATS:
            raise ConfigError(
                f"no format {name!r}", where="encode.formats", hint=f"one of {', '.join(FORMATS)}"
            )
    return {name: FORMATS[name](config) for name in config.formats}


def _load_tokenizer(config: EncodeConfig) -> Tokenizer | None:
    if config.tokenizer is None:
        return None
    from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer

    return HuggingFaceTokenizer.from_pretrained_folder(config.tokenizer)


def num_native_tokens(trace: Trace) -> int:
    """Return how many ids the whole run takes in the native format.

    Raises:
        CodecError: it does not fit the format.
    """
    from opencwm.codec.native import NativeCodec
    from opencwm.codec.view import SourceView
    from opencwm.codec.vocabulary import NUM_LINES
    from opencwm.source.reach import visible_lines

    lines = visible_lines(trace.program.text, trace.program.entry).lines
    if not lines or len(lines) > NUM_LINES:
        raise CodecError("more lines than there are labels", where=trace.program.filename)
    return len(NativeCodec().encode(trace, SourceView(trace.program, lines, 1)).ids)


def token_schema(codec: Format) -> pa.Schema:
    """Return the columns of a token shard: one row a document."""
    import pyarrow as pa

    id_type = pa.uint16() if codec.vocabulary else pa.uint32()
    return pa.schema(
        [
            pa.field("program", pa.string(), False),
            pa.field("ids", pa.list_(pa.field("item", id_type, False)), False),
            pa.field("classes", pa.list_(pa.field("item", pa.uint8(), False)), False),
            pa.field("text", pa.string(), True),
        ],
        metadata={VOCABULARY_KEY: codec.vocabulary},
    )


def write_documents(path: Path, codec: Format, pairs: Iterable[tuple[str, TokenDocument]]) -> int:
    """Write (program id, document) pairs as a Parquet shard, whole or not at all; return how many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = token_schema(codec)
    remaining, count = iter(pairs), 0
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while group := list(itertools.islice(remaining, ROWS_PER_GROUP)):
            columns = [
                [program for program, _ in group],
                [document.ids for _, document in group],
                [document.classes for _, document in group],
                [document.text for _, document in group],
            ]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(group)
    return count
