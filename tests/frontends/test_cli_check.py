"""``opencwm check``, ``opencwm before`` and ``--assume``, as typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import EXAMPLES, Cli

ERROR = "IndexError('list index out of range')"
SOURCE = """\
    def first(items: list[int]) -> int:
        return items[0]

    def always():
        return 1
    """


@pytest.fixture
def file(program: Callable[[str], Path]) -> Path:
    return program(SOURCE)


def test_a_check_reports_and_verifies(cli: Cli, file: Path) -> None:
    outcome = cli("check", f"{file}:first", "--inputs", 3, "--verify")
    assert outcome.status == 1
    report, verdict = outcome.out.splitlines()
    assert report.startswith(f"{file}:2: {ERROR}, with first([]) (")
    assert verdict.endswith(
        "confirmed: really the program raised IndexError('list index out of range') at line 2"
    )
    assert outcome.err == f"opencwm: {file}: first: 3 inputs tried, 1 report\n"


def test_a_check_in_json_says_what_was_tried(cli: Cli, file: Path) -> None:
    outcome = cli("check", file, "--inputs", 3, "--json")
    found = json.loads(outcome.out)
    assert [item["function"] for item in found["functions"]] == ["first", "always"]
    (finding,) = found["functions"][0]["findings"]
    assert (finding["line"], finding["call"], finding["verdict"]) == (2, "first([])", None)
    assert found["functions"][1]["inputs"] == [{"call": "always()", "source": "ordinary"}]


def test_a_check_that_finds_nothing_ends_with_0(cli: Cli, file: Path) -> None:
    assert cli("check", f"{file}:always").status == 0


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("{file}:last", "defines no 'last'"),
        ("none.py:f", "cannot be read"),
        ("{file}", "defines no function"),
    ],
)
def test_what_cannot_be_checked_is_said(cli: Cli, tmp_path: Path, target: str, problem: str) -> None:
    path = tmp_path / "values.py"
    path.write_text("def first(x):\n    return x\n" if "last" in target else "x = 1\n")
    assert problem in cli("check", target.format(file=path)).refused()


def test_which_state_came_before(cli: Cli, program: Callable[[str], Path], model_folder: Path) -> None:
    path = program("def f(x):\n    x += 2\n    return x\n")
    outcome = cli("before", path, "--line", 2, "--state", "x = 5", "--draws", 1, "--json")
    (state, *_) = json.loads(outcome.out)["states"]
    assert (state["locals"], state["is_predicted_to_lead_there"], state["holds"]) == ({"x": "3"}, True, True)
    options = ("--model", model_folder, "--no-run", "--draws", 1)
    assert "leaves its function" in cli("before", path, "--line", 3, "--state", "x = 5", *options).refused()
    assert "gives no variable a value" in cli("before", path, "--line", 2, "--state", "f() -> 5").refused()


def test_assumptions_are_made_and_said(cli: Cli, model_folder: Path) -> None:
    path = EXAMPLES / "broken_imports.py"
    assumption = "warehouse_client.load_prices(...) -> {'fig': 3, 'pear': 2}"
    outcome = cli(
        "debug", path, "--call", "cheapest(PRICES)", "--assume", assumption, "--real", "--commands", "c"
    )
    assert outcome.err == f"opencwm: assumed: {assumption.replace('->', 'gives')}\n"
    assert outcome.out.endswith("--End-- the program returned 'pear'\n")
    options = ("--entry", "total", "--assume", "price = 3", "--model", model_folder, "--max-steps", 2)
    outcome = cli("predict", path, *options, "--json")
    assert "opencwm: assumed: price is 3\n" in outcome.err
    assert "opencwm: assumed: amount is " in outcome.err


@pytest.mark.parametrize(
    ("assumption", "problem"),
    [
        ("x == 3", "there is no '=', ':', '->' or 'raises' in it"),
        ("nothing = 3", "nothing there is called 'nothing'"),
        ("open(...) -> 'x'", "the program holds no open(...)"),
    ],
)
def test_a_wrong_assumption_is_one_line(cli: Cli, assumption: str, problem: str) -> None:
    call = ("--call", "total(1, 2)", "--assume", assumption)
    assert problem in cli("debug", EXAMPLES / "broken_imports.py", *call).refused()


def test_what_runs_nothing_when_called_is_not_checked(
    cli: Cli, program: Callable[[str], Path], model_folder: Path
) -> None:
    path = program("async def later(): ...\ndef values(n):\n    yield n\ndef always():\n    return 1\n")
    outcome = cli("check", path, "--model", model_folder, "--json")
    assert [item["function"] for item in json.loads(outcome.out)["functions"]] == ["always"]
    assert "later: not checked: it is async" in outcome.err
    assert "values: not checked: it is a generator" in outcome.err
    assert f"{path}: 'values' is a generator" in cli("check", f"{path}:values").refused()
    assert cli("check", f"{path}:nope").refused().startswith(f"opencwm: {path}: {path} defines no 'nope'")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("inputs", "--entry", "g", "--returns", "3"), "--entry: "),
        (("inputs", "--entry", "f", "--returns", "a b"), "not a Python expression: 'a b'"),
        (("inputs", "--entry", "f", "--raises", "3"), "'3' is no exception"),
        (("inputs", "--entry", "f"), "give either"),
        (("before", "--line", 2, "--state", "y"), "'y' gives no variable a value (write it like x = 5)"),
        (("before", "--line", 2, "--to", 1, "--state", "y = 5"), "--to: line 1 is before line 2"),
    ],
)
def test_a_wrong_inverse_question_is_one_line(
    cli: Cli, program: Callable[[str], Path], options: tuple[object, ...], problem: str
) -> None:
    command, *rest = options
    path = program("def f(x):\n    y = x + 1\n    return y\n")
    assert problem in cli(str(command), path, *rest).refused()
