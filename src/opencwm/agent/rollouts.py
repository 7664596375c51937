"""Many rollouts: which are to be made, and by whom: this process, processes of this machine, or Ray.

The idea: whoever makes an attempt leaves its files in the run's folder, so the ways differ in nothing but
where the work is done. An attempt never ends the run: what goes wrong in it is its record.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from opencwm.agent.conversation import Policy
from opencwm.agent.policies import PolicySpec, make_policy
from opencwm.agent.rollout import RolloutConfig, failed, run_rollout, seed_of
from opencwm.agent.run_folder import RunFolder
from opencwm.agent.task import find_tasks as task_folders
from opencwm.agent.task import read_task
from opencwm.core.config import from_dict, to_dict
from opencwm.core.errors import ConfigError, OpenCWMError

Job = dict[str, Any]
"""An attempt to make: ``task`` (its name), ``directory``, ``rollout`` (its number)."""
Report = Callable[[Job], object]
"""Is told each job that is over, however it ended."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What a run is asked for.

    Attributes:
        policy: who acts.
        rollout: how attempts are made.
        num_rollouts: attempts at each task.
    """

    policy: PolicySpec
    rollout: RolloutConfig = dataclasses.field(default_factory=RolloutConfig)
    num_rollouts: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return to_dict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunConfig:
        """Return what :meth:`to_json` described."""
        return from_dict(cls, data)


class Bench:
    """Makes attempts, one after the other, with one policy.

    Args:
        config: see :class:`RunConfig`.
        folder: where the files go.

    Raises:
        ConfigError: there is no such policy.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        self._config = config
        self._folder = RunFolder(folder)
        self._policy: Policy = make_policy(config.policy)

    def run(self, job: Job) -> None:
        """Make one attempt and write it down."""
        try:
            task = read_task(Path(job["directory"]))
            planner = self._config.policy.planner
            rollout = run_rollout(task, self._policy, job["rollout"], self._config.rollout, planner=planner)
        except Exception as error:  # whatever it is, it is this attempt's, and the run goes on
            reason = str(error) if isinstance(error, OpenCWMError) else repr(error)
            self._folder.write_record(
                not_made(job, self._config, f"{type(error).__name__}: {reason}", self._policy.name)
            )
        else:
            self._folder.write(rollout)


def not_made(job: Job, config: RunConfig, reason: str, policy: str = "") -> dict[str, Any]:
    """Return the record of an attempt that came to nothing."""
    seed = seed_of(config.rollout.seed, job["task"], job["rollout"])
    return failed(job["task"], job["rollout"], seed, policy or config.policy.spec, reason)


def find_tasks(paths: Iterable[Path]) -> dict[str, Path]:
    """Return the task folders at and directly below some paths, by name.

    A task that cannot be read has its folder's name, so that its attempts are recorded as errors.

    Raises:
        ConfigError: two have one name.
        TaskError: there is none.
    """
    tasks: dict[str, Path] = {}
    for path in paths:
        for directory in map(Path.absolute, task_folders(path)):
            try:
                name = read_task(directory).name
            except OpenCWMError:
                name = directory.name
            if tasks.setdefault(name, directory) != directory:
                raise ConfigError(f"two tasks are named {name}", where=f"{tasks[name]} and {directory}")
    return tasks


def jobs_of(tasks: dict[str, Path], num_rollouts: int, folder: RunFolder) -> Iterator[Job]:
    """Yield the attempts that are not done: the first of every task, then the second of every task ..."""
    for number in range(num_rollouts):
        for task, directory in tasks.items():
            if not folder.is_done(task, number):
                yield {"task": task, "directory": str(directory), "rollout": number}


def run_here(config: RunConfig, folder: Path, jobs: Sequence[Job], report: Report) -> None:
    """Make the attempts in this process."""
    bench = Bench(config, folder)
    for job in jobs:
        bench.run(job)
        report(job)


def run_ray(config: RunConfig, folder: Path, jobs: Sequence[Job], report: Report, workers: int) -> None:
    """Make the attempts on the cluster that ``RAY_ADDRESS`` names, or on a Ray of this machine.

    All nodes must see the tasks and the run's folder under the same paths. An attempt whose process or
    machine dies is made again elsewhere by Ray.

    Raises:
        ConfigError: Ray is not installed.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError("Ray is not installed", where="--ray", hint="pip install 'opencwm[ray]'") from None
    import os

    if not ray.is_initialized():
        here: dict[str, Any] = {"num_cpus": max(1, workers), "include_dashboard": False}
        ray.init(
            log_to_driver=False,
            logging_level="ERROR",
            **({} if "RAY_ADDRESS" in os.environ else here),
        )
    remote = ray.remote(num_cpus=1, max_retries=3)(run_ray_job)
    text = json.dumps(config.to_json())
    running = {remote.remote(text, str(folder), job): job for job in jobs}
    while running:
        finished, _ = ray.wait(list(running), num_returns=1)
        for reference in finished:
            job = running.pop(reference)
            try:
                ray.get(reference)
            except ray.exceptions.RayError as error:
                reason = f"Ray: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
                RunFolder(folder).write_record(not_made(job, config, reason))
            report(job)


def run_ray_job(config: str, folder: str, job: Job) -> None:
    """Make one attempt in a process of Ray."""
    _bench(config, folder).run(job)


@functools.lru_cache(maxsize=1)
def _bench(config: str, folder: str) -> Bench:
    """Return the bench of this process; it lasts as long as the process."""
    return Bench(RunConfig.from_json(json.loads(config)), Path(folder))
