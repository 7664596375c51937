import pytest

from opencwm.evals.grading import is_right, is_same_exception
from opencwm.traces import Outcome, OutcomeKind


def returned(value: str) -> Outcome:
    return Outcome(OutcomeKind.RETURNED, value)


def raised(value: str) -> Outcome:
    return Outcome(OutcomeKind.RAISED, value)


def test_no_outcome_is_never_right() -> None:
    assert not is_right(None, "None")


def test_a_returned_value_must_equal_the_gold_value() -> None:
    assert is_right(returned("{'a': (1, 2)}"), '{"a": (1,2)}')
    assert not is_right(returned("1"), "True")


def test_raising_is_not_returning() -> None:
    assert not is_right(returned("3"), "ValueError('3')")
    assert not is_right(raised("ValueError('3')"), "'3'")
    assert not is_right(raised("ValueError('3')"), "3")
    assert not is_right(raised("ValueError('3')"), "'ValueError'")


@pytest.mark.parametrize(
    "gold",
    [
        "ValueError",
        "ValueError('too big')",
        'ValueError("too big")',
        "ValueError: too big",
        "builtins.ValueError: too big",
        'Traceback (most recent call last):\n  File "x.py", line 3, in f\nValueError: too big\n',
    ],
)
def test_ways_to_write_an_exception(gold: str) -> None:
    assert is_right(raised("ValueError('too big')"), gold)
    assert not is_right(raised("TypeError('too big')"), gold)
    if gold != "ValueError":
        assert not is_right(raised("ValueError('too small')"), gold)
        assert not is_right(raised("ValueError()"), gold)


def test_messages_in_all_their_forms() -> None:
    assert is_same_exception("KeyError('k')", "KeyError: 'k'")
    assert is_same_exception("OSError(2, 'gone')", "OSError(2, 'gone')")
    assert not is_same_exception("OSError(2, 'gone')", "OSError(3, 'gone')")
    assert is_same_exception("Odd(<thing>)", "Odd(<thing>)")
    assert is_same_exception("StopIteration()", "StopIteration()")
    assert not is_same_exception("", "")
    assert not is_same_exception("ValueError", "3 apples")
