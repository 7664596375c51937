"""Variables set by hand: a fork each, and the timelines they leave behind."""

from __future__ import annotations

import pytest
from debugged import real, traced

from opencwm.core.errors import ConfigError
from opencwm.debugger.session import Session
from opencwm.debugger.stops import StopKind
from opencwm.debugger.testing import predicted_from
from opencwm.debugger.timelines import MAX_TIMELINES, Fork


def forked() -> Session:
    """A session whose variable ``n`` was set to 7 at the first ``if``."""
    session = Session(predicted_from(traced("count")), real=real("count"))
    session.run_to(4)
    session.set_variable("n", "n + 7")
    return session


def test_the_old_timeline_is_kept_and_says_what_was_set_where() -> None:
    session = forked()
    first, second = session.timelines
    assert session.timeline is second
    assert first.fork is None
    assert isinstance(second.fork, Fork)
    assert (second.fork.parent, second.fork.position, second.fork.lineno) == (1, 8, 4)
    assert (second.fork.name, second.fork.text, second.fork.previous) == ("n", "7", "0")
    assert second.fork.function == "count"
    assert str(second) == "n = 7 set at step 8, line 4, was 0"


def test_each_timeline_goes_on_from_where_it_was_left() -> None:
    session = forked()
    session.step_into()
    session.step_into()
    at = session.position
    assert session.locals["n"].text == "7"
    stop = session.select_timeline(1)
    assert (stop.kind, stop.position, stop.reason) == (StopKind.GOAL, 8, "timeline 1: as it began")
    assert session.locals["n"].text == "0"
    assert session.continue_().is_end
    session.select_timeline(2)
    assert (session.position, session.is_ended) == (at, False)
    assert session.select_timeline(2).position == at
    session.select_timeline(1)
    assert session.is_ended
    assert session.step_back().kind is StopKind.STEP


def test_breakpoints_hold_on_all_timelines_and_count_on_each() -> None:
    session = forked()
    session.breakpoints.add_line(5, hit_condition="1")
    assert session.continue_().reason == "breakpoint 1, line 5, hit 1"
    session.select_timeline(1)
    assert session.continue_().reason == "breakpoint 1, line 5, hit 1"


def test_what_was_set_by_hand_is_a_change_that_no_line_made() -> None:
    session = forked()
    session.step_into()
    change = session.history("n")[-1]
    assert (change.is_set, change.made_at, change.describe("n")) == (True, 8, "n set to 7 by hand")
    session.breakpoints.add_data("n")
    stop = session.continue_back()
    assert (stop.position, stop.reason) == (8, "data breakpoint 1, n set to 7 by hand")
    assert session.continue_back().reason == "data breakpoint 1, n changed to 0 by line 2"


def test_the_real_run_is_beside_what_really_could_have_happened_alone() -> None:
    session = forked()
    beside = (session.row, session.first_divergence)
    assert beside == (None, None)
    with pytest.raises(ConfigError, match="no real run"):
        session.goto_divergence()
    session.select_timeline(1)
    assert session.row is not None
    assert session.row.agrees


def test_a_timeline_can_be_dropped_unless_one_stands_on_it() -> None:
    session = forked()
    with pytest.raises(ConfigError, match="the current timeline"):
        session.drop_timeline(2)
    session.drop_timeline(1)
    assert [item.number for item in session.timelines] == [2]
    for number in (1, 9):
        with pytest.raises(ConfigError, match=f"no timeline numbered {number}"):
            session.select_timeline(number)
        with pytest.raises(ConfigError, match=f"no timeline numbered {number}"):
            session.drop_timeline(number)
    session.set_variable("n", "1")
    assert [item.number for item in session.timelines] == [2, 3]


def test_there_is_a_most_of_timelines() -> None:
    session = forked()
    while len(session.timelines) < MAX_TIMELINES:
        session.set_variable("n", str(len(session.timelines)))
    with pytest.raises(ConfigError, match="there are 50 timelines"):
        session.set_variable("n", "0")
    session.drop_timeline(7)
    session.set_variable("n", "0")
    assert session.timelines[-1].number == 51


def test_a_variable_that_cannot_be_set_makes_no_timeline() -> None:
    session = forked()
    for name, expression in [("nope", "1"), ("n", "word[9]"), ("n", "open('x')"), ("n", "1 +")]:
        with pytest.raises(ConfigError):
            session.set_variable(name, expression)
    assert len(session.timelines) == 2
