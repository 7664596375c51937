"""The environments in verifiers: its own evaluation command against an endpoint that gives scripted answers.

Needs verifiers (``pip install 'opencwm[verifiers]'``), which pins versions that other extras do not want.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.chat_server import chat_server, completion
from agent.rollout_tasks import SOLVES, call, write_task
from opencwm.corpus.trace_files import held_out_traces, save_traces
from opencwm.rl.wire import make_environment, read_questions

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "environments/opencwm_env"
Answers = Callable[[list[dict[str, Any]]], str]

pytestmark = [
    pytest.mark.slow,  # every run of the command imports all of verifiers
    pytest.mark.skipif(
        importlib.util.find_spec("verifiers") is None,
        reason="NOT TESTED: verifiers is not installed (pip install 'opencwm[verifiers]')",
    ),
]


def evaluated(answers: Answers | Any, out: Path, *options: str) -> list[dict[str, Any]]:
    """Run ``vf-eval`` against an endpoint; return its episodes, in the order of the tasks."""

    def says(asked: dict[str, Any]) -> Any:
        answer = answers(asked["messages"]) if callable(answers) else answers
        if not isinstance(answer, str):
            return answer
        told = {"id": "a", "object": "chat.completion", "created": 1, "model": "tiny", **completion(answer)}
        told["choices"][0]["index"] = 0
        told["usage"]["total_tokens"] = 10
        return told

    with chat_server(says) as server:
        code = "from verifiers.v1.cli.eval.main import main; main()"
        settings = {
            "--model": "tiny",
            "--client.base-url": server.url,
            "--client.api-key-var": "NO_SUCH_KEY",
            "--output-dir": str(out),
            "--rich": "None",
            "--push": "False",
        }
        words = [word for pair in settings.items() for word in pair]
        command = [sys.executable, "-c", code, "opencwm-env", *words]
        env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{PACKAGE}", "HOME": str(out.parent)}
        done = subprocess.run([*command, *options], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    (found,) = out.rglob("traces.jsonl")
    episodes = [json.loads(line) for line in found.read_text().splitlines()]
    return sorted(episodes, key=lambda episode: (episode["task"]["data"]["idx"], episode["id"]))


def earned(episode: dict[str, Any]) -> tuple[float, str]:
    """Return what the only trace of an episode earned, and why no more."""
    (trace,) = episode["traces"]
    assert episode["ok"], episode["errors"]
    return trace["rewards"]["reward"]["score"], trace["info"]["opencwm"]["reason"]


@pytest.mark.parametrize("name", ["predict-output", "predict-input", "predict-trace"])
def test_right_answers_earn_1_and_wrong_ones_nothing(name: str, tmp_path: Path) -> None:
    save_traces(tmp_path / "runs.jsonl", held_out_traces(2, 7))
    with make_environment(name) as environment:
        questions = list(read_questions(name, tmp_path / "runs.jsonl"))
        said = [environment.messages(question)[-1].content for question in questions]
        gold = environment.gold(questions[0])
    wrong = {"predict-output": "RESULT: 'no such thing'", "predict-input": "RESULT: f(", "predict-trace": "?"}

    def answers(messages: list[dict[str, Any]]) -> str:
        assert [message["role"] for message in messages] == ["user"]
        is_first = messages[0]["content"] == said[0]
        return f"<think>\nhm\n</think>\n{gold}" if is_first else wrong[name]

    settings = ("--env.taskset.environment", name, "--env.taskset.path", str(tmp_path / "runs.jsonl"))
    right, bad = evaluated(answers, tmp_path / "out", *settings)
    assert earned(right) == (1.0, "")
    assert right["traces"][0]["metrics"]["solved"] == 1.0
    value, reason = earned(bad)
    assert value == 0.0
    assert reason
    assert right["task"]["key"] == f"{name}:{questions[0].key}"


def test_an_agent_that_repairs_earns_1_and_others_what_their_patches_are_worth(tmp_path: Path) -> None:
    for name in ("a-right", "b-wrong", "c-silent", "d-malformed"):
        write_task(tmp_path / "tasks", name)
        (tmp_path / f"tasks/{name}/instruction.md").write_text(f"Mend {name}.\n")
    breaks = SOLVES[0].replace("return a + b", "return a * b")
    turns: dict[str, tuple[str, ...]] = {
        "a-right": SOLVES,
        "b-wrong": (breaks, *SOLVES[1:]),
        "c-silent": ("I have nothing to say.",),
        "d-malformed": (SOLVES[0] + SOLVES[1], call("fly"), "<tool: bash>\nls"),
    }

    def answers(messages: list[dict[str, Any]]) -> str:
        (name,) = [name for name in turns if f"Mend {name}." in messages[1]["content"]]
        turn = len([message for message in messages if message["role"] == "assistant"])
        return turns[name][min(turn, len(turns[name]) - 1)]

    settings = ("--env.taskset.environment", "fix-bug", "--env.taskset.path", str(tmp_path / "tasks"))
    harness = ("--env.agent.harness.id", "opencwm-env", "--env.agent.harness.turns", "8")
    episodes = evaluated(answers, tmp_path / "out", *settings, *harness, "--num-rollouts", "2")
    results = [earned(episode) for episode in episodes]
    assert [value for value, _ in results] == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert results[4][1] == results[6][1] == "nothing submitted: malformed"
    assert len(episodes[6]["traces"][0]["info"]["opencwm"]["problems"]) == 5
    calls = episodes[0]["traces"][0]["calls"]
    assert len(calls) == 3
    seeds = {episode["traces"][0]["calls"][0]["sampling"]["seed"] for episode in episodes[:2]}
    assert len(seeds) == 2, "attempts of a group must differ"


@pytest.mark.parametrize(("name", "answer"), [("fix-bug", (500, "down")), ("predict-output", b"nonsense")])
def test_an_endpoint_that_fails_gives_errors_and_no_rewards(name: str, answer: Any, tmp_path: Path) -> None:
    write_task(tmp_path / "fix-bug")
    save_traces(tmp_path / "predict-output/runs.jsonl", held_out_traces(1, 7))
    path = tmp_path / ("fix-bug" if name == "fix-bug" else "predict-output/runs.jsonl")
    settings = ("--env.taskset.environment", name, "--env.taskset.path", str(path))
    (episode,) = evaluated(answer, tmp_path / "out", *settings)
    (trace,) = episode["traces"]
    assert not trace["ok"]
    assert trace["errors"]
    assert not trace["rewards"]


def test_the_limits_of_verifiers_keep_what_was_submitted(tmp_path: Path) -> None:
    write_task(tmp_path / "tasks")
    settings = ("--env.taskset.environment", "fix-bug", "--env.taskset.path", str(tmp_path / "tasks"))

    def answers(messages: list[dict[str, Any]]) -> str:
        turn = len([message for message in messages if message["role"] == "assistant"])
        return SOLVES[turn] if turn < 2 else call("bash", "ls")

    (episode,) = evaluated(answers, tmp_path / "out", *settings, "--env.agent.max-turns", "3")
    assert episode["traces"][0]["stop_condition"] == "max_turns"
    assert earned(episode) == (1.0, "")
