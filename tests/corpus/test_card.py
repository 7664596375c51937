"""The data card: what it counts, and that Hugging Face could read it."""

from __future__ import annotations

import collections
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipes import content, recipe

from opencwm.core.config import to_json
from opencwm.corpus.build import build_corpus
from opencwm.corpus.card import write_card
from opencwm.corpus.shards import read_manifest, read_split
from opencwm.corpus.statistics import Statistics, origin_of, summary, value_type
from opencwm.corpus.structure import SPLITS
from opencwm.tracer import record
from opencwm.traces import Program


@pytest.mark.parametrize(
    "value",
    [
        0, -7, 10**20, 1.5, -0.5, 1e300, 1e-7, float("inf"), float("-inf"), float("nan"), 2j, 1 + 2j, True,
        False, None, "", "it's", 'a"b', "{1: 2}", b"x", [], [1, "]"], (), (1,), {}, {1: 2}, {"a:b": [1]},
        {1}, {"a:b"}, {(1, 2): 3}, {"\\": 1}, set(), frozenset({1}), range(3), collections.deque([1]),
        collections.Counter("aab"),
    ],
    ids=repr,
)  # fmt: skip
def test_types_are_told_from_text_as_they_are(value: object) -> None:
    wanted = "None" if value is None else type(value).__name__
    assert value_type(repr(value)) == wanted


def test_other_values() -> None:
    assert value_type("Point(x=1, y=2)") == "object"
    assert value_type("<function f>") == "other"
    assert value_type("") == "other"


SCALARS = st.integers() | st.text() | st.booleans() | st.floats()
SETS = st.frozensets(st.text(), min_size=1).map(set)
LITERALS = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner, max_size=3) | SETS
)


@settings(max_examples=200)
@given(LITERALS)
def test_any_literal_is_of_its_type(value: object) -> None:
    assert value_type(repr(value)) == type(value).__name__


def test_origins_are_packages_without_version_and_place() -> None:
    assert origin_of(Program("", "main", origin="pkg:pypi/attrs@25.1#attr._make:f")) == "pkg:pypi/attrs"
    assert origin_of(Program("", "main", origin="generated")) == "generated"
    assert origin_of(Program("", "main")) == "unknown"


def test_counters_add_up_whatever_the_order() -> None:
    source = "def f(n):\n    for i in [n]:\n        n += i\n    return n\n"
    traces = [record(Program.from_call(source, f"f({n})")) for n in range(3)]
    both, first, second = Statistics(), Statistics(), Statistics()
    for trace in traces:
        both.add_trace(trace)
        (first if trace is traces[1] else second).add_trace(trace)
    first.add(second.counts())
    assert first.counts() == both.counts()
    assert both.counts()["constructs"]["for"] == 3
    assert both.counts()["constructs"]["augmented assignment"] == 3
    assert both.counts()["steps"] == {str(len(traces[0].steps)): 3}


@given(st.lists(st.integers(0, 50), min_size=1))
def test_a_summary_is_that_of_the_values(values: list[int]) -> None:
    found = summary({str(value): values.count(value) for value in values})
    ordered = sorted(values)
    assert (found["number"], found["total"], found["max"]) == (len(values), sum(values), ordered[-1])
    assert found["median"] == ordered[(len(values) - 1) // 2]
    assert found["p90"] == ordered[-(-len(values) * 9 // 10) - 1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card") / "corpus"
    build_corpus(recipe(60, encode={"formats": ["native", "cwm"]}), folder, workers=0)
    return folder


def test_the_numbers_are_those_of_the_shards(built: Path) -> None:
    card = json.loads((built / "card" / "statistics.json").read_text())
    traces = [trace for split in SPLITS for trace in read_split(built, split)]
    assert card["steps"]["total"] == sum(len(trace.steps) for trace in traces)
    assert card["lines"]["max"] == max(len(trace.program.lines) for trace in traces)
    assert {split: card["splits"][split]["programs"] for split in SPLITS} == {
        split: read_manifest(built).num_rows(split) for split in SPLITS
    }
    assert card["tokens"]["native"]["number"] >= len(traces)
    assert "cwm" not in card["tokens"]


def test_the_card_has_what_a_card_has(built: Path) -> None:
    text = (built / "README.md").read_text()
    _, header, body = text.split("---\n", 2)
    for key in ("license:", "size_categories:", "configs:", "task_categories:"):
        assert f"\n{key}\n" in f"\n{header}"
    for line in header.splitlines():
        if "path:" in line:
            assert list(built.glob(line.split('"')[1]))
    assert "- config_name: cwm\n" in header
    for title in ("Splits", "Sources", "Licences", "Length", "Constructs", "Values", "Endings", "Recipe"):
        assert f"\n## {title}\n" in body
    pictures = [line.split("(")[1].rstrip(")") for line in body.splitlines() if line.startswith("![")]
    assert sorted(pictures) == [
        f"card/{name}.png" for name in ("constructs", "sources", "steps", "tokens", "values")
    ]
    assert all((built / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)


def test_the_card_can_be_made_again_from_the_manifest(built: Path, tmp_path: Path) -> None:
    write_card(tmp_path, read_manifest(built))
    assert content(tmp_path) == {
        name: hash_ for name, hash_ in content(built).items() if name.startswith(("README", "card"))
    }


def test_without_matplotlib_the_card_says_so(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(to_json(recipe(20)))
    code = (
        "import json, sys; sys.modules['matplotlib'] = None\n"
        "from pathlib import Path\n"
        "from opencwm.core.config import from_dict\n"
        "from opencwm.corpus.build import build_corpus\n"
        "from opencwm.corpus.recipe import Recipe\n"
        "folder = Path(sys.argv[1])\n"
        "recipe = from_dict(Recipe, json.loads((folder / 'r.json').read_text()))\n"
        "build_corpus(recipe, folder / 'out', workers=0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert not [name for name in content(tmp_path / "out") if name.endswith(".png")]
    assert "matplotlib was not installed" in (tmp_path / "out" / "README.md").read_text()
