import pytest
from timetable import clock


def test_times_are_read():
    assert clock.parse("7:05") == 425
    assert clock.parse("23:59") == clock.DAY - 1


@pytest.mark.parametrize("text", ["7", "7:5", "x:10", "24:00", "1:60"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="time"):
        clock.parse(text)


def test_times_are_written():
    assert clock.show(425) == "7:05"
    assert clock.show(clock.DAY + 1) == "0:01"


def test_midnight_may_lie_between():
    assert clock.between(60, 90) == 30
    assert clock.between(1430, 10) == 20


@pytest.mark.parametrize(("minutes", "text"), [(0, "0 min"), (60, "1 h"), (65, "1 h 5 min"), (59, "59 min")])
def test_durations(minutes, text):
    assert clock.parts(minutes) == text


def test_negative_durations():
    with pytest.raises(ValueError, match="negative"):
        clock.parts(-1)
