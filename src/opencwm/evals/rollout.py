"""Run a predicted execution to its end, within bounds, and say how it ended.

It knows nothing of what is right: :mod:`opencwm.evals.free_running`, :mod:`opencwm.evals.cruxeval` and
:mod:`opencwm.evals.probes` judge.
"""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Callable
from typing import Any

from opencwm.core.errors import ConfigError, EngineError
from opencwm.debugger.execution import Execution, StepView
from opencwm.debugger.sampler import OutOfContextError
from opencwm.evals.predictor import CountedExecution
from opencwm.traces import Outcome, leaves_entry, outcome_of_steps


class End(enum.StrEnum):
    """Why a rollout is over."""

    ENDED = "ended"  # the entry was left
    STOPPED = "stopped"  # no further step, although the entry was not left
    MALFORMED = "malformed"  # the model wrote something that is no step
    STEP_LIMIT = "step_limit"
    TIMEOUT = "timeout"
    CONTEXT = "context"  # the engine's context cannot hold the next step


@dataclasses.dataclass(frozen=True, slots=True)
class Rollout:
    """The predicted steps of one program.

    Attributes:
        steps: the well-formed steps, in order.
        end: why there are no more.
        outcome: what the run came to; None unless it ``ENDED``.
        seconds: wall-clock time spent predicting.
        reason: what was malformed, or the execution's own words on its end.

    """

    steps: tuple[StepView, ...]
    end: End
    outcome: Outcome | None
    seconds: float
    reason: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RolloutBounds:
    """How far a run is predicted.

    Attributes:
        max_steps: most steps.
        max_seconds: most wall-clock seconds; it guards against one that crawls.

    Raises:
        ConfigError: a number that is not positive.

    """

    max_steps: int = 1024
    max_seconds: float = 300.0

    def __post_init__(self) -> None:
        for name in ("max_steps", "max_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(
                    f"{name} must be positive, not {getattr(self, name)}", where="eval benchmark"
                )


def rolled_out(execution: CountedExecution, bounds: RolloutBounds) -> tuple[dict[str, Any], Rollout]:
    """Roll out an execution; return what a record says of it, and the steps.

    Raises:
        EngineError: the engine behind the execution broke.

    """
    rollout = roll_out(execution, max_steps=bounds.max_steps, max_seconds=bounds.max_seconds)
    found = {
        "end": str(rollout.end),
        "reason": rollout.reason,
        "num_steps": len(rollout.steps),
        "num_sampled": sum(prediction.num_sampled for prediction in execution.predictions),
        "num_tokens": sum(prediction.num_tokens for prediction in execution.predictions),
        "seconds": rollout.seconds,
    }
    return found, rollout


def roll_out(
    execution: Execution,
    *,
    max_steps: int,
    max_seconds: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
    on_step: Callable[[], object] = lambda: None,
) -> Rollout:
    """Read steps until the execution ends or a bound is met.

    Args:
        execution: usually a predicted one, fresh.
        max_steps: most steps to read, at least 1.
        max_seconds: wall-clock bound, looked at between steps; None for none.
        clock: seconds from any fixed moment.
        on_step: called after each step.

    Raises:
        EngineError: the engine behind the execution broke.

    """
    steps: list[StepView] = []
    start = clock()

    def over(end: End, reason: str = "") -> Rollout:
        outcome = outcome_of_steps([view.step for view in steps]) if end is End.ENDED else None
        return Rollout(tuple(steps), end, outcome, clock() - start, reason)

    while len(steps) < max_steps:
        if max_seconds is not None and clock() - start > max_seconds:
            return over(End.TIMEOUT, f"{max_seconds:g} s are over")
        try:
            view = execution.get(len(steps))
        except EngineError as error:
            if isinstance(error, OutOfContextError) or isinstance(error.__cause__, OutOfContextError):
                return over(End.CONTEXT, error.what)
            raise
        if view is None:
            return over(End.STOPPED, execution.status)
        if view.malformed is not None:
            return over(End.MALFORMED, view.malformed)
        steps.append(view)
        on_step()
        if leaves_entry(view.step):
            return over(End.ENDED, execution.status if execution.ended() else "")
    return over(End.STEP_LIMIT, f"{max_steps} steps are over")
