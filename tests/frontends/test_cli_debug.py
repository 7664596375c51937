from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import EXAMPLES, Cli

STRAWBERRY = EXAMPLES / "strawberry.py"
CALL = ("--call", "f('bar', 'r')")


def test_the_real_run_is_stepped_with_pdb_words(cli: Cli) -> None:
    outcome = cli("debug", STRAWBERRY, *CALL, "--real", "--commands", "s;s;s;n;p count;w;c;q")
    assert outcome.status == 0
    assert outcome.err == ""
    text = outcome.out
    assert text.startswith(f"--Call--\n> {STRAWBERRY}(25)main()\n-> def main():\n(cwm) s\n")
    assert "(cwm) p count\n1\n" in text
    assert text.endswith("(cwm) c\n--End-- the program returned 'bar has one r'\n(cwm) q\n")


def test_commands_may_come_from_a_pipe(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("s\ns\np text\n"))
    outcome = cli("debug", STRAWBERRY, *CALL, "--real")
    assert outcome.status == 0
    assert outcome.out.endswith("(cwm) p text\n'bar'\n")


def test_a_wrong_command_is_said_and_does_not_end_the_session(cli: Cli) -> None:
    outcome = cli("debug", STRAWBERRY, *CALL, "--real", "--commands", "fly;s;q")
    assert "*** unknown command: 'fly'" in outcome.out
    assert "(26)main()" in outcome.out


def test_the_inventory_is_stepped_into_its_exception(cli: Cli) -> None:
    outcome = cli("debug", EXAMPLES / "inventory.py", "--real", "--commands", "b 20;c;w;p name;c")
    assert outcome.status == 0
    assert "raise OutOfStock(name)" in outcome.out
    assert "'pear'" in outcome.out
    assert "the program returned '3 taken, 2 failed, 4 left'" in outcome.out


def test_a_prediction_is_stepped(cli: Cli, model_folder: Path) -> None:
    outcome = cli("debug", STRAWBERRY, *CALL, "--model", model_folder, "--commands", "s;conf;q")
    assert outcome.status == 0
    assert "(cwm) s\n" in outcome.out
    assert "this line follows" in outcome.out


def test_a_file_that_cannot_be_imported_is_stepped_all_the_same(cli: Cli, model_folder: Path) -> None:
    path = EXAMPLES / "broken_imports.py"
    call = ("--call", "total(100, 12)")
    outcome = cli("debug", path, *call, "--model", model_folder, "--commands", "s;s;q")
    assert outcome.status == 0
    assert "def total(price, amount):" in outcome.out or "-> " in outcome.out
    assert "there is no real run: " in cli("debug", path, *call, "--real").refused()
    beside = cli("debug", path, *call, "--model", model_folder, "--compare", "--max-steps", "4")
    assert beside.status == 0
    assert "no real run to compare with" in beside.err
    assert "warehouse_client" in beside.err
    assert "real run" not in beside.out


def test_the_comparison_has_a_row_for_every_step_and_a_verdict(cli: Cli, model_folder: Path) -> None:
    outcome = cli("debug", STRAWBERRY, *CALL, "--model", model_folder, "--compare", "--max-steps", "30")
    assert outcome.status == 0
    lines = [line.rstrip() for line in outcome.out.splitlines() if line.strip()]
    assert lines[0].split()[:4] == ["step", "line", "event", "source"]
    assert lines[2].split()[-1] == "same"
    assert lines[-2] == "really:    the program returned 'bar has one r'"
    assert "steps agree" in lines[-1]


def test_comparison_as_json(cli: Cli, model_folder: Path) -> None:
    outcome = cli(
        "debug", STRAWBERRY, *CALL, "--model", model_folder, "--compare", "--json", "--max-steps", "30"
    )
    report = json.loads(outcome.out)
    assert len(report["real"]["steps"]) == 23
    assert report["real"]["status"] == "the program returned 'bar has one r'"
    assert report["num_agreeing"] == sum(row["agrees"] for row in report["rows"])
    first = report["first_divergence"]
    assert all(row["agrees"] for row in report["rows"][:first])
    assert all(step["origin"] == "verified" for step in report["real"]["steps"])


def test_a_prediction_as_json(cli: Cli, model_folder: Path) -> None:
    outcome = cli("debug", STRAWBERRY, *CALL, "--model", model_folder, "--json", "--max-steps", "5")
    report = json.loads(outcome.out)
    assert report["call"] == "f('bar', 'r')"
    assert [step["index"] for step in report["steps"]] == list(range(len(report["steps"])))
    assert report["steps"][0]["kind"] == "call"


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--real", "--compare"), "exclude each other"), (("--json", "--commands", "s"), "exclude each other")],
)
def test_options_that_contradict_each_other(cli: Cli, options: tuple[str, ...], said: str) -> None:
    assert said in cli("debug", STRAWBERRY, *CALL, *options).refused()


def test_a_long_file_is_shown_where_it_matters(
    cli: Cli, program: Callable[[str], Path], model_folder: Path
) -> None:
    text = (
        "".join(f"def g{i}(x):\n    return x + {i}\n" for i in range(1_000)) + "def f(x):\n    return g7(x)\n"
    )
    outcome = cli("debug", program(text), "--call", "f(1)", "--model", model_folder, "--commands", "s;q")
    assert outcome.status == 0
    assert outcome.err == ""
    assert "(2004)main()" in outcome.out


def test_what_did_not_fit_the_context_is_said(
    cli: Cli, program: Callable[[str], Path], model_folder: Path
) -> None:
    calls = "".join(f"    x = g{i}(x)\n" for i in range(40))
    helpers = "".join(f"def g{i}(x):\n    y = x + {i}\n    return y - {i}\n" for i in range(40))
    path = program(f"{helpers}def f(x):\n{calls}    return x\n")
    outcome = cli("debug", path, "--call", "f(1)", "--model", model_folder, "--commands", "s;q")
    assert outcome.status == 0
    assert len(outcome.err.splitlines()) == 1
    assert f"{path}: " in outcome.err


def test_a_function_longer_than_the_context(
    cli: Cli, program: Callable[[str], Path], model_folder: Path
) -> None:
    path = program("def f(x):\n" + "".join(f"    v{i} = x + {i}\n" for i in range(400)) + "    return x\n")
    outcome = cli("debug", path, "--call", "f(1)", "--model", model_folder, "--commands", "s;q")
    assert outcome.status == 0
    assert f"{path}: too long to be shown to the model at once" in outcome.err


def test_a_line_longer_than_the_context(cli: Cli, program: Callable[[str], Path]) -> None:
    path = program("def f(x):\n    return [" + ", ".join(map(str, range(5_000))) + "]\n")
    outcome = cli("debug", path, "--call", "f(1)", "--commands", "s;s;s;q")
    assert "what runs is too long for the model" in outcome.out
    assert "too long for the model" in cli("predict", path, "--call", "f(1)").err


def test_expression_detail_is_shown_under_the_line_and_in_json(cli: Cli) -> None:
    outcome = cli("debug", STRAWBERRY, *CALL, "--real", "--detail", "expr", "--commands", "s;s;s;s;s;s;s;q")
    assert "'bar'[0] -> 'b'" in outcome.out
    whole = cli("debug", STRAWBERRY, *CALL, "--real", "--detail", "expr", "--json")
    steps = json.loads(whole.out)["steps"]
    assert {"text": "'bar'[0]", "value": "'b'"} in [item for step in steps for item in step["evaluations"]]
