"""What assumptions make of a program, and what is said of the values they give."""

from __future__ import annotations

import ast
import sys

import pytest
from engines import CODEC, oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.debugger.assumed import AssumedProgram, assume
from opencwm.debugger.execution import Origin, RealExecution
from opencwm.debugger.predicted import PredictedExecution
from opencwm.tracer import record
from opencwm.traces import OutcomeKind, Program, observed_outcome

SOURCE = """\
import requests
import missing_module
from config import TOKEN, URL as ADDRESS
import numpy as np

PRICES = missing_module.load_prices("prices.csv")

def fetch(url, tries=3):
    data = requests.get(
        url,
        timeout=3,
    ).json()
    size = len(data) + tries
    if requests.head(url, log(size)):
        return TOKEN
    return np.mean(data)

def log(x):
    return x

def read(path):
    with open(path) as file:
        text = file.read()
    return text

async def ask(session):
    answer = await session.get(1)
    return answer
"""


def of_call(call: str, *assumptions: str) -> AssumedProgram:
    return assume(Program.from_call(SOURCE, call), assumptions)


def ran(assumed: AssumedProgram) -> str:
    outcome = observed_outcome(record(assumed.program))
    assert outcome is not None
    return f"{outcome.kind} {outcome.value}"


ENOUGH = (
    "requests.get(...).json() -> [1, 2]",
    "missing_module.load_prices(...) -> {'apple': 3}",
    "requests.head(...) -> False",
    "numpy.mean(...) -> -1.5",
    "TOKEN = 'secret'",
    "config.URL = 'there'",
)


def test_a_program_that_cannot_run_runs_with_assumptions() -> None:
    assumed = of_call("fetch('here')", *ENOUGH[:-1])
    source = assumed.program.source
    assert "import requests" not in source
    assert source.splitlines()[2] == "from config import URL as ADDRESS; TOKEN = 'secret'"
    assert len(source.splitlines()) == len(SOURCE.splitlines())
    without = assumed.program.source.replace("from config import URL as ADDRESS; ", "")
    assert ran(AssumedProgram(Program.from_call(without, "fetch('here')"))) == "returned -1.5"


def test_arguments_that_act_are_evaluated_all_the_same() -> None:
    assert "if (log(size), False)[-1]:" in of_call("fetch('a')", *ENOUGH[:-1]).program.source


def test_lines_keep_their_numbers_whatever_is_replaced() -> None:
    changed = of_call("fetch('here')", *ENOUGH[:-1]).program

    def lines(source: str) -> dict[str, list[int]]:
        functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        return {function.name: [node.lineno for node in function.body] for function in functions}

    assert lines(changed.source) == lines(SOURCE)


def test_a_file_holds_the_text_that_is_assumed() -> None:
    source = SOURCE[SOURCE.index("def read") :].partition("async")[0]
    program = Program.from_call(source, "read('gone.txt')")
    assert ran(assume(program, ["open(...) -> file 'a\\nb'"])) == "returned 'a\\nb'"
    assert ran(assume(program, ["open(...) raises OSError('gone')"])) == "raised OSError('gone')"
    assert ran(assume(program, ["open(...) -> file ''", "_.read() -> 'x'"])) == "returned 'x'"


def test_what_raises_takes_the_place_of_its_statement_only_where_it_always_runs() -> None:
    source = "def f(x):\n    y = x or g(\n        x)\n    g(1)\n    return y\ndef g(x):\n    return x\n"
    assumed = assume(Program.from_call(source, "f(3)"), ["g(...) raises ValueError('no')"])
    lines = assumed.program.source.split("\n")
    assert lines[1] == "    y = x or ((_ for _ in ()).throw(ValueError('no'))"
    assert lines[3] == "    raise ValueError('no')"
    assert ran(assumed) == "raised ValueError('no')"


def test_what_is_awaited_is_the_result() -> None:
    program = assume(Program(SOURCE, "ask"), ["_.get(...) -> 5"]).program
    assert "    answer = 5\n" in program.source


def test_arguments_are_given_by_name() -> None:
    assert of_call("fetch('a')", "tries = 5").program.call == "fetch('a', tries=5)"
    assert assume(Program(SOURCE, "fetch"), ["url = 'a'", "tries = 2"]).program.call == "fetch('a', 2)"
    partial = assume(Program(SOURCE, "fetch"), ["tries = 2"])
    assert (partial.missing, partial.given, partial.program.call) == (("url",), {"tries": "2"}, None)


