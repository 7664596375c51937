"""Decontamination, on items written for these tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opencwm.core.errors import ConfigError
from opencwm.corpus.contamination import ContaminationIndex, find_test_set, read_items

ITEM = '''def count_pairs(numbers, target):
    """How many pairs add up to the target."""
    seen, pairs = set(), 0
    for number in numbers:
        if target - number in seen:
            pairs += 1
        seen.add(number)
    return pairs
'''
RENAMED = (
    ITEM.replace("numbers", "xs")
    .replace("number", "x")
    .replace("pairs", "total")
    .replace("count_total", "amount")
)
PARTLY = """def tally(values):
    seen, pairs = set(), 0
    for number in numbers:
        if target - number in seen:
            return -1
    return len(seen) * 3
"""
UNLIKE = "def f(text):\n    return ' '.join(reversed(text.split()))\n"
TINY = "def g(a, b):\n    return a % b\n"


def jsonl(folder: Path, *items: object, name: str = "items.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


def index_of(*paths: Path, shared_ngrams: int = 1) -> ContaminationIndex:
    return ContaminationIndex([find_test_set(path) for path in paths], shared_ngrams)


@pytest.mark.parametrize(
    ("text", "criterion"),
    [
        (ITEM, "exact"),
        (ITEM.replace("\n    for", "   \n\n    for"), "exact"),
        ("import math\n\n\n" + ITEM + "\nX = 3\n", "exact"),
        ("class A:\n" + "".join(f"    {line}\n" for line in ITEM.splitlines()), "exact"),
        (RENAMED, "ast"),
        ("y = 1\n" + RENAMED, "ast"),
        (ITEM.replace('    """How many pairs add up to the target."""\n', ""), "ast"),
        (ITEM.replace("(numbers, target)", "(numbers: list[int], target: int) -> int"), "ast"),
        (PARTLY, "ngram"),
    ],
)
def test_what_is_in_an_item_falls_by_the_first_criterion(tmp_path: Path, text: str, criterion: str) -> None:
    path = jsonl(tmp_path, {"task_id": "mine/0", "code": TINY}, {"task_id": "mine/1", "code": ITEM})
    assert index_of(path).hits(text) == [(0, criterion, "mine/1")]


@pytest.mark.parametrize("text", [UNLIKE, "def f(a, b):\n    return a - b\n", "x = 1\n", "def (", ""])
def test_what_is_in_no_item_stays(tmp_path: Path, text: str) -> None:
    assert index_of(jsonl(tmp_path, {"code": ITEM}, {"code": TINY})).hits(text) == []


def test_a_tiny_function_falls_by_its_structure(tmp_path: Path) -> None:
    index = index_of(jsonl(tmp_path, {"code": TINY}))
    assert index.hits("def mod(x, y):\n    return x % y\n") == [(0, "ast", "1")]


def test_more_shared_pieces_may_be_asked_for(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"code": ITEM})
    assert index_of(path, shared_ngrams=100).hits(PARTLY) == []
    assert index_of(path, shared_ngrams=100).hits(RENAMED) == [(0, "ast", "1")]


@pytest.mark.parametrize(
    "item",
    [
        {"code": ITEM},
        {"canonical_solution": ITEM},
        {"solution": ITEM},
        {"solutions": ["x = 1\n", ITEM]},
        {"source": ITEM},
        {"program": ITEM, "other": 3},
        {"text": ITEM},
        {
            "prompt": "".join(ITEM.splitlines(keepends=True)[:2]),
            "canonical_solution": "".join(ITEM.splitlines(keepends=True)[2:]),
        },
    ],
)
def test_code_is_found_in_any_of_the_usual_fields(tmp_path: Path, item: dict[str, object]) -> None:
    assert index_of(jsonl(tmp_path, item)).hits(ITEM) == [(0, "exact", "1")]


def test_several_test_sets_are_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "bugs"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "pairs.py").write_text(RENAMED)
    (folder / "notes.txt").write_text("no code")
    first, other = jsonl(tmp_path, {"id": 7, "code": ITEM}), jsonl(tmp_path, {"code": UNLIKE}, name="o.jsonl")
    index = index_of(first, folder, other)
    assert index.hits(ITEM) == [(0, "exact", "7"), (1, "ast", "deep/pairs.py")]
    assert index.hits(UNLIKE) == [(2, "exact", "1")]
    assert [find_test_set(path).num_items for path in (first, folder, other)] == [1, 1, 1]


def test_the_hash_follows_the_contents(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"code": ITEM})
    before = find_test_set(path)
    jsonl(tmp_path, {"code": UNLIKE})
    assert find_test_set(path).sha256 != before.sha256
    assert find_test_set(path).name == before.name == "items.jsonl"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "is no JSON object"),
        ("[1]", "is no JSON object"),
        ('{"question": "why?"}', "has no code .*canonical_solution"),
        ('{"code": ""}', "has no code"),
    ],
)
def test_a_line_that_is_no_item_is_named(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps({"code": ITEM}) + "\n\n" + line + "\n")
    with pytest.raises(ConfigError, match=rf"bad\.jsonl:3: {what}"):
        list(read_items(path))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        find_test_set(tmp_path / "absent.jsonl")
    with pytest.raises(ConfigError, match=r"holds no \.py files"):
        find_test_set(tmp_path)
