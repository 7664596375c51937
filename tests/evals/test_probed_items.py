"""Items of REval, CoCoNUT and CodeSense, written for these tests in their formats."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evals_programs import knowing
from hypothesis import given
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.evals import coconut_items, codesense_items, reval_items
from opencwm.evals.probes import Probes, evaluate_probes, validate
from opencwm.tracer import record

ODD = """\
def odd(n):
    total = 0
    for i in range(n):
        if i % 2:
            total += i
    return total
"""
DATA: dict[str, Any] = {"task_id": "Own/0", "code": ODD, "entry_point": "odd", "inputs": ["(2,)", "(0,)"]}
ENTRY: dict[str, Any] = {
    "input_idx": 0,
    "task": [{"lineno": 5, "var": "total"}, {"lineno": 6, "var": "total"}],
    "output_pred": "assert odd(2) == ??",
}
TASK: dict[str, Any] = {"task_id": "Own/0", "idx": 0, "tasks": [ENTRY]}


def numbered(code: str) -> str:
    return "\n".join(f"{line} #{number}" for number, line in enumerate(code.split("\n"), 1))


TRACE: dict[str, Any] = {
    "HumanEval_ID": "Own/0",
    "Name": "odd",
    "FunctionCall": "(2)",
    "Code_Indices": numbered(ODD),
    "ExecutedLines": "[2, 3, 4, 3, 4, 5, 3, 6]",
}
MAIN = """\
class A:
    def __init__(self, x):
        self.x = x

if __name__ == "__main__":
    a = A(1)
    a.x += 1
