"""A program and what the user wants to see of it become a session: the one place where all frontends do that.

Three modes: *predicted*, *real* (recorded in the sandbox first), and *compare* (predicted, with the real run
beside it). Only the sandbox executes anything.
"""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import TYPE_CHECKING

from opencwm.core.errors import ConfigError
from opencwm.debugger.working import Working
from opencwm.frontends.models import Models

if TYPE_CHECKING:
    from opencwm.debugger.assumed import AssumedProgram
    from opencwm.debugger.execution import Execution, RealExecution
    from opencwm.debugger.session import Session
    from opencwm.traces import Program


class Mode(enum.StrEnum):
    """What is stepped through."""

    PREDICTED = "predicted"
    REAL = "real"
    COMPARE = "compare"  # the prediction, with the real run beside it


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionConfig:
    """How a program is looked at.

    Attributes:
        mode: what is stepped through.
        model: which, as :mod:`opencwm.model.spec` says; None for the one in the package.
        constrained: whether a prediction is limited to what the program allows.
        expressions: whether sub-expressions are predicted and recorded too.
        working: who works them out.
        search: how many attempts at each unsure step; 0 for none.
        max_steps: most steps of one move.
        timeout_s: most seconds of the real run.
    """

    mode: Mode = Mode.PREDICTED
    model: str | Path | None = None
    constrained: bool = True
    expressions: bool = True
    working: Working = Working.CALCULATED
    search: int = 0
    max_steps: int = 1_000
    timeout_s: float = 10.0


@dataclasses.dataclass(frozen=True)
class Opened:
    """Executions of one program, ready to be looked at.

    Attributes:
        execution: what is stepped through.
        real: the real run beside a predicted one; None when none was wanted, or it left no steps.
        max_steps: most steps of one move: of the config, or less where a real run tells that it is enough.
        notices: what the user should know, a line each.
    """

    execution: Execution
    real: RealExecution | None
    max_steps: int
    notices: tuple[str, ...]

    def session(self) -> Session:
        """Begin a session at the first step.

        Raises:
            ConfigError: there is no first step.
        """
        from opencwm.debugger.session import Session

        return Session(self.execution, max_steps=self.max_steps, real=self.real)


def open_program(
    program: Program | AssumedProgram, config: SessionConfig, models: Models | None = None
) -> Opened:
    """Make the executions that a config asks for; of a predicted one nothing is predicted yet.

    Arguments that are missing are invented by the model.

    Args:
        program: what to look at; with assumptions, what :func:`opencwm.debugger.assumed.assume` made of it.
        config: how.
        models: where that of the config is taken from, if one is needed; by default it is loaded anew.

    Raises:
        ConfigError: the program cannot be predicted, or a real run that is to be stepped left no steps.
        EngineError: the model cannot be loaded.
        SandboxError: the sandbox failed.
    """
    from opencwm.debugger.assumed import AssumedProgram

    assumed = program if isinstance(program, AssumedProgram) else AssumedProgram(program)
    models = models or Models()
    if assumed.missing:
        from opencwm.debugger.invented import with_invented_arguments

        assumed = with_invented_arguments(models.get(config.model), assumed)
    program = assumed.program
    notices = [f"assumed: {note}" for note in assumed.notes]
    if config.mode is Mode.REAL:
        observed = _observe(assumed, config)
        if not observed.trace.steps:
            raise ConfigError(
                f"there is no real run: {observed.status}",
                where=program.filename,
                hint="without --real it is predicted, which needs no run",
            )
        return Opened(observed, None, config.max_steps, tuple(notices))
    real = None
    max_steps = config.max_steps
    if config.mode is Mode.COMPARE:
        observed = _observe(assumed, config)
        if observed.trace.steps:
            real = observed
            # a prediction that goes astray need not end
            max_steps = min(max_steps, 2 * len(observed.trace.steps) + 16)
        else:
            notices.append(f"{program.filename}: there is no real run to compare with: {observed.status}")
    execution, left_out = _predict(assumed, config, models)
    notices += [f"{program.filename}: {text}" for text in left_out]
    return Opened(execution, real, max_steps, tuple(notices))


def _predict(
    assumed: AssumedProgram, config: SessionConfig, models: Models
) -> tuple[Execution, tuple[str, ...]]:
    from opencwm.debugger.step_search import SearchConfig

    execution = models.get(config.model).execution(
        assumed.program,
        constrained=config.constrained,
        expressions=config.expressions,
        working=config.working,
        search=SearchConfig(samples=config.search),
        assumed=assumed.assumed,
    )
    return execution, tuple(execution.notices)


def _observe(assumed: AssumedProgram, config: SessionConfig) -> RealExecution:
    """Record the real run."""
    from opencwm.debugger.execution import RealExecution
    from opencwm.sandbox import RunLimits, record
    from opencwm.tracer import TraceLimits

    trace = record(
        assumed.program,
        limits=RunLimits(wall_s=config.timeout_s, cpu_s=config.timeout_s),
        trace_limits=TraceLimits(expressions=config.expressions),
    )
    return RealExecution(trace, assumed=assumed.assumed)
