import ast

import pytest
from flow_programs import STATEMENTS

from opencwm.source.callees import Callees
from opencwm.tracer import record
from opencwm.traces import Program, StepFlags, StepKind, replay

SOURCE = """\
def one(a):
    return a

def two(a):
    return one(a) + 1

def passed(a):
    return a

class Box:
    def __init__(self, item):
        self.item = item

    def take(self):
        return self.item

def lazy(n):
    yield n

def main():
    x = one(1)
    box = Box(2)
    y = sorted([3, 1], key=passed)
    return [two(i)
            for i in y], box.take(), x
"""


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("one", {5, 21}),
        ("two", {24, 25}),
        ("take", {24, 25}),
        ("passed", set(range(1, 26))),
        ("__init__", {22}),
        ("lazy", set(range(1, 26))),
    ],
)
def test_a_function_is_entered_only_where_its_name_is_called(name: str, lines: set[int]) -> None:
    tree = ast.parse(SOURCE)
    first = next(n.lineno for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name)
    callees = Callees(tree)
    assert {line for line in range(1, 26) if callees.may_enter(first, line)} == lines


@pytest.mark.parametrize(
    "addition",
    [
        "alias = one",
        "def wrapped():\n    return (one(i) for i in range(3))",
        "globals()['one'](1)",
        "one = two",
    ],
)
def test_a_function_that_escapes_may_be_entered_anywhere(addition: str) -> None:
    assert Callees(ast.parse(f"{SOURCE}\n{addition}\n")).may_enter(1, 22)


@pytest.mark.parametrize(
    "method",
    [
        "    def again(self): return type(self)(3)",
        "    def again(self): return self.__class__(3)",
        "    @classmethod\n    def again(cls): return cls(3)",
        "    def again(self): self.__init__(3)",
    ],
)
def test_objects_may_be_made_without_naming_their_class(method: str) -> None:
    source = (
        f"class Box:\n    def __init__(self, item):\n        self.item = item\n{method}\nBox(1).again()\n"
    )
    assert Callees(ast.parse(source)).may_enter(2, len(source.splitlines()) - 1)


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_every_recorded_call_is_allowed(name: str) -> None:
    program = Program(STATEMENTS[name], "main")
    trace = record(program)
    callees = Callees(ast.parse(program.text))
    running: list[int] = []
    for step, stack in replay(trace):
        if step.kind is StepKind.CALL and step.depth and not step.flags & StepFlags.RESUME:
            assert callees.may_enter(trace.codes[step.code].firstlineno, running[step.depth - 1])
        running = [activation.lineno for activation in stack]
