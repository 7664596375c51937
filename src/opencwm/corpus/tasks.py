"""The pieces of work of a build, as JSON, and the bench at which any process does them.

A task names a unit to make or a shard to write; what it leaves are files, so tasks have no results, may be
done twice, and can be sent anywhere that sees the same folders.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opencwm.core.config import from_dict, to_dict
from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.corpus.assembly import ShardPlan, make_shard
from opencwm.corpus.contamination import ContaminationIndex, TestSet
from opencwm.corpus.formats import Format, open_formats
from opencwm.corpus.generator import GeneratorConfig, Recorder
from opencwm.corpus.recipe import GeneratedSource, Recipe
from opencwm.corpus.recorders import recorder_factory
from opencwm.corpus.units import Tools, Unit, make_unit
from opencwm.traces import Program, Trace

Task = dict[str, Any]
"""``{"unit": ...}`` or ``{"shard": ...}`` with the fields of a ``Unit`` or a ``ShardPlan``. JSON-able."""

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setup:
    """What all tasks of a build share.

    Attributes:
        recipe: the corpus.
        folder: where it is built; the same for all workers.
        test_sets: what to decontaminate against.
    """

    recipe: Recipe
    folder: Path
    test_sets: tuple[TestSet, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        test_sets = [{**dataclasses.asdict(one), "path": str(one.path.resolve())} for one in self.test_sets]
        return {"recipe": to_dict(self.recipe), "folder": str(self.folder), "test_sets": test_sets}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Setup:
        """Read what :meth:`to_json` returned."""
        test_sets = tuple(TestSet(**{**one, "path": Path(one["path"])}) for one in fields["test_sets"])
        return cls(
            recipe=from_dict(Recipe, fields["recipe"]), folder=Path(fields["folder"]), test_sets=test_sets
        )


class Workbench:
    """Does tasks, one after another; recorders, test sets and codecs are opened when first needed.

    A context manager: leaving it closes the recorders.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._open = contextlib.ExitStack()
        self._recorders: dict[tuple[str, GeneratorConfig, bool], Recorder] = {}

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self._open.close()

    def run(self, task: Task) -> None:
        """Do a task.

        Raises:
            OpenCWMError: it cannot be done; OSError is turned into it.
        """
        setup = self._setup
        try:
            if "unit" in task:
                unit = Unit(**task["unit"])
                make_unit(setup.recipe, setup.folder, unit, self._tools(unit.source))
            else:
                make_shard(setup.recipe, setup.folder, ShardPlan.from_dict(task["shard"]), self._formats)
        except OSError as error:
            raise file_error(error, setup.folder) from None

    def _tools(self, source: str) -> Tools:
        recipe = self._setup.recipe
        limits = recipe.filter
        bounds = GeneratorConfig(
            max_steps=max(8, limits.max_steps), max_value_chars=max(8, limits.max_value_chars)
        )
        wanted = recipe.sources[source]
        recorder: Recorder = _no_recorder
        mutant_recorder: Recorder = _no_recorder
        if isinstance(wanted, GeneratedSource):
            recorder = self._recorder(wanted.recorder, wanted.curriculum.generator, wanted.expressions)
        elif wanted.expressions:
            recorder = self._recorder("sandbox", bounds, True)
        if recipe.mutants is not None:
            mutant_recorder = self._recorder(recipe.mutants.recorder, bounds, wanted.expressions)
        return Tools(recorder=recorder, mutant_recorder=mutant_recorder, index=self._index)

    def _recorder(self, name: str, bounds: GeneratorConfig, expressions: bool) -> Recorder:
        key = name, bounds, expressions
        if key not in self._recorders:
            opened = recorder_factory(name)(bounds, expressions)
            self._recorders[key] = self._open.enter_context(opened)
        return self._recorders[key]

    @functools.cached_property
    def _index(self) -> ContaminationIndex:
        return ContaminationIndex(self._setup.test_sets, self._setup.recipe.decontaminate.shared_ngrams)

    @functools.cached_property
    def _formats(self) -> dict[str, Format]:
        return open_formats(self._setup.recipe.encode)


def _no_recorder(program: Program) -> Trace:
    """Stand where no program is run.

    Raises:
        ConfigError: always.
    """
    raise ConfigError("this source runs no programs", where=program.filename)


def file_error(error: OSError, folder: Path) -> OpenCWMError:
    """Return what to tell of a file that cannot be written or read."""
    what = "the disk is full" if error.errno in _DISK_FULL else " ".join(str(error.strerror or error).split())
    return OpenCWMError(
        what,
        where=str(error.filename or folder),
        hint="what is finished is kept: mend it and run the same command again",
    )
