"""Moves that are told how far they are, and cancelled from another thread."""

from __future__ import annotations

import threading

import pytest
from debugged import endless, real

from opencwm.debugger.cancellation import Cancellation, CancelledError
from opencwm.debugger.session import Session
from opencwm.debugger.stops import StopKind
from opencwm.traces import Program


def test_a_move_is_cancelled_from_another_thread_and_goes_on_later() -> None:
    session = Session(endless(), max_steps=10_000_000)
    cancellation = Cancellation()
    begun = threading.Event()

    def stop() -> None:
        begun.wait(10)
        cancellation.cancel()

    thread = threading.Thread(target=stop)
    thread.start()
    with session.watched(cancellation, lambda num_steps: begun.set() if num_steps > 20 else None):
        made = session.continue_()
    thread.join()
    assert made.kind is StopKind.CANCELLED
    assert made.position == session.position > 20
    assert made.reason == f"cancelled after {made.position} steps"
    assert not session.is_ended
    assert session.step_into().position == made.position + 1


def test_progress_counts_the_steps_of_each_move() -> None:
    session = Session(real("count"))
    told: list[int] = []
    with session.watched(progress=told.append):
        session.run_to(4)
        assert told == list(range(1, session.position + 1))
        told.clear()
        session.step_back()
        assert told == [1]
        told.clear()
        session.goto(0)
        session.continue_back()
    session.continue_()
    assert told == []


@pytest.mark.parametrize("move", ["step_into", "step_over", "continue_", "continue_back", "back_out"])
def test_what_is_cancelled_beforehand_stays_where_it_is(move: str) -> None:
    session = Session(real("count"))
    session.run_to(4)
    at = session.position
    cancellation = Cancellation()
    cancellation.cancel()
    with session.watched(cancellation):
        stop = getattr(session, move)()
    assert (stop.kind, stop.reason, session.position) == (StopKind.CANCELLED, "cancelled after 0 steps", at)


def test_going_back_is_cancelled_where_it_got() -> None:
    session = Session(real("count"))
    session.continue_()
    last = session.position
    cancellation = Cancellation()
    with session.watched(cancellation, lambda num_steps: cancellation.cancel() if num_steps == 3 else None):
        stop = session.continue_back()
    assert (stop.kind, stop.position) == (StopKind.CANCELLED, last - 2)
    assert not session.is_ended
    session.continue_()
    cancellation = Cancellation()
    cancellation.cancel()
    with session.watched(cancellation):
        assert session.continue_back().position == last


def test_looking_for_a_line_and_asking_are_cancelled_too() -> None:
    execution = endless()
    execution.answers = lambda _program, _state: endless()
    session = Session(execution)
    cancellation = Cancellation()
    cancellation.cancel()
    with session.watched(cancellation):
        assert list(session.find_occurrences(3)) == []
        with pytest.raises(CancelledError):
            session.ask("main()")
    assert session.program == Program(execution.program.source, "main", filename="endless.py")
