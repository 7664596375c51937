from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from opencwm.codec.cwm_text import trace_text
from opencwm.codec.nd_text import trajectory_text
from opencwm.codec.nd_walk import inverse_trajectory, trajectory
from opencwm.core.seeds import derive_rng
from opencwm.traces import Status
from opencwm.traces.jsonl import read_jsonl, trace_from_json
from opencwm.traces.parquet import read_parquet

from .conftest import EXAMPLES, Cli

STRAWBERRY = EXAMPLES / "strawberry.py"


def test_the_table_shows_every_step_and_the_outcome(cli: Cli) -> None:
    outcome = cli("trace", STRAWBERRY, "--call", "f('bar', 'r')")
    assert outcome.status == 0
    assert outcome.err == ""
    lines = [line.rstrip() for line in outcome.out.splitlines() if line.strip()]
    assert lines[0].split()[:4] == ["step", "line", "event", "source"]
    rows = [line.split() for line in lines[2:-1]]
    assert [row[0] for row in rows] == [str(index) for index in range(23)]
    assert rows[2][1:4] == ["18", "call", "def"]
    assert lines[-2].endswith("-> 'bar has one r'")
    assert lines[-1] == "the program returned 'bar has one r'"


def test_the_table_shows_exceptions_and_what_was_printed(cli: Cli, program: Callable[[str], Path]) -> None:
    path = program("def f(x):\n    print('about to [bold]fail[/bold]')\n    return 1 / x\n")
    outcome = cli("trace", path, "--call", "f(0)")
    assert outcome.status == 0
    assert "exception" in outcome.out
    assert "unwind" in outcome.out
    assert "the program raised ZeroDivisionError('division by zero')" in outcome.out
    assert "printed: about to [bold]fail[/bold]" in outcome.out


def test_control_characters_do_not_reach_the_terminal(cli: Cli, program: Callable[[str], Path]) -> None:
    path = program("def f():\n    a = '\x1b[31m'  # \x1b]0;title\x07\n    print('\\x1b[2J')\n    return a\n")
    outcome = cli("trace", path, "--call", "f()")
    assert outcome.status == 0
    assert "\x1b" not in outcome.out
    assert "\\x1b[31m" in outcome.out


def test_long_traces_are_cut_in_the_table_and_the_rest_is_announced(
    cli: Cli, program: Callable[[str], Path]
) -> None:
    path = program("def f():\n    for i in range(600):\n        pass\n    return i\n")
    outcome = cli("trace", path, "--call", "f()", "--rows", "10")
    assert "more steps (--rows 0 shows all)" in outcome.out
    assert len(outcome.out.splitlines()) < 20


def test_jsonl_on_stdout_is_the_trace(cli: Cli) -> None:
    outcome = cli("trace", STRAWBERRY, "--call", "f('bar', 'r')", "--format", "jsonl")
    trace = trace_from_json(json.loads(outcome.out))
    assert trace.result == "'bar has one r'"
    assert trace.program.filename == str(STRAWBERRY)


