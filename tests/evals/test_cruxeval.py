import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from evals_programs import knowing

from opencwm.codec.native import NativeCodec
from opencwm.core.errors import ConfigError, TaskError
from opencwm.evals.cruxeval import CruxEvalConfig, Method, check_grader, evaluate_cruxeval, validate
from opencwm.evals.cruxeval_items import Item, load_items
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.report import format_table
from opencwm.evals.testing import oracle
from opencwm.tracer import record
from opencwm.traces import OutcomeKind, Program, Status, Trace

CODEC = NativeCodec()
LONG = "def f(n):\n    parts = []\n    for i in range(n):\n        parts.append(i)\n    return parts\n"
LINES: list[dict[str, Any]] = [
    {"id": "swap", "code": "def f(a, b):\n    return b, a\n", "input": "1, 'x'", "output": "('x', 1)"},
    {
        "id": 7,
        "code": "def f(s):\n    t = s.upper()\n    return t + '!'\n",
        "input": "'hey'",
        "output": '"HEY!"',
    },
    {"id": "raises", "code": "def f(d):\n    return d['k']\n", "input": "{}", "output": "KeyError: 'k'"},
    {"id": "object", "code": "def f(x):\n    return type(x)\n", "input": "3", "output": "<class 'int'>"},
    {"id": "unknown", "code": "def g(x):\n    return x\n", "input": "[3]", "output": None, "note": "ignored"},
    {"id": "loop", "code": LONG, "input": "12", "output": "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]"},
]


def write(path: Path, *lines: dict[str, Any] | str | bytes) -> Path:
    texts = [
        line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    path.write_bytes(b"".join(text + b"\n" for text in texts))
    return path


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    return load_items(write(tmp_path / "items.jsonl", *LINES[:3], "", *LINES[3:]))


def test_items_are_read(items: list[Item]) -> None:
    assert [item.id for item in items] == ["swap", "7", "raises", "object", "unknown", "loop"]
    assert [item.output for item in items][3:5] == ["<class 'int'>", None]
    assert [item.program.call for item in items][:2] == ["f(1, 'x')", "f('hey')"]
    assert items[4].program.call == "g([3])"
    assert items[4].gold is None
    kinds = [item.gold.kind for item in items if item.gold]
    assert kinds.count(OutcomeKind.RAISED) == 1
    assert items[2].gold is not None
    assert items[2].gold.kind is OutcomeKind.RAISED


@pytest.mark.parametrize("output", [{}, {"output": None}, {"output": ""}, {"output": " \n"}])
def test_a_gold_output_may_be_unknown(tmp_path: Path, output: dict[str, Any]) -> None:
    line = {key: value for key, value in GOOD.items() if key != "output"} | output
    assert load_items(write(tmp_path / "items.jsonl", line))[0].output is None


GOOD: dict[str, Any] = {"id": "a", "code": "def f():\n    return 1\n", "input": "", "output": "1"}


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        (b'{"id": "\xff"}', "not UTF-8"),
        ({**GOOD, "id": None}, "'id' must be"),
        ({**GOOD, "id": True}, "'id' must be"),
        ({**GOOD, "id": ""}, "'id' must be"),
        ({"id": "b", "input": "", "output": ""}, "'code' must be a string"),
        ({**GOOD, "id": "b", "input": 3}, "'input' must be a string"),
        ({**GOOD, "id": "b", "output": 3}, "'output' must be a string"),
        (GOOD, "id 'a' is taken by line 1"),
        ({**GOOD, "id": "b", "code": "def f(:\n"}, "'code' is not valid Python"),
        ({**GOOD, "id": "b", "code": "def f():\n    return 1\0\n"}, "null bytes"),
        ({**GOOD, "id": "b", "code": "x = 1\n"}, "must define a function 'f'"),
        ({**GOOD, "id": "b", "code": "def g(): pass\ndef h(): pass\n"}, "must define a function 'f'"),
        ({**GOOD, "id": "b", "input": "1 +"}, "not a Python expression"),
    ],
)
def test_a_line_that_is_no_item_is_named(
    tmp_path: Path, bad: dict[str, Any] | str | bytes, what: str
) -> None:
    path = write(tmp_path / "items.jsonl", GOOD, "", bad)
    with pytest.raises(ConfigError, match=what) as caught:
        load_items(path)
    assert caught.value.where == f"{path}:3"
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.jsonl", tmp_path):
        with pytest.raises(ConfigError) as caught:
            load_items(path)
        assert caught.value.where == str(path)
    with pytest.raises(ConfigError, match="empty"):
        load_items(write(tmp_path / "empty.jsonl", ""))


