"""What planning with a world model saves: the same candidate repairs of the same tasks, in several orders.

For each task the tests are run once, which everybody is told; candidates are listed from what that says
(:mod:`opencwm.agent.planning.edits`); every candidate is run for real, which only this evaluation sees; and
the model forecasts the tests before any of that. An order knows nothing of a candidate's outcome, and no
order knows the place that was broken. The report is a pure function of the records kept here
(:mod:`.planning_report`).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from opencwm.agent.box import open_box
from opencwm.agent.mutation.baseline import COMMANDS, prepare, run_tests
from opencwm.agent.planning.cases import cases_of, files_with_tests
from opencwm.agent.planning.edits import Edit, candidate_edits
from opencwm.agent.planning.forecasts import Forecast, Forecaster
from opencwm.agent.planning.ranking import Ranked, Ranker
from opencwm.agent.planning.trying import try_candidates
from opencwm.agent.planning.verifying import failure_place
from opencwm.agent.planning.versions import Version
from opencwm.agent.task import Task, read_task
from opencwm.core.errors import TaskError
from opencwm.evals.journal import Journal, Progress, Record

PASSED: Final = "passed"
_FILES: Final = "environment/repo"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlanningConfig:
    """How tasks are evaluated.

    Attributes:
        num_candidates: most candidates of a task.
        seed: of the order in which equally near candidates are listed.
    """

    num_candidates: int = 20
    seed: int = 0


def evaluate_planning(
    forecaster: Forecaster,
    tasks: Mapping[str, Path],
    config: PlanningConfig,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> list[Record]:
    """Evaluate tasks; go on where an earlier run into the same folder ended.

    Args:
        forecaster: with the model.
        tasks: folders by name.
        config: how.
        folder: where the records are kept.
        progress: told how many tasks are done.

    Raises:
        ConfigError: the folder holds results of other settings.
        SandboxError: no box can be made.
    """
    settings = {
        "model": forecaster.model,
        "forecast": dataclasses.asdict(forecaster.config),
        "config": dataclasses.asdict(config),
    }
    with Journal(folder, settings) as journal:
        return journal.complete(
            dict(tasks),
            lambda directory: _record(forecaster, read_task(directory), config),
            progress,
        )


def _record(forecaster: Forecaster, task: Task, config: PlanningConfig) -> Record:
    files = task.directory / _FILES
    if not files.is_dir():
        raise TaskError("only tasks with files can be evaluated, not those with an image", where=task.name)
    version = Version.of_folder(files)
    names = [*task.fail_to_pass, *task.pass_to_pass]
    with open_box(task.box_spec()) as box:
        prepare(box)
        first = run_tests(box, COMMANDS[0], timeout_s=60, has_lines=True)
        before = {name: (first.outcomes.get(name, "missing"), first.texts.get(name, "")) for name in names}
        failures = {name: text for name, (outcome, text) in before.items() if outcome != PASSED}
        edits = candidate_edits(version, failures, config.seed, config.num_candidates)
        rest = [name for name in names if name not in failures]
        outcomes = try_candidates(box, [edit.candidate for edit in edits], list(failures), rest)
    cases = {case.name: case for path in files_with_tests(version) for case in cases_of(version, path)}
    unlisted = [name for name in names if name not in cases]
    failing = [cases[name] for name in failures if name in cases]
    passing = [cases[name] for name in names if name not in failures and name in cases]
    started, seconds = time.thread_time(), forecaster.seconds
    ranker = Ranker(forecaster, version, failing, passing)
    ranked = [ranker.score(edit.candidate, index) for index, edit in enumerate(edits)]
    planned = time.thread_time() - started
    return {
        "task": task.name,
        "package": task.name.partition("/")[2].partition("-")[0],
        "num_tests": len(names),
        "failing": sorted(failures),
        "unlisted": unlisted,
        "candidates": [
            _candidate_json(edit, item, found, names, _suspicion(edit, first.lines, failures))
            for edit, item, found in zip(edits, ranked, outcomes, strict=True)
        ],
        "before": [_before_json(forecast, name, before) for name, forecast in ranker.looked_at.items()],
        "seconds_planning": round(planned, 3),
        "seconds_predicting": round(forecaster.seconds - seconds, 3),
    }


def _candidate_json(
    edit: Edit,
    ranked: Ranked,
    outcomes: Mapping[str, tuple[str, str]],
    names: Sequence[str],
    suspicion: float,
) -> dict[str, Any]:
    return {
        "path": edit.candidate.path,
        "line": edit.lineno,
        "distance": edit.distance,
        "suspicion": suspicion,
        "probability": ranked.probability,
        "is_resolved": all(outcomes.get(name, ("missing", ""))[0] == PASSED for name in names),
        "forecasts": {
            name: {
                "outlook": str(forecast.outlook),
                "confidence": forecast.confidence,
                "probability": forecast.probability,
                "passed": outcomes[name][0] == PASSED if name in outcomes else None,
            }
            for name, forecast in ranked.forecasts.items()
        },
    }


def _before_json(forecast: Forecast, name: str, before: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    outcome, text = before[name]
    path, lineno, exception = failure_place(text)
    return {
        "test": name,
        "passed": outcome == PASSED,
        "outlook": str(forecast.outlook),
        "confidence": forecast.confidence,
        "probability": forecast.probability,
        "reason": forecast.reason,
        "steps": forecast.num_steps,
        "seconds": forecast.seconds,
        "is_exception_right": forecast.exception == exception,
        "is_line_right": (forecast.path, forecast.lineno) == (path, lineno),
    }


def _suspicion(
    edit: Edit, lines: Mapping[str, Mapping[str, frozenset[int]]], failures: Mapping[str, str]
) -> float:
    """Return Ochiai's suspicion of a line, from which tests really ran it: the order by coverage.

    Source: Abreu, Zoeteweij, van Gemund, "On the accuracy of spectrum-based fault localization" (2007).
    """
    ran = [name for name, found in lines.items() if edit.lineno in found.get(edit.candidate.path, ())]
    guilty = sum(name in failures for name in ran)
    both = len(failures) * len(ran)
    return guilty / both**0.5 if both else 0.0
