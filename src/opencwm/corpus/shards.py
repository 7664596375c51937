"""A corpus on disk: Parquet shards in one folder per split, and a manifest that describes them.

A corpus without ``manifest.json`` is not finished. Every shard is named with its rows, bytes and SHA-256
there, so that a damaged or missing one is found before it is trained on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from opencwm.core.errors import ConfigError, TraceFormatError
from opencwm.core.files import write_atomic
from opencwm.corpus.structure import SPLITS
from opencwm.traces import SCHEMA_VERSION, Trace

MANIFEST_NAME: Final = "manifest.json"
MANIFEST_KIND: Final = "opencwm-corpus"
TRACES: Final = "traces"
"""The kind of a shard of traces; the kind of a shard of tokens is the name of its format."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shard:
    """One Parquet file of a corpus.

    Attributes:
        path: relative to the corpus, with forward slashes.
        kind: ``traces``, or the name of the format of its tokens.
        split: ``train``, ``valid`` or ``test``.
        rows: programs in it; documents in a shard of tokens.
        num_bytes: size of the file.
        sha256: of the file, hexadecimal.
    """

    path: str
    kind: str
    split: str
    rows: int
    num_bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a finished corpus holds.

    Attributes:
        recipe: the settings that decide its content, resolved.
        inputs: for each source of traces, its files with their SHA-256.
        python: ``major.minor`` of the interpreter that built it.
        opencwm: version of the package that wrote it.
        num_programs: rows in all shards of traces.
        num_drawn: programs drawn or read, by source.
        dropped: programs left out, by stratum and reason.
        problems: files that could not be read, one line each; nothing of them is in the corpus.
        decontamination: for each test set its name, SHA-256 and number of items, and the ids of the programs
            that fell by each criterion.
        counts: what the shards hold, by split, see :class:`opencwm.corpus.statistics.Statistics`.
        shards: in order of kind, split and number.
        schema_version: of the traces.
    """

    recipe: dict[str, Any]
    inputs: dict[str, dict[str, str]]
    python: str
    opencwm: str
    num_programs: int
    num_drawn: dict[str, int]
    dropped: dict[str, dict[str, int]]
    problems: tuple[str, ...]
    decontamination: tuple[dict[str, Any], ...]
    counts: dict[str, dict[str, dict[str, int]]]
    shards: tuple[Shard, ...]
    schema_version: int = SCHEMA_VERSION

    def num_rows(self, split: str, kind: str = TRACES) -> int:
        """Return the number of programs (or documents) in a split."""
        return sum(shard.rows for shard in self.of(split, kind))

    def of(self, split: str, kind: str = TRACES) -> tuple[Shard, ...]:
        """Return the shards of a split and kind."""
        return tuple(shard for shard in self.shards if shard.split == split and shard.kind == kind)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``, which declares the corpus finished."""
    fields = {"kind": MANIFEST_KIND, **dataclasses.asdict(manifest)}
    write_atomic(folder / MANIFEST_NAME, json.dumps(fields, indent=1) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a finished corpus.

    Raises:
        ConfigError: the folder is missing or holds no finished corpus.
        TraceFormatError: the manifest is damaged or of another schema version.
    """
    path = folder / MANIFEST_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            "not a finished corpus: no manifest.json",
            where=str(folder),
            hint="run opencwm corpus build again",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TraceFormatError(f"cannot be read: {error}", where=str(path)) from None
    try:
        fields = json.loads(text)
        kind, version = fields.pop("kind"), fields["schema_version"]
        fields["shards"] = tuple(Shard(**shard) for shard in fields["shards"])
        fields["problems"] = tuple(fields["problems"])
        fields["decontamination"] = tuple(fields["decontamination"])
        manifest = Manifest(**fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise TraceFormatError("is not the manifest of a corpus", where=str(path)) from None
    if kind != MANIFEST_KIND or version != SCHEMA_VERSION:
        raise TraceFormatError(
            f"has schema version {version!r}, this OpenCWM reads {SCHEMA_VERSION}",
            where=str(path),
            hint="build the corpus again",
        )
    return manifest


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal; empty when there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def damaged_shards(folder: Path, manifest: Manifest) -> list[Shard]:
    """Return the shards that are missing or differ from the manifest."""
    return [shard for shard in manifest.shards if file_sha256(folder / shard.path) != shard.sha256]


def read_split(folder: Path, split: str) -> Iterator[Trace]:
    """Yield the traces of one split, in order.

    Raises:
        ConfigError: there is no finished corpus, or no such split.
        TraceFormatError: a shard is missing, damaged, or has another number of rows than the manifest says.
    """
    from opencwm.traces.parquet import read_parquet

    if split not in SPLITS:
        raise ConfigError(f"no split {split!r}", where=str(folder), hint=f"one of {', '.join(SPLITS)}")
    for shard in read_manifest(folder).of(split):
        path = folder / shard.path
        if file_sha256(path) != shard.sha256:
            raise TraceFormatError(
                "the shard is missing or damaged", where=str(path), hint="run opencwm corpus build again"
            )
        yield from read_parquet(path)