def test_a_name_is_a_parameter_then_of_the_module_then_local() -> None:
    source = "x = 1\ny = 2\ndef f(x):\n    z = x\n    return x, y, z, w\n"
    assumed = assume(Program(source, "f"), ["x = 7", "y = 8", "z = 9", "w = 10"])
    assert ran(assumed) == "returned (7, 8, 9, 10)"
    assert "x = 1\n" in assumed.program.source


@pytest.mark.parametrize(
    ("assumption", "problem"),
    [
        ("url = 'x'", "the call gives url already"),
        ("foo = 3", "nothing there is called 'foo'"),
        ("requests.put(...) -> 3", "the program holds no requests.put(...)"),
        ("requests.get('x') -> 3", "the program holds no requests.get('x')"),
        ("np.pi = 3", "the program holds no np.pi"),
        ("fetch = 3", "fetch is defined as a function or class"),
        ("len(...) -> -", "'-' has no value that can be worked out: SyntaxError: invalid syntax"),
    ],
)
def test_what_does_not_fit_the_program_is_said(assumption: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of_call("fetch('a')", assumption)
    assert caught.value.what == problem
    assert caught.value.hint


MANY = [
    *ENOUGH[:-1],
    "requests.get(...) -> 'x'",
    "_.json() -> {}",
    "requests.head(...) raises OSError",
    "log(...) -> 0",
    "len(...) -> 2",
    "size = 3",
    "data: list of 2 ints",
    "PRICES = {}",
    "tries = 9",
    "open(...) -> file 'a'",
    "file.read() raises ValueError('x')",
    "np.mean(...) -> 2",
    "requests.get(url, timeout=3) -> 1",
]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(MANY), max_size=6))
def test_assumptions_in_any_order_leave_the_lines_where_they_are(assumptions: list[str]) -> None:
    problem = ""
    try:
        source = of_call("fetch('a')", *assumptions).program.source
    except ConfigError as error:
        problem, source = error.what, SOURCE
    before = problem.startswith(("the program holds no ", "nothing there is called "))
    assert not problem or before or problem.endswith(" is assumed twice")
    assert first_lines(source) == first_lines(SOURCE)


def first_lines(source: str) -> dict[str, int]:
    functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    return {node.name: node.lineno for node in functions}


def test_what_is_assumed_of_a_whole_outweighs_what_is_assumed_of_its_parts() -> None:
    part, whole = "requests.get(...) -> 'x'", "requests.get(...).json() -> [1]"
    assert "    data = ([1]\n" in of_call("fetch('a')", part, whole).program.source
    with pytest.raises(ConfigError, match=r"holds no requests\.get"):
        of_call("fetch('a')", whole, part)


FORMATTED = """\
def f(x):
    a = f"{g(x)!r:>5}" "and" f'{x} {{}} {h(g(1))=}'
    b = f'''{
        g(x)
    } over
lines'''
    return [a, b, f"{x:{g(x)}}"]

def g(x):
    return 1 / 0

def h(x):
    return x
"""


def test_calls_within_f_strings_are_replaced_and_lines_keep_their_numbers() -> None:
    assumed = assume(Program.from_call(FORMATTED, "f(7)"), ["g(...) -> 4"])
    text = assumed.program.source
    assert first_lines(text) == first_lines(FORMATTED)
    assert "g(" not in text.partition("def g")[0].replace("h(g(1))=", "")
    outcome = observed_outcome(record(assumed.program))
    assert outcome is not None
    assert ast.literal_eval(outcome.value) == ["    4and7 {} h(g(1))=4", "4 over\nlines", "   7"]


def test_texts_stand_within_f_strings_whatever_their_quotes() -> None:
    program = Program.from_call("def f():\n    return f'<{g()}>'\ndef g():\n    return 1\n", "f()")
    assert ran(assume(program, ["g() -> 'x'"])) == "returned '<x>'"
    assert ran(assume(program, ['g() -> "it\'s"'])) == 'returned "<it\'s>"'


def test_a_call_within_an_f_string_can_raise() -> None:
    program = Program.from_call("def f():\n    return f'<{g()}>'\ndef g():\n    return 1\n", "f()")
    assert ran(assume(program, ["g() raises OSError('gone')"])) == "raised OSError('gone')"


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="f-strings hold anything since Python 3.12")
def test_what_an_f_string_of_this_python_cannot_hold_is_refused() -> None:
    program = Program.from_call("def f():\n    return f'{g()}'\ndef g():\n    return 1\n", "f()")
    with pytest.raises(ConfigError, match="cannot stand within the f-string"):
        assume(program, ["g() -> 'a\\nb'"])


