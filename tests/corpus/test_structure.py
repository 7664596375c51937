from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from opencwm.corpus.generator import GeneratorConfig, generate_program
from opencwm.corpus.structure import (
    SPLITS,
    digest,
    functions_of,
    group_of,
    split_of,
    structure_tokens,
    subject_and_parts,
    tree_tokens,
)
from opencwm.traces import Program

FIRST = "def f(text):\n    out = text.upper()  # loud\n    return f'{out}!' + 'text'\n"


@pytest.mark.parametrize(
    "same",
    [
        "def shout(s):\n    t = s.upper()\n    return f'{t}!' + 'text'\n",
        'def f(text: str) -> str:\n    """Go."""\n    o: str = text.upper()\n    return f"{o}!" + "text"\n',
        "def f(text):\n\n  out = (text\n    .upper())\n  return (f'{out}!'\n    + 'text')",
    ],
)
def test_names_comments_layout_docstrings_and_annotations_do_not_count(same: str) -> None:
    assert structure_tokens(same) == structure_tokens(FIRST)


@pytest.mark.parametrize(
    "other",
    [
        FIRST.replace("upper", "lower"),
        FIRST.replace("'text'", "'s'"),
        FIRST.replace("out = ", "text = "),
        FIRST.replace(" + ", " * "),
        FIRST.replace("def f(text)", "def f(*text)"),
        FIRST.replace("def f(text)", "def f(text, y)"),
        FIRST + "f('a')\n",
    ],
)
def test_everything_else_counts(other: str) -> None:
    assert structure_tokens(other) != structure_tokens(FIRST)


def test_builtins_and_what_is_imported_keep_their_names() -> None:
    assert structure_tokens("x = len(a)\n") != structure_tokens("x = sum(a)\n")
    assert structure_tokens("import os as o\no.x\n") == structure_tokens("import os as p\np.x\n")
    assert structure_tokens("import os as o\n") != structure_tokens("import re as o\n")
    assert structure_tokens("f(key=1)\n") != structure_tokens("f(other=1)\n")
    assert structure_tokens("def f(a): return a\nf(a=1)\n") == structure_tokens(
        "def g(b): return b\ng(b=1)\n"
    )


def test_what_is_no_python_is_its_own_structure() -> None:
    assert structure_tokens("def (") == ["def ("]


def test_nesting_without_end_is_no_failure() -> None:
    structure_tokens("x = " + "(" * 80 + "1" + ")" * 80)
    structure_tokens("x = 1" + " + 1" * 20000)


def renamed(source: str) -> str:
    """The source with another name for each of its own."""
    tree = ast.parse(source)
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}

    class Rename(ast.NodeTransformer):
        def visit_arg(self, node: ast.arg) -> ast.arg:
            node.arg = f"other_{node.arg}" if node.arg != "self" else "self"
            return node

        def visit_Name(self, node: ast.Name) -> ast.Name:
            node.id = f"other_{node.id}" if node.id in own - {"self"} else node.id
            return node

        def visit_keyword(self, node: ast.keyword) -> ast.keyword:
            node.arg = f"other_{node.arg}" if node.arg in own - {"self"} else node.arg
            self.generic_visit(node)
            return node

    return ast.unparse(Rename().visit(tree))


@settings(max_examples=40, deadline=None)
@example(444, 1.0)  # a function of the module called with a keyword
@given(st.integers(0, 2**32), st.floats(0.0, 1.0))
def test_a_renamed_program_has_the_same_structure(seed: int, size: float) -> None:
    import random

    program = generate_program(random.Random(seed), GeneratorConfig(size=size))
    if "=" in (program.call or ""):
        return
    copy = renamed(program.source)
    assert [token for token in structure_tokens(program.source) if not token.startswith("v")] == [
        token for token in structure_tokens(copy) if not token.startswith("v")
    ]


def test_functions_are_found_in_modules_and_classes() -> None:
    source = "class A:\n    def m(self): 1\nif 1:\n    def g():\n        def inner(): 1\nasync def h(): 1\n"
    assert [function.name for function in functions_of(ast.parse(source))] == ["m", "g", "h"]


LOOP = "def {}(xs):\n    total = 0\n    for x in xs:\n        total += x * 2\n    return total\n"
SHORT = "def pick(x):\n    return x\n"


@pytest.mark.parametrize(
    ("call", "origin", "expected"),
    [
        ("double([1])", "", ["double"]),
        ("main()", "", ["main"]),
        (None, "", ["main"]),
        ("list(double([1]))", "pkg:pypi/some@1#some.place:double", ["double"]),
        ("Box().keep([1])", "pkg:pypi/some@1#some.place:Box.keep", ["keep"]),
        ("double([1])", "pkg:pypi/some@1#some.place:renamed_in_the_source", ["double"]),
        ("pick(1)", "pkg:pypi/some@1#some.place:pick", ["main"]),  # too short to be about
    ],
)
def test_what_a_program_is_about(call: str | None, origin: str, expected: list[str]) -> None:
    box = "class Box:\n" + textwrap.indent(LOOP.format("keep").replace("(xs", "(self, xs"), "    ")
    main = "def main():\n    for n in range(3):\n        print(double([n]) + n)\n    return pick(1)\n"
    source = LOOP.format("double") + SHORT + box + main
    program = Program(source=source, entry="main", call=call, origin=origin)
    subject, parts = subject_and_parts(program)
    by_digest = {digest(tree_tokens(one)): one.name for one in functions_of(ast.parse(source))}
    assert [by_digest[one] for one in subject] == expected
    assert {by_digest[one] for one in parts} == {"double", "keep", "main"}
    assert subject_and_parts(Program(source="def (", entry="main")) == ((), ())


def test_a_group_decides_the_split_whatever_the_source() -> None:
    first = Program.from_call("def f(a):\n    return a\n", "f(1)", group="pkg:x")
    other = Program.from_call("def g(a):\n    return a * 2\n", "g(1)", group="pkg:x")
    assert group_of(first) == group_of(other)
    alone = Program.from_call("def f(a):\n    return a\n", "f(1)")
    called = Program.from_call("def g(b):\n    return b\n", "g(2)")
    assert group_of(alone) == group_of(called) == f"structure:{digest(structure_tokens(alone.source)):016x}"


def test_splits_have_about_the_shares_asked_for() -> None:
    found = [
        split_of(Program("", "main", group=str(n)), valid_fraction=0.2, test_fraction=0.1)
        for n in range(4000)
    ]
    shares = {split: found.count(split) / 4000 for split in SPLITS}
    assert shares["test"] == pytest.approx(0.1, abs=0.02)
    assert shares["valid"] == pytest.approx(0.2, abs=0.025)
