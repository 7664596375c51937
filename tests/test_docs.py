"""Documentation that is made from the code is what the code says now, and what it points at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import generate_docs

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "dev" / "LOG.md",
]


@pytest.mark.parametrize("path", generate_docs.generated(), ids=lambda path: path.name)
def test_generated_documents_are_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generate_docs.generated()[path], "run `make docs`"


def test_every_command_is_in_the_reference() -> None:
    text = generate_docs.cli_reference()
    for name in (
        "trace",
        "doctor",
        "debug",
        "train",
        "export",
        "corpus build",
        "corpus info",
        "eval steps",
        "eval benchmark",
    ):
        assert f"# opencwm {name}\n" in text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_files_named_in_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"\b(?:recipes|examples|docs|dev)/[\w./-]+\.\w+", text):
        assert (ROOT / name).exists(), name


def test_the_native_format_table_matches_the_vocabulary() -> None:
    from opencwm.codec import vocabulary

    text = (ROOT / "docs" / "native_format.md").read_text(encoding="utf-8")
    starts = [int(number) for number in re.findall(r"^\| (\d+)-", text, flags=re.MULTILINE)]
    assert starts == [
        0,
        vocabulary.LINE_BASE,
        vocabulary.INDENT_BASE,
        vocabulary.BYTE_BASE,
        vocabulary.PIECE_BASE,
    ]


def test_what_half_an_hour_reads_is_that_long() -> None:
    text = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
    files = [
        (ROOT / "docs" / target).resolve() for target in re.findall(r"^\| \[.+?\]\(([^)]+\.py)\)", text, re.M)
    ]
    assert len(files) == 17
    assert {path.parent.name for path in files} == {"train", "model"}
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) < 3_600
