"""What the program does not allow is told by every frontend; that of the page is told in a browser."""

from __future__ import annotations

from opencwm.debugger.display import step_lines
from opencwm.debugger.session import Session
from opencwm.debugger.stops import StopKind
from opencwm.frontends import step_json
from opencwm.frontends.dap import presentation
from opencwm.frontends.mcp import answers
from opencwm.frontends.web import wire
from opencwm.traces import StepKind

from .cwm_scripts import OBJECTION, scripted_cwm


def test_every_frontend_tells_what_is_not_possible() -> None:
    execution = scripted_cwm()
    view = execution.get(4)
    assert view is not None
    assert f"    *** not possible: {OBJECTION}" in list(step_lines(execution, 4))
    assert f"not possible: {OBJECTION}" in presentation.details(view, None)
    assert answers.short_step(execution, 4, view, 100)["objection"] == OBJECTION
    assert step_json.step_json(execution, 4, view)["objection"] == OBJECTION
    assert wire.step_json(execution, 4)["objection"] == OBJECTION
    before = execution.get(3)
    assert before is not None
    assert "not possible" not in presentation.details(before, None)
    assert "objection" not in answers.short_step(execution, 3, before, 100)
    assert wire.step_json(execution, 3)["objection"] is None


def test_a_call_is_told_to_return_at_once() -> None:
    session = Session(scripted_cwm())
    session.goto(2)
    stop = session.steer(StepKind.RETURN)
    assert (stop.kind, stop.position, session.step.value) == (StopKind.STEP, 3, "4")
