"""fix-bug: what attempts earn, that bad input is a record with a reason, and that machinery earns nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.chat_server import chat_server, completion
from agent.rollout_tasks import CALC, FIXED_LINE, SOLVES, call, write_task
from opencwm.agent.chat_policy import ChatPolicy
from opencwm.agent.episode import Limits
from opencwm.agent.rollout import ERROR, GRADED, RolloutConfig
from opencwm.agent.scripted import ScriptedPolicy, fixed
from opencwm.core.errors import ConfigError, EngineError, SandboxError, TaskError
from opencwm.model.http_client import HttpConfig
from opencwm.rl.environment import environment_class, validate
from opencwm.rl.fix_bug import Bug, FixBug, FixBugConfig, read_bugs
from opencwm.rl.wire import generated_questions, question_from_json, question_to_json, read_questions

HEAD = "diff --git a/calc.py b/calc.py\n--- a/calc.py\n+++ b/calc.py\n"
HUNK = "@@ -1,3 +1,3 @@\n def add(a, b):\n-    return a - b\n+{line}\n \n"
GOLD = HEAD + HUNK.format(line=FIXED_LINE)
CLOSE = HEAD + HUNK.format(line="    return a * b")
FAR = f"{HEAD}@@ -5,2 +5,3 @@\n def twice(x):\n+    # nothing of the kind\n     return 2 * x\n"
STALE = HEAD + HUNK.format(line=FIXED_LINE).replace("return a - b", "return a / b")
BINARY = "diff --git a/x b/x\nnew file mode 100644\nindex 0..1\nGIT binary patch\nliteral 1\nIcmZ=\n"
TESTS = "diff --git a/test_calc.py b/test_calc.py\nnew file mode 100644\n--- /dev/null\n+++ b/test_calc.py\n"
TOUCHES = f"{TESTS}@@ -0,0 +1 @@\n+x = 1\n{GOLD}"


@pytest.fixture
def bug(tmp_path: Path) -> Bug:
    directory = write_task(tmp_path / "tasks")
    with (directory / "task.toml").open("a") as file:
        file.write('test_files = ["test_calc.py"]\noracle_files = ["calc.py"]\n')
    (directory / "solution").mkdir()
    (directory / "solution/gold.patch").write_text(GOLD)
    return read_bugs([directory])[0]


def scripted(*turns: str) -> ScriptedPolicy:
    return ScriptedPolicy(fixed(*turns))


def submits(patch: str) -> tuple[str, str, str]:
    """Return turns that write a patch into a file and submit that."""
    return call("create", f"../p.patch\n{patch}"), call("submit", "../p.patch"), "Done."


def test_the_solution_earns_1_and_is_the_gold_answer(bug: Bug) -> None:
    with FixBug() as environment:
        assert environment_class("fix-bug") is FixBug
        assert environment.gold(bug) == GOLD
        assert validate(environment, [bug]) == {}
        system, user = environment.messages(bug)
        assert system.role == "system"
        assert "<tool: bash>" in system.content
        assert "add(2, 3) is -1; mend it." in user.content
        record = environment.play(bug, scripted(*SOLVES)).record
        assert (record["reward"], record["status"], record["reason"]) == (1.0, GRADED, "")
        episode = environment.work(bug, scripted(*SOLVES))
        assert episode.submitted == record["patch"]
        assert [turn.submitted for turn in episode.turns] == [None, episode.submitted, None]


@pytest.mark.parametrize(
    ("patch", "value", "verdict", "reason"),
    [
        (CLOSE, 0.5, "graded", "as credit, the patch is like the solution's"),
        (FAR, 0.0, "graded", ""),
        (STALE, 0.5, "does_not_apply", "patch failed"),
        ("", 0.0, "empty_patch", "the patch is empty"),
        (BINARY, 0.0, "binary_patch", "the patch has binary parts"),
        (TOUCHES, 0.0, "touches_tests", "the patch changes tests: test_calc.py"),
        ("I would add them.", 0.0, "malformed_patch", "not a patch"),
        (GOLD.replace("calc.py", "../calc.py"), 0.0, "malformed_patch", ""),
    ],
)
def test_what_a_patch_that_does_not_solve_it_earns(
    bug: Bug, patch: str, value: float, verdict: str, reason: str
) -> None:
    earned = FixBug().grade(bug, patch)
    assert earned.value == value
    assert earned.details["verdict"] == verdict
    assert earned.reason
    assert reason in earned.reason


def test_a_threshold_that_is_not_reached_gives_nothing(bug: Bug) -> None:
    assert FixBug(FixBugConfig(threshold=0.999)).grade(bug, CLOSE).value == 0.0
    assert FixBug(FixBugConfig(threshold=0.9)).grade(bug, CLOSE).value == 0.9
    assert FixBug(FixBugConfig(threshold=None)).grade(bug, CLOSE).value == 0.0
    with pytest.raises(ConfigError, match="above 0 and below 1"):
        FixBugConfig(threshold=1.0)


def test_partial_credit_needs_a_solution_in_the_form_of_a_patch(bug: Bug) -> None:
    (Path(bug.directory) / "solution/gold.patch").unlink()
    assert FixBug().grade(bug, CLOSE).value == 0.0
    with pytest.raises(TaskError, match="the solution is no patch"):
        FixBug().gold(bug)


MALFORMED = "nothing submitted: malformed"
BAD_TURNS = {
    "stale": (*submits(STALE), 0.5, "does not apply"),
    "binary": (*submits(BINARY), 0.0, "the patch has binary parts"),
    "tests": (*submits(TOUCHES), 0.0, "the patch changes tests"),
    "nothing": (call("submit"), *["Done."] * 3, 0.0, MALFORMED),
    "open": (*["<tool: bash>\nls"] * 3, 0.0, MALFORMED),
    "two": (*[call("bash", "ls") + "\n" + call("submit")] * 3, 0.0, MALFORMED),
    "gigantic": (*[call("create", f"big.py\n{'x' * 300_000}")] * 3, 0.0, "nothing submitted: context_limit"),
    "unknown": (*[call("fly", "home")] * 3, 0.0, MALFORMED),
    "loop": (*[call("bash", "true")] * 9, 0.0, "nothing submitted: loop"),
    "no git": (call("bash", "rm -rf .git"), call("submit"), *[""] * 9, 0.0, MALFORMED),
    "noise": (SOLVES[0], call("submit"), *["\x00<tool:" * 50] * 9, 1.0, ""),
}
"""What is said, what it earns, and part of the reason."""


@pytest.mark.parametrize("name", BAD_TURNS)
def test_bad_turns_are_records_with_a_reason(bug: Bug, name: str) -> None:
    *turns, value, reason = BAD_TURNS[name]
    config = RolloutConfig(limits=Limits(malformed=3, repeats=4, turns=12))
    record = FixBug(FixBugConfig(rollout=config)).play(bug, scripted(*map(str, turns))).record
    assert (record["status"], record["reward"]) == (GRADED, value)
    assert str(reason) in record["reason"]
    assert record["num_turns"] <= 12


def test_an_endpoint_that_fails_is_an_error_and_no_reward(bug: Bug) -> None:
    http = HttpConfig(attempts=1)
    answers: tuple[object, ...] = ((500, "down"), b"no json", {"choices": []}, "drop")
    for answer in answers:
        with chat_server(answer) as server:
            policy = ChatPolicy(server.url, http=http)
            record = FixBug().play(bug, policy).record
            assert (record["status"], record["reward"]) == (ERROR, None)
            assert record["reason"].startswith("EngineError: ")
    with pytest.raises(EngineError):
        FixBug().work(bug, ChatPolicy("http://127.0.0.1:9/v1", http=http))
    with chat_server(completion("I am not here to work.")) as server:
        record = FixBug().play(bug, ChatPolicy(server.url, http=http)).record
        assert (record["status"], record["reward"]) == (GRADED, 0.0)


def test_a_box_that_fails_is_an_error_and_no_reward(bug: Bug) -> None:
    nowhere = RolloutConfig(kind="podman")
    environment = FixBug(FixBugConfig(rollout=nowhere))
    with pytest.raises(SandboxError):
        environment.grade(bug, GOLD)
    record = environment.play(bug, scripted(*SOLVES)).record
    assert (record["status"], record["reward"]) == (ERROR, None)


def test_questions_travel_as_json(bug: Bug, tmp_path: Path) -> None:
    (asked,) = read_questions("fix-bug", tmp_path / "tasks")
    assert asked == bug
    assert question_from_json("fix-bug", question_to_json(bug)) == bug
    assert bug.key == "tests/calc"
    assert bug.task.instruction == "add(2, 3) is -1; mend it."
    assert CALC
    made = list(generated_questions("predict-output", 2, 0))
    assert [question_from_json("predict-output", question_to_json(one)) for one in made] == made
    for name, data in (("fix-bug", {"name": "x"}), ("fix-bug", {"name": 1, "directory": ""}), ("none", {})):
        with pytest.raises(ConfigError):
            question_from_json(name, data)
    with pytest.raises(ConfigError, match="tasks mutate"):
        list(generated_questions("fix-bug", 1, 0))
    with pytest.raises(TaskError, match="no such task"):
        Bug("gone", str(tmp_path / "gone")).task  # noqa: B018
