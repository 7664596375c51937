"""One patch for each task of a run: :mod:`opencwm.agent.choosing` over the records of its attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opencwm.agent.choosing import Submission, choose
from opencwm.agent.planning.cases import cases_of
from opencwm.agent.planning.planner import forecaster_of
from opencwm.agent.planning.planner_config import PlannerConfig
from opencwm.agent.planning.ranking import Ranker
from opencwm.agent.planning.versions import Version
from opencwm.agent.rollout import ERROR
from opencwm.agent.task import Task, read_task
from opencwm.core.errors import OpenCWMError
from opencwm.sandbox import Sandbox

NAME = "chosen.json"
"""What the choices of a run are written to."""


def chosen(
    records: Sequence[Mapping[str, Any]], tasks: Mapping[str, Path], planner: PlannerConfig | None
) -> dict[str, Any]:
    """Return for each task the attempt that is chosen, how, and the reward it really had.

    Rewards are reported and not looked at in choosing. Tasks without files, and those with one submission or
    none, are chosen by what there is.

    Args:
        records: of a run.
        tasks: folders by name.
        planner: whose forecasts of the tests that the task names count too; None for none.

    Raises:
        SandboxError: generated tests cannot be run.
    """
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if record["status"] != ERROR and record["task"] in tasks:
            by_task.setdefault(record["task"], []).append(record)
    found = {}
    with Sandbox() as sandbox:
        for name, attempts in by_task.items():
            try:
                found[name] = _chosen(read_task(tasks[name]), attempts, planner, sandbox)
            except OpenCWMError as error:
                found[name] = {"rollout": None, "reason": str(error)}
    return found


def _chosen(
    task: Task, attempts: Sequence[Mapping[str, Any]], planner: PlannerConfig | None, sandbox: Sandbox
) -> dict[str, Any]:
    files = task.box_spec().files
    version = Version.of_folder(Path(files)) if files is not None else Version({})
    submissions = [
        Submission(
            rollout=record["rollout"],
            patch=record["patch"] or "",
            num_tokens=record["completion_tokens"],
            probability=_probability(task, version, record["patch"] or "", planner),
        )
        for record in attempts
    ]
    choice = choose(version, submissions, sandbox=sandbox)
    rewards = {record["rollout"]: record["reward"] for record in attempts}
    return {
        "rollout": choice.rollout,
        "reward": rewards.get(choice.rollout, 0.0) if choice.rollout is not None else 0.0,
        "first_reward": attempts[0]["reward"],
        "best_reward": max(rewards.values()),
        "generated_tests": choice.num_generated,
        "generated_test_runs": choice.num_runs,
        "passed": {str(rollout): count for rollout, count in choice.passed.items()},
        "votes": {str(rollout): count for rollout, count in choice.votes.items()},
        "forecast": {str(item.rollout): item.probability for item in submissions},
    }


def _probability(task: Task, version: Version, patch: str, planner: PlannerConfig | None) -> float | None:
    """Return the forecast probability that the tests which the task names pass with a patch."""
    if planner is None or not patch.strip():
        return None
    paths = {name.partition("::")[0] for name in task.fail_to_pass}
    cases = [case for path in paths for case in cases_of(version, path) if case.name in task.fail_to_pass]
    ranker = Ranker(forecaster_of(planner), version, cases, [])
    return ranker.patch_probability(patch)
