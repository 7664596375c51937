"""What becomes of submissions, good and bad."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opencwm.agent.box import open_box
from opencwm.agent.grading import grade_gold, submitted_patch, why_invalid
from opencwm.agent.mutation.make import patch_text
from opencwm.agent.task import Task, VerdictStatus, grade, read_task
from opencwm.core.errors import TaskError

from .conftest import Made


@pytest.fixture(name="task", scope="module")
def _task(made: Made) -> Task:
    return read_task(made.folder / made.report.tasks[0])


def _added(path: str, text: str) -> str:
    lines = "".join(f"+{line}\n" for line in text.splitlines())
    count = len(text.splitlines())
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
    return f"{head}@@ -0,0 +1,{count} @@\n{lines}"


def test_the_gold_patch_resolves_the_task(task: Task) -> None:
    patch = task.gold_patch
    assert patch is not None
    verdict = grade(task, patch)
    assert (verdict.status, verdict.score, verdict.reason) == (VerdictStatus.GRADED, 1.0, "")
    assert verdict.is_resolved
    assert set(verdict.tests) == {*task.fail_to_pass, *task.pass_to_pass}
    assert set(verdict.tests.values()) == {"passed"}


def test_a_patch_that_mends_nothing_scores_0_and_says_which_test(task: Task) -> None:
    verdict = grade(task, _added("notes.txt", "nothing"))
    assert (verdict.status, verdict.score) == (VerdictStatus.GRADED, 0.0)
    assert task.fail_to_pass[0] in verdict.reason


_BINARY = "diff --git a/x b/x\nnew file mode 100644\nGIT binary patch\nliteral 1\nIcmZPo000310RR91\n"
_ELSE = patch_text("warehouse/money.py", "something else\n", "x\n")
_NO_TEST = patch_text("tests/test_stock.py", "x\n", "")


@pytest.mark.parametrize(
    ("patch", "status", "reason"),
    [
        ("", VerdictStatus.EMPTY_PATCH, "the patch is empty"),
        (" \n\t\n", VerdictStatus.EMPTY_PATCH, "the patch is empty"),
        (b"diff --git a/x b/x\n\x00\n", VerdictStatus.BINARY_PATCH, "the patch has binary parts"),
        (_BINARY, VerdictStatus.BINARY_PATCH, "the patch has binary parts"),
        ("I have fixed it.", VerdictStatus.MALFORMED_PATCH, "not a patch"),
        ("x" * 9_000_000, VerdictStatus.MALFORMED_PATCH, "has over 8388608 bytes"),
        (_added("../../etc/passwd", "x"), VerdictStatus.MALFORMED_PATCH, "leaves the folder"),
        (_added(".git/hooks/pre-commit", "x"), VerdictStatus.MALFORMED_PATCH, "leaves the folder"),
        (_ELSE, VerdictStatus.DOES_NOT_APPLY, "does not apply"),
        (_NO_TEST, VerdictStatus.TOUCHES_TESTS, "test_stock.py"),
    ],
)
def test_bad_patches_get_a_reason(task: Task, patch: str | bytes, status: VerdictStatus, reason: str) -> None:
    verdict = grade(task, patch)
    assert (verdict.status, verdict.score) == (status, 0.0)
    assert reason in verdict.reason


_TAMPERING = {
    "conftest.py": "def pytest_runtest_makereport(item, call):\n    call.excinfo = None\n",
    "tests/conftest.py": "import pytest\n@pytest.fixture(autouse=True)\ndef f():\n    pytest.skip()\n",
    "pytest.ini": "[pytest]\naddopts = --collect-only\n",
    "pytest.py": "raise SystemExit(0)\n",
    "sitecustomize.py": "import os\nos._exit(0)\n",
}


def test_configuration_of_pytest_changes_no_verdict(task: Task) -> None:
    tampering = "".join(_added(path, text) for path, text in _TAMPERING.items())
    failed = grade(task, tampering)
    assert failed.score == 0.0
    assert all(failed.tests[name] == "passed" for name in task.pass_to_pass)
    assert grade(task, (task.gold_patch or "") + tampering).score == 1.0


def test_code_that_ends_the_verifier_scores_0(task: Task) -> None:
    path = task.directory / "environment/repo/warehouse/__init__.py"
    text = path.read_text().splitlines()[0]
    patch = (
        "diff --git a/warehouse/__init__.py b/warehouse/__init__.py\n--- a/warehouse/__init__.py\n"
        f"+++ b/warehouse/__init__.py\n@@ -1 +1,3 @@\n {text}\n+import os\n+os._exit(0)\n"
    )
    verdict = grade(task, patch)
    assert verdict.score == 0.0
    assert "missing" in verdict.tests.values()


def test_what_an_agent_changed_is_its_patch(task: Task) -> None:
    with open_box(task.box_spec()) as box:
        assert submitted_patch(box) == b""
        box.run(["git", "apply", "-"], stdin=(task.gold_patch or "").encode())
        box.run(
            "git commit -qam mine; mkdir -p x/__pycache__; echo 1 > x/__pycache__/y.pyc; echo n > 'new file'"
        )
        patch = submitted_patch(box)
        assert b"__pycache__" not in patch
        assert b"new file" in patch
        box.run("rm -rf .git")
        with pytest.raises(TaskError, match="no patch can be made"):
            submitted_patch(box)
    assert (task.gold_patch or "").splitlines()[-1] in patch.decode()


@given(st.binary(max_size=300))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_graded(task: Task, data: bytes) -> None:
    assert grade(task, b"diff --git a/x b/x\n" + data).score == 0.0


def test_machinery_that_fails_is_no_score(task: Task) -> None:
    verdict = grade(task, task.gold_patch or "", kind="podman")
    assert (verdict.status, verdict.score) == (VerdictStatus.BOX_FAILED, None)
    assert "podman" in verdict.reason


def test_a_task_that_is_not_sound_says_why(task: Task, tmp_path: Path) -> None:
    copy = tmp_path / "task"
    shutil.copytree(task.directory, copy)
    (copy / "solution/gold.patch").write_text(_added("notes.txt", "x"))
    assert why_invalid(read_task(copy)).startswith("the solution scores 0 (graded: ")
    (copy / "tests/test.sh").write_text("echo 1 > /logs/verifier/reward.txt\n")
    assert why_invalid(read_task(copy)) == "the untouched files score 1 (graded)"
    (copy / "tests/test.sh").write_text("echo hello; exit 1\n")
    assert why_invalid(read_task(copy)) == (
        "the solution scores 0 (no_reward: the verifier left no score: hello)"
    )
    (copy / "solution/solve.sh").write_text("echo cannot; exit 4\n")
    assert grade_gold(read_task(copy)).reason == "solve.sh ended with 4: cannot"
    shutil.rmtree(copy / "solution")
    assert why_invalid(read_task(copy)) == "the task has no solution/solve.sh"
