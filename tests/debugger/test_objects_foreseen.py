"""What is foreseen of objects of the program's classes: all that their classes settle, and no more."""

from __future__ import annotations

import pytest
from followed_exceptions import EXCEPTION_PROGRAMS, EXCEPTIONS, KEPT, ONE_LINE, WORDS
from followed_methods import CALLED, METHOD_PROGRAMS, OPERATORS, PROPERTIES, ROWS, SUPER
from test_foresight import _recorded, _Witness


@pytest.mark.parametrize("calculates", [False, True])
@pytest.mark.parametrize(("source", "call"), [*EXCEPTION_PROGRAMS, *METHOD_PROGRAMS])
def test_what_is_foreseen_of_objects_comes_true(source: str, call: str, calculates: bool) -> None:
    _Witness(_recorded(source, call), calculates=calculates).run()


def test_setters_are_entered_for_certain() -> None:
    counts = _Witness(_recorded(PROPERTIES, "f(32)"), calculates=True).run().counts
    assert counts["entered"] >= 19
    assert counts["arguments"] >= 30


def test_what_a_property_is_set_to_is_refused_where_it_has_no_setter() -> None:
    workings = _Witness(_recorded(PROPERTIES, "f(32)"), calculates=True).foresight.workings
    assert workings.known.entries is not None
    assert workings.known.entries.setter("Temp(_celsius=1)", "kelvin") is None
    assert workings.known.entries.setter("Temp(_celsius=1)", "fahrenheit") == 12
    assert workings.known.entries.setter("Other(_celsius=1)", "fahrenheit") == 0


def test_exceptions_of_the_program_are_made_raised_and_put_in_words() -> None:
    counts = _Witness(_recorded(EXCEPTIONS, "f(10)"), calculates=True).run().counts
    assert counts["entered"] >= 16
    assert counts["calculated"] >= 20


def test_objects_are_put_in_words() -> None:
    counts = _Witness(_recorded(WORDS, "f(1)"), calculates=True).run().counts
    assert counts["entered"] >= 9


def test_attributes_that_exceptions_keep_are_known_where_they_are_caught() -> None:
    witness = _Witness(_recorded(KEPT, "f(8)"), calculates=True).run()
    assert witness.settled.count("Short('need 6').gap") == 2
    assert {"Short('need 9').have", "Short('need 9').gap", "Other(3).have", "AppError('no').code"} <= set(
        witness.settled
    )
    assert not any(text.endswith((".late", ".items")) for text in witness.settled)


def test_statements_on_one_line_are_followed_one_after_the_other() -> None:
    counts = _Witness(_recorded(ONE_LINE, "f(12)"), calculates=True).run().counts
    assert {name: counts[name] for name in ("entered", "branches", "values") if counts[name] < 30} == {}


def test_named_tuples_with_methods_are_followed() -> None:
    counts = _Witness(_recorded(ROWS, "f(3)"), calculates=True).run().counts
    assert counts["entered"] >= 16
    assert counts["calculated"] >= 60


def test_what_super_stands_for_is_known() -> None:
    counts = _Witness(_recorded(SUPER, "f(3)"), calculates=True).run().counts
    assert counts["entered"] >= 9


def test_operators_and_items_enter_methods() -> None:
    counts = _Witness(_recorded(OPERATORS, "f(3)"), calculates=True).run().counts
    assert counts["entered"] >= 25


def test_objects_that_are_called_are_entered() -> None:
    counts = _Witness(_recorded(CALLED, "f(3)"), calculates=True).run().counts
    assert counts["entered"] >= 9
