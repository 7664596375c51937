"""fix-bug as TRL takes it: tools as methods, the reward at the end, machinery that fails as an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.rollout_tasks import CALC, write_task
from opencwm.core.errors import ConfigError, SandboxError
from opencwm.rl.fix_bug import FixBug, read_bugs
from opencwm.rl.trl_environment import rows
from opencwm.rl.trl_fix_bug import BugAtWork, fix_bug_factory


@pytest.fixture
def at_work(tmp_path: Path) -> BugAtWork:
    bugs = read_bugs([write_task(tmp_path)])
    (row,) = rows(FixBug(), bugs)
    made = fix_bug_factory(FixBug(), bugs)()
    made.reset(**row)
    return made


def test_a_repair_through_the_tools_earns_1_and_the_next_rollout_begins_anew(at_work: BugAtWork) -> None:
    assert "return a - b" in at_work.bash("cat calc.py")
    assert "     2\t    return a + b" in at_work.edit("calc.py", "    return a - b\n", "    return a + b\n")
    assert "was made" in at_work.create("notes.txt", "a\n")
    assert "+    return a + b" in at_work.submit("")
    assert at_work.get_reward() == at_work.get_reward() == 1.0
    assert at_work.bash("ls") == "the session is over"
    at_work.reset(key="tests/calc")
    assert at_work.bash("cat calc.py") == CALC.rstrip("\n")
    assert at_work.get_reward() == 0.0, "nothing was submitted"


def test_bad_calls_are_told_and_earn_nothing(at_work: BugAtWork) -> None:
    assert "nothing was replaced" in at_work.edit("calc.py", "no such line", "")
    assert "there is no file" in at_work.edit("gone.py", "x", "y")
    assert "must be strings" in at_work.bash(3)  # type: ignore[arg-type]
    assert "not taken in one call" in at_work.create("big.txt", "x" * 300_000)
    assert "nothing to submit" in at_work.submit("")
    assert at_work.get_reward() == 0.0
    with pytest.raises(ConfigError, match="no question"):
        at_work.reset(key="other")


def test_a_box_that_fails_is_an_error_and_no_reward(
    at_work: BugAtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise SandboxError("the machine is gone")

    monkeypatch.setattr(at_work._toolbox, "use", fails)
    assert at_work.bash("ls") == "the machine failed"
    with pytest.raises(SandboxError, match="the machine is gone"):
        at_work.get_reward()


def test_the_tools_have_the_schemas_that_trl_makes_of_them(at_work: BugAtWork) -> None:
    utils = pytest.importorskip("transformers.utils")
    for name in ("bash", "edit", "create", "submit"):
        function = utils.get_json_schema(getattr(at_work, name))["function"]
        assert function["name"] == name
        assert {spec["type"] for spec in function["parameters"]["properties"].values()} == {"string"}
    at_work.get_reward()
