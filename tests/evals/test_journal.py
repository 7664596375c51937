import json
from pathlib import Path

import pytest

from opencwm.core.errors import ConfigError
from opencwm.evals.journal import FILE_NAME, Journal

SETTINGS = {"model": "m", "config": {"max_steps": 8}}


def test_records_outlive_the_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "new", SETTINGS) as journal:
        journal.append("a", {"x": [1, None, 0.5]})
        journal.append("b", {"y": "é"})
    with Journal(tmp_path / "new", SETTINGS) as journal:
        assert journal.records == {"a": {"x": [1, None, 0.5]}, "b": {"y": "é"}}
        journal.append("c", {})
    with Journal(tmp_path / "new", SETTINGS) as journal:
        assert list(journal.records) == ["a", "b", "c"]


def test_without_a_folder_records_are_in_memory() -> None:
    with Journal(None, SETTINGS) as journal:
        journal.append("a", {"x": (1, 2)})
        assert journal.records == {"a": {"x": [1, 2]}}  # as a file would give them back


def test_every_cut_of_the_file_is_recovered_from(tmp_path: Path) -> None:
    with Journal(tmp_path, SETTINGS) as journal:
        for key in "abc":
            journal.append(key, {"key": key})
    path = tmp_path / FILE_NAME
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for length in sorted({*range(0, len(whole), 9), *ends[:-1], *(end - 1 for end in ends)}):
        path.write_bytes(whole[:length])
        kept = max(sum(end <= length for end in ends) - 1, 0)
        with Journal(tmp_path, SETTINGS) as journal:
            assert list(journal.records) == list("abc")[:kept]
            for key in list("abc")[kept:]:
                journal.append(key, {"key": key})
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"model": "other", "config": {"max_steps": 8}}, "model"),
        ({"model": "m", "config": {"max_steps": 9}}, "config"),
        ({"model": "m"}, "config"),
        ({**SETTINGS, "seed": 1}, "seed"),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, settings: dict[str, object], name: str) -> None:
    Journal(tmp_path, SETTINGS).close()
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(ConfigError, match=f"{name} is .* made with") as caught:
        Journal(tmp_path, settings)
    assert "another folder" in caught.value.hint
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_two_evaluations_never_write_to_one_folder(tmp_path: Path) -> None:
    with Journal(tmp_path, SETTINGS), pytest.raises(ConfigError, match="another evaluation"):
        Journal(tmp_path, SETTINGS)
    Journal(tmp_path, SETTINGS).close()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("not json\n", "not a line of evaluation results"),
        ("[1]\n", "not a line of evaluation results"),
        ('{"program": 1}\n', "not a file of evaluation results"),
        ('{"kind": "opencwm eval results", "schema_version": 0, "settings": {}}\n', "schema version 0"),
    ],
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str, what: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(content)
    with pytest.raises(ConfigError, match=what) as caught:
        Journal(tmp_path, SETTINGS)
    assert str(path) in caught.value.where
    assert path.read_text() == content


def test_a_spoilt_line_is_named(tmp_path: Path) -> None:
    with Journal(tmp_path, SETTINGS) as journal:
        journal.append("a", {})
    path = tmp_path / FILE_NAME
    path.write_text(path.read_text() + json.dumps({"key": 3}) + "\n")
    with pytest.raises(ConfigError, match="not a result") as caught:
        Journal(tmp_path, SETTINGS)
    assert caught.value.where.endswith(":3")


def test_a_case_has_one_result() -> None:
    journal = Journal(None, SETTINGS)
    journal.append("a", {})
    with pytest.raises(ValueError, match="already"):
        journal.append("a", {})


def test_a_file_in_place_of_the_folder_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        Journal(tmp_path / "file", SETTINGS)
