"""The planner around an agent's tools, the searcher that it guides, and choosing among patches."""

from __future__ import annotations

import dataclasses
import difflib
from pathlib import Path

import pytest

from opencwm.agent.calls import Call
from opencwm.agent.choosing import Submission, choose
from opencwm.agent.conversation import Occasion, Utterance
from opencwm.agent.planning.forecasts import Forecaster
from opencwm.agent.planning.planned_searcher import planned_searcher
from opencwm.agent.planning.planner import PlannedTools
from opencwm.agent.planning.planner_config import PlannerConfig, runs_tests
from opencwm.agent.planning.verifying import failure_place
from opencwm.agent.planning.versions import Version
from opencwm.agent.task import Task
from opencwm.agent.tools import Outcome
from opencwm.core.errors import ConfigError, SandboxError
from opencwm.sandbox import Sandbox

from .oracle import OracleWorldModel

CODE = "def add(a, b):\n    return a - b\n\n\ndef twice(x):\n    return 2 * x\n"
TESTS = (
    "from calc import add, twice\n\n\ndef test_add():\n    assert add(2, 3) == 5\n\n\n"
    "def test_twice():\n    assert twice(4) == 8\n"
)


def patch_to(text: str, path: str = "calc.py") -> str:
    """Write the patch from the code to another text."""
    lines = difflib.unified_diff(CODE.splitlines(True), text.splitlines(True), f"a/{path}", f"b/{path}")
    return f"diff --git a/{path} b/{path}\n{''.join(lines)}"


FIXED = CODE.replace("a - b", "a + b")


@dataclasses.dataclass
class FakeTools:
    """Tools that remember what was asked."""

    text: str
    current: str | None = ""
    names: tuple[str, ...] = ("bash",)
    num_used: int = 0

    def use(self, call: Call) -> Outcome:  # noqa: ARG002
        self.num_used += 1
        return Outcome(text=self.text, exit_code=0)

    def patch(self) -> str | None:
        return self.current


def task(folder: Path) -> Task:
    """Return a task over the code."""
    (folder / "repo").mkdir()
    (folder / "repo/calc.py").write_text(CODE)
    (folder / "repo/test_calc.py").write_text(TESTS)
    config = {"metadata": {"opencwm": {"files": "repo"}}}
    return Task(name="t/calc", directory=folder, instruction="mend it", config=config, workdir="/testbed")


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        ("python -m pytest -q", True),
        ("cd x && pytest", True),
        ("PYTHONPATH=. python3 -m unittest", True),
        ("pip install pytest-xdist", False),
        ("grep pytestmark a.py", False),
    ],
)
def test_commands_that_run_tests(command: str, is_one: bool) -> None:
    assert runs_tests(command) is is_one


def test_what_was_forecast_and_what_happened_are_kept(tmp_path: Path) -> None:
    inner = FakeTools("1 failed, 1 passed")
    config = PlannerConfig()
    tools = PlannedTools(inner, task(tmp_path), Forecaster(OracleWorldModel(0.999)), config)
    assert tools.use(Call("bash", {"command": "ls"})).forecast is None
    found = tools.use(Call("bash", {"command": "pytest -q"})).forecast or {}
    assert (found["num_tests"], found["num_passing"], found["num_failing"]) == (2, 1, 1)
    assert found["failing"]["test"] == "test_calc.py::test_add"
    assert (found["failing"]["path"], found["failing"]["lineno"]) == ("test_calc.py", 5)
    assert (found["really_passed"], found["really_failed"]) == (1, 1)
    inner.current = patch_to(FIXED)
    after = tools.use(Call("bash", {"command": "pytest test_calc.py::test_add"})).forecast or {}
    assert (after["num_tests"], after["num_passing"]) == (1, 1)


