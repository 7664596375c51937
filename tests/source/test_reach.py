"""Reachability: what is left out does not matter to the run, and what is shown is a program."""

from __future__ import annotations

import dataclasses
import decimal
import random
import time
from pathlib import Path

import pytest
from flow_programs import STATEMENTS, random_program

from opencwm.core.errors import ConfigError
from opencwm.corpus.generator import generate_program, sample_config
from opencwm.source.cfg import ControlFlow
from opencwm.source.reach import visible_lines
from opencwm.tracer import record
from opencwm.traces import Program, Status, Trace

REGISTRY = '''
"""Module docstring."""
from __future__ import annotations
import os, math
from json import dumps
from collections import *

LIMIT = 3  # how many
OTHER = 5
TABLE = {}
TABLE['x'] = 1
TABLE.update(y=2)
HANDLERS = {}
UNUSED_TABLE = {}
UNUSED_TABLE['z'] = OTHER

# a comment

def register(function):
    HANDLERS[function.__name__] = function
    return function

@register
def one():
    """Doc."""
    return 1

@register
def two(): return 2

def helper(n: Annotated):
    """Doc.

    More.
    """

    # comment
    text = """
# no comment

"""
    return n * LIMIT + TABLE['x'] + len(text)

def unused():
    return OTHER

class Annotated:
    pass

class Base:
    """Only a docstring."""

class Shape(Base):
    "doc"
    sides = 3

    def __init__(self):
        self.q = 1

    @property
    def area(self):
        return math.pi

    def go(self):
        return self.inner()

    def inner(self): return self.area

    def never(self):
        return dumps(os.name)

class Square(Shape):
    def other(self): pass

class Empty:
    def only(self):
        """Doc."""
        return undefined_anywhere

def f(x):
    Empty
    total = helper(x)
    total += Shape().go()
    return total, HANDLERS['one'](), sorted(HANDLERS)

if __name__ == '__main__':
    LIMIT = f(1)
'''


def blanked(text: str, lines: tuple[int, ...]) -> str:
    """Return ``text`` with every line that is not visible emptied: line numbers stay.

    Annotations need not be evaluated, and nothing in them is followed.
    """
    kept = {number for number, line in enumerate(text.split("\n"), 1) if line.startswith("from __future__")}
    kept.update(lines)
    return "\n".join(line if number in kept else "" for number, line in enumerate(text.split("\n"), 1))


def run_both(program: Program) -> tuple[Trace, Trace]:
    """Record a program, and the same program with only its visible lines."""
    visible = visible_lines(program.text, program.entry)
    shown = dataclasses.replace(program, source=blanked(program.text, visible.lines), call=None)
    return record(program), record(shown)


def test_what_is_left_out_does_not_change_the_run() -> None:
    whole, shown = run_both(Program.from_call(REGISTRY, "f(2)"))
    assert whole.status is Status.RETURNED
    assert shown.steps == whole.steps
    assert shown.codes == whole.codes


@pytest.mark.parametrize("name", [name for name in STATEMENTS if name not in ("dunder_del", "async")])
def test_every_statement_runs_the_same_from_its_visible_lines(name: str) -> None:
    whole, shown = run_both(Program(STATEMENTS[name], "main"))
    assert shown.steps == whole.steps
    assert (shown.status, shown.detail) == (whole.status, whole.detail)


def test_random_programs_run_the_same_from_their_visible_lines() -> None:
    for seed in range(30):
        whole, shown = run_both(Program(random_program(seed), "main"))
        assert shown.steps == whole.steps, seed


def test_generated_programs_run_the_same_from_their_visible_lines() -> None:
    rng = random.Random(6)
    for number in range(60):
        whole, shown = run_both(generate_program(rng, sample_config(rng)))
        assert shown.steps == whole.steps, number


