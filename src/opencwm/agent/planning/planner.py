"""The planner of an agent: commands that run tests are forecast before they are run.

What was forecast, how sure, and what then happened is recorded with the turn. A command whose tests are all
but sure to fail can be left out (:attr:`PlannerConfig.skip_below`); the agent is then told so. A forecast is
never a reward: what is submitted is graded by real tests.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from opencwm.agent.calls import Call
from opencwm.agent.loop import Tools
from opencwm.agent.planning.cases import Case, cases_of, files_with_tests
from opencwm.agent.planning.forecasts import Forecast, ForecastConfig, Forecaster
from opencwm.agent.planning.patching import patched
from opencwm.agent.planning.planner_config import PlannerConfig, runs_tests
from opencwm.agent.planning.versions import Version
from opencwm.agent.task import Task
from opencwm.agent.tools import Outcome
from opencwm.core.errors import ConfigError
from opencwm.debugger.world_model import WorldModel

_NAMED: Final = re.compile(r"[\w./-]+\.py(?:::[^\s'\"]+)?")
_SUMMARY: Final = re.compile(r"\b(\d+) (passed|failed|errors?)\b")


@functools.lru_cache(maxsize=2)
def forecaster_of(config: PlannerConfig) -> Forecaster:
    """Return the forecaster of this process for some settings; it keeps what it has forecast.

    Raises:
        EngineError: there is no such model.
    """
    world = WorldModel.load(config.model or None)
    return Forecaster(world, ForecastConfig(max_seconds=config.max_seconds))


class PlannedTools:
    """An agent's tools with forecasts: see the module.

    Args:
        tools: that do the work.
        task: whose files say what was there at the start; without files nothing is forecast.
        forecaster: makes the forecasts.
        config: how.
    """

    def __init__(self, tools: Tools, task: Task, forecaster: Forecaster, config: PlannerConfig) -> None:
        self._tools = tools
        self._forecaster = forecaster
        self._config = config
        files = task.box_spec().files
        self._version = Version.of_folder(Path(files)) if files is not None else None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tools on offer."""
        return self._tools.names

    def patch(self) -> str | None:
        """Return all changes of the repository so far."""
        return self._tools.patch()

    def use(self, call: Call) -> Outcome:
        """Do what a call asks for; what runs tests is forecast first.

        Raises:
            SandboxError: the box failed.
        """
        command = call.arguments.get("command", "") if call.name == "bash" else ""
        if not runs_tests(command):
            return self._tools.use(call)
        forecast = self._forecast(command)
        if forecast is None:
            return self._tools.use(call)
        is_sure = not forecast["num_unknown"] and forecast["num_tests"]
        if is_sure and forecast["probability"] < self._config.skip_below:
            told = f"[not run: the tests are forecast to fail. {_told(forecast)}]"
            return Outcome(text=told, forecast={**forecast, "is_skipped": True})
        outcome = self._tools.use(call)
        return dataclasses.replace(outcome, forecast={**forecast, **_happened(outcome.text)})

    def _forecast(self, command: str) -> dict[str, Any] | None:
        if self._version is None:
            return None
        try:
            version = patched(self._version, self._tools.patch() or "")
        except ConfigError:
            return None
        cases = _wanted(version, command)[: self._config.max_tests]
        ends_at = self._forecaster.seconds + self._config.max_command_seconds
        found = []
        for case in cases:
            if self._forecaster.seconds > ends_at:
                break
            found.append((case, self._forecaster.forecast(version, case)))
        return summary(found, num_left=len(cases) - len(found))


def summary(found: list[tuple[Case, Forecast]], num_left: int = 0) -> dict[str, Any]:
    """Return what is forecast of some tests together, and of so many more nothing, as JSON-able values.

    The probability that all pass is that of the least likely one that is known: tests of one repository fail
    together.
    """
    known = [(case, item) for case, item in found if item.is_known]
    failing = [(case, item) for case, item in known if not item.is_to_pass]
    entry: dict[str, Any] = {
        "num_tests": len(found) + num_left,
        "num_passing": len(known) - len(failing),
        "num_failing": len(failing),
        "num_unknown": len(found) + num_left - len(known),
        "probability": min((item.probability for _, item in known), default=None),
    }
    if failing:
        case, item = min(failing, key=lambda pair: pair[1].probability)
        entry["failing"] = {
            "test": case.name,
            "exception": item.exception,
            "path": item.path,
            "lineno": item.lineno,
            "probability": item.probability,
        }
    return entry


def _wanted(version: Version, command: str) -> list[Case]:
    """Return the tests that a command names, all where it names none."""
    cases = [case for path in files_with_tests(version) for case in cases_of(version, path)]
    named = [name.removeprefix("./") for name in _NAMED.findall(command)]
    kept = [case for case in cases if any(case.name.startswith(name) for name in named)]
    return kept or cases


def _happened(text: str) -> dict[str, Any]:
    """Return what the output of a test command says."""
    counts = {"passed": 0, "failed": 0}
    for number, what in _SUMMARY.findall(text):
        counts["passed" if what == "passed" else "failed"] += int(number)
    if not any(counts.values()):
        return {}
    return {"really_passed": counts["passed"], "really_failed": counts["failed"]}


def _told(forecast: Mapping[str, Any]) -> str:
    failing = forecast.get("failing")
    if failing is None:
        return f"{forecast['num_tests']} tests were looked at"
    return (
        f"{failing['test']}: {failing['exception']} at {failing['path']}:{failing['lineno']},"
        f" {100 * (1 - failing['probability']):.0f} % sure"
    )
