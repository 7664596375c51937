"""Build a corpus from a recipe: units to workers, one pass over their facts, shards to workers, the card.

Whatever happens, running the same build again continues it: finished units and shards are verified and
kept, the others are made again. Since each is a pure function of the recipe and its place, the bytes of the
finished corpus do not depend on how often it was interrupted, how many workers made it, or by which engine.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from opencwm.core.config import to_dict
from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.core.files import write_atomic
from opencwm.core.version import __version__
from opencwm.corpus.assembly import ShardPlan, ShardRecord, finished_shard
from opencwm.corpus.card import write_card
from opencwm.corpus.contamination import TestSet, find_test_set
from opencwm.corpus.engines import ENGINES, Report
from opencwm.corpus.facts import read_facts
from opencwm.corpus.formats import open_formats
from opencwm.corpus.recipe import GeneratedSource, Recipe
from opencwm.corpus.recorders import recorder_factory
from opencwm.corpus.selection import Selection, select
from opencwm.corpus.shards import (
    MANIFEST_NAME,
    TRACES,
    Manifest,
    damaged_shards,
    file_sha256,
    read_manifest,
    write_manifest,
)
from opencwm.corpus.statistics import Statistics
from opencwm.corpus.structure import SPLITS
from opencwm.corpus.tasks import Setup, Task, file_error
from opencwm.corpus.units import (
    BUILD_FOLDER,
    GENERATOR_VERSION,
    Unit,
    UnitRecord,
    finished_unit,
    trace_files,
    unit_paths,
    units_of,
)

Progress = Callable[[str, int, int], object]
"""Called with what is being done, how many parts of it are done, and how many there are."""

_Plan = TypeVar("_Plan")
_Record = TypeVar("_Record")


def build_corpus(
    recipe: Recipe, out: Path, *, workers: int = 1, engine: str = "local", progress: Progress | None = None
) -> Manifest:
    """Build the corpus in the folder ``out``, or continue or verify the one that is there.

    Args:
        recipe: what the corpus contains.
        out: folder; made when it does not exist. It gets one folder of shards per split, ``tokens`` with
            those of each format, ``card``, ``manifest.json`` at the very end, and ``.build`` with what
            resuming needs.
        workers: processes; 0 builds in this process, whose hash seed then should be fixed.
        engine: a name of ``engines.ENGINES``.
        progress: told how far it is, from this thread.

    Returns:
        The manifest, also written to ``out``.

    Raises:
        ConfigError: a setting or an input is wrong, ``out`` holds something else or a corpus of another
            recipe, or another build is running there.
        OpenCWMError: a worker failed, the disk is full, or no program is left.
    """
    if workers < 0:
        raise ConfigError(f"must be at least 0, not {workers}", where="workers")
    if engine not in ENGINES:
        raise ConfigError(f"no engine {engine!r}", where="engine", hint=f"one of {', '.join(ENGINES)}")
    inputs, test_sets = _check(recipe)
    identity = _identity(recipe, inputs, test_sets)
    out = out.resolve()
    try:
        with _claimed(out, identity):
            if (out / MANIFEST_NAME).exists():
                manifest = read_manifest(out)
                if not damaged_shards(out, manifest):
                    _remove_units(out)
                    return manifest
                (out / MANIFEST_NAME).unlink()
            build = _Build(Setup(recipe=recipe, folder=out, test_sets=test_sets), inputs, progress)
            return build.run(engine, workers)
    except OSError as error:
        raise file_error(error, out) from error


def _check(recipe: Recipe) -> tuple[dict[str, dict[str, str]], tuple[TestSet, ...]]:
    """Refuse what cannot work before anything is written; return the hashed inputs."""
    open_formats(recipe.encode)
    if recipe.mutants is not None:
        recorder_factory(recipe.mutants.recorder)
    inputs = {}
    for name, source in recipe.sources.items():
        if isinstance(source, GeneratedSource):
            recorder_factory(source.recorder)
        else:
            files = trace_files(source.path)
            inputs[name] = {file: file_sha256(source.path / file) for file in files}
    test_sets = tuple(find_test_set(path) for path in recipe.decontaminate.against)
    return inputs, test_sets


# -- the folder ------------------------------------------------------------------------------------


def _identity(
    recipe: Recipe, inputs: Mapping[str, Mapping[str, str]], test_sets: Sequence[TestSet]
) -> dict[str, Any]:
    """Return all that decides the bytes of a corpus."""
    return {
        "recipe": to_dict(recipe),
        "order of sources": list(recipe.strata()),
        "inputs": inputs,
        "test_sets": [[one.name, one.sha256] for one in test_sets],
        "python": _python(),
        "generator_version": GENERATOR_VERSION,
        "opencwm": __version__,
    }


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@contextlib.contextmanager
def _claimed(out: Path, identity: Mapping[str, Any]) -> Iterator[None]:
    """Hold ``out`` as the folder of this corpus while the block runs; nobody else builds there meanwhile."""
    stamp = out / BUILD_FOLDER / "recipe.json"
    if out.exists() and not out.is_dir():
        raise ConfigError("is not a folder", where=str(out))
    if not stamp.exists() and out.exists() and any(path.name != BUILD_FOLDER for path in out.iterdir()):
        raise ConfigError("is not empty and holds no corpus", where=str(out), hint="choose another folder")
    stamp.parent.mkdir(parents=True, exist_ok=True)
    with _locked(stamp.with_name("lock"), out):
        if not stamp.exists():
            write_atomic(stamp, json.dumps(identity, indent=1, sort_keys=True) + "\n")
        try:
            found = json.loads(stamp.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != identity:
            raise ConfigError(
                f"holds a corpus of another recipe ({_difference(found, identity)})",
                where=str(out),
                hint="choose another folder, or remove this one",
            )
        for left_over in out.rglob(".*.tmp"):  # of a build that was killed
            left_over.unlink(missing_ok=True)
        yield


@contextlib.contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    """Hold a lock that ends with this process, however that ends."""
    with path.open("w") as file:
        with contextlib.suppress(ImportError):
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(
                    "another build is running in this folder", where=str(out), hint="wait for it to end"
                ) from None
        yield


def _difference(found: Any, wanted: Any, name: str = "") -> str:
    """Name the first setting in which two identities differ."""
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        return f"{name} is {found!r} there, {wanted!r} here" if name else "its stamp is damaged"
    for key in [*wanted, *found]:
        if found.get(key) != wanted.get(key):
            return _difference(
                found.get(key), wanted.get(key), key if not name or name == "recipe" else f"{name}.{key}"
            )
    return "it has other settings"


def _remove_units(out: Path) -> None:
    """Remove the recorded units, which a finished corpus needs no more."""
    shutil.rmtree(out / BUILD_FOLDER / "units", ignore_errors=True)


# -- the work --------------------------------------------------------------------------------------


class _Build:
    def __init__(self, setup: Setup, inputs: dict[str, dict[str, str]], progress: Progress | None) -> None:
        self._setup = setup
        self._inputs = inputs
        self._progress = progress

    def run(self, engine: str, workers: int) -> Manifest:
        """Make units, select, make shards, and write the manifest."""
        recipe, out = self._setup.recipe, self._setup.folder

        def work(name: str, tasks: Sequence[Task], total: int) -> None:
            report = self._reporter(name, total - len(tasks), total)
            report(0)
            ENGINES[engine](self._setup, tasks, workers, report)

        units = units_of(recipe, {name: list(files) for name, files in self._inputs.items()})
        records: list[UnitRecord] = self._finish(
            units,
            lambda unit: finished_unit(out, unit),
            lambda unit: {"unit": dataclasses.asdict(unit)},
            lambda tasks: work("recording", tasks, len(units)),
        )
        selection = self._select(units)
        plans = _plans(units, records, selection)
        if not plans:
            raise OpenCWMError("no program is left", where=str(out), hint="ask for more, or filter less")
        shards: list[ShardRecord] = self._finish(
            plans,
            lambda plan: finished_shard(out, plan),
            lambda plan: {"shard": dataclasses.asdict(plan)},
            lambda tasks: work("writing", tasks, len(plans)),
        )
        manifest = self._manifest(records, selection, plans, shards)
        write_card(out, manifest)
        write_manifest(out, manifest)
        _remove_units(out)
        return manifest

    def _reporter(self, name: str, before: int, total: int) -> Report:
        def report(done: int) -> None:
            if self._progress is not None:
                self._progress(name, before + done, total)

        return report

    def _finish(
        self,
        plans: Sequence[_Plan],
        find: Callable[[_Plan], _Record | None],
        task_of: Callable[[_Plan], Task],
        work: Callable[[list[Task]], None],
    ) -> list[_Record]:
        """Do what is not done yet; return the records of all, in order."""
        records = [find(plan) for plan in plans]
        work([task_of(plan) for plan, record in zip(plans, records, strict=True) if record is None])
        finished = []
        for plan, record in zip(plans, records, strict=True):
            found = record or find(plan)
            if found is None:
                raise OpenCWMError(
                    f"damaged right after it was written: {plan}", where=str(self._setup.folder)
                )
            finished.append(found)
        return finished

    def _select(self, units: Sequence[Unit]) -> Selection:
        recipe = self._setup.recipe
        facts = read_facts([unit_paths(self._setup.folder, unit)["facts"] for unit in units])
        return select(
            facts,
            weights=recipe.weights(),
            near=recipe.deduplicate.near,
            num_test_sets=len(self._setup.test_sets),
            shard_programs=recipe.shard_programs,
            seed=recipe.seed,
        )

    def _manifest(
        self,
        records: Sequence[UnitRecord],
        selection: Selection,
        plans: Sequence[ShardPlan],
        shards: Sequence[ShardRecord],
    ) -> Manifest:
        recipe = self._setup.recipe
        files = [file for record in shards for file in record.files]
        kinds = (TRACES, *recipe.encode.formats)
        ordered = tuple(
            file
            for kind in kinds
            for split in SPLITS
            for file in files
            if (file.kind, file.split) == (kind, split)
        )
        counts = {split: Statistics() for split in SPLITS}
        for plan, shard in zip(plans, shards, strict=True):
            counts[plan.split].add(shard.counts)
        drawn = dict.fromkeys(recipe.sources, 0)
        for record in records:
            drawn[record.unit["source"]] += record.num_drawn
        return Manifest(
            recipe=to_dict(recipe),
            inputs=self._inputs,
            python=_python(),
            opencwm=__version__,
            num_programs=sum(file.rows for file in files if file.kind == TRACES),
            num_drawn=drawn,
            dropped=_dropped(recipe, records, selection),
            problems=tuple(record.problem for record in records if record.problem),
            decontamination=_decontamination(self._setup, selection),
            counts={split: statistics.counts() for split, statistics in counts.items()},
            shards=ordered,
        )


def _plans(units: Sequence[Unit], records: Sequence[UnitRecord], selection: Selection) -> list[ShardPlan]:
    """Return what goes into each shard: rows of the facts as rows of units."""
    starts = np.cumsum([0, *(record.num_rows for record in records)])
    plans = []
    for split in SPLITS:
        for number, rows in enumerate(selection.shards[split]):
            places = np.searchsorted(starts, rows, side="right") - 1
            used, local = np.unique(places, return_inverse=True)
            pairs = zip(local.tolist(), (rows - starts[places]).tolist(), strict=True)
            plans.append(
                ShardPlan(
                    split=split, number=number, units=tuple(units[place] for place in used), rows=tuple(pairs)
                )
            )
    return plans


def _dropped(
    recipe: Recipe, records: Sequence[UnitRecord], selection: Selection
) -> dict[str, dict[str, int]]:
    """Return what was left out, by stratum and reason: by filters first, then by the pass over all."""
    counts: dict[str, collections.Counter[str]] = {name: collections.Counter() for name in recipe.strata()}
    for dropped in (*(record.dropped for record in records), selection.dropped):
        for stratum, reasons in dropped.items():
            counts[stratum].update(reasons)
    return {stratum: dict(sorted(reasons.items())) for stratum, reasons in counts.items()}


def _decontamination(setup: Setup, selection: Selection) -> tuple[dict[str, Any], ...]:
    """Return the report on each test set."""
    return tuple(
        {"name": one.name, "sha256": one.sha256, "items": one.num_items, "programs": fallen}
        for one, fallen in zip(setup.test_sets, selection.contaminated, strict=True)
    )
