from __future__ import annotations

import ast
import dataclasses
import random
from collections.abc import Iterator

import pytest
from evals_programs import GENERATOR, LOOP, MIXED, RAISING
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.corpus.trace_files import held_out_traces
from opencwm.evals.cruxeval_items import Item
from opencwm.evals.twins.code_tasks import CodeTask, code_in, passes
from opencwm.evals.twins.gap import Asked, evaluate_twins, in_threads
from opencwm.evals.twins.making import KINDS, Family, TwinsConfig, code_family, output_family
from opencwm.evals.twins.names import own_names
from opencwm.sandbox import Sandbox
from opencwm.tracer import record
from opencwm.traces import Program, observed_outcome

TASK = CodeTask(
    "own_0",
    'def double_all(values):\n    """Return values doubled.\n\n    >>> double_all([1])\n    [2]\n    """\n',
    "double_all",
    "def double_all(values):\n    return [value * 2 for value in values]\n",
    "assert double_all([1, 2]) == [2, 4]\nassert double_all([]) == []",
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


def item(code: str, call: str, output: str | None = None) -> Item:
    return Item("own", Program.from_call(code, call, filename="own"), output)


def twin(code: str, call: str, kind: str, seed: int = 0) -> str:
    """The source of the one twin of a kind; empty where there is none."""
    family = output_family(item(code, call), TwinsConfig(kinds=(kind,), seed=seed), record)
    assert family is not None
    return "".join(each.task.program.source for each in family.twins)


@pytest.mark.parametrize(
    ("code", "call"),
    [(MIXED, "f('a', 4)"), (GENERATOR, "f(5)"), (RAISING, "f({'x': 'y', 'y': 2})"), (LOOP, "f(4)")],
)
def test_twins_come_to_what_they_say(code: str, call: str) -> None:
    family = output_family(item(code, call), TwinsConfig(per_kind=2), record)
    assert family is not None
    truth = family.task.output
    assert {"renamed", "mutated"} <= {each.kind for each in family.twins}
    assert len({each.task.id for each in family.twins}) == len(family.twins)
    for each in family.twins:
        outcome = observed_outcome(record(each.task.program))
        assert outcome is not None
        assert outcome.value == each.task.output
        assert (each.task.output == truth) is (each.kind != "mutated")
    assert family == output_family(item(code, call), TwinsConfig(per_kind=2), record)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=6, deadline=None)
def test_rewrites_of_generated_programs_hold_without_a_check(seed: int) -> None:
    """The check by running is a net, not the trapeze: hardly a twin should fall into it."""
    (trace,) = held_out_traces(1, seed)
    outcome = observed_outcome(trace)
    if outcome is None or trace.program.call is None:
        return
    tried = 0

    def counting(program: Program) -> object:
        nonlocal tried
        tried += 1
        return record(program)

    kinds = ("renamed", "reordered", "rewritten")
    one = Item("own", trace.program, None)
    family = output_family(one, TwinsConfig(kinds=kinds), counting)  # type: ignore[arg-type]
    assert family is not None
    assert tried - 1 - len(family.twins) <= 1  # one for the original


def test_names_are_renamed_wherever_they_are_written() -> None:
    code = (
        "import math\n"
        "def helper(value, *, scale=1):\n    return value * scale\n"
        "def f(items, name):\n"
        "    try:\n        total = sum(helper(item, scale=2) for item in items)\n"
        "    except TypeError as problem:\n        return str(problem)\n"
        "    match items:\n        case [first, *rest]:\n            total += first + len(rest)\n"
        "    return f'{name=} {total} {math.floor(2.5)}'\n"
    )
    source = twin(code, "f([1, 2], 'n')", "renamed")
    for name in ("helper", "items", "total", "problem", "first", "rest", "value"):
        assert name not in source
    for name in ("math.floor", "scale=2", "sum(", "len(", "name="):
        assert name in source


@pytest.mark.parametrize("code", ["def f(x):\n    return locals()\n", "def f(x):\n    return f.__name__\n"])
def test_programs_that_read_their_names_are_left_alone(code: str) -> None:
    assert own_names(ast.parse(code)) == []
    assert twin(code, "f(1)", "renamed") == ""


def test_what_depends_on_order_stays_in_order() -> None:
    code = "def f(x):\n    a = x + 1\n    b = a * 2\n    c = 3\n    c = 4\n    d = 5\n    return a, b, c, d\n"
    source = twin(code, "f(1)", "reordered")
    assert source.index("a = ") < source.index("b = ")
    assert source.index("d = 5") < source.index("c = 4")
    functions = "def g(x):\n    return x\n\ndef f(x):\n    return g(x)\n"
    assert twin(functions, "f(1)", "reordered").index("def f") == 0
    assert twin("def g(x):\n    return x\n\nf = g\n", "f(1)", "reordered") == ""


