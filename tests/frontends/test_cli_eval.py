from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opencwm.corpus.trace_files import held_out_traces

from .conftest import EXAMPLES, Cli

STEPS = ("eval", "steps", "--programs", "2", "--seed", "3", "--max-steps", "5")


def test_held_out_programs_depend_on_their_seed_alone() -> None:
    first, again, other = (list(held_out_traces(3, seed)) for seed in (1, 1, 2))
    assert first == again
    assert {trace.program.id for trace in first}.isdisjoint(trace.program.id for trace in other)
    assert first[:2] == list(held_out_traces(2, 1))


def test_steps_prints_one_object(cli: Cli, model_folder: Path) -> None:
    outcome = cli(*STEPS, "--model", model_folder, "--json")
    assert outcome.status == 0
    report = json.loads(outcome.out)
    assert report["num_programs"] == 2
    assert report["command"] == f"opencwm {' '.join(STEPS)} --model {model_folder} --json"
    assert report["data"] == "2 generated held-out programs, seed 3"


def test_steps_prints_tables(cli: Cli, model_folder: Path) -> None:
    outcome = cli(*STEPS, "--model", model_folder)
    assert outcome.status == 0
    assert "95 % interval" in outcome.out


def test_steps_on_recorded_runs(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    cli("trace", EXAMPLES / "strawberry.py", "--call", "f('ab', 'b')", "--format", "jsonl", "-o", path)
    outcome = cli("eval", "steps", "--model", model_folder, "--data", path, "--max-steps", "5", "--json")
    assert json.loads(outcome.out)["num_programs"] == 1


def test_programs_are_predicted_together(cli: Cli, model_folder: Path) -> None:
    alone, together = (
        json.loads(cli(*STEPS, "--model", model_folder, "--json", "--batch", size).out) for size in (1, 2)
    )
    assert together["num_steps"] == alone["num_steps"]
    for name in ("step", "next_line", "state"):
        assert together["one_step"][name]["num_total"] == alone["one_step"][name]["num_total"]
    assert together["one_step"]["passes_per_step"] > 0.5


def test_an_evaluation_goes_on_where_it_stopped(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    first = cli(*STEPS, "--model", model_folder, "--json", "-o", tmp_path / "results")
    again = cli(*STEPS, "--model", model_folder, "--json", "-o", tmp_path / "results")
    assert json.loads(first.out) == json.loads(again.out)


def test_inputs_are_asked_for_recorded_runs(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    cli("trace", EXAMPLES / "strawberry.py", "--call", "f('ab', 'b')", "--format", "jsonl", "-o", path)
    asked = ("eval", "inputs", "--model", model_folder, "--data", path, "--draws", "2")
    report = json.loads(cli(*asked, "--json").out)
    assert (report["kind"], report["num_questions"], report["num_draws"]) == ("inputs", 1, 2)
    assert report["data"] == str(path)
    assert "Input prediction" in cli(*asked).out


def test_inputs_of_a_function_are_proposed_and_run(cli: Cli, model_folder: Path) -> None:
    asked = ("inputs", EXAMPLES / "strawberry.py", "--entry", "f", "--model", model_folder, "--draws", "2")
    found = json.loads(cli(*asked, "--returns", "2", "--json").out)
    assert found["wanted"] == {"kind": "returned", "value": "2"}
    assert all(call["holds"] in (True, False) and call["call"].startswith("f(") for call in found["calls"])
    unchecked = json.loads(cli(*asked, "--raises", "IndexError", "--json", "--no-run").out)
    assert all(call["holds"] is None for call in unchecked["calls"])
    assert "either a value to return" in cli(*asked).refused()
    assert (
        "either a value to return or an exception to raise"
        in cli(*asked, "--returns", "1", "--raises", "E").refused()
    )
    other = ("inputs", EXAMPLES / "strawberry.py", "--entry", "nothing", "--returns", "2")
    assert "defines no 'nothing'" in cli(*other).refused()


@pytest.mark.parametrize(
    ("name", "text"), [("t.jsonl", '{"schema'), ("t.jsonl", '{"schema_version": 99}\n'), ("t.txt", "x")]
)
def test_recorded_runs_that_cannot_be_read(
    cli: Cli, model_folder: Path, tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert str(path) in cli("eval", "steps", "--model", model_folder, "--data", path).refused()


def items(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_cruxeval_prints_one_object(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    data = items(
        tmp_path / "items.jsonl",
        {"id": "own_0", "code": "def f(a):\n    return a + 1", "input": "1", "output": "2"},
        {"id": "own_1", "code": "def f(a):\n    return a[3]", "input": "[1]", "output": "IndexError"},
    )
    outcome = cli(
        "eval",
        "benchmark",
        "--data",
        data,
        "--model",
        model_folder,
        "--json",
        "--max-steps",
        "5",
        "--validate",
    )
    assert outcome.status == 0
    report = json.loads(outcome.out)
    assert report["num_programs"] == 2
    assert 0.0 <= report["output_pass_at_1"] <= 1.0


def test_cruxeval_refuses_what_is_no_item(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    data = items(tmp_path / "items.jsonl", {"id": "own_0", "code": "def f(a):\n    return a"})
    assert f"{data}:1" in cli("eval", "benchmark", "--data", data, "--model", model_folder).refused()
    assert "No such file" in cli("eval", "benchmark", "--data", tmp_path / "no.jsonl").refused()


def test_cruxeval_asks_for_inputs(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    data = items(
        tmp_path / "items.jsonl",
        {"id": "own_0", "code": "def f(a):\n    return a + 1", "input": "1", "output": "2"},
        {"id": "own_1", "code": "def f(a):\n    return a[3]", "input": "[1]", "output": "IndexError"},
    )
    asked = ("eval", "benchmark", "--task", "input", "--data", data, "--model", model_folder, "--json")
    report = json.loads(cli(*asked).out)
    assert (report["kind"], report["num_questions"]) == ("inputs", 2)
    assert report["published"][0]["percent"] == 53.6
    assert json.loads(cli(*asked, "--items", "1").out)["num_questions"] == 1


def test_jumps_are_asked_for_in_recorded_runs(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    cli("trace", EXAMPLES / "strawberry.py", "--call", "f('ab', 'b')", "--format", "jsonl", "-o", path)
    asked = ("eval", "jumps", "--model", model_folder, "--data", path, "--per-program", "3")
    report = json.loads(cli(*asked, "--json").out)
    assert (report["kind"], report["num_programs"], report["num_jumps"]) == ("jumps", 1, 3)
    assert "Landings by action" in cli(*asked).out


def test_everything_is_measured_into_one_folder(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    cli("trace", EXAMPLES / "strawberry.py", "--call", "f('ab', 'b')", "--format", "jsonl", "-o", path)
    out = tmp_path / "report"
    asked = ("eval", "all", "--model", model_folder, "--data", path, "--programs", "1", "--max-steps", "6")
    outcome = cli(*asked, "-o", out)
    assert outcome.status == 0
    assert "whole runs" in outcome.out
    assert {name.name for name in out.iterdir()} >= {"report.json", "report.md", "report.html", "real"}
    report = json.loads((out / "report.json").read_text())
    assert (report["kind"], set(report["sets"])) == ("all", {"generated", "real"})
    again = cli(*asked, "-o", out, "--json")
    assert json.loads(again.out)["sets"]["real"]["jumps"]["right"] == report["sets"]["real"]["jumps"]["right"]


def test_items_of_other_suites(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    asked = ("eval", "benchmark", "--model", model_folder, "--json", "--method", "direct")
    execution = items(
        tmp_path / "execution.jsonl",
        {"id": "own", "code": "def twice(n):\n    return n * 2", "input": "twice(n = 4)", "output": "8"},
    )
    report = json.loads(cli(*asked, "--suite", "livecodebench", "--data", execution).out)
    assert (report["kind"], report["num_graded"], report["published"]) == ("livecodebench", 1, [])
    task: dict[str, Any] = {
        "task_id": "Own/0",
        "prompt": "def twice(n):\n",
        "canonical_solution": "    return n * 2\n",
        "entry_point": "twice",
        "base_input": [[4], ["ab"]],
        "plus_input": [[None]],
    }
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(task) + "\n")
    report = json.loads(cli(*asked, "--suite", "evalplus", "--data", path, "--validate").out)
    assert (report["kind"], report["num_programs"], report["num_graded"]) == ("evalplus", 3, 3)
    assert report["validation"]["score"] == 1.0
    del task["entry_point"]
    path.write_text(json.dumps(task) + "\n")
    assert f"{path}:1: 'entry_point'" in cli(*asked, "--suite", "evalplus", "--data", path).refused()


ODD = "def odd(n):\n    total = n % 2\n    return total\n"


def test_suites_that_ask_about_runs(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    asked = ("eval", "benchmark", "--model", model_folder, "--json", "--max-steps", "8", "--validate")
    data = items(
        tmp_path / "data.jsonl",
        {"task_id": "Own/0", "code": ODD, "entry_point": "odd", "inputs": ["(3,)"]},
    )
    entry = {"input_idx": 0, "task": [{"lineno": 2, "var": "total"}], "output_pred": "assert odd(3) == ??"}
    tasks = items(tmp_path / "tasks.jsonl", {"task_id": "Own/0", "tasks": [entry]})
    report = json.loads(cli(*asked, "--suite", "reval", "--data", data, "--tasks", tasks).out)
    assert (report["kind"], list(report["by_question"])) == ("reval", ["coverage", "state", "path", "output"])
    assert report["validation"]["score"] == 1.0
    path = tmp_path / "traces.csv"
    code = "def odd(n): #1\n    total = n % 2 #2\n    return total #3"
    row = f'Own/0,odd,(3),"{code}","[2, 3]"'
    path.write_text(f"HumanEval_ID,Name,FunctionCall,Code_Indices,ExecutedLines\n{row}\n")
    report = json.loads(cli(*asked, "--suite", "coconut", "--data", path).out)
    assert (report["kind"], report["by_question"]["trace"]["num_total"]) == ("coconut", 1)
    assert report["validation"]["score"] == 1.0
    line = {"idx": 0, "code": ODD, "input": {"n": 3}, "output": "1"}
    outputs = items(tmp_path / "outputs.jsonl", line)
    found = cli("eval", "benchmark", "--model", model_folder, "--suite", "codesense", "--data", outputs)
    assert "Questions about predicted runs (1 runs)" in found.out
    called = cli(*asked, "--suite", "codesense", "--data", outputs, "--task", "input")
    assert json.loads(called.out)["kind"] == "inputs"


def test_suites_that_ask_about_runs_refuse(cli: Cli, model_folder: Path, tmp_path: Path) -> None:
    bad = items(tmp_path / "bad.jsonl", {"idx": 0, "loop_code": ODD, "question": "?", "answer": "1"})
    asked = ("eval", "benchmark", "--model", model_folder, "--data", bad)
    assert f"{bad}:1: neither output" in cli(*asked, "--suite", "codesense").refused()
    assert f"{bad}:1: 'Filename' must be" in cli(*asked, "--suite", "coconut").refused()
    assert f"{bad}:1: 'task_id' must be" in cli(*asked, "--suite", "reval").refused()
    assert "rolled out" in cli(*asked, "--suite", "coconut", "--method", "direct").refused()
    assert "rolled out" in cli(*asked, "--suite", "reval", "--task", "input").refused()
    assert "only reval" in cli(*asked, "--tasks", bad).refused()
