import pytest
from timetable.spans import Span, first_fit, gaps, merged


@pytest.fixture
def busy():
    return [(60, 120), (90, 150), (300, 360)]


def test_spans_have_a_length():
    assert Span(10, 25).length() == 15


def test_spans_that_touch_do_not_meet():
    assert Span(0, 10).meets(Span(9, 12))
    assert not Span(0, 10).meets(Span(10, 12))


def test_labels():
    assert Span(420, 510).label() == "7:00-8:30"


def test_overlaps_are_joined(busy):
    assert merged(busy) == [(60, 150), (300, 360)]
    assert merged([(5, 6), (1, 5)]) == [(1, 6)]


def test_gaps(busy):
    assert gaps(busy, 0, 320) == [(0, 60), (150, 300)]
    assert gaps([], 5, 9) == [(5, 9)]


def test_gaps_end_at_the_end():
    assert gaps([(10, 20)], 0, 8) == [(0, 8)]
    assert gaps([(0, 30)], 0, 30) == []


def test_the_first_room_is_taken(busy):
    assert first_fit(busy, 100) == 150
    assert first_fit(busy, 60) == 0


def test_there_may_be_no_room():
    assert first_fit([(0, 50)], 20, end=60) is None