def test_a_predictor_that_knows_every_program_passes_every_item(items: list[Item]) -> None:
    predictor = knowing(*(item.program for item in items))
    report = evaluate_cruxeval(items, predictor, data="ours", command="opencwm eval benchmark").to_json()
    assert (report["num_programs"], report["num_graded"], report["output_pass_at_1"]) == (6, 5, 1.0)
    assert (report["num_malformed"], report["num_timeouts"]) == (0, 0)
    for method in ("trace", "direct"):
        found = report["by_method"][method]
        assert (found["output_pass_at_1"], found["num_right"], found["num_total"]) == (1.0, 5, 5)
        assert found["ends"] == {"ended": 6}
        assert found["tokens_per_item"] > 0
    buckets = report["by_method"]["trace"]["by_num_steps"]
    assert [(bucket["num_steps"], bucket["num_total"]) for bucket in buckets] == [("1-8", 4), ("17-32", 1)]
    assert report["by_method"]["direct"]["by_num_steps"] == []
    assert report["validation"] is None
    assert {figure["percent"] for figure in report["published"]} >= {48.0, 57.7, 77.9, 83.2, 87.7, 58.1, 94.3}
    assert json.loads(json.dumps(report)) == report


def test_wrong_answers_fail(items: list[Item]) -> None:
    swap = [item for item in items if item.id == "swap"]
    report = evaluate_cruxeval(swap, knowing(swap[0].program, wrong="('x', 1.0)"))
    assert report.output_pass_at_1 == 0.0
    assert [method.score.num_right for method in report.by_method.values()] == [0, 0]
    assert report.to_json()["interval_95"][0] == 0.0


def test_a_predictor_that_knows_nothing_scores_nothing(items: list[Item]) -> None:
    report = evaluate_cruxeval(items, knowing(), CruxEvalConfig(max_steps=30)).to_json()
    assert report["num_programs"] == 6
    assert report["output_pass_at_1"] == 0.0
    assert report["num_malformed"] + report["num_timeouts"] == 6
    assert report["by_method"]["direct"]["output_pass_at_1"] == 0.0


def test_bounds_are_timeouts(items: list[Item]) -> None:
    loop = [item for item in items if item.id == "loop"]
    report = evaluate_cruxeval(loop, knowing(loop[0].program), CruxEvalConfig(max_steps=5)).to_json()
    assert report["num_timeouts"] == 1
    assert report["by_method"]["trace"]["ends"] == {"step_limit": 1}
    assert report["output_pass_at_1"] == 0.0
    assert report["by_method"]["direct"]["output_pass_at_1"] == 1.0


def test_the_first_method_is_the_headline(items: list[Item]) -> None:
    loop = [item for item in items if item.id == "loop"]
    predictor = knowing(loop[0].program)
    direct_first = CruxEvalConfig(methods=(Method.DIRECT, Method.TRACE), max_steps=5)
    assert evaluate_cruxeval(loop, predictor, direct_first).output_pass_at_1 == 1.0
    only = evaluate_cruxeval(loop, predictor, CruxEvalConfig(methods=(Method.TRACE,)))
    assert list(only.by_method) == ["trace"]
    for bad in ((), (Method.TRACE, Method.TRACE)):
        with pytest.raises(ConfigError, match="methods"):
            CruxEvalConfig(methods=bad)


def test_an_item_too_long_for_the_model_is_wrong_and_counted() -> None:
    text = repr("a" * 120)
    item = Item("long", Program.from_call("def f(x):\n    return x\n", f"f({text})"), text)
    for max_tokens, end in ((250, "context"), (2, "skipped")):
        small = NativePredictor("small", CODEC, oracle(CODEC, [], max_tokens=max_tokens))
        report = evaluate_cruxeval([item], small).to_json()
        assert (report["num_programs"], report["num_graded"], report["output_pass_at_1"]) == (1, 1, 0.0)
        assert report["by_method"]["trace"]["ends"] == {end: 1}
        assert sum(report["by_method"]["direct"]["ends"].values()) == 1