LABELLED = """\
def f(a, b):
    data = load(a)
    data = data + [b]
    if b > 100:
        return None
    return load(b)
"""


def labels(
    execution: RealExecution | PredictedExecution,
) -> list[tuple[int, dict[str, Origin], Origin | None]]:
    found = []
    index = 0
    while (view := execution.get(index)) is not None:
        changes = {name: value.origin for name, value in view.changes.items()}
        found.append((view.step.lineno, changes, view.value.origin if view.value else None))
        index += 1
    return found


def test_assumed_values_are_labelled_in_both_modes() -> None:
    assumed = assume(Program.from_call(LABELLED, "f(1, 2)"), ["load(a) -> [5]", "load(b): list of 2 ints"])
    trace = record(assumed.program)
    assert trace.result == "[1, 2]"
    supplied, predicted, verified = Origin.SUPPLIED, Origin.PREDICTED, Origin.VERIFIED
    real = labels(RealExecution(trace, assumed=assumed.assumed))
    assert real[2:] == [
        (1, {"a": verified, "b": verified}, None),
        (2, {}, None),
        (3, {"data": supplied}, None),
        (4, {"data": verified}, None),
        (6, {}, None),
        (6, {}, supplied),
        (8, {}, verified),
    ]
    engine = oracle(trace)
    foretold = labels(PredictedExecution(assumed.program, CODEC, engine, assumed=assumed.assumed))
    assert foretold[2:] == [
        (1, {"a": supplied, "b": supplied}, None),
        (2, {}, None),
        (3, {"data": supplied}, None),
        (4, {"data": predicted}, None),
        (6, {}, None),
        (6, {}, supplied),
        (8, {}, predicted),
    ]


def test_an_assumed_exception_is_labelled_too() -> None:
    source = "def f():\n    return load()\n"
    assumed = assume(Program.from_call(source, "f()"), ["load() raises KeyError"])
    execution = RealExecution(record(assumed.program), assumed=assumed.assumed)
    view = execution.get(4)
    assert view is not None
    assert view.value is not None
    assert (view.value.text, view.value.origin) == ("KeyError()", Origin.SUPPLIED)


def test_a_liar_cannot_change_what_is_supplied() -> None:
    """The model believes another value; what is assumed is written all the same."""
    assumed = assume(Program.from_call(LABELLED, "f(1, 2)"), ["load(...) -> [5]"])
    lie = assume(Program.from_call(LABELLED, "f(1, 2)"), ["load(...) -> [6]"])
    engine = oracle(record(lie.program))
    execution = PredictedExecution(assumed.program, CODEC, engine, assumed=assumed.assumed)
    view = execution.get(4)
    assert view is not None
    value = view.changes["data"]
    assert (value.text, value.origin) == ("[5]", Origin.SUPPLIED)


VALUES = st.sampled_from(["0", "-1", "2.5", "'a b'", "[1, -2]", "{'k': None}", "b'x'", "(1,)", "True"])
CONTEXTS = st.sampled_from(
    [
        "v = {}",
        "v = {}.real",
        "v = -{}",
        "v = [{}, 2][0]",
        "v = ({} ,)",
        "v = {} == 3 or {}",
        "v: object = {}",
        "v = 'é' and {}",
        "v = (lambda: {})()",
        "v = {{1: {}}}",
    ]
)


@settings(deadline=None, max_examples=50)
@given(value=VALUES, context=CONTEXTS, spread=st.booleans())
def test_a_value_may_stand_wherever_a_call_may(value: str, context: str, spread: bool) -> None:
    call = "load(\n  1,\n  2)" if spread else "load(1, 2)"
    statement = context.replace("{}", call).replace("{{", "{").replace("}}", "}")
    source = f"def f():\n    {statement}\n    return v\n"
    program = Program.from_call(source, "f()")
    assumed = assume(program, [f"load(...) -> {value}"])
    real = Program.from_call(f"def load(*_): return {value}\n{source}", "f()")
    assert observed_outcome(record(real)) == observed_outcome(record(assumed.program))
    assert assumed.program.source.count("\n") == source.count("\n")


def test_outcome_kinds_are_told_apart() -> None:
    assumed = of_call("fetch('a')", "requests.get(...) raises TimeoutError('late')")
    source = "\n".join(assumed.program.source.split("\n")[7:])
    outcome = observed_outcome(record(Program.from_call(source, "fetch('a')")))
    assert outcome is not None
    assert (outcome.kind, outcome.value) == (OutcomeKind.RAISED, "TimeoutError('late')")
