import pytest
from timetable.tasks import Agenda, Cycle, finish_times, ordered, rounds

NEEDS = {"bake": ["mix"], "mix": ["buy"], "buy": [], "eat": ["bake", "buy"]}


def test_urgent_things_come_first():
    agenda = Agenda()
    assert agenda.add("write") == 0
    assert agenda.add("call", urgency=2) == 0
    assert agenda.add("read") == 2
    assert agenda.waiting() == ["call", "write", "read"]


def test_things_are_done_in_order():
    agenda = Agenda()
    agenda.add("a")
    agenda.add("b")
    assert agenda.next() == "a"
    assert agenda.done == ["a"]
    assert agenda.next() == "b"
    assert agenda.next() is None


def test_an_agenda_can_be_full():
    agenda = Agenda(limit=1)
    agenda.add("one")
    with pytest.raises(OverflowError):
        agenda.add("two")


def test_needs_come_first():
    assert ordered(NEEDS) == ["buy", "mix", "bake", "eat"]


def test_the_alphabet_decides():
    assert ordered({"b": [], "a": [], "c": ["a"]}) == ["a", "b", "c"]


def test_cycles_are_told():
    with pytest.raises(Cycle, match="a, b"):
        ordered({"a": ["b"], "b": ["a"]})


def test_things_finish():
    assert finish_times({"a": 2, "b": 3, "c": 1}, {"a": [], "b": [], "c": ["a", "b"]}) == {
        "a": 2,
        "b": 3,
        "c": 4,
    }


def test_rounds():
    assert rounds([1, 2, 3], 2) == [[1, 2], [3]]
    with pytest.raises(ValueError, match="at least"):
        rounds([], 0)
