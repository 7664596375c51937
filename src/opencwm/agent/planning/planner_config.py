"""How an agent's commands are forecast, and which of them run tests; light, for whoever only has settings."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from opencwm.core.errors import ConfigError

_RUNS_TESTS: Final = re.compile(
    r"(?m)(?:^|[;&|(])\s*(?:\w+=\S*\s+)*(?:timeout\s+\S+\s+)?(?:\S*/)?"
    r"(?:pytest|py\.test|python[\d.]*\s+-m\s+(?:pytest|unittest))(?![\w.-])"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlannerConfig:
    """How an agent's commands are forecast.

    Attributes:
        model: which world model, as ``--model`` takes it; empty for the one in the package.
        max_seconds: processor time of one test's forecast.
        max_command_seconds: of all forecasts for one command; the tests that are left are unknown.
        max_ranking_seconds: of ranking the repairs of one task; those that are left keep their order.
        max_tests: most tests of a command that are forecast.
        skip_below: commands of which it is less probable that all tests pass are not run; 0 runs all. Only
            counts when no test that was looked at is unknown.

    Raises:
        ConfigError: a number that makes no sense.
    """

    model: str = ""
    max_seconds: float = 1.0
    max_command_seconds: float = 3.0
    max_ranking_seconds: float = 10.0
    max_tests: int = 12
    skip_below: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.skip_below <= 1:
            raise ConfigError(f"not a probability: {self.skip_below}", where="planner.skip_below")
        if self.max_tests < 1:
            raise ConfigError("must be positive", where="planner.max_tests")


def runs_tests(command: str) -> bool:
    """Whether a command runs tests by pytest or unittest."""
    return _RUNS_TESTS.search(command) is not None
