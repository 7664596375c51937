"""``opencwm corpus build`` and ``opencwm corpus info``."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencwm.frontends.cli.options import Json, OutputFolder, Settings

if TYPE_CHECKING:
    from opencwm.corpus.shards import Manifest

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a corpus.", show_default=False)]


def build(
    output: OutputFolder,
    programs: Annotated[
        int, typer.Option("--programs", metavar="N", help="How many distinct programs.", min=1)
    ] = 10_000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same bytes.")] = 0,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes [default: one a core].", min=0)
    ] = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Generate programs, record their runs, and write them as Parquet shards.

    Stopped or killed, the same command goes on from what is there; a finished corpus is verified.
    """
    from opencwm.core.config import load_config
    from opencwm.corpus.build import build_corpus
    from opencwm.corpus.units import CorpusConfig
    from opencwm.frontends.cli.output import progress

    config = load_config(
        CorpusConfig, overrides=[f"num_programs={programs}", f"seed={seed}", *(settings or [])]
    )
    with progress("recording programs") as advance:
        num_workers = _num_cores() if workers is None else workers
        manifest = build_corpus(config, output, workers=num_workers, progress=advance)
    _print(output, manifest, as_json=as_json)


def info(folder: Folder, as_json: Json = False) -> None:
    """Verify a corpus and say what it holds."""
    from opencwm.corpus.shards import damaged_shards, read_manifest

    manifest = read_manifest(folder)
    if damaged := damaged_shards(folder, manifest):
        _refuse(folder, damaged[0].path, len(damaged))
    _print(folder, manifest, as_json=as_json)


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _refuse(folder: Path, path: str, num_damaged: int) -> None:
    """Raise for damaged shards.

    Raises:
        TraceFormatError: always.
    """
    from opencwm.core.errors import TraceFormatError

    others = f", and {num_damaged - 1} more" if num_damaged > 1 else ""
    raise TraceFormatError(
        f"the shard is missing or damaged{others}",
        where=str(folder / path),
        hint="run opencwm corpus build again with the same settings: it renews what is damaged",
    )


def _print(folder: Path, manifest: Manifest, *, as_json: bool) -> None:
    from opencwm.corpus.structure import SPLITS
    from opencwm.frontends.cli.output import print_json

    if as_json:
        fields: dict[str, Any] = dataclasses.asdict(manifest)
        print_json({"folder": str(folder), **fields})
        return
    print(f"{folder}: {manifest.num_programs} programs, seed {manifest.config['seed']}")
    for split in SPLITS:
        shards = [shard for shard in manifest.shards if shard.split == split]
        size_bytes = sum(shard.num_bytes for shard in shards)
        rows = manifest.num_rows(split)
        print(f"  {split:<6} {rows:>9} programs  {len(shards):>4} shards  {size_bytes / 2**10:>10,.0f} KiB")
    print(f"  {manifest.num_duplicates} duplicates dropped, {manifest.num_failed} draws without a program")
    print(f"  recorded on Python {manifest.python} by OpenCWM {manifest.opencwm}")
