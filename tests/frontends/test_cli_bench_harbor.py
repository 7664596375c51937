"""``opencwm bench`` through Harbor itself, at tasks of our own, with a model that is scripted.

Harbor wants Docker or a provider; its tasks are worked at in :mod:`harbor_room` here.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import Cli
from .scripted_chat import MODEL, scripted_chat

TASK = """version = "1.0"

[task]
name = "opencwm/{name}"

[verifier]
timeout_sec = 60.0

[agent]
timeout_sec = 120.0
"""
GRADER = """#!/bin/bash
reward=0
[ "$(cat /app/answer.txt)" = "{wanted}" ] && reward=1
echo $reward > /logs/verifier/reward.txt
"""


def write_task(folder: Path, question: str, wanted: str) -> None:
    (folder / "environment").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "task.toml").write_text(TASK.format(name=folder.name))
    (folder / "instruction.md").write_text(f"{question} Write it to /app/answer.txt.\n")
    (folder / "environment" / "Dockerfile").write_text("FROM scratch\n")
    (folder / "tests" / "test.sh").write_text(GRADER.format(wanted=wanted))


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("bwrap") and shutil.which("tmux")), reason="no bubblewrap or tmux")
def test_the_real_harbor(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tasks of ours; ``OPENCWM_HARBOR`` may name its executable."""
    executable = os.environ.get("OPENCWM_HARBOR") or shutil.which("harbor")
    if executable is None:
        pytest.skip("harbor is not installed: uv tool install harbor (Python 3.12), or OPENCWM_HARBOR")
    write_task(tmp_path / "tasks" / "sum", "What is 2 + 3?", "5")
    write_task(tmp_path / "tasks" / "product", "What is 6 * 7?", "42")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    asked: list[dict[str, Any]] = []

    def script(body: dict[str, Any]) -> str:
        answer = "5" if "2 + 3" in json.dumps(body["messages"]) else "43"
        typed = {"keystrokes": f"echo {answer} > /app/answer.txt\n", "duration": 0.5}
        said = {"analysis": "", "plan": "", "commands": [typed], "task_complete": True}
        return f"<think>\nshort\n</think>\n{json.dumps(said)}"

    with scripted_chat(script, asked) as url:
        outcome = cli(
            *("bench", "terminal-bench", "--endpoint", url, "--model", MODEL, "-o", tmp_path / "out"),
            *("--task", tmp_path / "tasks", "--extra", "--env harbor_room:Room", "--concurrency", 1),
            *("--harness", executable, "--json"),
        )
    assert outcome.status == 0, outcome
    report = json.loads(outcome.out)
    score = report["pass_at_1"]
    assert (report["num_items"], score["num_right"], score["num_total"]) == (2, 1, 2)
    assert report["problems"] == {}
    assert len(asked) >= 5  # the check, and two turns a task at least
    for body in asked[1:]:
        assert (body["temperature"], body["top_p"], body["max_tokens"]) == (1.0, 0.95, 65_536)
        assert body["chat_template_kwargs"]["enable_thinking"] is True
