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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shard:
    """One Parquet file of a corpus.

    Attributes:
        path: relative to the corpus, with forward slashes.
        split: ``train``, ``valid`` or ``test``.
        first: index of the first program drawn for it.
        stop: one past the index of the last; shards of different splits share their range.
        rows: programs in it.
        num_bytes: size of the file.
        sha256: of the file, hexadecimal.
    """

    path: str
    split: str
    first: int
    stop: int
    rows: int
    num_bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a finished corpus holds.

    Attributes:
        config: the settings that decide its content, resolved.
        python: ``major.minor`` of the interpreter that ran the programs.
        opencwm: version of the package that wrote it.
        num_programs: rows in all shards.
        num_duplicates: programs drawn and dropped because an equal one came before.
        num_failed: draws that gave no program within the allowed attempts.
        shards: in order of split and index.
        schema_version: of the traces.
    """

    config: dict[str, Any]
    python: str
    opencwm: str
    num_programs: int
    num_duplicates: int
    num_failed: int
    shards: tuple[Shard, ...]
    schema_version: int = SCHEMA_VERSION

    def num_rows(self, split: str) -> int:
        """Return the number of programs in a split."""
        return sum(shard.rows for shard in self.shards if shard.split == split)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``, which declares the corpus finished."""
    fields = {"kind": MANIFEST_KIND, **dataclasses.asdict(manifest)}
    write_atomic(folder / MANIFEST_NAME, json.dumps(fields, indent=1, sort_keys=True) + "\n")


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
    for shard in read_manifest(folder).shards:
        if shard.split != split:
            continue
        path = folder / shard.path
        if file_sha256(path) != shard.sha256:
            raise TraceFormatError(
                "the shard is missing or damaged", where=str(path), hint="run opencwm corpus build again"
            )
        yield from read_parquet(path)
