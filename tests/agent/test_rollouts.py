"""Rollouts: records, trajectories by their schema, going on after an end of any kind."""

from __future__ import annotations

import copy
import functools
import importlib.resources
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from opencwm.agent.atif import trajectory
from opencwm.agent.conversation import FunctionCall, Occasion, Reply, Tokens
from opencwm.agent.episode import Limits
from opencwm.agent.loop import run_agent
from opencwm.agent.policies import PolicySpec
from opencwm.agent.rollout import ERROR, GRADED, Rollout, RolloutConfig, failed, run_rollout
from opencwm.agent.rollout_pool import run_pool
from opencwm.agent.rollouts import Job, RunConfig, find_tasks, jobs_of, run_here, run_ray
from opencwm.agent.run_folder import RunFolder, predictions
from opencwm.agent.scripted import Play, ScriptedPolicy, fixed
from opencwm.agent.task import Task, Verdict, VerdictStatus, read_task
from opencwm.core.errors import ConfigError, EngineError
from opencwm.evals.report import Provenance
from opencwm.evals.rollout_report import RolloutReport

from .rollout_tasks import SOLVES, call, write_task
from .test_agent_loop import OPENING, Echo

THOUGHTFUL = Reply(
    text="<think>\nhm\n</think>\n" + call("bash", "ls"),
    tokens=Tokens((1, 2), (3,), (-0.5,)),
    num_prompt_tokens=2,
    num_tokens=1,
)
FUNCTION = Reply(text="so", thought="", calls=(FunctionCall("bash", '{"command": "ls"}', "f1"),))
TWO = Reply(text="", calls=(FunctionCall("bash", "{", "f2"), FunctionCall("x", '{"a": {}}', "f3")))


@functools.cache
def schema() -> jsonschema.Draft202012Validator:
    text = (importlib.resources.files("opencwm.agent") / "atif-v1.8.schema.json").read_text()
    jsonschema.Draft202012Validator.check_schema(json.loads(text))
    return jsonschema.Draft202012Validator(json.loads(text))


def check(data: dict[str, Any]) -> None:
    """Hold a trajectory against the schema, and against what a schema cannot say."""
    schema().validate(data)
    assert [step["step_id"] for step in data["steps"]] == list(range(1, len(data["steps"]) + 1))
    for step in data["steps"]:
        made = {made["tool_call_id"] for made in step.get("tool_calls", [])}
        for result in step.get("observation", {}).get("results", []):
            assert result["source_call_id"] in made
    json.dumps(data, allow_nan=False)


def written(*turns: str | Reply, **limits: Any) -> dict[str, Any]:
    speaker = ScriptedPolicy(fixed(*turns)).begin(Occasion(task="t", rollout=0, seed=0, tools=Echo.names))
    episode = run_agent(speaker, Echo(), OPENING, Limits(**limits))
    return trajectory(episode, identity="t.0", model="m", tools=Echo.names, extra={"reward": 1.0})


def test_trajectories_follow_the_schema() -> None:
    turns = (THOUGHTFUL, "lost", FUNCTION, TWO, call("create", "a\nb"), call("undo"), call("submit"), "Done.")
    data = written(*turns)
    check(data)
    agent = [step for step in data["steps"] if step["source"] == "agent"]
    assert agent[0]["reasoning_content"] == "hm"
    assert agent[0]["metrics"] == {
        "prompt_tokens": 2,
        "completion_tokens": 1,
        "completion_token_ids": [3],
        "logprobs": [-0.5],
    }
    assert agent[1]["extra"]["problem"] == "it makes no call"
    assert [made["arguments"] for made in agent[3]["tool_calls"]] == [{"not_understood": "{"}, {"a": {}}]
    assert data["steps"][4]["source"] == "user"  # what it was told when it was lost
    assert agent[4]["extra"]["patch"] == "b\n"


def breaks(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    broken = copy.deepcopy(data)
    *parents, last = path.split("/")
    place: Any = broken
    for name in parents:
        place = place[int(name) if name.isdecimal() else name]
    place[last] = value
    return broken


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema_version", "ATIF-v2.0"),
        ("steps", []),
        ("steps/0/source", "human"),
        ("steps/0/tool_calls", []),
        ("steps/2/tool_calls/0/arguments", "ls"),
        ("steps/2/llm_call_count", 0),
        ("steps/2/whatever", 1),
        ("agent/version", None),
        ("final_metrics/total_steps", -1),
    ],
)
def test_the_schema_refuses_what_harbor_refuses(path: str, value: Any) -> None:
    data = written(THOUGHTFUL, call("submit"), "Done.")
    check(data)
    assert not schema().is_valid(breaks(data, path, value))


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, Rollout]:
    task = read_task(write_task(tmp_path_factory.mktemp("tasks")))
    return task, run_rollout(task, ScriptedPolicy(fixed(*SOLVES)), 3, RolloutConfig())


