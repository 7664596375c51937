"""What a corpus recipe may say: sources with weights, splits, filters, duplicates, test sets, encodings.

The idea: a recipe is the whole of what decides a corpus' bytes, together with its input files. How it is
made (where, by how many processes, by which engine) is no part of it. A recipe is a TOML file under
``recipes/``; every table here is a table there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from opencwm.core.errors import ConfigError
from opencwm.corpus.documents import DocumentConfig
from opencwm.corpus.generator.config import CurriculumConfig
from opencwm.corpus.mutants.config import MutationConfig
from opencwm.traces import Trace

MUTANTS = "mutants"
"""The name under which mutants are mixed and counted, beside the names of the sources."""


def _require(condition: bool, what: str, where: str) -> None:
    if not condition:
        raise ConfigError(what, where=where)


def _require_fractions(where: str, **values: float) -> None:
    for name, value in values.items():
        _require(0.0 <= value <= 1.0, f"{name} must be in [0, 1], not {value}", where)


@dataclass(frozen=True, kw_only=True)
class GeneratedSource:
    """Programs of the generator.

    Attributes:
        kind: ``generated``.
        programs: how many are drawn; what filters and duplicates take away is not drawn again.
        weight: see :class:`Recipe`.
        progress: place in the curriculum, 0.0 to 1.0; 1.0 is the full mixture of sizes.
        curriculum: the mixture of sizes, and the bounds on programs.
        expressions: record with expression detail.
        recorder: how programs are run: a name of ``recorders.RECORDERS``, or ``package.module:factory``.
    """

    kind: Literal["generated"] = "generated"
    programs: int
    weight: float | None = None
    progress: float = 1.0
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    expressions: bool = False
    recorder: str = "in_process"

    def __post_init__(self) -> None:
        _require(
            self.programs >= 1, f"programs must be at least 1, not {self.programs}", "a generated source"
        )
        _require_fractions("a generated source", progress=self.progress)


@dataclass(frozen=True, kw_only=True)
class TraceSource:
    """Recorded runs: what ``opencwm corpus harvest`` and ``opencwm trace`` write.

    Attributes:
        kind: ``traces``.
        path: a folder, all of whose ``.parquet`` and ``.jsonl`` files are read, or one such file; relative
            to the current folder.
        weight: see :class:`Recipe`.
        expressions: run the programs again, in the sandbox, with expression detail; a run that is not the
            same again is left out.
    """

    kind: Literal["traces"] = "traces"
    path: Path
    weight: float | None = None
    expressions: bool = False


@dataclass(frozen=True, kw_only=True)
class MutantsConfig:
    """Mutants of the programs of all sources, run on the inputs of their originals.

    Attributes:
        weight: see :class:`Recipe`.
        share: of the functions, how many get mutants, 0 to 1.
        recorder: how they are run, as in :class:`GeneratedSource`; what a mutant does nobody knows.
        changes: how many mutants a function gets, and of what kind.
    """

    weight: float | None = None
    share: float = 1.0
    recorder: str = "sandbox"
    changes: MutationConfig = field(default_factory=MutationConfig)

    def __post_init__(self) -> None:
        _require_fractions("mutants", share=self.share)


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Shares of functions (not of programs) in the held-out splits; the rest is ``train``."""

    valid: float = 0.01
    test: float = 0.01

    def __post_init__(self) -> None:
        _require_fractions("split", valid=self.valid, test=self.test)
        _require(self.valid + self.test < 1.0, "the splits leave nothing for train", "split")


@dataclass(frozen=True, kw_only=True)
class FilterConfig:
    """Which recorded runs are worth keeping.

    Attributes:
        max_lines: most lines of the program's text.
        min_steps: fewest recorded steps.
        max_steps: most recorded steps.
        max_tokens: most ids of the whole run in the native format; 0 asks for no such count, which saves
            encoding everything twice.
        max_value_chars: longest rendered value.
        cut_values: keep runs in which a value was cut by the recorder's bounds.
        idle: keep runs in which no variable ever changes and nothing new is returned.
    """

    max_lines: int = 200
    min_steps: int = 3
    max_steps: int = 1000
    max_tokens: int = 0
    max_value_chars: int = 400
    cut_values: bool = False
    idle: bool = False

    def __post_init__(self) -> None:
        for name in ("max_lines", "min_steps", "max_steps", "max_value_chars"):
            _require(getattr(self, name) >= 1, f"{name} must be at least 1", "filter")
        _require(self.max_tokens >= 0, "max_tokens must be at least 0", "filter")


