"""``opencwm eval twins``: a world model, and a served one, on tasks and on their twins."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from .conftest import Cli
from .scripted_chat import MODEL, last_question, scripted_chat

OUTPUTS: list[dict[str, Any]] = [
    {"id": "own_0", "code": "def area(w, h):\n    return w * h\n", "input": "3, 4", "output": "12"},
    {
        "id": "own_1",
        "code": "def twice(t):\n    return t + t\n",
        "input": "'ab'",
        "output": "'abab'",
    },
    {"id": "own_2", "code": "def head(items):\n    return items[0]\n", "input": "[]", "output": "IndexError"},
    {"id": "own_3", "code": "def f(x):\n    return x\n", "input": "1", "output": "2"},
]
CODES: list[dict[str, Any]] = [
    {
        "task_id": "own_0",
        "prompt": "def add_up(numbers):\n    '''Return the sum of numbers.'''\n",
        "entry_point": "add_up",
        "canonical_solution": "    return sum(numbers)\n",
        "test": "def check(candidate):\n    assert candidate([1, 2]) == 3\n",
    },
    {
        "task_id": "own_1",
        "prompt": "Write shout(word), which returns word in capitals.",
        "entry_point": "shout",
        "canonical_solution": "def shout(word):\n    return word.upper()\n",
        "tests": ["assert shout('a') == 'A'"],
    },
]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parrot(body: dict[str, Any]) -> str:
    """Knows the outputs and solutions of the tasks as given, and nothing else."""
    question = last_question(body)
    for row in OUTPUTS:
        if row["code"].strip() in question:
            return f"hm</think>[ANSWER]{row['output']}[/ANSWER]"
    if "`add_up`" in question:
        return "hm</think>```python\ndef add_up(numbers):\n    return sum(numbers)\n```"
    if "`shout`" in question:
        return "hm</think>```python\ndef shout(word):\n    return word.upper()\n```"
    return "yes"


def test_a_served_parrot_is_found_out(cli: Cli, tmp_path: Path) -> None:
    data = lines(tmp_path / "items.jsonl", OUTPUTS)
    asked: list[dict[str, Any]] = []
    with scripted_chat(parrot, asked) as url:
        served = ("--endpoint", url, "--served-model", MODEL)
        run = ("eval", "twins", "--data", data, *served, "-o", tmp_path / "out", "--json")
        outcome = cli(*run)
        num_asked = len(asked)
        assert json.loads(cli(*run).out)["kinds"] == json.loads(outcome.out)["kinds"]
    assert "1 of 4 tasks do not hold" in outcome.err
    report = json.loads(outcome.out)
    assert (report["model"], report["num_dropped"]) == (MODEL, 1)
    assert (report["originals"]["num_right"], report["originals"]["num_total"]) == (3, 3)
    assert report["kinds"]["renamed"]["gap"] == -1.0
    assert report["kinds"]["mutated"]["twins"]["num_right"] == 0
    assert len(asked) == num_asked + 1  # answers are kept; the second time only the check is asked
    assert all((body["temperature"], body["top_p"]) == (1.0, 0.95) for body in asked)


def test_code_that_a_served_model_writes_is_run(cli: Cli, tmp_path: Path) -> None:
    data = lines(tmp_path / "tasks.jsonl", CODES)
    with scripted_chat(parrot) as url:
        outcome = cli(
            *("eval", "twins", "--data", data, "--kind", "code", "--per-kind", 2, "--json"),
            *("--endpoint", url, "--served-model", MODEL, "--concurrency", 2),
        )
    report = json.loads(outcome.out)
    assert (report["originals"]["num_right"], report["originals"]["num_total"]) == (2, 2)
    assert (report["kinds"]["renamed"]["twins"]["num_right"], report["kinds"]["renamed"]["gap"]) == (0, -1.0)


def test_a_world_model_is_asked_in_several_processes(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    data = lines(tmp_path / "items.jsonl", OUTPUTS[:2])
    run = ("eval", "twins", "--data", data, "--twins", "renamed", "--max-steps", 4, "--model", model_folder)
    reports = [json.loads(cli(*run, "--engine-workers", n, "--json").out) for n in (1, 2)]
    assert reports[0]["kinds"] == reports[1]["kinds"]
    assert reports[0]["originals"]["num_total"] == 2


def test_twins_can_be_written_and_read(cli: Cli, tmp_path: Path) -> None:
    data = lines(tmp_path / "items.jsonl", OUTPUTS[:2])
    assert cli("eval", "twins", "--data", data, "--write", tmp_path / "twins.jsonl").status == 0
    rows = [json.loads(line) for line in (tmp_path / "twins.jsonl").read_text().splitlines()]
    assert {row["of"] for row in rows} == {"own_0", "own_1"}
    assert {"original", "renamed", "mutated"} <= {row["twin"] for row in rows}
    assert rows[0]["input"] == "area(3, 4)"
    from opencwm.evals.livecodebench_items import load_items

    assert len(load_items(tmp_path / "twins.jsonl")) == len(rows)
    data = lines(tmp_path / "tasks.jsonl", CODES)
    assert cli("eval", "twins", "--data", data, "--kind", "code", "--write", tmp_path / "c.jsonl").status == 0
    again = cli(
        "eval", "twins", "--data", tmp_path / "c.jsonl", "--kind", "code", "--write", tmp_path / "d.jsonl"
    )
    assert (again.status, again.err) == (0, "")


def test_what_cannot_be_asked_is_one_line(cli: Cli, tmp_path: Path) -> None:
    data = lines(tmp_path / "items.jsonl", OUTPUTS[:1])
    run = ("eval", "twins", "--data", data)
    assert "code is written by a served model" in cli(*run, "--kind", "code").refused()
    assert "go together" in cli(*run, "--endpoint", "http://h/v1").refused()
    assert "no twins called 'x'" in cli(*run, "--twins", "x").refused()
    broken: dict[str, Any]
    for broken in ({"prompt": 1}, {"test": 1}, {"canonical_solution": "    return ("}, {"test": "def"}):
        bad = lines(tmp_path / "bad.jsonl", [{**CODES[0], **broken}])
        line = cli("eval", "twins", "--data", bad, "--kind", "code", "--write", tmp_path / "x").refused()
        assert "bad.jsonl:1" in line


def test_a_busy_server_is_asked_again(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opencwm.evals.chat.time.sleep", lambda _: None)
    data = lines(tmp_path / "items.jsonl", OUTPUTS[:1])
    run = ("eval", "twins", "--data", data, "--twins", "renamed", "--served-model", MODEL, "--json")
    refusals = [JSONResponse({"error": {"message": "later"}}, status_code=429), Response(b"{", 200)]

    def busy(body: dict[str, Any]) -> str | Response:
        return refusals.pop() if refusals else parrot(body)

    with scripted_chat(busy) as url:
        assert json.loads(cli(*run, "--endpoint", url).out)["originals"]["num_right"] == 1

    def down(_: dict[str, Any]) -> str | Response:
        return JSONResponse({"error": {"message": "no\nroom"}}, status_code=503)

    with scripted_chat(down) as url:
        line = cli(*run, "--endpoint", url).refused()
    assert re.search(r"chat/completions: status 503 no room \(tried 4 times\)$", line)
