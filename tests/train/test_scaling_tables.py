from __future__ import annotations

import pytest

pytest.importorskip("torch")

import scaling_tables


def test_the_tables_of_the_page_are_what_the_commands_print() -> None:
    """After a change, `python dev/scaling_tables.py` writes them anew."""
    text = scaling_tables.PAGE.read_text(encoding="utf-8")
    assert text.count("$ opencwm train") == 4
    assert scaling_tables.with_tables(text) == text
