"""A task made once from the example package, for all tests of grading."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from opencwm.agent.mutation.make import MutateConfig, MutateReport, mutate_repository
from opencwm.agent.testing import why_no_boxes

WAREHOUSE = Path(__file__).parents[2] / "examples/warehouse"


@dataclasses.dataclass(frozen=True)
class Made:
    """A folder of tasks, and what was said of it."""

    folder: Path
    report: MutateReport


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two tasks of the example package."""
    reason = why_no_boxes()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("tasks")
    return Made(folder, mutate_repository(WAREHOUSE, folder, MutateConfig(num_tasks=2, seed=3)))
