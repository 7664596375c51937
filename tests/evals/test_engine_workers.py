from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import worker_jobs as jobs

from opencwm.core.errors import EngineError
from opencwm.evals.engine_workers import (
    ATTEMPTS,
    Bench,
    EngineWorkers,
    RayEngine,
    local_workers,
    ray_workers,
)

HERE = jobs.Tool("here")


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return False


def test_each_process_opens_what_is_shared_and_each_result_comes_once() -> None:
    with local_workers(2, [(HERE, jobs.open_tool)]) as workers:
        for count in (9, 1, 0):  # processes stay from one set of cases to the next
            found = dict(workers(functools.partial(jobs.use, number, HERE) for number in range(count)))
            assert found == {number: (number * number, "there", True) for number in range(count)}


def test_the_case_of_a_killed_process_is_done_again(tmp_path: Path) -> None:
    with local_workers(2, []) as workers:
        cases = (functools.partial(jobs.die_once, number, tmp_path / "mark") for number in range(6))
        found = list(workers(cases))
    assert (tmp_path / "mark").exists()
    assert sorted(found) == [(number, number) for number in range(6)]


def test_a_case_that_ends_every_process_ends_the_evaluation() -> None:
    with local_workers(1, []) as workers:
        results = workers(functools.partial(jobs.die, number) for number in range(4))
        with pytest.raises(EngineError, match=f"{ATTEMPTS} engine processes ended.*-9") as caught:
            list(results)
    assert caught.value.where == "case 3"


@pytest.mark.parametrize(
    ("error", "raised", "text"), [("k", KeyError, "'k'"), ("homeless", EngineError, "HomelessError: no home")]
)
def test_what_a_case_raises_is_raised_here(error: str, raised: type[Exception], text: str) -> None:
    with local_workers(1, []) as workers, pytest.raises(raised, match=text):
        list(workers([functools.partial(jobs.fail, error)]))


def test_whoever_stops_waiting_leaves_no_process_behind(tmp_path: Path) -> None:
    with local_workers(2, []) as workers:
        cases: list[Callable[[], object]] = [functools.partial(jobs.die_once, 0, tmp_path)]
        cases += [functools.partial(jobs.wait, tmp_path)] * 2
        results = cast("Generator[tuple[int, object], None, None]", workers(cases))
        assert next(results) == (0, 0)
        deadline = time.monotonic() + 20
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        pids = [int(path.name) for path in tmp_path.iterdir()]
        assert len(pids) == 2
        start = time.monotonic()
        results.close()
        assert time.monotonic() - start < 10
    assert not any(is_alive(pid) for pid in pids)


class StandInRay:
    """As much of Ray as is used, in this process; the first actor is lost at its second case."""

    class exceptions:  # noqa: N801 - Ray's own name
        class RayError(Exception):
            pass

        class RayActorError(RayError):
            pass

    def __init__(self) -> None:
        self.num_actors = 0
        self.num_killed = 0
        self.asked: dict[str, float] = {}

    def remote(self, **asked: float) -> Callable[[type[Bench]], SimpleNamespace]:
        self.asked = asked
        return lambda made: SimpleNamespace(remote=lambda *given: self._actor(made(*given)))

    def _actor(self, bench: Bench) -> SimpleNamespace:
        self.num_actors += 1
        left = 1 if self.num_actors == 1 else 100

        def do(job: bytes) -> bytes:
            nonlocal left
            left -= 1
            if left < 0:
                raise self.exceptions.RayActorError("the actor died")
            return bench.do(job)

        call = functools.partial
        return SimpleNamespace(
            ready=SimpleNamespace(remote=lambda: bench.ready),
            do=SimpleNamespace(remote=lambda job: call(do, job)),
        )

    def get(self, reference: Callable[[], object]) -> object:
        return reference()

    def kill(self, _: object) -> None:
        self.num_killed += 1


def test_the_case_of_a_lost_actor_is_done_by_another() -> None:
    ray = StandInRay()
    with EngineWorkers(lambda openers: RayEngine(openers, ray, 0.5), 1, [(HERE, jobs.open_tool)]) as workers:
        found = list(workers(functools.partial(jobs.use, number, HERE) for number in range(5)))
    assert found == [(number, (number * number, "there", True)) for number in range(5)]
    assert (ray.num_actors, ray.num_killed, ray.asked) == (2, 2, {"num_cpus": 1, "num_gpus": 0.5})


@pytest.mark.slow
def test_actors_of_ray_do_the_same(tmp_path: Path) -> None:
    pytest.importorskip("ray")

    def check(workers: EngineWorkers) -> None:
        found = dict(workers(functools.partial(jobs.use, number, HERE) for number in range(5)))
        assert found == {number: (number * number, "there", True) for number in range(5)}
        cases = (functools.partial(jobs.die_once, number, tmp_path / "mark") for number in range(6))
        assert sorted(workers(cases)) == [(number, number) for number in range(6)]
        with pytest.raises(KeyError):
            list(workers([functools.partial(jobs.fail, "k")]))

    with ray_workers(2, [(HERE, jobs.open_tool)]) as workers:
        check(workers)
    assert (tmp_path / "mark").exists()
