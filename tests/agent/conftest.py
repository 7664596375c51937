"""A task made once from the example package, for all tests of grading."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from opencwm.agent.bubblewrap import obtained_plan
from opencwm.agent.mutation.make import MutateConfig, MutateReport, mutate_repository
from opencwm.core.errors import SandboxError

WAREHOUSE = Path(__file__).parents[2] / "examples/warehouse"


@dataclasses.dataclass(frozen=True)
class Made:
    """A folder of tasks, and what was said of it."""

    folder: Path
    report: MutateReport


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two tasks of the example package."""
    try:
        obtained_plan()
    except SandboxError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("tasks")
    return Made(folder, mutate_repository(WAREHOUSE, folder, MutateConfig(num_tasks=2, seed=3)))
