"""Names of a module of which it is known that nothing changes what they stand for."""

from __future__ import annotations

import ast

import pytest

from opencwm.debugger.foreseeing.read_only import read_only

BUILTINS = frozenset({"len", "sorted", "list"})


@pytest.mark.parametrize(
    ("use", "is_read"),
    [
        ("TABLE[key]", True),
        ("TABLE.get(key)", True),
        ("key in TABLE", True),
        ("[item for item in TABLE]", True),
        ("len(TABLE), sorted(TABLE)", True),
        ("1 if TABLE else 0", True),
        ("'-'.join(TABLE)", True),
        ("[*TABLE]", True),
        ("TABLE", False),
        ("g(TABLE)", False),
        ("g(**TABLE)", False),
        ("TABLE.pop()", False),
        ("TABLE.get", False),
        ("TABLE == key", False),
        ("TABLE in key", False),
        ("TABLE or key", False),
        ("sum(TABLE)", False),
        ("[TABLE]", False),
        ("g.len(TABLE)", False),
    ],
)
def test_a_use_reads_or_may_do_anything(use: str, is_read: bool) -> None:
    tree = ast.parse(f"TABLE = [1]\ndef f(key):\n    return {use}\n")
    assert ("TABLE" in set(read_only(tree, BUILTINS))) is is_read


@pytest.mark.parametrize("line", ["TABLE[0] = 1", "del TABLE[0]", "x = TABLE", "TABLE.x = 1", "return TABLE"])
def test_statements_that_change_or_keep_it(line: str) -> None:
    tree = ast.parse(f"TABLE = [1]\ndef f(key):\n    {line}\n")
    assert "TABLE" not in set(read_only(tree, BUILTINS))