def test_a_solved_task_is_graded_in_a_fresh_box(solved: tuple[Task, Rollout]) -> None:
    record, data = solved[1].record, solved[1].trajectory
    assert (record["status"], record["reward"], record["reason"], record["stop"]) == (
        GRADED,
        1.0,
        "",
        "finished",
    )
    assert "+    return a + b" in record["patch"]
    check(data)
    assert data["extra"]["reward"] == 1.0
    assert data["steps"][2]["extra"]["patch"] == record["patch"]


def attempted(
    task: Task, *turns: str, grader: Callable[[Task, str], Verdict] | None = None
) -> dict[str, Any]:
    limits = Limits(turns=2, malformed=2)
    made = run_rollout(task, ScriptedPolicy(fixed(*turns)), 0, RolloutConfig(limits=limits), grader=grader)
    check(made.trajectory)
    return made.record


def test_what_a_policy_fails_at_is_a_reward_of_0_with_a_reason(solved: tuple[Task, Rollout]) -> None:
    record = attempted(solved[0], "what?", "what?")
    assert (record["status"], record["reward"]) == (GRADED, 0.0)
    assert record["reason"] == "nothing submitted: malformed"
    wrong = call("bash", "echo 'x = 1' > new.py"), call("submit")
    record = attempted(solved[0], *wrong)
    assert (record["status"], record["reward"], record["stop"]) == (GRADED, 0.0, "turn_limit")
    assert record["reason"]


def test_what_the_machinery_fails_at_is_never_a_reward(solved: tuple[Task, Rollout], tmp_path: Path) -> None:
    def down(_: str, __: Occasion) -> Play:
        yield call("bash", "ls")
        raise EngineError("the server is down", where="http://x/v1")

    def no_box(_: Task, __: str) -> Verdict:
        return Verdict(status=VerdictStatus.BOX_FAILED, score=None, reason="disk full")

    made = run_rollout(solved[0], ScriptedPolicy(down), 0, RolloutConfig())
    assert (made.record["status"], made.record["reward"]) == (ERROR, None)
    assert made.record["reason"] == "EngineError: http://x/v1: the server is down"
    assert made.record["num_turns"] == 1
    check(made.trajectory)
    record = attempted(solved[0], call("bash", "echo >> calc.py"), call("submit"), grader=no_box)
    assert (record["status"], record["reward"], record["reason"]) == (ERROR, None, "grading: disk full")
    folder = RunFolder(tmp_path)
    folder.write(made)
    assert not folder.is_done("tests/calc", 0)
    folder.write(solved[1])
    assert folder.is_done("tests/calc", 3)
    assert [entry["model_patch"] for entry in predictions(folder.records())] == [solved[1].record["patch"]]


def record_of(task: str, number: int, reward: float | None) -> dict[str, Any]:
    record = failed(task, number, 0, "p", "broken" if reward is None else "tests fail" if reward < 1 else "")
    return record if reward is None else record | {"status": GRADED, "reward": reward, "stop": "finished"}


def test_the_report_counts_tasks_and_keeps_errors_apart() -> None:
    rewards: dict[str, list[float | None]] = {"a": [1.0, 0.0, 1.0, None], "b": [0.0, 0.0, 0.0, 0.0]}
    records = [record_of(task, n, r) for task, found in rewards.items() for n, r in enumerate(found)]
    report = RolloutReport.of(records, Provenance(model="m", data="d", command="c", settings={}))
    assert (report.solved.num_right, report.solved.num_total) == (2, 7)
    assert report.tasks["a"].num_errors == 1
    assert report.pass_at == pytest.approx({1: 1 / 3, 2: 0.5})
    assert report.reasons == {"tests fail": 5, "error: broken": 1}
    assert json.loads(json.dumps(report.to_json()))["solved"]["num_total"] == 7
    assert [len(row) for row in report.tables()[0].rows] == [10] * 3


def script(path: Path, *turns: str) -> PolicySpec:
    path.write_text("".join(f"%%% turn\n{turn}\n" for turn in turns))
    return PolicySpec(spec=f"script:{path}")


