"""The list of packages: the one that ships, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from opencwm.core.errors import ConfigError
from opencwm.corpus.harvest.sources import load_sources

SHIPPED = Path(__file__).parents[3] / "recipes" / "harvest" / "sources.toml"
GOOD = '[[package]]\nname = "toolz"\nversion = "1.2.0"\nlicence = "BSD-3-Clause"\n'


def test_the_shipped_list() -> None:
    sources = load_sources(SHIPPED).package
    packages = [source for source in sources if not source.standard_library]
    assert len(packages) >= 60
    assert len({source.name for source in sources}) == len(sources)
    tested = {module for source in sources if source.standard_library for module in source.modules}
    assert {"textwrap", "json", "email", "statistics"} <= tested


def test_only_some(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(GOOD + GOOD.replace("toolz", "boltons"), encoding="utf-8")
    assert [source.name for source in load_sources(path, ("boltons",)).package] == ["boltons"]
    with pytest.raises(ConfigError, match="no package 'other'"):
        load_sources(path, ("other",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + 'licens = "MIT"\n', "unknown key 'licens'.*did you mean 'licence'"),
        (GOOD.replace("BSD-3-Clause", "GPL-3.0-only"), "'GPL-3.0-only' is not permissive"),
        (GOOD.replace("BSD-3-Clause", "MIT OR GPL-2.0-only"), "'GPL-2.0-only' is not permissive"),
        (GOOD.replace("toolz", "../toolz"), "not a name of a distribution"),
        (GOOD.replace("1.2.0", "1.2; rm"), "not a version"),
        (GOOD + "standard_library = true\n", "a version is needed, and only of packages"),
        (GOOD + 'needs = ["six"]\n', "not of the form NAME==VERSION"),
        (GOOD + "seconds = 0\n", "must be positive"),
        (GOOD + GOOD, "'toolz' is named twice"),
        (
            '[[package]]\nname = "x"\nlicence = "MIT"\nstandard_library = true\n',
            "modules and tests must be named",
        ),
        ("", "the key 'package' is missing"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_sources(path)
