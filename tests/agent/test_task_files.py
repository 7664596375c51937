"""Task directories: written, read, refused; instances of other collections imported."""

from __future__ import annotations

import json
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.agent.importing import Refusal, draft_of, import_instances, reversed_patch
from opencwm.agent.mutation.make import patch_text
from opencwm.agent.task import Task, find_tasks, read_task
from opencwm.agent.task_writing import TaskDraft, toml_text, write_task
from opencwm.core.errors import TaskError

_DRAFT = TaskDraft(
    name="org/name",
    instruction="Mend it.",
    command="python -m pytest",
    dockerfile="FROM scratch\n",
    files={"a.py": "x = 1\n"},
    fail_to_pass=["t.py::a"],
    gold_patch="diff\n",
)

_scalars = (
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"]))
)
_values = _scalars | st.lists(_scalars, max_size=3)
_tables = st.recursive(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), _values, max_size=4),
    lambda inner: st.dictionaries(st.text('abé"\\. ', max_size=4), inner | _values, max_size=3),
    max_leaves=8,
)


@given(_tables)
@settings(max_examples=50, deadline=None)
def test_tables_come_back_from_toml(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(table)) == table


def test_a_task_comes_back_as_it_was_written(tmp_path: Path) -> None:
    task = write_task(_DRAFT, tmp_path)
    assert task == read_task(tmp_path / "name")
    assert (task.name, task.instruction, task.workdir) == ("org/name", "Mend it.", "/testbed")
    assert task.fail_to_pass == ("t.py::a",)
    assert task.gold_patch == "diff\n"
    spec = task.box_spec()
    assert spec.files == tmp_path / "name/environment/repo"
    assert not spec.is_networked
    assert (task.directory / "tests/test.sh").stat().st_mode & 0o100
    write_task(_DRAFT, tmp_path)  # again, in its place
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
    assert find_tasks(tmp_path) == [tmp_path / "name"] == find_tasks(tmp_path / "name")


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("x", "task.toml: not TOML"),
        ('schema_version = "9.0"', "schema version '9.0' is not known (known: 1.0, 1.1)"),
        (
            "[verifier]\ntimeout_sec = 'long'",
            "task.toml: verifier.timeout_sec: not of the right type: 'long'",
        ),
        ("[agent]\ntimeout_sec = 0", "agent.timeout_sec: not positive: 0"),
        ("[task]\nname = 'none'", "task.name: not ORGANISATION/NAME: 'none'"),
        ("environment = 1", "environment: not a table"),
        (
            "[environment]\nnetwork_mode = 'some'",
            "unknown mode 'some' (one of public, no-network, allowlist)",
        ),
        ("[metadata.opencwm]\nfail_to_pass = [1]", "metadata.opencwm.fail_to_pass: not a list of texts"),
        ("[metadata.opencwm]\nfiles = '../..'", "../.. leads out of the task directory"),
        ("[metadata.opencwm]\nfiles = 'nothing'", "no folder nothing"),
    ],
)
def test_what_is_wrong_in_a_task_is_said(tmp_path: Path, toml: str, reason: str) -> None:
    task = write_task(_DRAFT, tmp_path)
    (task.directory / "task.toml").write_text(toml)
    with pytest.raises(TaskError) as raised:
        read_task(task.directory)
    assert reason in str(raised.value)


def test_missing_parts_are_said(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no such task directory"):
        read_task(tmp_path / "none")
    with pytest.raises(TaskError, match=r"no task\.toml here or one level below"):
        find_tasks(tmp_path)
    task = write_task(_DRAFT, tmp_path)
    (task.directory / "instruction.md").write_text(" \n")
    with pytest.raises(TaskError, match="the instruction is empty"):
        read_task(task.directory)
    (task.directory / "tests/test.sh").unlink()
    with pytest.raises(TaskError, match=r"needs tests/test\.sh"):
        read_task(task.directory)


def test_a_task_of_harbor_alone_is_read(tmp_path: Path) -> None:
    """As Harbor's documentation shows one, of version 1.0."""
    (tmp_path / "environment").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "environment/Dockerfile").write_text("FROM alpine\nWORKDIR /app\n")
    (tmp_path / "tests/test.sh").write_text("true")
    (tmp_path / "instruction.md").write_text("Say hello.")
    text = 'version = "1.0"\n[metadata]\nauthor_name = "A"\n[environment]\nallow_internet = true\n'
    (tmp_path / "task.toml").write_text(text)
    task = read_task(tmp_path)
    assert (task.name, task.workdir) == (tmp_path.name, "/app")
    with pytest.raises(TaskError, match="neither an image nor files"):
        task.box_spec()
    (tmp_path / "task.toml").write_text(text + 'docker_image = "hello:1"\n')
    spec = read_task(tmp_path).box_spec()
    assert (spec.image, spec.is_networked) == ("hello:1", True)


