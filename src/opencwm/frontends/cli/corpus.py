"""``opencwm corpus build``, ``opencwm corpus harvest`` and ``opencwm corpus info``."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencwm.frontends.cli.options import Json, OutputFolder, Settings

if TYPE_CHECKING:
    from opencwm.corpus.harvest.harvest import HarvestManifest
    from opencwm.corpus.shards import Manifest

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a corpus.", show_default=False)]
RecipeFile = Annotated[
    Path,
    typer.Argument(
        metavar="RECIPE", help="A recipe, for example recipes/corpus-small.toml.", show_default=False
    ),
]


def build(
    recipe: RecipeFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="The folder to write [default: named after the recipe, here].",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes [default: one a core].", min=0)
    ] = None,
    engine: Annotated[
        str, typer.Option("--engine", metavar="NAME", help="Who does the work: local or ray.")
    ] = "local",
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against",
            metavar="PATH",
            help="Keep out what is in this test set: JSONL with code, or a folder of .py files; repeatable.",
        ),
    ] = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Build a corpus by a recipe.

    Programs are recorded, filtered, deduplicated, decontaminated, split and encoded. Stopped or killed, the
    same command goes on from what is there; a finished corpus is verified.
    """
    from opencwm.core.config import load_config
    from opencwm.corpus.build import build_corpus
    from opencwm.corpus.card import CARD_NAME
    from opencwm.corpus.recipe import Recipe
    from opencwm.frontends.cli.output import notice, progress

    loaded = load_config(Recipe, recipe, settings or [])
    if against:
        test_sets = (*loaded.decontaminate.against, *against)
        loaded = dataclasses.replace(
            loaded, decontaminate=dataclasses.replace(loaded.decontaminate, against=test_sets)
        )
    folder = output or Path(recipe.stem)
    with progress("building") as advance:
        manifest = build_corpus(
            loaded,
            folder,
            workers=_num_cores() if workers is None else workers,
            engine=engine,
            progress=lambda name, done, total: advance(done, total, name),
        )
    for line in _findings(manifest):
        notice(line)
    _print(folder, manifest, as_json=as_json)
    notice(f"the data card is {folder / CARD_NAME}")


def harvest(
    sources: Annotated[
        Path, typer.Argument(metavar="SOURCES.toml", help="The packages to harvest.", show_default=False)
    ],
    output: OutputFolder,
    packages: Annotated[
        str | None, typer.Option("--packages", metavar="A,B", help="Only these of the packages.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="Packages at a time [default: one a core].", min=1),
    ] = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Cut real functions out of packages.

    Their own tests are watched, and runs of the functions recorded. Needs the package index, and pytest.
    Stopped or killed, the same command goes on from what is there.
    """
    from opencwm.core.config import load_config
    from opencwm.corpus.harvest.harvest import harvest as harvest_all
    from opencwm.corpus.harvest.programs import ProgramConfig
    from opencwm.corpus.harvest.sources import load_sources
    from opencwm.corpus.harvest.unit import UnitReport
    from opencwm.frontends.cli.output import notice, print_json, progress

    only = tuple(name.strip() for name in packages.split(",") if name.strip()) if packages else ()
    chosen = load_sources(sources, only)
    config = load_config(ProgramConfig, overrides=settings or [])
    with progress("harvesting packages") as advance:

        def report(done: int, total: int, unit: UnitReport | None) -> None:
            advance(done, total)
            if unit is not None and unit.problem:
                notice(f"{unit.name}: {unit.problem}")

        manifest = harvest_all(
            chosen,
            output,
            workers=_num_cores() if workers is None else workers,
            config=config,
            progress=report,
        )
    if as_json:
        print_json({"folder": str(output), **dataclasses.asdict(manifest)})
    else:
        _print_harvest(output, manifest)


def _print_harvest(folder: Path, manifest: HarvestManifest) -> None:
    from opencwm.frontends.cli.output import visible

    print(f"{'package':<24} {'licence':<14} {'tried':>6} {'kept':>6} {'traces':>7}")
    for file in manifest.files:
        name = f"{file.package} {file.version}"
        print(
            f"{name:<24} {file.licence:<14} {file.num_tried:>6} {file.num_kept:>6} {file.num_traces:>7}"
            f"  {visible(file.problem)}".rstrip()
        )
    print(
        f"{folder}: {manifest.num_kept} of {manifest.num_tried} functions run on their own, "
        f"{manifest.num_traces} traces, {manifest.median_inputs:g} inputs each (median)"
    )
    for reason, count in manifest.reasons.items():
        print(f"  {count:>6} fell out: {visible(reason)}")
    print(f"  recorded on Python {manifest.python} by OpenCWM {manifest.opencwm}")


def info(folder: Folder, as_json: Json = False) -> None:
    """Verify a corpus and show its data card."""
    from opencwm.corpus.card import sections
    from opencwm.corpus.shards import damaged_shards, read_manifest
    from opencwm.frontends.cli.output import visible

    manifest = read_manifest(folder)
    if damaged := damaged_shards(folder, manifest):
        _refuse(folder, damaged[0].path, len(damaged))
    _print(folder, manifest, as_json=as_json)
    if not as_json:
        for line in "\n".join(sections(manifest)).splitlines():
            print(visible(line))


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _findings(manifest: Manifest) -> list[str]:
    """Return what a user should know of a build: unreadable files, and what fell for a test set."""
    lines = [f"left out: {problem}" for problem in manifest.problems]
    for one in manifest.decontamination:
        fallen = ", ".join(f"{len(ids)} by {name}" for name, ids in one["programs"].items() if ids)
        lines.append(f"{one['name']}: {one['items']} items; fell: {fallen or 'nothing'}")
    return lines


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
        hint="run opencwm corpus build again with the same recipe: it renews what is damaged",
    )


def _print(folder: Path, manifest: Manifest, *, as_json: bool) -> None:
    from opencwm.corpus.structure import SPLITS
    from opencwm.frontends.cli.output import print_json

    if as_json:
        fields: dict[str, Any] = dataclasses.asdict(manifest)
        print_json({"folder": str(folder), **fields})
        return
    print(f"{folder}: {manifest.num_programs} programs, seed {manifest.recipe['seed']}")
    for split in SPLITS:
        shards = manifest.of(split)
        size_bytes = sum(shard.num_bytes for shard in shards)
        rows = manifest.num_rows(split)
        print(f"  {split:<6} {rows:>9} programs  {len(shards):>4} shards  {size_bytes / 2**10:>10,.0f} KiB")
