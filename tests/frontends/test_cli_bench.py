"""``opencwm bench``: what is started, and what is read of what a harness leaves.

The harnesses here are stand-ins that leave files as the real ones do; runs of the real lm-evaluation-harness
and lighteval on items of our own are in :func:`test_the_real_harness` and :func:`test_the_real_lighteval`,
where they are installed.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import shutil
import stat
import sys
import zlib
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from opencwm.codec.cwm_chat import REASONING_PROMPT
from opencwm.evals.harnesses import BENCHMARKS

from .conftest import Cli
from .scripted_chat import MODEL, last_question, scripted_chat

SUMS = {"What is 2 + 3?": "5", "What is 7 * 6?": "42", "What is 10 - 4?": "6", "What is 9 * 9?": "81"}


def says_yes(_: dict[str, Any]) -> str:
    return "yes"


def stand_in(folder: Path, body: str) -> Path:
    """Return an executable that runs a body of Python with ``argv`` and ``option(name)``."""
    path = folder / "harness"
    path.write_text(
        f"#!{sys.executable}\nimport json, os, sys\nfrom pathlib import Path\nargv = sys.argv[1:]\n"
        f"option = lambda name: argv[argv.index(name) + 1]\n{body}"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


LM_EVAL = """
out = Path(option("--output_path")) / "scripted"
out.mkdir(parents=True)
attempt = int(option("--seed"))
assert json.loads(option("--model_args"))["seed"] == attempt
rows = [{"doc_id": n, "filter": "none", "exact_match": float(n + attempt < 3)} for n in range(4)]
rows.append({"doc_id": 0, "filter": "other", "exact_match": 0.0})
(out / "samples_aime24_2026-01-01.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
print("told on stdout")
"""


def test_runs_of_one_item_go_together_in_the_interval(cli: Cli, tmp_path: Path) -> None:
    harness = stand_in(tmp_path, LM_EVAL)
    with scripted_chat(says_yes) as url:
        asked = ("bench", "aime24", "--endpoint", url, "--model", MODEL, "-o", tmp_path / "out")
        outcome = cli(*asked, "--attempts", 2, "--harness", harness, "--json")
    assert outcome.status == 0, outcome
    report = json.loads(outcome.out)
    assert (report["kind"], report["benchmark"], report["num_items"]) == ("bench", "aime24", 4)
    score = report["pass_at_1"]
    assert (score["num_right"], score["num_total"]) == (5, 8)
    assert score["interval_95"][0] < 0.3 < 0.8 < score["interval_95"][1]
    assert {figure["percent"] for figure in report["published"]} == {76.0, 81.4}
    again = cli(*asked, "--harness", harness)
    assert "there are results already" in again.refused()
    assert "5   8" in cli(*asked, "--collect").out


def test_trials_that_failed_are_told(cli: Cli, tmp_path: Path) -> None:
    job = tmp_path / "out" / "terminal-bench" / "job"
    trials = [
        {"task_name": "a", "verifier_result": {"rewards": {"reward": 1.0}}, "exception_info": None},
        {"task_name": "b", "verifier_result": {"rewards": {"reward": 0}}, "exception_info": None},
        {"task_name": "c", "exception_info": {"exception_type": "AgentTimeoutError"}},
    ]
    for number, trial in enumerate(trials):
        (job / f"trial{number}").mkdir(parents=True)
        (job / f"trial{number}" / "result.json").write_text(json.dumps(trial))
    (job / "result.json").write_text("{}")
    asked = ("bench", "terminal-bench", "--endpoint", "http://h/v1", "--model", "m", "-o", tmp_path / "out")
    report = json.loads(cli(*asked, "--collect", "--json").out)
    assert (report["pass_at_1"]["num_right"], report["pass_at_1"]["num_total"]) == (1, 3)
    assert report["problems"] == {"AgentTimeoutError": 1}
    assert report["published"] == []
    assert "AgentTimeoutError" in cli(*asked, "--collect").out
    (job / "trial0" / "result.json").write_text(
        '{"task_name": "a", "verifier_result": {"rewards": {"x": 1}}}'
    )
    assert "'reward' is no score" in cli(*asked, "--collect").refused()
    (job / "trial0" / "result.json").write_text("[")
    assert "not JSON" in cli(*asked, "--collect").refused()


def test_details_of_lighteval_are_counted(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "livecodebench-code"
    for attempt, scores in enumerate([(1.0, 0.5, 0.0), (1.0, 1.0, 0.0)]):
        details = folder / f"attempt-{attempt}" / "details" / "m" / "2026"
        details.mkdir(parents=True)
        rows = [
            {"metric": {"codegen_pass@1:16": score}, "model_response": {"text": ["a", "b"][: 2 - attempt]}}
            for score in scores
        ]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), details / "details_lcb_2026.parquet")
    asked = ("bench", "livecodebench-code", "--endpoint", "http://h/v1", "--model", "m")
    report = json.loads(cli(*asked, "-o", tmp_path / "out", "--collect", "--json").out)
    assert report["num_items"] == 3
    assert (report["pass_at_1"]["num_right"], report["pass_at_1"]["num_total"]) == (5, 9)
    assert {68.6, 63.5} <= {figure["percent"] for figure in report["published"]}
    (details.parent / "2027").mkdir()
    (details.parent / "2027" / "details_lcb_2027.parquet").write_text("no")
    assert "no details of lighteval" in cli(*asked, "-o", tmp_path / "out", "--collect").refused()


@pytest.mark.parametrize("name", BENCHMARKS)
def test_command_lines_carry_prompt_and_sampling(cli: Cli, tmp_path: Path, name: str) -> None:
    asked = (
        "bench",
        name,
        "--endpoint",
        "http://h:1/v1",
        "--model",
        "facebook/cwm",
        "-o",
        tmp_path,
        "--print",
    )
    out = cli(*asked, "--limit", 3, "--extra", "--more 'a b'").out
    assert "facebook/cwm" in out
    assert "http://h:1/v1" in out
    assert BENCHMARKS[name].task in out
    assert "--more 'a b'" in out
    for text in ('"temperature": 1.0', "temperature=1.0"):
        if text in out:
            break
    else:
        pytest.fail(out)
    assert '"top_p": 0.95' in out
    assert "3" in out.split()
    if BENCHMARKS[name].harness != "harbor":  # there the agent has a system prompt of its own
        assert "internal reasoning" in out
        assert "internal reasoning" not in cli(*asked, "--plain").out
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_one_line(cli: Cli, tmp_path: Path) -> None:
    asked = ("bench", "aime24", "--model", MODEL, "-o", tmp_path / "out", "--endpoint")
    missing = cli(*asked, "http://h/v1", "--harness", tmp_path / "none").refused()
    assert "lm-evaluation-harness is not installed (pip install 'lm_eval" in missing
    assert (
        "no benchmark 'aime'" in cli("bench", "aime", "--endpoint", "http://h/v1", "--model", "m").refused()
    )
    harness = stand_in(tmp_path, "print('sorry', file=sys.stderr); sys.exit(3)")
    assert "no address" in cli(*asked, "h:1/v1", "--harness", harness).refused()
    with scripted_chat(says_yes) as url:
        ended = cli(*asked, url, "--harness", harness)
        assert (ended.status, "lm_eval ended with status 3" in ended.err) == (2, True)
        other = cli("bench", "aime24", "--endpoint", url, "--model", "other", "--harness", harness)
        assert f"no model 'other' (it serves {MODEL})" in other.refused()
        empty = cli(*asked, url, "--collect")
        assert "no results of lm-evaluation-harness" in empty.refused()
    with scripted_chat(lambda _: PlainTextResponse("no", status_code=401)) as url:
        refused = cli(*asked, url, "--harness", harness).refused()
        assert "status 401 (set OPENAI_API_KEY)" in refused
    with scripted_chat(lambda _: JSONResponse({"choices": []})) as url:
        assert "the answer has no message" in cli(*asked, url, "--harness", harness).refused()


@pytest.mark.slow
def test_the_real_harness(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items of ours through lm-evaluation-harness; ``OPENCWM_LM_EVAL`` may name its executable."""
    executable = os.environ.get("OPENCWM_LM_EVAL") or shutil.which("lm_eval")
    if executable is None:
        pytest.skip("lm-evaluation-harness is not installed: pip install 'lm_eval[api]', or OPENCWM_LM_EVAL")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    items = ({"question": question, "answer": answer} for question, answer in SUMS.items())
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    task = {
        "task": "opencwm_sums",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "items.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["Problem:"]},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1},
    }
    (tmp_path / "opencwm_sums.yaml").write_text(json.dumps(task))
    asked: list[dict[str, Any]] = []

    def script(body: dict[str, Any]) -> str:
        answer = SUMS.get(last_question(body).strip(), "yes")
        return f"Problem: let me see</think>{'80' if answer == '81' else answer}"

    with scripted_chat(script, asked) as url:
        outcome = cli(
            *("bench", "aime24", "--endpoint", url, "--model", MODEL, "-o", tmp_path / "out", "--json"),
            *("--task", "opencwm_sums", "--extra", f"--include_path {tmp_path}", "--harness", executable),
        )
    assert outcome.status == 0, outcome
    report = json.loads(outcome.out)
    score = report["pass_at_1"]
    assert (report["data"], score["num_right"], score["num_total"]) == ("opencwm_sums", 3, 4)
    assert len(asked) == 5
    for body in asked:
        assert (body["temperature"], body["top_p"]) == (1.0, 0.95)
        assert body["messages"][0] == {"role": "system", "content": REASONING_PROMPT}
        assert body["chat_template_kwargs"]["enable_thinking"] is True


MATH_TASK = """
task: opencwm_math
dataset_path: json
dataset_kwargs: {{data_files: {{test: {items}}}}}
test_split: test
output_type: generate_until
process_docs: !function utils.process_docs
doc_to_text: !function utils.doc_to_text
process_results: !function utils.process_results
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["Problem:"], do_sample: false, temperature: 0}}
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
  - {{metric: math_verify, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1}}
"""
"""As lm-evaluation-harness asks and grades MATH-500, on other items."""


@pytest.mark.slow
def test_the_real_harness_checks_mathematics(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items of ours through the grader of MATH-500; ``OPENCWM_LM_EVAL`` may name the executable."""
    executable = os.environ.get("OPENCWM_LM_EVAL") or shutil.which("lm_eval")
    if executable is None:
        pytest.skip("lm-evaluation-harness is not installed: pip install 'lm_eval[api,math]'")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    answers = {"Add a half and a third.": r"\frac{5}{6}", "Take a third from a half.": r"\frac{1}{6}"}
    items = ({"problem": what, "solution": rf"It is $\boxed{{{is_}}}$."} for what, is_ in answers.items())
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (tmp_path / "utils.py").write_text(
        "from lm_eval.tasks.minerva_math.utils import doc_to_text, process_docs, process_results\n"
    )
    (tmp_path / "opencwm_math.yaml").write_text(MATH_TASK.format(items=tmp_path / "items.jsonl"))
    asked: list[dict[str, Any]] = []
    said = r"Problem: $\boxed{1}$?</think>So it is $\boxed{10/12}$."  # right for the first, written otherwise
    with scripted_chat(lambda _: said, asked) as url:
        outcome = cli(
            *("bench", "math500", "--endpoint", url, "--model", MODEL, "-o", tmp_path / "out", "--json"),
            *("--task", "opencwm_math", "--extra", f"--include_path {tmp_path}", "--harness", executable),
        )
    assert outcome.status == 0, outcome
    score = json.loads(outcome.out)["pass_at_1"]
    assert (score["num_right"], score["num_total"]) == (1, 2)
    assert "Add a half" in last_question(asked[1]) + last_question(asked[2])
    assert all((body["temperature"], body["max_tokens"]) == (1.0, 65_536) for body in asked[1:])


CODE_TASK = """
from lighteval.metrics.metrics import Metrics
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.tasks.lcb.main import lcb_codegeneration_prompt_fn

TASKS_TABLE = [
    LightevalTaskConfig(
        name="opencwm_code",
        prompt_function=lcb_codegeneration_prompt_fn,
        hf_repo={items!r},
        hf_subset="default",
        hf_avail_splits=["test"],
        evaluation_splits=["test"],
        generation_size=32768,
        metrics=[Metrics.lcb_codegen_metric],
        stop_sequence=[],
    )
]
"""
"""LiveCodeBench's prompt and grader, as lighteval has them, on other items."""

OFFLINE_LIGHTEVAL = """#!{python}
import sys
from types import SimpleNamespace

import requests

requests.get = lambda *_, **__: SimpleNamespace(status_code=503)

from lighteval.__main__ import app

sys.exit(app())
"""
"""Its own program, without the table of another benchmark that importing its tasks fetches."""


def code_item(question: str, cases: dict[str, str]) -> dict[str, str]:
    private = base64.b64encode(zlib.compress(pickle.dumps("[]"))).decode()  # as the benchmark stores them
    tests = [{"input": given, "output": wanted, "testtype": "stdin"} for given, wanted in cases.items()]
    return {
        "question_content": question,
        "starter_code": "",
        "public_test_cases": json.dumps(tests),
        "private_test_cases": private,
        "metadata": "{}",
    }


@pytest.mark.slow
def test_the_real_lighteval(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items of ours through the LiveCodeBench of lighteval; ``OPENCWM_LIGHTEVAL`` may name its executable."""
    executable = os.environ.get("OPENCWM_LIGHTEVAL") or shutil.which("lighteval")
    if executable is None:
        pytest.skip("lighteval is not installed: pip install 'lighteval[litellm]', or OPENCWM_LIGHTEVAL")
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OPENAI_API_KEY", "any")  # litellm wants one
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    items = [
        code_item("Print the sum of two numbers on one line.", {"1 2\n": "3\n", "5 5\n": "10\n"}),
        code_item("Print the number, doubled.", {"2\n": "4\n", "7\n": "14\n"}),
    ]
    (tmp_path / "items").mkdir()
    (tmp_path / "items" / "test.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (tmp_path / "tasks.py").write_text(CODE_TASK.format(items=str(tmp_path / "items")))
    asked: list[dict[str, Any]] = []
    harness = tmp_path / "lighteval"
    harness.write_text(OFFLINE_LIGHTEVAL.format(python=Path(executable).with_name("python")))
    harness.chmod(harness.stat().st_mode | stat.S_IXUSR)

    def script(body: dict[str, Any]) -> str:
        right = "print(sum(map(int, input().split())))"
        wrong = "n = int(input())\nprint(n ** 2)"  # right for 2 alone
        is_sum = "sum of two" in last_question(body)
        code = right if is_sum else ("print(2 * int(input()))" if body.get("seed") == 1 else wrong)
        return f"<think>\n```python\nprint('no')\n```\n</think>\nSo:\n```python\n{code}\n```\n"

    with scripted_chat(script, asked) as url:
        outcome = cli(
            *("bench", "livecodebench-code", "--endpoint", url, "--model", MODEL, "-o", tmp_path / "out"),
            *("--task", "opencwm_code", "--extra", f"--custom-tasks {tmp_path / 'tasks.py'}", "--json"),
            *("--attempts", 2, "--harness", harness),
        )
    assert outcome.status == 0, outcome
    report = json.loads(outcome.out)
    score = report["pass_at_1"]
    assert (report["num_items"], score["num_right"], score["num_total"]) == (2, 3, 4)
    assert [body["seed"] for body in asked[1:]] == [0, 0, 1, 1]
    for body in asked[1:]:
        assert (body["temperature"], body["top_p"]) == (1.0, 0.95)
        assert body["max_completion_tokens"] == 65_536
        assert body["messages"][0] == {"role": "system", "content": REASONING_PROMPT}
    out = tmp_path / "out" / "livecodebench-code"
    assert (out / ".litellm_cache").is_dir()  # what its client keeps, and what it keeps, is of this run alone
    assert list((out / "cache").rglob("GENERATIVE.parquet"))
