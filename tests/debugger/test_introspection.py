"""What a program is told about its objects is what CPython says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pure_values import VALUES, rendered

from opencwm.debugger.foreseeing.abstract_classes import ABSTRACT
from opencwm.debugger.foreseeing.expectations import Expected
from opencwm.debugger.foreseeing.workings import Workings

IMPORTS = """
import collections.abc
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sized
from collections.abc import Mapping, MutableMapping, MutableSequence, MutableSet, Sequence, Set
from os import PathLike
from numbers import Number, Complex, Real, Rational, Integral

class Plain:
    kind = 'k'

    def __len__(self):
        return 0

    def method(self):
        return self.x

class Child(Plain):
    def __iter__(self):
        return iter(())

    def __call__(self):
        return 1

class Held(Plain):
    @property
    def late(self):
        raise AttributeError

class Free:
    pass
"""
KNOWN = Workings.of(IMPORTS).known
NAMES = sorted(
    {name for module, name in ABSTRACT if module != "typing"} | {"int", "str", "object", "dict", "list"}
)
SCOPE: dict[str, object] = {"__name__": "program"}
exec(compile(IMPORTS, "<program>", "exec", dont_inherit=True), SCOPE)


def told(text: str) -> str | None:
    return KNOWN.calculated(Expected(text))


@settings(deadline=None)
@given(
    VALUES, st.sampled_from(NAMES), st.sampled_from(["__iter__", "keys", "__name__", "append", "no", "imag"])
)
def test_what_is_said_of_values_is_what_python_says(value: object, kind: str, name: str) -> None:
    text, scope = rendered(value), {**SCOPE, "value": value}
    for question in (f"isinstance(%s, {kind})", f"hasattr(%s, {name!r})", "callable(%s)", "type(%s)"):
        answer = told(question % text)
        assert answer in (None, rendered(eval(question % "value", scope)))  # noqa: S307 - as above
    assert told(f"isinstance({text}, {kind})") is not None


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("name", ["Plain", "Child", "Free"])
def test_objects_of_the_program_belong_to_what_python_says(name: str, kind: str) -> None:
    real = eval(f"isinstance({name}(), {kind})", dict(SCOPE))  # noqa: S307 - as above
    assert told(f"isinstance({name}(), {kind})") == repr(real)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("hasattr(Plain(x=1), 'x')", "True"),
        ("hasattr(Plain(), 'x')", "False"),
        ("hasattr(Plain(), 'kind')", "True"),
        ("hasattr(Held(), 'late')", None),
        ("getattr(Plain(x=1), 'x', 2)", "1"),
        ("getattr(Plain(), 'x', 2)", "2"),
        ("getattr(Plain(), 'method', 2)", None),
        ("type(Child())", "<class 'program.Child'>"),
        ("Child().__class__", "<class 'program.Child'>"),
        ("<class 'program.Child'>.__name__", "'Child'"),
        ("<class 'program.Child'> is not Plain", "True"),
        ("<class 'program.Child'> is Child", "True"),
        ("<re.Match object; span=(2, 4), match='ab'>.group()", "'ab'"),
        ("<re.Match object; span=(2, 4), match='ab'>[0]", "'ab'"),
        ("<re.Match object; span=(2, 4), match='ab'>.end(0)", "4"),
        ("<re.Match object; span=(2, 4), match='ab'>.group(1)", None),
        ("<re.Match object; span=(0, 99), match='aaaaaaaaaaaaaaaaaaaaa>.group()", None),
    ],
)
def test_questions_and_answers(question: str, answer: str | None) -> None:
    assert told(question) == answer


def test_programs_that_register_classes_are_left_out() -> None:
    known = Workings.of(IMPORTS + "\nSequence.register(Plain)\n").known
    assert known.calculated(Expected("isinstance(Plain(), Sequence)")) is None