@dataclass(frozen=True, kw_only=True)
class DeduplicateConfig:
    """What counts as the same program.

    Attributes:
        near: functions whose sets of five-token pieces of the normalised syntax tree overlap (Jaccard) by
            at least this, estimated by MinHash, are one function; 1.0 compares none.
    """

    near: float = 0.85

    def __post_init__(self) -> None:
        _require(0.5 <= self.near <= 1.0, f"near must be in [0.5, 1], not {self.near}", "deduplicate")


@dataclass(frozen=True, kw_only=True)
class DecontaminateConfig:
    """Test sets that must not be in the corpus.

    Attributes:
        against: JSONL files with code fields, or folders of ``.py`` files; ``--against`` adds to them.
        shared_ngrams: a program that shares this many different 13-token pieces with an item falls.
    """

    against: tuple[Path, ...] = ()
    shared_ngrams: int = 1

    def __post_init__(self) -> None:
        _require(self.shared_ngrams >= 1, "shared_ngrams must be at least 1", "decontaminate")


@dataclass(frozen=True, kw_only=True)
class EncodeConfig:
    """Token shards beside the traces.

    Attributes:
        formats: any of the names of ``formats.FORMATS``.
        tokenizer: ``tokenizer.json`` or its folder, for the text formats; without it their exact text is
            written.
        native: which documents of the native format are made of a run.
    """

    formats: tuple[str, ...] = ()
    tokenizer: Path | None = None
    native: DocumentConfig = field(default_factory=DocumentConfig)

    def __post_init__(self) -> None:
        _require(len(set(self.formats)) == len(self.formats), "a format is named twice", "encode")
        _require(self.native.max_tokens >= 64, "max_tokens must be at least 64", "encode.native")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A corpus.

    ``weight`` of the sources and of the mutants is a share of *programs* (recorded runs) in every split:
    either each of them has one or none has. The one that has least of what it should sets the scale, and of
    the others only as many programs are taken as fit. Without weights everything is taken.

    Attributes:
        seed: of everything.
        sources: by name, in the order in which of two equal programs the earlier is kept.
        mutants: how mutants are made; None makes none.
        unit_programs: programs drawn in one piece of work.
        shard_programs: programs in one shard.
        split: shares of the splits.
        filter: which runs are kept.
        deduplicate: what counts as the same.
        decontaminate: test sets to keep out.
        encode: token shards.
    """

    sources: dict[str, GeneratedSource | TraceSource]
    mutants: MutantsConfig | None = None
    seed: int = 0
    unit_programs: int = 1000
    shard_programs: int = 2000
    split: SplitConfig = field(default_factory=SplitConfig)
    filter: FilterConfig = field(default_factory=FilterConfig)
    deduplicate: DeduplicateConfig = field(default_factory=DeduplicateConfig)
    decontaminate: DecontaminateConfig = field(default_factory=DecontaminateConfig)
    encode: EncodeConfig = field(default_factory=EncodeConfig)

    def __post_init__(self) -> None:
        _require(bool(self.sources), "a recipe has at least one source", "sources")
        for name in self.sources:
            is_plain = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
            _require(
                is_plain and name != MUTANTS,
                "the name of a source is of letters, digits, - and _, and not mutants",
                f"sources.{name}",
            )
        for name in ("unit_programs", "shard_programs"):
            _require(getattr(self, name) >= 1, f"must be at least 1, not {getattr(self, name)}", name)
        weights = list(self.weights().values())
        _require(
            all(weight is None for weight in weights) or None not in weights,
            "give every source (and the mutants) a weight, or none of them",
            "sources",
        )
        _require(
            all(weight is None or weight > 0 for weight in weights), "a weight must be above 0", "sources"
        )

    def strata(self) -> tuple[str, ...]:
        """Return the names of what is mixed, in order."""
        return (*self.sources, *([MUTANTS] if self.mutants else []))

    def stratum_of(self, source: str, trace: Trace) -> str:
        """Return the name under which a run of a source is mixed and counted."""
        return MUTANTS if self.mutants and trace.mutation is not None else source

    def weights(self) -> dict[str, float | None]:
        """Return the weight of every stratum."""
        weights = {name: source.weight for name, source in self.sources.items()}
        return weights | ({MUTANTS: self.mutants.weight} if self.mutants else {})
