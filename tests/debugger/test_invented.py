"""Arguments that nobody gave."""

from __future__ import annotations

import ast

import pytest
from engines import CODEC, random_engine

from opencwm.debugger.assumed import assume
from opencwm.debugger.execution import Origin
from opencwm.debugger.invented import fits, with_invented_arguments
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.usage import Use
from opencwm.model.folder import ModelFolder
from opencwm.traces import Program

SOURCE = "def f(count: int, text: str, rest=()):\n    return text * count\n"


@pytest.fixture
def world() -> NativeWorldModel:
    folder = ModelFolder.__new__(ModelFolder)  # nothing here asks where the model lies
    return NativeWorldModel(folder, CODEC, random_engine(3))


def test_what_is_missing_is_invented_and_not_called_supplied(world: NativeWorldModel) -> None:
    given = assume(Program(SOURCE, "f"), ["count = 2"])
    assert given.missing == ("text",)
    found = with_invented_arguments(world, given)
    assert found.missing == ()
    call = ast.parse(found.program.call or "", mode="eval").body
    assert isinstance(call, ast.Call)
    assert ast.unparse(call.args[0]) == "2"
    assert isinstance(ast.literal_eval(call.args[1]), str)
    view = world.execution(found.program, assumed=found.assumed).get(2)
    assert view is not None
    assert view.changes["count"].origin is Origin.SUPPLIED
    invented = found.assumed.invented
    assert view.changes["text"].origin is (Origin.PREDICTED if "text" in invented else Origin.SUPPLIED)
    assert view.changes["text"].probability == invented.get("text")
    assert found.notes[-1].startswith("text is ")


def test_nothing_is_invented_when_nothing_is_missing(world: NativeWorldModel) -> None:
    given = assume(Program(SOURCE, "f"), ["count = 2", "text = 'a'"])
    assert with_invented_arguments(world, given) == given


@pytest.mark.parametrize(
    ("text", "use", "is_like"),
    [
        ("3", Use("int"), True),
        ("'a'", Use("int"), False),
        ("[1, 2]", Use("list", Use("int")), True),
        ("['a']", Use("list", Use("int")), False),
        ("{'a': 1}", Use("dict", fields=(("b", Use("int")),)), False),
        ("3", Use(), True),
        ("{1, 2}", Use(), False),
        ("f(3)", Use(), False),
        ("", Use(), False),
    ],
)
def test_only_literals_of_the_right_type_are_taken(text: str, use: Use, is_like: bool) -> None:
    assert fits(text, use) is is_like
