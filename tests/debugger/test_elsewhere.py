"""Going elsewhere: to a step, a time of a line, a call, a change, a divergence; and the steps in short."""

from __future__ import annotations

import itertools

import pytest
from debugged import endless, real, traced

from opencwm.core.errors import ConfigError
from opencwm.debugger.session import Session
from opencwm.debugger.stops import StopKind
from opencwm.debugger.testing import predicted_from
from opencwm.traces import StepKind


def test_goto_reaches_any_step_both_ways_whatever_breakpoints_say() -> None:
    execution = predicted_from(traced("count"))
    session = Session(execution)
    session.breakpoints.add_line(4)
    stop = session.goto(15)
    assert (stop.kind, stop.reason, stop.position) == (StopKind.GOAL, "step 15", 15)
    assert execution.num_made == 16
    assert session.goto(3).position == 3
    assert session.goto(99).kind is StopKind.ENDED
    assert session.goto(0).position == 0
    with pytest.raises(ConfigError, match="no step -1"):
        session.goto(-1)


def test_goto_a_malformed_step_ends_before_it() -> None:
    session = Session(predicted_from(traced("count"), malformed_at=6))
    assert session.goto(6).kind is StopKind.MALFORMED
    session.restart()
    assert (session.goto(6).kind, session.position) == (StopKind.MALFORMED, 5)


def test_goto_far_away_takes_more_than_one_move() -> None:
    session = Session(endless(), max_steps=100)
    assert session.goto(150).kind is StopKind.LIMIT
    assert session.goto(150).kind is StopKind.GOAL


def test_occurrences_are_those_known_and_more_are_found_when_asked_for() -> None:
    execution = predicted_from(traced("count"))
    session = Session(execution)
    assert session.occurrences(4) == ()
    assert execution.num_made == 1
    assert list(itertools.islice(session.find_occurrences(4), 2)) == [8, 10]
    assert execution.num_made == 11
    assert session.occurrences(4) == (8, 10)
    assert list(session.find_occurrences(4)) == [8, 10, 13]
    assert session.position == 0
    assert len(list(Session(endless(), max_steps=20).find_occurrences(3))) == 10
    for look in (session.occurrences, session.find_occurrences):
        with pytest.raises(ConfigError, match="no function has code on line 7"):
            list(look(7))


def test_a_frame_is_restarted_at_its_call() -> None:
    session = Session(real("recursion"))
    session.run_to(3)
    depths = [(session.restart_frame(level).reason, session.step.depth) for level in (-1,)]
    assert depths == [("the call of fact", 4)]
    session.run_to(3)
    session.restart_frame(2)
    assert (session.step.kind, session.step.depth, session.locals["n"].text) == (StepKind.CALL, 2, "3")
    session.restart_frame(0)
    assert session.position == 0
    with pytest.raises(ConfigError, match="no activation 5"):
        session.restart_frame(5)


def test_who_changed_this_last() -> None:
    session = Session(real("count"))
    session.run_to(6)
    stop = session.back_to_change("n")
    assert (stop.reason, session.step.lineno) == ("n changed from 1 to 2 by line 5", 5)
    session.back_to_change("n")
    session.back_to_change("n")
    assert session.step.lineno == 2
    with pytest.raises(ConfigError, match="n has not changed"):
        session.back_to_change("n")
    session.run_to(6)
    assert session.back_to_change("word").reason == "word passed as 'brr'"
    assert session.step.kind is StepKind.CALL


def test_the_first_divergence_is_found_and_gone_to_both_ways() -> None:
    predicted = predicted_from(traced("count"), wrong={12: {"n": "5"}})
    session = Session(predicted, real=real("count"))
    before = session.first_divergence
    assert before is None
    stop = session.goto_divergence()
    assert (stop.kind, stop.position) == (StopKind.GOAL, 12)
    assert session.first_divergence is not None
    assert session.first_divergence.describe() == "n: predicted 5, really 1"
    session.restart()
    assert session.goto_divergence().reason == "first divergence: n: predicted 5, really 1"
    session.continue_()
    assert session.goto_divergence().position == 12


def test_a_prediction_that_is_right_diverges_nowhere() -> None:
    session = Session(predicted_from(traced("count")), real=real("count"))
    assert session.goto_divergence().kind is StopKind.ENDED
    assert session.first_divergence is None
    with pytest.raises(ConfigError, match="no real run"):
        Session(real("count")).goto_divergence()


def test_a_prediction_that_ends_early_diverges_at_its_end() -> None:
    session = Session(predicted_from(traced("count"), malformed_at=6), real=real("count"))
    session.continue_()
    row = session.first_divergence
    assert row is not None
    assert row.describe() == "the model's step was malformed: no line follows"
    assert session.goto_divergence().kind is StopKind.MALFORMED


def test_records_are_the_known_steps_in_short() -> None:
    execution = predicted_from(traced("count"), probability=0.5)
    session = Session(execution)
    session.run_to(4)
    records = session.records()
    assert [item.position for item in records] == list(range(9))
    assert execution.num_made == 9
    last = records[-1]
    assert (last.kind, last.lineno, last.depth, last.function) == (StepKind.LINE, 4, 2, "count")
    assert (last.changed, last.deleted, last.value, last.probability) == (("c",), (), None, 0.25)
    assert session.records(3, 5) == records[3:5]
    whole = Session(real("count"))
    assert len(whole.records()) == len(traced("count").steps)
    assert whole.records()[-2].deleted == ("e",)
    assert whole.records()[-1].probability is None
    broken = Session(predicted_from(traced("count"), malformed_at=6))
    broken.continue_()
    assert len(broken.records()) == 6
