"""Training documents made while training: generated programs, run and encoded, block by block.

The idea: block ``n`` is a pure function of the seed and ``n``, so nothing is stored, any position can be
restored exactly, and worker processes change the speed but not the data. How hard the programs are follows
the curriculum of :mod:`opencwm.corpus.generator` over the planned number of documents.
"""

from __future__ import annotations

import collections
import dataclasses
import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import numpy as np

from opencwm.codec.native import EncodedDocument, NativeCodec, TokenClass
from opencwm.core.errors import ConfigError
from opencwm.core.seeds import derive_rng
from opencwm.corpus.documents import DocumentConfig, documents
from opencwm.corpus.generator.config import CurriculumConfig, sample_config
from opencwm.corpus.generator.traced import generate_traced, in_process_recorder
from opencwm.train.data import Document

CLASS_NAMES: Mapping[int, str] = {int(kind): kind.name.lower() for kind in TokenClass}
"""Names of the documents' ``class_ids``."""


def as_document(encoded: EncodedDocument) -> Document:
    """Return the training document: everything after the prompt is a target."""
    classes = np.asarray(encoded.classes, np.uint8)
    return Document(np.asarray(encoded.ids, np.uint16), classes != TokenClass.PROMPT, classes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """What every block is made from.

    Attributes:
        seed: of everything; another seed gives other programs.
        num_programs: the length of the curriculum, in programs; the full mixture goes on after it.
        programs_per_block: how many programs are made at a time.
        documents: how traces become documents.
        curriculum: how the programs' size moves.
        expressions: fraction of the programs that are recorded with expression detail.
    """

    seed: int
    num_programs: int
    programs_per_block: int = 128
    documents: DocumentConfig = dataclasses.field(default_factory=DocumentConfig)
    curriculum: CurriculumConfig = dataclasses.field(default_factory=CurriculumConfig)
    expressions: float = 0.0


def generate_block(config: BlockConfig, block: int) -> list[Document]:
    """Generate, run and encode the programs of one block; a pure function of its arguments."""
    rng = derive_rng("curriculum", config.seed, block)
    progress = min(1.0, block * config.programs_per_block / config.num_programs)
    codec = NativeCodec()
    made: list[Document] = []
    for _ in range(config.programs_per_block):
        settings = sample_config(rng, progress, config.curriculum)
        is_detailed = config.expressions > 0 and rng.random() < config.expressions
        trace = generate_traced(rng, settings, in_process_recorder(settings, expressions=is_detailed))
        if trace is not None:
            made.extend(as_document(encoded) for encoded in documents(trace, codec, rng, config.documents))
    rng.shuffle(made)
    return made


class GeneratedSource:
    """An endless source of generated documents.

    Args:
        config: see :class:`BlockConfig`.
        workers: processes that make blocks ahead; 0 makes them in this process.
    """

    def __init__(self, config: BlockConfig, *, workers: int = 0) -> None:
        self._config = config
        self._block = 0
        self._index = 0
        self._documents: list[Document] | None = None
        self._workers = workers
        self._ahead: collections.deque[Future[list[Document]]] = collections.deque()
        self._pool: ProcessPoolExecutor | None = None

    def __iter__(self) -> Iterator[Document]:
        return self

    def __next__(self) -> Document:
        while True:
            if self._documents is None:
                self._documents = self._take_block()
            if self._index < len(self._documents):
                self._index += 1
                return self._documents[self._index - 1]
            self._block, self._index, self._documents = self._block + 1, 0, None

    def _take_block(self) -> list[Document]:
        if not self._workers:
            return generate_block(self._config, self._block)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=multiprocessing.get_context("forkserver")
            )
        for block in range(self._block + len(self._ahead), self._block + 2 * self._workers + 1):
            self._ahead.append(self._pool.submit(generate_block, self._config, block))
        return self._ahead.popleft().result()

    def state(self) -> dict[str, Any]:
        """Return the block and the number of documents taken from it."""
        return {"block": self._block, "index": self._index}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        self._block, self._index = int(state["block"]), int(state["index"])
        self._documents = None
        self._ahead.clear()

    def close(self) -> None:
        """End the worker processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def generated(
    *,
    num_programs: int,
    seed: int = 0,
    max_tokens: int = 1024,
    workers: int = 0,
    shifted_labels: float = 0.5,
    from_state: float = 0.25,
    outcome: float = 0.05,
    jumps: float = 0.0,
    inputs: float = 0.0,
    expressions: float = 0.0,
) -> GeneratedSource:
    """Return the source a recipe names ``generated``.

    Raises:
        ConfigError: a count that is not positive.
    """
    if num_programs < 1 or workers < 0:
        raise ConfigError("num_programs must be at least 1 and workers at least 0", where="data.options")
    config = BlockConfig(
        seed=seed,
        num_programs=num_programs,
        documents=DocumentConfig(
            max_tokens=max_tokens,
            shifted_labels=shifted_labels,
            from_state=from_state,
            outcome=outcome,
            jumps=jumps,
            inputs=inputs,
        ),
        expressions=expressions,
    )
    return GeneratedSource(config, workers=workers)


def generated_held_out(
    *, num_blocks: int = 2, seed: int = 0, max_tokens: int = 1024, expressions: float = 0.0
) -> list[Document]:
    """Return documents of the full mixture that no training seed reaches: their seeds are negative."""
    config = BlockConfig(
        seed=-1 - abs(seed),
        num_programs=1,
        documents=DocumentConfig(max_tokens=max_tokens, from_state=0.0, outcome=0.0),
        expressions=expressions,
    )
    return [document for block in range(1, num_blocks + 1) for document in generate_block(config, block)]