def test_other_words_for_the_same() -> None:
    code = (
        "def f(n):\n    found = []\n    for i in range(n, 0, -2):\n        if i == 3:\n            continue\n"
        "        found.append(i if i < 5 else -i)\n    else:\n        found.append('end')\n"
        "    n += 1\n    return found, n, i\n"
    )
    source = twin(code, "f(7)", "rewritten")
    assert "for " not in source
    assert "while " in source
    assert "n = n + 1" in source
    assert ">= 5" in source


def test_an_item_that_does_not_hold_has_no_twins() -> None:
    assert output_family(item("def f(x):\n    return x\n", "f(1)", "2"), TwinsConfig(), record) is None
    endless = item("def f(x):\n    raise SystemExit\n", "f(1)", "2")
    assert output_family(endless, TwinsConfig(), record) is None


def test_kinds_that_are_none() -> None:
    with pytest.raises(ConfigError, match="no twins called 'x'"):
        TwinsConfig(kinds=("x",))
    with pytest.raises(ConfigError, match="nothing is to be made"):
        TwinsConfig(kinds=())


def test_a_task_to_write_code_for_gets_other_names(sandbox: Sandbox) -> None:
    def check(code: str, task: CodeTask) -> bool:
        return passes(sandbox, code, task)

    family = code_family(TASK, TwinsConfig(kinds=KINDS, per_kind=2), check)
    assert family is not None
    assert [each.kind for each in family.twins] == ["renamed", "renamed"]
    for each in family.twins:
        text = f"{each.task.prompt}{each.task.solution}{each.task.tests}"
        assert "double_all" not in text
        assert "(values)" not in text
        assert each.task.entry_point in each.task.question
        assert check(each.task.solution, each.task)
        assert not check(TASK.solution, each.task)
    wrong = dataclasses.replace(TASK, solution="def double_all(values):\n    return values\n")
    assert code_family(wrong, TwinsConfig(), check) is None


@pytest.mark.parametrize(
    "code",
    [
        "def double_all(values):\n    return values",
        "import sys\nsys.exit(0)",
        "import os\nos._exit(0)",
        "def double_all(values",
        "while True: pass",
        "",
    ],
)
def test_code_that_does_not_pass(sandbox: Sandbox, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from opencwm.evals.twins import code_tasks
    from opencwm.sandbox import RunLimits

    monkeypatch.setattr(code_tasks, "LIMITS", RunLimits(wall_s=1.0, cpu_s=1.0))
    assert not passes(sandbox, code, TASK)


def test_code_is_found_in_answers() -> None:
    assert code_in("so\n```python\na\n```\nno:\n```py\nb\n```") == "b\n"
    assert code_in("x = 1") == "x = 1"


def families(code: str) -> list[Family[Item]]:
    found = []
    for number in range(6):
        one = Item(f"own_{number}", Program.from_call(code, f"f({number + 2})"), None)
        family = output_family(one, TwinsConfig(kinds=("renamed", "mutated")), record)
        assert family is not None
        found.append(family)
    return found


def test_a_model_that_knows_the_tasks_by_heart_shows_a_gap() -> None:
    made = families(LOOP)
    known = {family.task.program.source for family in made}
    asked: Asked[Item] = Asked(
        name="parrot", settings={}, answer=lambda task: {"right": task.program.source in known}
    )
    report = evaluate_twins(made, asked, {}, num_dropped=2, data="own")
    assert report.originals.fraction == 1.0
    assert report.kinds["renamed"].gap.value == -1.0
    shown = report.to_json()
    assert shown["kinds"]["mutated"]["twins"]["num_right"] == 0
    assert shown["kinds"]["renamed"]["interval_95"][1] < 0
    assert "2 left out" in report.tables()[0].title
    able: Asked[Item] = Asked(name="able", settings={}, answer=lambda task: {"right": bool(task.id)})
    even = evaluate_twins(made, able, {}, data="own").kinds["renamed"].gap
    assert even.low < 0 == even.value < even.high


def test_threads_do_each_job_once_and_end_with_the_first_error() -> None:
    jobs = [lambda number=number: number * 2 for number in range(20)]
    assert dict(in_threads(jobs, at_once=4)) == {number: number * 2 for number in range(20)}
    with pytest.raises(ZeroDivisionError):
        list(in_threads([lambda: random.Random(0).random(), lambda: 1 / 0], at_once=2))
