"""Sessions made from a program and a config: what each mode steps through."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from opencwm.core.errors import ConfigError, EngineError
from opencwm.debugger.execution import Origin, RealExecution
from opencwm.debugger.predicted import PredictedExecution
from opencwm.debugger.stops import StopKind
from opencwm.debugger.world_model import WorldModel
from opencwm.frontends.cli.debug import _interruptible
from opencwm.frontends.sessions import Mode, SessionConfig, open_program
from opencwm.traces import Program

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
    world = WorldModel.load(model_folder)
    opened = open_program(PROGRAM, SessionConfig(mode=Mode.COMPARE), world)
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


def _press_ctrl_c_twice() -> None:
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(5)


def test_ctrl_c_stops_a_move_where_it_got_and_then_is_python_s_again() -> None:
    program = Program.from_call("def f():\n    n = 0\n    while n < 3000:\n        n += 1\n", "f()")
    session = open_program(program, SessionConfig(mode=Mode.REAL, max_steps=10**9)).session()
    session.breakpoints.add_line(4, "sum(range(5000)) < 0")  # slow to decide
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    with _interruptible(session):
        timer.start()
        stop = session.continue_()
    timer.join()
    assert stop.kind is StopKind.CANCELLED
    assert 0 <= session.position < 6000
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt), _interruptible(session):
        _press_ctrl_c_twice()