def test_without_any_gold_output_there_is_no_score(items: list[Item]) -> None:
    unknown = [item for item in items if item.id == "unknown"]
    report = evaluate_cruxeval(unknown, knowing(unknown[0].program)).to_json()
    assert (report["num_programs"], report["num_graded"], report["output_pass_at_1"]) == (1, 0, None)


def test_results_are_kept_and_settings_are_checked(tmp_path: Path, items: list[Item]) -> None:
    predictor = knowing(*(item.program for item in items))
    calls: list[tuple[int, int]] = []
    folder = tmp_path / "out"
    first = evaluate_cruxeval(items, predictor, folder=folder, progress=lambda d, t: calls.append((d, t)))
    assert calls == [(n, 6) for n in range(7)]
    calls.clear()
    again = evaluate_cruxeval(items, knowing(), folder=folder, progress=lambda d, t: calls.append((d, t)))
    assert calls == [(6, 6)]  # nothing was predicted anew: the other predictor was never asked
    assert again.to_json() == first.to_json()
    with pytest.raises(ConfigError, match="items_sha256"):
        evaluate_cruxeval(items[:3], predictor, folder=folder)
    with pytest.raises(ConfigError, match="config"):
        evaluate_cruxeval(items, predictor, CruxEvalConfig(max_steps=9), folder=folder)


def test_no_item_is_one_error() -> None:
    with pytest.raises(ConfigError, match="no item"):
        evaluate_cruxeval([], knowing())


def test_real_runs_score_one_under_the_grader(items: list[Item]) -> None:
    calls: list[tuple[int, int]] = []
    found = validate(items, record, progress=lambda done, total: calls.append((done, total)))
    assert (found.num_right, found.wrong, found.unknown) == (5, (), ("unknown",))
    assert found.score == 1.0
    assert calls[-1] == (6, 6)
    report = evaluate_cruxeval(items, knowing(), CruxEvalConfig(max_steps=1), validation=found)
    assert report.to_json()["validation"]["score"] == 1.0
    assert "not checked" in "\n".join(format_table(table) for table in report.tables())


def test_validation_finds_a_wrong_gold_output(items: list[Item]) -> None:
    spoilt = [dataclasses.replace(item, output="42") if item.id == "swap" else item for item in items]
    found = validate(spoilt, record)
    assert found.wrong == ("swap",)
    assert found.score == 0.8


def test_a_run_that_did_not_end_validates_nothing(items: list[Item]) -> None:
    def killed(program: Program) -> Trace:
        return dataclasses.replace(record(program), status=Status.TIMEOUT)

    found = validate(items[:2], killed)
    assert (found.num_right, found.wrong, found.unknown, found.score) == (0, (), ("swap", "7"), None)


@pytest.mark.parametrize(
    "output", ["1", "ValueError", "ValueError('x')", "<object>", "not python (", "{1: {2}}", "nan"]
)
def test_the_grader_scores_every_gold_output_one(output: str) -> None:
    check_grader([Item("a", Program.from_call(GOOD["code"], "f()"), output)])


def test_a_grader_that_rejects_the_gold_output_stops_everything(
    monkeypatch: pytest.MonkeyPatch, items: list[Item]
) -> None:
    monkeypatch.setattr("opencwm.evals.cruxeval.is_right", lambda outcome, gold: False)  # noqa: ARG005 - the grader's signature
    with pytest.raises(TaskError, match="rejects the gold") as caught:
        evaluate_cruxeval(items, knowing())
    assert caught.value.where == "item swap"


def test_tables_name_methods_and_published_figures(items: list[Item]) -> None:
    report = evaluate_cruxeval(items, knowing(*(item.program for item in items)))
    text = "\n".join(format_table(table) for table in report.tables())
    for expected in (
        "Output prediction, pass@1 (6 programs)",
        "direct",
        "trace: by predicted steps",
        "87.7",
        "arXiv 2603.09951",
    ):
        assert expected in text
