"""The likeness of patches, as it was published, and what it is worth."""

from __future__ import annotations

import difflib
import subprocess
import time
from pathlib import Path

import hypothesis
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from opencwm.rl.patch_similarity import MAX_CHANGE_CHARS, changes, credit, similarity

OLD = "def add(a, b):\n    total = a - b\n    return total\n"
RIGHT = OLD.replace("a - b", "a + b")
CLOSE = OLD.replace("a - b", "a * b")


def git_diff(folder: Path, before: dict[str, str], after: dict[str, str]) -> str:
    """Return what git says of a change of files; None of text stands for no file."""
    for name, files in (("one", before), ("two", after)):
        for path, text in files.items():
            target = folder / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        (folder / name).mkdir(exist_ok=True)
    command = ["git", "diff", "--no-index", "--no-color", "-M", "--src-prefix=a/", "--dst-prefix=b/"]
    done = subprocess.run([*command, "one", "two"], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.replace("a/one/", "a/").replace("b/two/", "b/").replace("from one/", "from ")


@pytest.fixture
def oracle(tmp_path: Path) -> str:
    return git_diff(tmp_path / "right", {"calc.py": OLD}, {"calc.py": RIGHT})


def test_the_solution_is_like_itself_and_a_close_one_nearly(oracle: str, tmp_path: Path) -> None:
    close = git_diff(tmp_path / "close", {"calc.py": OLD}, {"calc.py": CLOSE})
    assert similarity(oracle, oracle) == 1.0
    given, wanted = (changes(patch)["calc.py"] for patch in (close, oracle))
    assert given.startswith("@@ -1,3 +1,3 @@\n def add(a, b):\n-    total = a - b\n+    total = a * b")
    assert similarity(oracle, close) == difflib.SequenceMatcher(None, given, wanted, autojunk=False).ratio()
    assert 0.9 < similarity(oracle, close) < 1.0
    assert credit(oracle, close, 0.5) == 0.5, "the threshold is paid, not the likeness"
    assert credit(oracle, close, 0.999) == 0.0


def test_only_the_files_of_the_solution_count(tmp_path: Path) -> None:
    before = {"a.py": OLD, "b.py": OLD}
    both = git_diff(tmp_path / "both", before, {"a.py": RIGHT, "b.py": RIGHT})
    one = git_diff(tmp_path / "one", before, {"a.py": RIGHT, "b.py": OLD})
    more = git_diff(tmp_path / "more", before, {"a.py": RIGHT, "b.py": RIGHT, "c.py": "x = 1\n"})
    other = git_diff(tmp_path / "other", before, {"a.py": OLD, "b.py": OLD, "c.py": "x = 1\n"})
    assert similarity(both, one) == 0.5
    assert similarity(both, more) == 1.0
    assert similarity(both, other) == 0.0
    assert similarity(one, both) == 1.0


def test_a_rename_is_part_of_what_is_compared(tmp_path: Path) -> None:
    moved = git_diff(tmp_path / "moved", {"a.py": OLD}, {"new.py": RIGHT})
    assert list(changes(moved)) == ["a.py"]
    assert changes(moved)["a.py"].startswith("rename from a.py to ")
    stayed = git_diff(tmp_path / "stayed", {"a.py": OLD}, {"a.py": RIGHT})
    assert 0.5 < similarity(moved, stayed) < 1.0


@pytest.mark.parametrize(
    "wrong", ["", "no patch", "diff --git a/x b/x\n", "--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n-a\n"]
)
def test_what_is_no_patch_is_like_nothing(wrong: str, oracle: str) -> None:
    assert not any(changes(wrong).values())
    assert similarity(oracle, wrong) == similarity(wrong, oracle) == 0.0
    assert credit(oracle, wrong, 0.1) == 0.0


def test_a_binary_file_is_no_change(tmp_path: Path, oracle: str) -> None:
    (tmp_path / "b/one").mkdir(parents=True)
    (tmp_path / "b/two").mkdir()
    (tmp_path / "b/two/calc.py").write_bytes(b"\0\1")
    binary = git_diff(tmp_path / "b", {}, {})
    assert "Binary files" in binary
    assert changes(binary) == {}
    assert similarity(oracle, binary) == 0.0


def test_gigantic_changes_take_no_time(oracle: str, tmp_path: Path) -> None:
    line = "x = 'the same line again'\n"
    huge = git_diff(tmp_path / "huge", {"calc.py": OLD}, {"calc.py": OLD + line * 4_000})
    assert len(changes(huge)["calc.py"]) > MAX_CHANGE_CHARS
    started = time.monotonic()
    assert similarity(oracle, huge) == credit(oracle, huge, 0.5) == credit(huge, huge, 0.5) == 0.0
    assert time.monotonic() - started < 10
    assert changes(huge * 20) == {}


@hypothesis.given(st.text(max_size=100), st.text(max_size=100))
@settings(max_examples=50, deadline=None)
def test_any_text_has_a_likeness_between_0_and_1(one: str, other: str) -> None:
    head = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,1 +1,1 @@\n"
    for oracle in (one, head + one):
        for patch in (other, head + other):
            assert 0.0 <= similarity(oracle, patch) <= 1.0
