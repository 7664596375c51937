"""Traces as training documents in each of the token formats, and as Parquet shards of them.

One protocol: a format turns a trace into documents. ``native`` gives ids and a class for each; the published
formats give ids when there is a tokenizer, and otherwise their exact text, to be tokenized by whoever has
one.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from opencwm.core.errors import CodecError, ConfigError
from opencwm.core.files import atomic_path
from opencwm.corpus.recipe import EncodeConfig
from opencwm.traces import Trace

if TYPE_CHECKING:
    import pyarrow as pa

    from opencwm.codec.cwm_tokenizer import Tokenizer

ROWS_PER_GROUP: Final = 256


@dataclasses.dataclass(frozen=True, slots=True)
class TokenDocument:
    """One training document.

    Attributes:
        ids: token ids; empty when only the text is written.
        num_prompt: how many of them are given, not predicted.
        classes: of the native format, the ``TokenClass`` of each id.
        text: of a published format without a tokenizer, its exact text.
    """

    ids: list[int]
    num_prompt: int
    classes: list[int] | None = None
    text: str | None = None


class Format(Protocol):
    """A way to write traces for training."""

    def documents(self, trace: Trace, rng: random.Random) -> Iterator[TokenDocument]:
        """Yield the documents of one trace; none when it does not fit the format.

        A pure function of the trace and the state of ``rng``.
        """
        ...


class _Native:
    def __init__(self, config: EncodeConfig) -> None:
        from opencwm.codec.native import NativeCodec
        from opencwm.corpus.documents import DocumentConfig

        self._codec = NativeCodec()
        self._config = DocumentConfig(
            max_tokens=config.max_tokens,
            shifted_labels=config.shifted_labels,
            from_state=config.from_state,
            outcome=config.outcome,
        )

    def documents(self, trace: Trace, rng: random.Random) -> Iterator[TokenDocument]:
        from opencwm.corpus.documents import documents

        for document in documents(trace, self._codec, rng, self._config):
            yield TokenDocument(document.ids, document.num_prompt, [int(kind) for kind in document.classes])


class _Cwm:
    def __init__(self, config: EncodeConfig) -> None:
        self._tokenizer = _load_tokenizer(config)

    def documents(self, trace: Trace, rng: random.Random) -> Iterator[TokenDocument]:  # noqa: ARG002
        from opencwm.codec.cwm import CwmCodec
        from opencwm.codec.cwm_text import trace_text

        try:
            if self._tokenizer is None:
                yield TokenDocument([], 0, text=trace_text(trace))
                return
            encoded = CwmCodec(self._tokenizer).encode(trace)
        except CodecError:  # an entry that its text does not define, a lone surrogate
            return
        yield TokenDocument(encoded.ids, encoded.num_prompt)


FORMATS: Final[dict[str, Callable[[EncodeConfig], Format]]] = {"native": _Native, "cwm": _Cwm}
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


def token_schema() -> pa.Schema:
    """Return the columns of a token shard: one row a document."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("program", pa.string(), False),
            pa.field("ids", pa.list_(pa.field("item", pa.uint32(), False)), False),
            pa.field("num_prompt", pa.int32(), False),
            pa.field("classes", pa.list_(pa.field("item", pa.uint8(), False)), True),
            pa.field("text", pa.string(), True),
        ]
    )


def write_documents(path: Path, documents: Iterable[tuple[str, TokenDocument]]) -> int:
    """Write (program id, document) pairs as a Parquet shard, whole or not at all; return how many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = token_schema()
    remaining, count = iter(documents), 0
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while group := list(itertools.islice(remaining, ROWS_PER_GROUP)):
            rows: list[dict[str, Any]] = [
                {
                    "program": program,
                    "ids": document.ids,
                    "num_prompt": document.num_prompt,
                    "classes": document.classes,
                    "text": document.text,
                }
                for program, document in group
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            count += len(rows)
    return count
