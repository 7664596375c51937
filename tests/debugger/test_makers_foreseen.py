"""What is foreseen of objects that are made past their classes comes true, and most of it is foreseen."""

from __future__ import annotations

import pytest
from followed_makers import KEPT, MAKER_PROGRAMS, SET_AFTERWARDS, VALUES
from hypothesis import given, settings
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness

_VALUES = st.one_of(
    st.integers(-9, 9), st.none(), st.text("ab'", max_size=2), st.lists(st.integers(0, 3), max_size=2)
)


@pytest.mark.parametrize("calculates", [False, True])
@pytest.mark.parametrize(("source", "call"), MAKER_PROGRAMS)
def test_what_is_foreseen_of_makers_comes_true(source: str, call: str, calculates: bool) -> None:
    _Witness(_recorded(source, call), calculates=calculates).run()


def test_objects_and_their_attributes_are_made_without_being_asked_for() -> None:
    witness = _Witness(_recorded(SET_AFTERWARDS, "f(3)"), calculates=True).run()
    assert {
        "object.__new__(<class 'program.Node'>)",
        "object.__new__(<class 'program.Slim'>)",
        "any(<map object>)",
    } <= set(witness.settled)


def test_objects_of_values_read_as_those() -> None:
    settled = set(_Witness(_recorded(VALUES, "f(4)"), calculates=True).run().settled)
    assert {
        "type(6)",
        "<class 'int'>.__new__(<class 'program.Whole'>, 6)",
        "Named(-7).__dict__",
        "[4, 'a', [4]].__dict__",
        "int.__new__(Whole, '12')",
        "super().__new__(<class 'program.Longer'>, 'xyz')",
        "list.__new__(Row, [1, 2])",
    } <= settled


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), _VALUES, max_size=4),
    st.lists(st.sampled_from("abcd"), max_size=3, unique=True),
    st.booleans(),
)
def test_attributes_that_are_set_in_turn_show_in_their_order(
    given_: dict[str, object], slots: list[str], is_open: bool
) -> None:
    source = f"""\
class Made:
    __slots__ = {(*slots, "__dict__") if is_open else tuple(slots)!r}

def put(**attributes):
    made = object.__new__(Made)
    any(map(object.__setattr__, [made] * len(attributes), attributes, attributes.values()))
    object.__setattr__(made, 'a', 1)
    return made

def f():
    return put(**{given_!r})
"""
    _Witness(_recorded(source, "f()"), calculates=True).run()


def test_attributes_that_new_objects_of_values_are_given_stay_known() -> None:
    settled = set(_Witness(_recorded(KEPT, "f(3)"), calculates=True).run().settled)
    assert {"Constant(6).name", "Constant(6).n", "Constant(6).__repr__()", "'a'.name"} <= settled
    source = KEPT.replace("second.items.append(1)", "second.n += 5")
    settled = set(_Witness(_recorded(source, "f(3)"), calculates=True).run().settled)
    assert {"Constant(6).name", "'a'.name"} <= settled
    assert "Constant(6).n" not in settled
