import pytest

from opencwm.debugger.supplied import supplied_call
from opencwm.traces import Program

SOURCE = """\
def f(a, b=2):
    return a

@decorated
def g(a):
    return a

def twice(a):
    return a

def twice(b):
    return b

def generator(a):
    yield a
"""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("f(1, 'a')", {"a": "1", "b": "'a'"}),
        ("f(1)", {"a": "1", "b": "2"}),
        ("f(b=[1, -2], a=(None,))", {"a": "(None,)", "b": "[1, -2]"}),
        ("f(1 + 1, 'a')", {"b": "'a'"}),
        ("f(1, {3, 1})", {"a": "1"}),
        (f"f({'x' * 300!r}, 1)", {"b": "1"}),
    ],
)
def test_literal_arguments_are_bound_to_their_parameters(call: str, expected: dict[str, str]) -> None:
    supplied = supplied_call(Program.from_call(SOURCE, call))
    assert supplied is not None
    assert supplied.lineno == 1
    assert supplied.arguments == expected


@pytest.mark.parametrize(
    "call",
    [
        "f()",  # will raise
        "f(1, c=2)",
        "f(f(1), 2)",  # another call comes first
        "f(*[1, 2])",
        "f(**{'a': 1})",
        "g(1)",  # a decorator may replace it
        "twice(1)",
        "generator(1)",  # makes an object, enters nothing
        "unknown(1)",
        "f.x(1)",
        "1 + f(1, 2)",
    ],
)
def test_what_is_not_certain_is_left_to_the_model(call: str) -> None:
    assert supplied_call(Program.from_call(SOURCE, call)) is None


def test_without_a_call_nothing_is_supplied() -> None:
    assert supplied_call(Program(SOURCE, "f")) is None


def test_a_name_bound_again_elsewhere_is_not_certain() -> None:
    assert supplied_call(Program.from_call(SOURCE + "f = g\n", "f(1)")) is None
