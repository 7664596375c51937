"""Items of LiveCodeBench and EvalPlus, written for these tests in their formats."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.evals import evalplus_items, livecodebench_items
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Trace

EXECUTION: dict[str, Any] = {
    "id": "own_0",
    "question_id": 7,
    "code": "def widest(rows):\n    return max(len(row) for row in rows)\n",
    "input": "widest(rows = ['a', 'bcd'])",
    "output": "3",
    "difficulty": "ignored",
}
TASK: dict[str, Any] = {
    "task_id": "Own/0",
    "prompt": 'def share(items, n):\n    """Deal items out to n."""\n',
    "canonical_solution": "    return [items[i::n] for i in range(n)]\n",
    "entry_point": "share",
    "base_input": [[[1, 2, 3], 2], ["abcd", 2]],
    "plus_input": [[[], 1], [[1], 0], [[1], -1]],
}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_call_of_an_execution_item_is_its_input(tmp_path: Path) -> None:
    (item,) = livecodebench_items.load_items(write(tmp_path / "x.jsonl", EXECUTION))
    assert item.program.call == "widest(rows = ['a', 'bcd'])"
    assert (item.id, item.output) == ("own_0", "3")
    assert record(item.program).result == "3"


def test_a_task_gives_items_whose_outputs_come_from_its_solution(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", TASK)
    items = evalplus_items.load_items(path, record, inputs=4)
    assert [item.id for item in items] == ["Own/0#0", "Own/0#1", "Own/0#2", "Own/0#3"]
    assert [item.program.call for item in items][:2] == ["share([1, 2, 3], 2)", "share('abcd', 2)"]
    assert [item.output for item in items] == ["[[1, 3], [2]]", "['ac', 'bd']", "[[]]", "[]"]
    assert len(evalplus_items.load_items(path, record)) == evalplus_items.INPUTS


def test_a_solution_that_raises_or_is_cut_is_told_apart(tmp_path: Path) -> None:
    failing = {**TASK, "canonical_solution": "    return items['x']\n"}
    items = evalplus_items.load_items(write(tmp_path / "x.jsonl", failing), record, inputs=1)
    assert (items[0].output or "").startswith("TypeError(")

    def narrow(program: Program) -> Trace:
        return record(program, TraceLimits(max_value_chars=16))

    long = {**TASK, "base_input": [[list(range(50)), 1]]}
    (item,) = evalplus_items.load_items(write(tmp_path / "y.jsonl", long), narrow, inputs=1)
    assert item.output is None


@pytest.mark.parametrize("name", ["code", "input", "output", "id"])
def test_what_is_no_execution_item_is_one_error(tmp_path: Path, name: str) -> None:
    fields = {key: value for key, value in EXECUTION.items() if key not in (name, "question_id")}
    with pytest.raises(ConfigError) as caught:
        livecodebench_items.load_items(write(tmp_path / "x.jsonl", EXECUTION, fields))
    assert caught.value.where == f"{tmp_path / 'x.jsonl'}:2"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", 1),
        ("canonical_solution", None),
        ("entry_point", []),
        ("base_input", {}),
        ("base_input", [1]),
        ("plus_input", "x"),
        ("task_id", ""),
        ("prompt", "def ("),
    ],
)
def test_what_is_no_task_is_one_error(tmp_path: Path, name: str, value: Any) -> None:
    path = write(tmp_path / "x.jsonl", {**TASK, name: value})
    with pytest.raises(ConfigError) as caught:
        evalplus_items.load_items(path, record)
    assert caught.value.where == f"{path}:1"


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=6)


@given(st.dictionaries(st.sampled_from([*EXECUTION, *TASK, "other"]), JSON))
def test_any_object_is_items_or_one_error(fields: dict[str, Any]) -> None:
    for make in (
        lambda: livecodebench_items.item_of(fields, "k", "w"),
        lambda: list(evalplus_items.programs_of(fields, "k", "w", 2)),
    ):
        with contextlib.suppress(ConfigError):
            make()
