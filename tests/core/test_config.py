from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.config import from_dict, load_config, to_dict, to_json
from opencwm.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5
    name: Literal["plain", "fancy"] = "plain"
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outer:
    count: int
    inner: Inner = Inner()
    label: str = ""
    verbose: bool = False
    limit: int | None = None
    folder: Path = Path("out")
    weights: dict[str, float] = field(default_factory=dict)
    anything: dict[str, Any] = field(default_factory=dict)


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_precedence_is_default_then_file_then_override(tmp_path: Path) -> None:
    path = write(tmp_path, 'count = 3\nlabel = "file"\n[inner]\nrate = 0.25\n')
    config = load_config(Outer, path, ["label=set", "inner.sizes=[1, 2]", "limit=7", "folder=a/b"])
    assert config == Outer(
        count=3, label="set", limit=7, folder=Path("a/b"), inner=Inner(rate=0.25, sizes=(1, 2))
    )
    assert load_config(Outer, None, ["count=1"]) == Outer(count=1)
    with pytest.raises(ConfigError, match="unknown key 'number'") as caught:
        load_config(Outer, None, ["number=1"], where="--limit")
    assert caught.value.where == "--limit"


def test_an_integer_is_a_number_and_nothing_else_is_converted(tmp_path: Path) -> None:
    config = load_config(Outer, write(tmp_path, "count = 1\ninner.rate = 2\nweights = {a = 1, b = 0.5}\n"))
    assert config.inner.rate == 2.0
    assert isinstance(config.inner.rate, float)
    assert config.weights == {"a": 1.0, "b": 0.5}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("count = 1\nlable = 'x'", "unknown key 'lable'.*did you mean 'label'"),
        ("count = 1\n[inner]\nrat = 1", "inner: unknown key 'rat'.*'rate'"),
        ("count = 1\nzzz = 1", "unknown key 'zzz'.*known keys: anything, count"),
        ("label = 'x'", "the key 'count' is missing"),
        ("count = 1.5", "count: must be an integer, not 1.5"),
        ("count = true", "count: must be an integer, not True"),
        ("count = 1\nverbose = 1", "verbose: must be true or false, not 1"),
        ("count = 1\nlabel = 4", "label: must be a string, not 4"),
        ("count = 1\ninner = 4", "inner: must be a table, not 4"),
        ("count = 1\ninner.rate = 'x'", "rate: must be a number, not 'x'"),
        ("count = 1\ninner.rate = true", "rate: must be a number, not True"),
        ("count = 1\ninner.name = 'odd'", "name: 'odd' is not one of 'plain', 'fancy'"),
        ("count = 1\ninner.sizes = 3", "sizes: must be a list, not 3"),
        ("count = 1\ninner.sizes = [1, 'x']", r"sizes\[1\]: must be an integer, not 'x'"),
        ("count = 1\nlimit = 'x'", "limit: must be an integer, not 'x'"),
        ("count = ", "is not valid TOML"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path: Path, text: str, what: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=what) as caught:
        load_config(Outer, path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("count", "must look like table.key=value"),
        ("=3", "must look like table.key=value"),
        ("inner..rate=3", "must look like table.key=value"),
        ("count.x=3", "'count' is a value, not a table"),
        ("inner.rats=3", "did you mean 'rate'"),
    ],
)
def test_a_bad_override_is_refused(override: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        load_config(Outer, None, ["count=1", override])


def test_unreadable_files_are_config_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_config(Outer, path)
    (tmp_path / "latin.toml").write_bytes(b"label = '\xe9'")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(Outer, tmp_path / "latin.toml")


configs = st.builds(
    Outer,
    count=st.integers(-(2**40), 2**40),
    inner=st.builds(
        Inner,
        rate=st.floats(allow_nan=False),
        name=st.sampled_from(["plain", "fancy"]),
        sizes=st.lists(st.integers(-9, 9), max_size=3).map(tuple),
    ),
    label=st.text(max_size=20),
    verbose=st.booleans(),
    limit=st.none() | st.integers(0, 9),
    folder=st.sampled_from([Path("a"), Path("/b/c")]),
    weights=st.dictionaries(st.text(max_size=5), st.floats(0, 1), max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(configs)
def test_resolved_json_reads_back_the_same(config: Outer) -> None:
    assert from_dict(Outer, json.loads(to_json(config))) == config


def test_to_dict_takes_instances_only() -> None:
    assert to_dict(Inner()) == {"rate": 0.5, "name": "plain", "sizes": []}
    for wrong in (Inner, 3):
        with pytest.raises(TypeError):
            to_dict(wrong)


@dataclass(frozen=True, kw_only=True)
class Circle:
    kind: Literal["circle"] = "circle"
    radius: float


@dataclass(frozen=True, kw_only=True)
class Square:
    kind: Literal["square"] = "square"
    side: int = 1


@dataclass(frozen=True, kw_only=True)
class Drawing:
    shapes: dict[str, Circle | Square] = field(default_factory=dict)


def test_a_union_of_tables_is_told_apart_by_its_kind(tmp_path: Path) -> None:
    path = write(tmp_path, "[shapes.a]\nkind = 'circle'\nradius = 2\n[shapes.b]\nkind = 'square'\n")
    drawing = load_config(Drawing, path, ["shapes.b.side=3"])
    assert drawing == Drawing(shapes={"a": Circle(radius=2.0), "b": Square(side=3)})
    assert from_dict(Drawing, to_dict(drawing)) == drawing


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("kind = 'circle'\nradios = 1", "shapes.a: unknown key 'radios'.*'radius'"),
        ("kind = 'oval'", "shapes.a: kind: 'oval' is not one of 'circle', 'square'"),
        ("side = 1", "shapes.a: kind: the key 'kind' is missing .*one of 'circle', 'square'"),
        ("kind = 'circle'", "shapes.a: the key 'radius' is missing"),
    ],
)
def test_a_mistake_in_a_union_names_the_member(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        load_config(Drawing, write(tmp_path, f"[shapes.a]\n{text}\n"))