def test_what_is_sure_to_fail_can_be_left_out(tmp_path: Path) -> None:
    inner = FakeTools("1 failed")
    tools = PlannedTools(
        inner, task(tmp_path), Forecaster(OracleWorldModel(0.999)), PlannerConfig(skip_below=0.2)
    )
    told = tools.use(Call("bash", {"command": "pytest"}))
    assert inner.num_used == 0
    assert told.text.startswith(
        "[not run: the tests are forecast to fail. test_calc.py::test_add: AssertionError"
    )
    assert (told.forecast or {})["is_skipped"]
    inner.current = patch_to(FIXED)
    tools.use(Call("bash", {"command": "pytest"}))
    assert inner.num_used == 1
    with pytest.raises(ConfigError, match="not a probability"):
        PlannerConfig(skip_below=2.0)


def test_the_planned_searcher_runs_the_right_repair_first() -> None:
    speak = planned_searcher(Forecaster(OracleWorldModel(0.999)), skip_below=0.1).begin(
        Occasion(task="t", rollout=0, seed=1, tools=("bash", "edit", "create", "submit", "undo"))
    )
    edits: list[str] = []
    files, answer = {"calc.py": CODE, "test_calc.py": TESTS}, "the task"
    for _ in range(20):
        turn = speak([Utterance(role="user", text=answer)]).text
        if "pytest" in turn and not edits:
            answer = (
                "> assert add(2, 3) == 5\nE assert -1 == 5\nPASSED test_calc.py::test_twice\n"
                "FAILED test_calc.py::test_add - assert -1 == 5\n1 failed, 1 passed in 0.01s"
            )
        elif "pytest" in turn:
            answer = "2 passed in 0.01s"
        elif "git ls-files" in turn:
            answer = "\n".join(files)
        elif "cat --" in turn:
            answer = next(text for path, text in files.items() if f"'{path}'" in turn).rstrip("\n")
        elif "<tool: edit>" in turn:
            edits.append(turn)
            answer = "calc.py was changed at line 2."
        else:
            answer = "done"
        answer = f"<output>\n{answer}\n</output>"
        if turn.startswith("Line 2"):
            break
    assert len(edits) == 1
    assert "return a + b" in edits[0]


def test_the_patch_that_most_agree_on_is_chosen() -> None:
    version = Version({"calc.py": CODE, "test_calc.py": TESTS})
    same = FIXED.replace("a + b", "(a + b)")
    other = CODE.replace("a - b", "a * b")
    submissions = [
        Submission(rollout=0, patch=patch_to(other), num_tokens=5),
        Submission(rollout=1, patch=patch_to(FIXED), num_tokens=90),
        Submission(rollout=2, patch=patch_to(same), num_tokens=40),
        Submission(rollout=3, patch=""),
        Submission(rollout=4, patch="no patch"),
    ]
    choice = choose(version, submissions)
    assert choice.rollout == 2  # the majority, in the fewest tokens
    assert choice.votes == {0: 1, 1: 2, 2: 2}
    assert choose(version, submissions[3:]).rollout is None
    likely = [*submissions[1:], dataclasses.replace(submissions[0], probability=0.9)]
    assert choose(version, likely).rollout == 0


def test_generated_tests_count_most() -> None:
    try:
        sandbox = Sandbox()
    except SandboxError as error:
        pytest.skip(str(error))
    version = Version({"calc.py": CODE})
    texts = [CODE.replace("a - b", "a * b"), FIXED, FIXED.replace("a + b", "b + a")]
    submissions = [Submission(rollout=n, patch=patch_to(text), num_tokens=n) for n, text in enumerate(texts)]
    with sandbox:
        choice = choose(version, submissions, sandbox=sandbox)
    assert choice.rollout == 1
    assert choice.num_generated > 2
    assert choice.num_runs == 3 * choice.num_generated
    assert choice.passed[0] < choice.passed[1] == choice.passed[2]


def test_where_pytest_says_that_a_test_failed() -> None:
    places = (
        "tests/test_a.py:3: in test_a",
        "    f()",
        "a.py:7: in f",
        "E   KeyError: 'x'",
        "a.py:7: KeyError",
    )
    text = "\n".join(places)
    assert failure_place(text) == ("a.py", 7, "KeyError")
    assert failure_place("") == ("", 0, "")