"""
TOPIC: dict[str, Any] = {
    "Filename": "A",
    "Category": "OOP",
    "Code_Indices": numbered(MAIN),
    "ExecutedLines": "[6, 3, 7]",
}
GOLD = "Value After Statement Execution"
OUTPUT: dict[str, Any] = {"idx": 0, "code": ODD, "input": "{'n': 4}", "output": "4"}
STATEMENT: dict[str, Any] = {
    "idx": 1,
    "Programming Language": "Python",
    "Statement Type": "Arithmetic Assignment",
    "Source Code": ODD,
    "Selected Statement": "total += i",
    "Variable Values Before Statement": {"total": 1, "i": "3", "other": "<object>"},
    GOLD: "4",
}
BLOCK: dict[str, Any] = {
    "idx": 2,
    "Block_Size": 4,
    "Source Code": ODD,
    "Selected Statement": "total += i",
    "Function Input": {"n": "4"},
    GOLD: "1",
}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def rows(path: Path, *lines: dict[str, Any]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path


def reval(folder: Path, data: Any = DATA, task: Any = TASK) -> Probes:
    write(folder / "tasks.jsonl", task)
    return reval_items.load_items(write(folder / "data.jsonl", data), folder / "tasks.jsonl", record)


def coconut(folder: Path, *lines: Any) -> Probes:
    return coconut_items.load_items(rows(folder / "x.csv", *lines))


def codesense(folder: Path, *lines: Any) -> Probes:
    return codesense_items.load_items(write(folder / "x.jsonl", *lines))


def test_reval_asks_about_places_and_the_output(tmp_path: Path) -> None:
    write(tmp_path / "DREval_tasks.jsonl", TASK)
    (item,) = reval_items.load_items(write(tmp_path / "data.jsonl", DATA), None, record).items
    assert (item.id, item.program.call) == ("Own/0#0", "odd(2)")
    assert [question.kind for question in item.questions] == ["coverage", "state", "path"] * 2 + ["output"]
    assert item.golds == (True, ["1"], [3], True, ["1"], [-1], "1")


def test_reval_leaves_out_classes_and_other_assertions(tmp_path: Path) -> None:
    found = reval(tmp_path, {**DATA, "code": "class odd:\n    pass\n", "inputs": ["assertTrue(1)"]})
    assert (found.items, dict(found.left_out)) == ([], {reval_items.CLASS_TEST: 1})
    found = reval(tmp_path, task={**TASK, "tasks": [{**ENTRY, "output_pred": "assert odd(3) == ??"}]})
    assert dict(found.left_out) == {reval_items.OTHER_OUTPUT: 1}
    assert "output" not in {question.kind for question in found.items[0].questions}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"code": 3}, "'code' must be"),
        ({"entry_point": None}, "'entry_point' must be"),
        ({"inputs": "(2,)"}, "'inputs' must be"),
        ({"inputs": ["2"]}, "an input must be a tuple"),
        ({"inputs": ["(2"]}, "an input must be a tuple"),
        ({"code": "def odd(:\n"}, "not valid Python"),
        ({"task_id": None}, "'task_id' must be"),
    ],
)
def test_a_bad_line_of_data_is_named(tmp_path: Path, change: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        reval(tmp_path, {**DATA, **change})
    assert caught.value.where == f"{tmp_path / 'data.jsonl'}:1"


@pytest.mark.parametrize(
    ("change", "entry", "what"),
    [
        ({"task_id": "Own/1"}, {}, "no line of"),
        ({"tasks": None}, {}, "'tasks' must be"),
        ({"tasks": [3]}, {}, "'tasks' must hold"),
        ({}, {"task": None}, "'tasks' must hold"),
        ({}, {"input_idx": 2}, "'input_idx' must"),
        ({}, {"input_idx": True}, "'input_idx' must"),
        ({}, {"task": [3]}, "'task' must hold"),
        ({}, {"task": [{"lineno": 0, "var": "n"}]}, "'lineno' must be"),
        ({}, {"task": [{"lineno": 7, "var": "n"}]}, "'lineno' must be"),
        ({}, {"task": [{"lineno": 1, "var": "n ="}]}, "'var' must be"),
        ({}, {"output_pred": "assert"}, "'output_pred' must be"),
    ],
)
def test_a_bad_line_of_tasks_is_named(
    tmp_path: Path, change: dict[str, Any], entry: dict[str, Any], what: str
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        reval(tmp_path, task={**TASK, "tasks": [{**ENTRY, **entry}], **change})
    assert caught.value.where == f"{tmp_path / 'tasks.jsonl'}:1"


def test_coconut_asks_for_the_lines_of_a_call(tmp_path: Path) -> None:
    whole = {**TRACE, "FunctionCall": "odd(0)", "ExecutedLines": "[2, 3, 6]"}
    found = coconut(tmp_path, TRACE, whole)
    assert [item.id for item in found.items] == ["Own/0#0", "Own/0#1"]
    assert found.items[0].program.source == ODD
    assert found.items[1].golds == ([2, 3, 6],)
    assert validate(found.items, record).score == 1.0
    assert coconut_items.load_items(write(tmp_path / "x.jsonl", TRACE, whole)).items == found.items


def test_coconut_runs_the_main_block_of_a_program(tmp_path: Path) -> None:
    found = coconut(tmp_path, TOPIC)
    assert found.items[0].program.lines[4] == "def main():"
    assert validate(found.items, record).score == 1.0


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({**TRACE, "FunctionCall": "2 +"}, "not a Python expression"),
        ({**TRACE, "Code_Indices": "def odd(:"}, "not valid Python"),
        ({**TRACE, "HumanEval_ID": ""}, "'HumanEval_ID' must be"),
        ({**TRACE, "ExecutedLines": "[2, 99]"}, "'ExecutedLines' must be"),
        ({**TRACE, "ExecutedLines": "[7, (, 8, )]"}, "concurrency"),
        ({**TOPIC, "Code_Indices": ODD}, "must have one block"),
        ({**TOPIC, "Code_Indices": f"{MAIN}x = 1\n"}, "nothing may follow"),
        ({"Filename": "A"}, "'Category' must be"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        coconut(tmp_path, row)
    assert caught.value.where.startswith(f"{tmp_path / 'x.csv'}:")


def test_what_is_no_table_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for data, what in (
        (b"a,b\n1\n", "fewer cells"),
        (b"a\n\xff\n", "UTF-8"),
        (b'a\n"b', "not CSV"),
        (b"a\n", "empty"),
    ):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match=what):
            coconut_items.load_items(path)


def test_codesense_asks_for_outputs_statements_and_blocks(tmp_path: Path) -> None:
    branch = {
        **STATEMENT,
        "idx": 3,
        "Statement Type": "Branch",
        "Selected Statement": "elif i % 2:",
        GOLD: "Yes",
    }
    returned = {**BLOCK, "idx": 4, "Block_Size": 5, "Selected Statement": "return total", GOLD: "4"}
    api = {**STATEMENT, "idx": 5, "Statement Type": "API", "Selected Statement": "odd(i)", GOLD: 1}
    written = {**OUTPUT, "idx": 6, "input": "4"}
    found = codesense(tmp_path, OUTPUT, STATEMENT, BLOCK, branch, returned, api, written)
    kinds = [item.questions[0].kind for item in found.items]
    assert kinds == ["output", "statement", "block", "branch", "block", "statement", "output"]
    assert [item.program.call for item in found.items][:2] == ["odd(n=4)", "statement(total=1, i=3)"]
    assert validate(found.items, record).score == 1.0
    predictor = knowing(*(item.program for item in found.items))
    report = evaluate_probes(found, predictor, suite="codesense").to_json()
    assert report["items"]["accuracy"] == 1.0
    outputs = codesense_items.load_outputs(tmp_path / "x.jsonl")
    assert [(item.id, item.output) for item in outputs] == [("0", "4"), ("6", "4")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({**STATEMENT, "Variable Values Before Statement": {"i": "<object>"}}, "a value that is no literal"),
        ({**STATEMENT, "Selected Statement": "for i in x:"}, "a statement that is not one whole one"),
        ({**STATEMENT, "Selected Statement": "pass"}, "a statement that assigns and returns nothing"),
        (
            {**STATEMENT, "Statement Type": "Branch", "Selected Statement": "else: pass"},
            "a statement that is not",
        ),
        ({**STATEMENT, "Source Code": "def f(:"}, "source that is not Python"),
        ({**BLOCK, "Block_Size": 3}, "a block whose statement is not on its line"),
        ({**BLOCK, "Function Input": {"m": 1}}, "an input that names no parameter"),
        ({**OUTPUT, "code": "x = 1"}, "source without one function"),
        ({**OUTPUT, "input": "4 +"}, "an input that is no call"),
    ],
)
def test_what_cannot_be_run_on_its_own_is_counted(tmp_path: Path, line: dict[str, Any], reason: str) -> None:
    found = codesense(tmp_path, line)
    assert not found.items
    assert [key for key in found.left_out if key.startswith(reason)]
    with pytest.raises(ConfigError, match="no item asks"):
        codesense_items.load_outputs(tmp_path / "x.jsonl")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ({"idx": 0, "loop_code": ODD, "question": "?", "answer": "1"}, "neither output"),
        ({**STATEMENT, "Programming Language": "C"}, "only Python"),
        ({**STATEMENT, "Source Code": 1}, "'Source Code' must be"),
        ({**STATEMENT, GOLD: None}, "is missing"),
        ({**STATEMENT, "Variable Values Before Statement": "x"}, "must be an object"),
        ({**BLOCK, "Block_Size": -1}, "'Block_Size' must be"),
        ({**BLOCK, "Function Input": None}, "must be an object or a string"),
        ({**OUTPUT, "input": 3}, "must be an object or a string"),
        ({**OUTPUT, "idx": None}, "'idx' must be"),
    ],
)
def test_a_bad_line_of_codesense_is_named(tmp_path: Path, line: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        codesense(tmp_path, {**OUTPUT, "idx": 9}, line)
    assert caught.value.where.startswith(f"{tmp_path / 'x.jsonl'}:2")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab1, #[](){}'=?:\n", max_size=8),
    st.lists,
    max_leaves=6,
)
FIELDS = st.dictionaries(st.sampled_from([*DATA, *TASK, *TRACE, *TOPIC, *OUTPUT, *STATEMENT, *BLOCK]), JSON)


@given(FIELDS, st.sampled_from([DATA, TASK, TRACE, TOPIC, OUTPUT, STATEMENT, BLOCK]))
def test_any_object_is_an_item_or_one_error(changes: dict[str, Any], good: dict[str, Any]) -> None:
    fields = {**good, **changes}
    makers: tuple[Callable[[], object], ...] = (
        lambda: reval_items.probes_of({**DATA, "where": "w"}, fields, "k", "w", Probes()),
        lambda: coconut_items.item_of(fields, "w"),
        lambda: codesense_items.item_of(fields, "k", "w"),
    )
    for make in makers:
        with contextlib.suppress(ConfigError, codesense_items.LeftOutError):
            make()