def test_a_run_goes_on_where_it_ended(tmp_path: Path) -> None:
    write_task(tmp_path / "tasks")
    (tmp_path / "tasks" / "bad").mkdir()
    (tmp_path / "tasks" / "bad" / "task.toml").write_text("version = 7")
    config = RunConfig(policy=script(tmp_path / "s", *SOLVES), num_rollouts=1)
    folder = RunFolder(tmp_path / "run")
    done: list[str] = []
    with folder.owned(config.to_json()):
        with pytest.raises(ConfigError, match="another run"), folder.owned(config.to_json()):
            pass
        jobs = list(jobs_of(find_tasks([tmp_path / "tasks"]), 1, folder))
        run_here(config, folder.path, jobs, lambda job: done.append(job["task"]))
    assert done == ["bad", "tests/calc"]
    bad, good = folder.records()
    assert (bad["status"], good["reward"]) == (ERROR, 1.0)
    assert bad["reason"].startswith("TaskError: ")
    again = list(jobs_of(find_tasks([tmp_path / "tasks"]), 2, folder))
    assert [(job["task"], job["rollout"]) for job in again] == [("bad", 0), ("bad", 1), ("tests/calc", 1)]
    other = RunConfig(policy=config.policy, rollout=RolloutConfig(seed=9))
    with (
        pytest.raises(ConfigError, match=r"rollout.seed is 9, but the run there was begun with 0"),
        folder.owned(other.to_json()),
    ):
        pass


def test_a_run_that_made_no_attempt_does_not_bind_the_next(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    for spec in ("mistyped", "searcher"):
        with folder.owned(RunConfig(policy=PolicySpec(spec=spec)).to_json()):
            pass
    assert '"searcher"' in (tmp_path / "run" / "config.json").read_text()


def dies(_: PolicySpec) -> ScriptedPolicy:
    """Makes a policy that takes its process with it, the first time."""

    def play(_: str, occasion: Occasion) -> Play:
        mark = Path(os.environ["OPENCWM_TEST_MARK"])
        if occasion.rollout == 0 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield from ()

    return ScriptedPolicy(play)


def test_a_worker_that_dies_costs_one_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), *sys.path]))
    monkeypatch.setenv("OPENCWM_TEST_MARK", str(tmp_path / "mark"))
    write_task(tmp_path / "tasks")
    limits = Limits(turns=1)
    config = RunConfig(
        policy=PolicySpec(spec="tests.agent.test_rollouts:dies"), rollout=RolloutConfig(limits=limits)
    )
    folder = RunFolder(tmp_path / "run")
    jobs = list(jobs_of(find_tasks([tmp_path / "tasks"]), 2, folder))
    run_pool(config, folder.path, jobs, lambda _: None, 1)
    first, second = folder.records()
    assert (first["status"], first["reward"]) == (ERROR, None)
    assert "ended unexpectedly (status -9)" in first["reason"]
    assert (second["status"], second["reward"]) == (GRADED, 0.0)
    assert [job["rollout"] for job in jobs_of(find_tasks([tmp_path / "tasks"]), 2, folder)] == [0]


@pytest.mark.slow
def test_ray_makes_the_same_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a Ray of this machine; an attempt whose process dies is made again by Ray."""
    ray = pytest.importorskip("ray", reason="ROLLOUTS ON RAY ARE NOT TESTED: pip install 'opencwm[ray]'")
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), *sys.path]))
    monkeypatch.setenv("OPENCWM_TEST_MARK", str(tmp_path / "mark"))
    write_task(tmp_path / "tasks")
    policies = [script(tmp_path / "s", *SOLVES), PolicySpec(spec="tests.agent.test_rollouts:dies")]
    ended = []
    try:
        for number, policy in enumerate(policies):
            config = RunConfig(policy=policy, rollout=RolloutConfig(limits=Limits(turns=6)))
            folder = RunFolder(tmp_path / str(number))
            jobs = list(jobs_of(find_tasks([tmp_path / "tasks"]), 3, folder))
            done: list[Job] = []
            run_ray(config, folder.path, jobs, done.append, 2)
            assert sorted(job["rollout"] for job in done) == [0, 1, 2]
            ended.append([(record["status"], record["reward"]) for record in folder.records()])
    finally:
        ray.shutdown()
    assert ended == [[(GRADED, 1.0)] * 3, [(GRADED, 0.0)] * 3]
    assert (tmp_path / "mark").exists()


def test_a_driver_that_is_killed_leaves_no_worker_and_no_half_file(tmp_path: Path) -> None:
    write_task(tmp_path / "tasks")
    script(tmp_path / "s", call("bash", "touch /tmp/x; sleep 30"))
    run = tmp_path / "run"
    arguments = ["rollout", str(tmp_path / "tasks"), "--policy", f"script:{tmp_path / 's'}", "-o", str(run)]
    driver = subprocess.Popen(
        [sys.executable, "-c", "from opencwm.frontends.cli import main; main()", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        worker = _child_of(driver.pid)
        time.sleep(0.3)
    finally:
        driver.kill()
        driver.wait()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
    assert RunFolder(run).records() == []
    assert not list(run.glob("rollouts/**/*.json"))


def _child_of(process: int) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        found += [
            child
            for thread in Path(f"/proc/{process}/task").iterdir()
            for child in (thread / "children").read_text().split()
        ]
        if found:
            return int(found[0])
        time.sleep(0.05)
    raise AssertionError("no worker was started")