def test_what_is_shown_and_left_out() -> None:
    text = Program.from_call(REGISTRY, "f(2)").text
    visible = visible_lines(text, "main")
    shown = [text.split("\n")[line - 1].strip() for line in visible.lines]
    assert visible.left_out == ("unused", "Annotated", "Shape.never", "Square")
    assert "return f(2)" in shown
    assert "LIMIT = 3  # how many" in shown
    assert "TABLE.update(y=2)" in shown
    assert "# no comment" in shown
    for absent in (
        "# comment",
        "Doc.",
        '"doc"',
        "OTHER = 5",
        "UNUSED_TABLE = {}",
        "from json import dumps",
        "LIMIT = f(1)",
    ):
        assert absent not in shown, absent
    assert list(visible.lines) == sorted(set(visible.lines))


def test_every_line_of_a_reached_function_is_visible() -> None:
    text = Program.from_call(REGISTRY, "f(2)").text
    visible = visible_lines(text, "main")
    shown = set(visible.lines)
    left_out = {"unused", "Shape.never", "Square.other"}
    classes = {
        "Annotated",
        "Base",
        "Shape",
        "Square",
        "Empty",
    }  # their bodies ran when the module was imported
    graphs = [graph for graph in ControlFlow(text) if graph.qualname not in left_out | classes]
    assert len(graphs) >= 8
    for graph in graphs:
        assert {graph.firstlineno, *graph.lines} <= shown, graph.qualname


def test_a_method_can_be_the_entry() -> None:
    text = (
        "class A:\n    def f(self):\n        return self.g()\n"
        "    def g(self):\n        return 1\n    def h(self):\n        return 2\n"
    )
    assert visible_lines(text, "A.f").lines == (1, 2, 3, 4, 5)
    assert visible_lines(text, "A.f").left_out == ("A.h",)


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("return A().g()", True),
        ("return getattr(A(), 'g')()", True),
        ("return getattr(A(), name)()", True),
        ("return eval('A().g()')", True),
        ("return A().h()", False),
        ("return getattr(A(), 'h')()", False),
    ],
)
def test_methods_are_reached_by_attribute(body: str, seen: bool) -> None:
    text = (
        f"class A:\n    def g(self):\n        return 1\n"
        f"    def h(self):\n        return 2\ndef f(name):\n    {body}\n"
    )
    assert (3 in visible_lines(text, "f").lines) is seen


def test_subclasses_are_reached_when_asked_for() -> None:
    text = "class A:\n    pass\nclass B(A):\n    x = 1\ndef f():\n    return A{}\n"
    assert visible_lines(text.format(".__subclasses__()"), "f").left_out == ()
    assert visible_lines(text.format("()"), "f").left_out == ("B",)


def test_methods_of_a_class_with_a_foreign_base_are_all_reached() -> None:
    text = (
        "import ast\nclass V(ast.NodeVisitor):\n    def visit_Name(self, node):\n"
        "        return 1\ndef f(t):\n    V().visit(t)\n"
    )
    assert visible_lines(text, "f").left_out == ()


@pytest.mark.parametrize("entry", ["nothing", "A.nothing", "os"])
def test_an_entry_that_is_not_there_is_one_error(entry: str) -> None:
    with pytest.raises(ConfigError, match="there is no function"):
        visible_lines("import os\nclass A:\n    def f(self): pass\n", entry)


def test_text_that_does_not_parse_is_one_error() -> None:
    with pytest.raises(ConfigError, match="not valid Python") as caught:
        visible_lines("x = 1\ndef f(:\n", "f")
    assert caught.value.where == "line 2"


def test_a_file_of_ten_thousand_lines_takes_less_than_a_second() -> None:
    text = Path(str(decimal.__file__)).with_name("_pydecimal.py").read_text(encoding="utf-8")
    filler = "\n".join(
        f"def filler_{i}(x):\n    y = x + {i}\n    return filler_{i + 1}(y)\n" for i in range(1200)
    )
    text = f"{text}\n{filler}\ndef filler_1200(x):\n    return Decimal(x).sqrt()\n"
    assert text.count("\n") > 10_000
    start = time.perf_counter()
    visible = visible_lines(text, "filler_7")
    assert time.perf_counter() - start < 5  # about 0.3 s on an idle core; the bound is for a busy one
    assert any(name == "filler_6" for name in visible.left_out)
    assert text.split("\n")[visible.lines[-1] - 1].strip() == "return Decimal(x).sqrt()"
