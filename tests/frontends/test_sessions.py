"""Sessions made from a program and a config: what each mode steps through."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from opencwm.core.errors import ConfigError, EngineError
from opencwm.debugger.execution import Origin, RealExecution, StepView
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.predicted import PredictedExecution
from opencwm.debugger.session import Session
from opencwm.debugger.stops import StopKind
from opencwm.debugger.testing import ScriptedExecution
from opencwm.frontends.cli.debug import _interruptible
from opencwm.frontends.models import Models
from opencwm.frontends.sessions import Mode, SessionConfig, open_program
from opencwm.traces import CodeInfo, Program, Step, StepKind

PROGRAM = Program.from_call(
    "def f(n):\n    while n > 0:\n        n -= 1\n    return n\n", "f(2)", filename="f.py"
)
BROKEN = Program.from_call("import no_such_module\ndef f():\n    return 1\n", "f()", filename="broken.py")


def test_a_real_session_is_a_recorded_run() -> None:
    opened = open_program(PROGRAM, SessionConfig(mode=Mode.REAL, max_steps=7))
    assert (opened.real, opened.max_steps, opened.notices) == (None, 7, ())
    session = opened.session()
    assert isinstance(session.execution, RealExecution)
    assert session.max_steps == 7
    session.run_to(3)
    assert (session.locals["n"].text, session.locals["n"].origin) == ("2", Origin.VERIFIED)


def test_a_predicted_session_needs_no_run(model_folder: Path) -> None:
    opened = open_program(BROKEN, SessionConfig(model=model_folder))
    assert isinstance(opened.execution, PredictedExecution)
    assert opened.execution.num_known == 0
    assert opened.session().locals == {}
    assert opened.execution.num_known == 1


def test_a_comparison_has_the_real_run_beside_it(model_folder: Path) -> None:
    world = NativeWorldModel.load(model_folder)
    opened = open_program(PROGRAM, SessionConfig(mode=Mode.COMPARE), Models({None: world}))
    assert opened.real is not None
    assert opened.max_steps == 2 * len(opened.real.trace.steps) + 16
    session = opened.session()
    assert session.real is opened.real
    assert session.row is not None


def test_without_a_real_run_a_comparison_says_so_and_goes_on(model_folder: Path) -> None:
    opened = open_program(BROKEN, SessionConfig(mode=Mode.COMPARE, model=model_folder))
    assert opened.real is None
    assert len(opened.notices) == 1
    assert "broken.py: there is no real run to compare with" in opened.notices[0]
    with pytest.raises(ConfigError, match="there is no real run"):
        open_program(BROKEN, SessionConfig(mode=Mode.REAL))


def test_a_model_that_is_not_there_is_an_engine_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        open_program(PROGRAM, SessionConfig(model=tmp_path / "nothing"))


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def endless_until_ctrl_c(num_steps: int, times: int) -> Session:
    """A session over a prediction without end, during which Ctrl-C is pressed after ``num_steps``."""

    def views() -> Iterator[StepView]:
        yield StepView(Step(StepKind.CALL, 0, 1, 0), Origin.PREDICTED)
        for index in itertools.count(1):
            if index == num_steps:
                for _ in range(times):
                    press_ctrl_c()
            yield StepView(Step(StepKind.LINE, 0, 2, 0), Origin.PREDICTED)

    program = Program("def main():\n    while True: pass\n", "main")
    return Session(ScriptedExecution(program, (CodeInfo("main", 1, ()),), views()), max_steps=10**9)


def test_ctrl_c_stops_a_move_where_it_got_and_then_is_python_s_again() -> None:
    session = endless_until_ctrl_c(50, times=1)
    before = signal.getsignal(signal.SIGINT)
    with _interruptible(session):
        stop = session.continue_()
    assert (stop.kind, stop.position) == (StopKind.CANCELLED, 50)
    assert signal.getsignal(signal.SIGINT) is before
    assert session.step_into().position == 51


def test_ctrl_c_pressed_again_ends_the_session() -> None:
    session = endless_until_ctrl_c(50, times=2)
    with pytest.raises(KeyboardInterrupt), _interruptible(session):
        session.continue_()