_FIX = patch_text("a.py", "x = 1\n", "x = 2\n")
_BENCH = {
    "instance_id": "own__project-1",
    "repo": "own/project",
    "base_commit": "abc",
    "problem_statement": "It is wrong.",
    "patch": _FIX,
    "test_patch": patch_text("tests/test_a.py", "", "def test(): pass\n"),
    "FAIL_TO_PASS": '["tests/test_a.py::test"]',
    "PASS_TO_PASS": "[]",
}
_SMITH = {
    "instance_id": "own__project.abc.func__1",
    "image_name": "own.x86_64.project",
    "repo": "own/project",
    "problem_statement": "It is wrong.",
    "patch": patch_text("a.py", "x = 2\n", "x = 1\n"),
    "FAIL_TO_PASS": ["tests/test_a.py::test[a b]"],
    "PASS_TO_PASS": ["tests/test_b.py::T::test"],
}
_LINES = [{"type": "deleted", "content": "x = 1"}, {"type": "added", "content": "x = 2"}]
_R2E = {
    "repo_name": "project",
    "commit_hash": "0123456789abcdef",
    "docker_image": "own/project:1",
    "problem_statement": "Told:\n[ISSUE]\nIt is wrong.\n[/ISSUE]",
    "expected_output_json": json.dumps({"T.test": "PASSED", "test_other": "FAILED"}),
    "parsed_commit_content": json.dumps({"file_diffs": [{
        "header": {"file": {"path": "a.py"}},
        "hunks": [{
            "descriptor": {"old_range": {"start": 1, "length": 1}, "new_range": {"start": 1, "length": 1}},
            "line_group": {"all_lines": _LINES},
        }],
    }]}),
}  # fmt: skip


def _patched(patch: str) -> list[str]:
    return [line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]


@pytest.mark.parametrize(
    ("instance", "image"),
    [
        (_BENCH, "docker.io/swebench/sweb.eval.x86_64.own_1776_project-1:latest"),
        (_SMITH, "own.x86_64.project"),
        (_R2E, "own/project:1"),
    ],
)
def test_instances_become_tasks(tmp_path: Path, instance: dict[str, Any], image: str) -> None:
    path = tmp_path / "instances.jsonl"
    path.write_text(json.dumps(instance) + "\n")
    (task,) = import_instances(path, tmp_path / "out")
    assert isinstance(task, Task)
    assert task.instruction == "It is wrong."
    assert task.box_spec().image == image
    assert task.oracle_files == ("a.py",)
    assert sorted(_patched(task.gold_patch or "")) == ["+x = 2", "-x = 1"]
    assert task.workdir == "/testbed"
    assert "solution" not in task.box_spec().setup


def test_what_cannot_be_imported_is_passed_over_with_its_reason(tmp_path: Path) -> None:
    bad = [
        7,
        {},
        {**_BENCH, "FAIL_TO_PASS": '["test_x (a.b.C)"]'},
        {**_BENCH, "FAIL_TO_PASS": "[]"},
        {**_BENCH, "PASS_TO_PASS": "nothing"},
        {**_SMITH, "patch": "diff --git a/x b/y\nrename from x\nrename to y\n"},
        {**_R2E, "parsed_commit_content": "{}"},
        {**_BENCH, "instance_id": "../../.."},
    ]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps([*bad, _BENCH]))
    *refused, good = import_instances(path, tmp_path / "out")
    assert isinstance(good, Task)
    reasons = [item.reason for item in refused if isinstance(item, Refusal)]
    assert len(reasons) == len(bad)
    for reason, part in zip(
        reasons,
        ("not an object", "instance_id: missing", "as pytest names it: 'test_x (a.b.C)'", "no test has to",
         "PASS_TO_PASS: not JSON", "moves files", "not as known: 'file_diffs'", "no name can be made"),
        strict=True,
    ):  # fmt: skip
        assert part in reason


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\nnonsense\n')
    with pytest.raises(TaskError, match=r"x\.jsonl:2: neither JSON nor JSON lines"):
        list(import_instances(path, tmp_path / "out"))


_texts = st.lists(
    st.sampled_from(["a\n", "b\n", "--- c\n", "+++ d\n", "@@ e\n", "\n"]), min_size=1, max_size=12
)


@given(_texts.map("".join), _texts.map("".join), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_reversed_patch_takes_the_patch_back(old: str, new: str, is_cut: bool) -> None:
    if is_cut:
        new = new.rstrip("\n")
    if old == new:
        return
    patch = patch_text("a.py", old, new)
    assert reversed_patch(reversed_patch(patch)) == patch
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.py")
        path.write_text(new)
        command = ["git", "apply", "--unidiff-zero", "-"]
        subprocess.run(command, input=reversed_patch(patch), text=True, cwd=folder, check=True)
        assert path.read_text() == old


def test_drafts_name_what_is_missing() -> None:
    with pytest.raises(TaskError, match="problem_statement: missing"):
        draft_of({**_SMITH, "problem_statement": ""})
