"""Control-flow graphs: everything that really happens is allowed, and little else."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from flow_checker import check_programs, check_sources
from flow_programs import STATEMENTS, random_program

import opencwm
from opencwm.core.errors import ConfigError
from opencwm.corpus.generator import generate_program, sample_config
from opencwm.source.cfg import CodeGraph, ControlFlow
from other_pythons import VERSIONS, interpreter

HERE = Path(__file__).parent
SOURCE_ROOT = Path(opencwm.__file__).parents[1]


def graph_of(text: str, name: str = "f") -> CodeGraph:
    return next(graph for graph in ControlFlow(text) if graph.qualname == name)


@pytest.mark.parametrize("name", STATEMENTS)
def test_real_steps_of_every_statement_are_allowed(name: str) -> None:
    tally = check_sources({name: STATEMENTS[name]})
    assert tally.violations == []
    assert tally.num_steps >= 3


def test_real_steps_of_random_control_flow_are_allowed_and_mostly_forced() -> None:
    tally = check_sources({f"random{seed}": random_program(seed) for seed in range(100)})
    assert tally.violations == []
    assert tally.num_next_lines > 5_000
    assert tally.num_legal_lines / tally.num_next_lines < 1.6
    assert tally.num_single / tally.num_next_lines > 0.5


def test_real_steps_of_generated_programs_are_allowed_and_few_others() -> None:
    rng = random.Random(5)
    tally = check_programs({str(n): generate_program(rng, sample_config(rng)) for n in range(150)})
    assert tally.violations == []
    assert tally.num_next_lines > 1_000
    assert tally.num_legal_lines / tally.num_next_lines < 1.8


@pytest.mark.parametrize("version", VERSIONS)
def test_real_steps_of_other_pythons_are_allowed(version: str) -> None:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip("the tests above ran in it")
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    answer = subprocess.run(
        [python, str(HERE / "flow_checker.py"), "60"],
        env={"PYTHONPATH": str(SOURCE_ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    tally = json.loads(answer.stdout)
    assert tally["violations"] == []
    assert tally["num_programs"] > 100


def test_the_checker_sees_a_step_that_is_not_allowed() -> None:
    """A graph of another program must not explain a run, or the tests above would show nothing."""
    from flow_checker import Tally, check_trace

    from opencwm.tracer import record
    from opencwm.traces import Program

    trace = record(Program("def main():\n    x = 1\n    return x\n", "main"))
    tally = Tally()
    check_trace("swapped", ControlFlow("def main():\n    return 1\n    x = 1\n"), trace, tally)
    assert tally.violations


def test_straight_line_code_has_one_way_only() -> None:
    graph = graph_of("def f(a):\n    b = a\n    c = b\n    return c\n")
    assert graph.entry_lines == {2}
    assert graph.successors == {2: frozenset({3}), 3: frozenset({4}), 4: frozenset()}
    assert graph.can_return == {4}
    assert graph.may_call == frozenset()
    assert graph.lines == (2, 3, 4)


def test_loops_and_branches() -> None:
    graph = graph_of("def f(n):\n    for i in range(n):\n        if i:\n            break\n    return n\n")
    assert graph.successors == {
        2: frozenset({3, 5}),
        3: frozenset({2, 4}),
        4: frozenset({5}),
        5: frozenset(),
    }


def test_a_loop_on_one_line_comes_again() -> None:
    graph = graph_of("def f(n):\n    while n: n -= 1\n    return n\n")
    assert graph.successors[2] == {2, 3}


def test_exceptions_go_to_handlers_or_out() -> None:
    text = """def f(n):
    try:
        n = 1 / n
    except ValueError:
        n = 2
    finally:
        n = 3
    return n / n
"""
    graph = graph_of(text)
    assert graph.handlers[3] == {4}
    assert graph.successors[4] == {5, 7}  # not matched: on to the finally
    assert 3 not in graph.unwinds
    assert 8 in graph.unwinds
    assert graph.after_line[7].can_unwind  # the finally passes the exception on
    assert graph.successors[7] == {8}
    assert 3 in graph.may_raise


def test_generators_yield_and_resume() -> None:
    graph = graph_of("def f():\n    a = 1\n    b = yield a\n    return b\n")
    assert graph.is_generator
    assert graph.can_yield == {3}
    assert graph.after_resume.lines == {4}
    assert not graph_of("def f():\n    return 1\n").is_generator


def test_names_of_comprehensions_are_no_locals() -> None:
    text = (
        "def f(a, *b, c=1, **d):\n    e = [x for x in a]\n"
        "    g = lambda: a\n    y = {k: v for k, v in b}\n    return e, g, y\n"
    )
    graph = graph_of(text)
    assert set(graph.local_names) == {"a", "b", "c", "d", "e", "g", "y"}
    assert graph.params == ("a", "c", "b", "d")


def test_graphs_are_found_by_name_and_line() -> None:
    text = (
        "import functools\n@functools.cache\ndef f():\n"
        "    return lambda: 1\nclass C:\n    def f(self): pass\n"
    )
    flow = ControlFlow(text)
    assert [graph.qualname for graph in flow] == ["f", "f.<locals>.<lambda>", "C", "C.f"]
    assert len(flow) == 4
    found = flow.get("f", 2)
    assert found is not None
    assert flow.at(2) == (found,)
    assert flow.call_lines == {2, 4, 5, 6}
    assert flow.get("f", 3) is None
    assert flow.at(1) == ()


def test_lambdas_on_one_line_are_merged() -> None:
    flow = ControlFlow("def f():\n    return (lambda x: x), (lambda y: 1 / y)\n")
    merged = flow.at(2)
    assert [graph.local_names for graph in merged] == [("x", "y")]


def test_hidden_calls_are_told_from_plain_operators() -> None:
    plain = ControlFlow(
        "def f(a):\n    for x in a:\n        a = a + x\n    return g(a)\ndef g(a):\n    return a\n"
    )
    assert not plain.has_hidden_calls
    assert next(iter(plain)).may_call == {4}
    special = ControlFlow(
        "class C:\n    def __add__(self, o):\n        return 1\ndef f(a):\n    a = a + 1\n    return a\n"
    )
    assert special.has_hidden_calls
    graph = next(graph for graph in special if graph.qualname == "f")
    assert 5 in graph.may_call
    assert 6 not in graph.may_call


def test_only_compilation_is_needed() -> None:
    flow = ControlFlow(
        "import not_a_module_of_anybody\nx = undefined_name\ndef f():\n    return undefined_name(x)\n"
    )
    assert graph_of_flow(flow).can_return == {4}


def graph_of_flow(flow: ControlFlow) -> CodeGraph:
    return next(iter(flow))


def test_empty_text_has_no_graphs() -> None:
    assert list(ControlFlow("")) == []


@pytest.mark.parametrize(
    "text",
    [
        "def f(:\n",
        "return 1\n",
        "x = '\0'\n",
        "def f():\n    nonlocal y\n",
        "(" * 300 + ")" * 300,
        "match x:\n  case _: pass\n  case 1: pass\n",
    ],
)
def test_text_that_does_not_compile_is_one_error(text: str) -> None:
    with pytest.raises(ConfigError, match="not valid Python") as caught:
        ControlFlow(text, "file.py")
    assert caught.value.where.startswith("file.py")


def test_warnings_of_the_program_are_not_ours() -> None:
    assert len(ControlFlow("def f():\n    assert (1, 'x')\n    return 1 is 1, '\\d'\n")) == 1