def test_files_are_written_whole_and_named_on_stderr(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "out" / "trace.jsonl"
    outcome = cli("trace", STRAWBERRY, "--call", "f('bar', 'r')", "--format", "jsonl", "-o", path)
    assert (outcome.status, outcome.out) == (0, "")
    assert str(path) in outcome.err
    assert [file.name for file in path.parent.iterdir()] == ["trace.jsonl"]
    (trace,) = read_jsonl(path)
    assert trace.status is Status.RETURNED


def test_cwm_is_the_published_text(cli: Cli, tmp_path: Path) -> None:
    cli("trace", STRAWBERRY, "--call", "f('bar', 'r')", "--format", "jsonl", "-o", tmp_path / "t.jsonl")
    cli("trace", STRAWBERRY, "--call", "f('bar', 'r')", "--format", "cwm", "-o", tmp_path / "t.cwm")
    (trace,) = read_jsonl(tmp_path / "t.jsonl")
    assert (tmp_path / "t.cwm").read_text() == trace_text(trace)
    assert cli("trace", STRAWBERRY, "--call", "f('bar', 'r')", "--format", "cwm").out.startswith(
        "<|begin_of_text|>"
    )


def test_nd_is_a_walk_forward_or_backward(cli: Cli, tmp_path: Path) -> None:
    call = ("trace", STRAWBERRY, "--call", "f('bar', 'r')", "--format")
    cli(*call, "jsonl", "-o", tmp_path / "t.jsonl")
    (trace,) = read_jsonl(tmp_path / "t.jsonl")
    assert cli(*call, "nd").out == trajectory_text(trajectory(trace)) + "\n"
    drawn = cli(*call, "nd", "--walk", "3").out
    assert drawn == trajectory_text(trajectory(trace, derive_rng("walk", 3))) + "\n"
    cli(*call, "nd-inverse", "-o", tmp_path / "t.nd")
    assert (tmp_path / "t.nd").read_text() == trajectory_text(inverse_trajectory(trace))
    assert "<|inv_exit_entry|>" in cli(*call, "nd-inverse", "--walk", "3").out
    assert "--format nd" in cli(*call, "cwm", "--walk", "3").refused()


def test_a_run_that_was_cut_is_not_written_backward(cli: Cli, program: Callable[[str], Path]) -> None:
    path = program("def f():\n    while True:\n        pass\n")
    call = ("trace", path, "--call", "f()", "--max-steps", "50", "--format")
    assert "step_limit" in cli(*call, "nd-inverse").refused()
    assert cli(*call, "nd").out.endswith("<|exit_never|><|trace_end|><|end_of_text|>\n")


def test_parquet_needs_a_file(cli: Cli) -> None:
    assert "-o PATH" in cli("trace", STRAWBERRY, "--call", "f('bar', 'r')", "--format", "parquet").refused()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("while True:\n    pass\ndef f(): pass\n", "out of time"),
        ("import os\ndef f(): os._exit(0)\n", "exited"),
        ("import no_such_module\ndef f(): pass\n", "No module named 'no_such_module'"),
    ],
)
def test_a_run_that_leaves_no_record_is_refused_with_its_reason(
    cli: Cli, program: Callable[[str], Path], text: str, said: str
) -> None:
    assert said in cli("trace", program(text), "--call", "f()", "--timeout", "0.5").refused()


def test_the_step_limit_keeps_what_was_recorded(cli: Cli, program: Callable[[str], Path]) -> None:
    path = program("def f():\n    while True:\n        pass\n")
    outcome = cli("trace", path, "--call", "f()", "--max-steps", "50")
    assert outcome.status == 0
    assert "the step limit was reached" in outcome.out


def test_a_file_of_ten_thousand_lines_is_recorded(cli: Cli, program: Callable[[str], Path]) -> None:
    text = (
        "def f(x):\n    return x + 1\n"
        + "\n".join(f"def g{i}(x):\n    return f(x) * {i}" for i in range(5_000))
        + "\n"
    )
    outcome = cli("trace", program(text), "--call", "g4999(1)")
    assert outcome.status == 0
    assert "the program returned 9998" in outcome.out


def test_expression_detail_stands_in_the_table_and_in_the_files(cli: Cli, tmp_path: Path) -> None:
    plain = cli("trace", STRAWBERRY, "--call", "f('bar', 'r')")
    outcome = cli("trace", STRAWBERRY, "--call", "f('bar', 'r')", "--detail", "expr")
    assert outcome.status == 0
    assert "'bar'[0] -> 'b'" in outcome.out
    assert "->" in plain.out
    assert "'bar'[0]" not in plain.out
    path = tmp_path / "trace.parquet"
    cli("trace", STRAWBERRY, "--call", "f('bar', 'r')", "--detail", "expr", "--format", "parquet", "-o", path)
    (trace,) = read_parquet(path)
    assert "'bar'[0]" in [item.text for step in trace.steps for item in step.evaluations]


@pytest.mark.parametrize(
    ("name", "start"), [("t.jsonl", b'{"schema_version"'), ("t.parquet", b"PAR1"), ("t", b"step  line")]
)
def test_the_format_is_what_the_name_of_the_file_promises(
    cli: Cli, tmp_path: Path, name: str, start: bytes
) -> None:
    path = tmp_path / name
    assert cli("trace", STRAWBERRY, "--call", "f('bar', 'r')", "-o", path).status == 0
    assert path.read_bytes().startswith(start)
