"""What a test comes to, as a model predicts it: passes or fails, where and why, and how sure.

The run of the test's :class:`~.slices.Slice` is predicted step by step until it is settled how the test ends,
within bounds of steps and time. Nothing is run. A test that cannot be cut out, is too long or does not end is
*unknown*, with the reason; a model that is unsure of its steps is not: it has a probability.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import time
from collections.abc import Iterator, Sequence
from typing import Final

from opencwm.agent.planning.calibration import Calibration
from opencwm.agent.planning.cases import Case
from opencwm.agent.planning.plain import NOT_RAISED, CannotSayError
from opencwm.agent.planning.slices import Slice, slice_of
from opencwm.agent.planning.versions import Version
from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.debugger.checking.check import exception_name, raising_line
from opencwm.debugger.checking.endlessness import EndWatch
from opencwm.debugger.execution import Execution, StepView
from opencwm.debugger.working import Working
from opencwm.debugger.world_model import WorldModel
from opencwm.traces import OutcomeKind, StepKind, leaves_entry, outcome_of_steps

MAX_WALL_S: Final = 60.0


class Outlook(enum.StrEnum):
    """What is predicted of a test."""

    PASSES = "passes"
    FAILS = "fails"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """The forecast for one test of one version.

    Attributes:
        outlook: what the predicted run comes to.
        probability: that the test passes, calibrated; of an unknown one what is usual.
        confidence: the model's probability of all steps of the predicted run, multiplied; 0 when unknown.
        exception: type of what fails it: ``AssertionError``, ``KeyError``, ``Failed`` for an exception that
            does not come, ``Endless`` for a run without an end; empty when it passes.
        path, lineno: where it fails: file, and 1-based line of the statement; empty and 0 when it passes.
        reason: why it is unknown.
        num_steps: of the predicted run.
        seconds: of the processor it took; 0 when it was known already.
        visited: file and line of the statements that the predicted run comes to.
    """

    outlook: Outlook
    probability: float = 0.0
    confidence: float = 0.0
    exception: str = ""
    path: str = ""
    lineno: int = 0
    reason: str = ""
    num_steps: int = 0
    seconds: float = 0.0
    visited: frozenset[tuple[str, int]] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether anything is predicted."""
        return self.outlook is not Outlook.UNKNOWN

    @property
    def is_to_pass(self) -> bool:
        """Whether the test is likelier to pass than to fail, whatever the predicted run comes to.

        An unsure run that fails says little. False when nothing is predicted.
        """
        return self.is_known and self.probability >= 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForecastConfig:
    """How far a test is followed.

    Attributes:
        max_steps: most steps of its predicted run.
        max_seconds: most processor time of the thread, looked at between steps; of an engine elsewhere, which
            takes none of it, :data:`MAX_WALL_S` on the clock.

    Raises:
        ConfigError: a number that is not positive.
    """

    max_steps: int = 150
    max_seconds: float = 2.0

    def __post_init__(self) -> None:
        for name in ("max_steps", "max_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive, not {getattr(self, name)}", where="forecast")


class Forecaster:
    """Makes forecasts with one model; those of equal programs are made once.

    Args:
        world: predicts.
        config: how far.
        calibration: turns confidence into a probability; by default as measured for the model in the package.

    Attributes:
        num_predicted: runs that were predicted.
        seconds: of the processor they took.
    """

    def __init__(
        self, world: WorldModel, config: ForecastConfig | None = None, calibration: Calibration | None = None
    ) -> None:
        self.config = config or ForecastConfig()
        self.calibration = calibration or Calibration()
        self.num_predicted = 0
        self.seconds = 0.0
        self._world = world
        self._known: dict[str, Forecast] = {}

    @property
    def model(self) -> str:
        """Name of the model."""
        return f"{self._world.name} {self._world.revision}".strip()

    def forecast(self, version: Version, case: Case, *, is_changed: bool = False) -> Forecast:
        """Return the forecast for a test of a version.

        Args:
            version: the repository.
            case: the test.
            is_changed: whether the version has a change that may mend the test, which failed without it.
        """
        try:
            found = self._of_slice(slice_of(version, case))
        except CannotSayError as error:
            found = self._unknown(str(error))
        is_to_pass = found.outlook is Outlook.PASSES if found.is_known else None
        calibrator = self.calibration.changed if is_changed else self.calibration.as_is
        return dataclasses.replace(found, probability=calibrator.probability(is_to_pass, found.confidence))

    def _of_slice(self, made: Slice) -> Forecast:
        known = self._known.get(made.program.id)
        if known is not None:
            return _moved(known, made)
        clock = _Clock(self.config.max_seconds)
        found = self._predicted(made, clock)
        self.num_predicted += 1
        self.seconds += clock.seconds
        found = dataclasses.replace(found, seconds=round(clock.seconds, 3))
        self._known[made.program.id] = found
        return _moved(found, made)

    def _predicted(self, made: Slice, clock: _Clock) -> Forecast:
        """Follow a predicted run; lines are those of the program."""
        try:
            execution = self._world.execution(made.program, expressions=True, working=Working.CALCULATED)
            return self._followed(made, execution, clock)
        except OpenCWMError as error:  # it does not fit, or does not compile as a program of its own
            return self._unknown(error.what)

    def _followed(self, made: Slice, execution: Execution, clock: _Clock) -> Forecast:
        watch = EndWatch(made.program.text)
        views: list[StepView] = []
        for index in range(self.config.max_steps):
            if clock.is_over:
                return self._unknown(f"not over after {self.config.max_seconds:g} s", views)
            view = execution.get(index)
            if view is None or view.malformed is not None:
                return self._unknown("the prediction breaks off", views)
            views.append(view)
            settled = self._settled(made, views)
            if settled is not None:
                return settled
            endless = watch.see(view.step, execution.stack_at(index))
            if endless is not None and endless.is_repetition:
                return self._fails(views, "Endless", endless.lineno)
        return self._unknown(f"not over after {self.config.max_steps} steps", views)

    def _settled(self, made: Slice, views: Sequence[StepView]) -> Forecast | None:
        """Return what the test comes to once that is clear, None before."""
        step = views[-1].step
        if step.kind is StepKind.LINE and step.depth == 0:
            if step.lineno in made.failing:
                is_missing = NOT_RAISED in made.program.lines[step.lineno - 1]
                return self._fails(views, "Failed" if is_missing else "AssertionError", step.lineno)
            wanted = made.messages.get(step.lineno)
            if wanted is not None and wanted not in _message(views):
                return self._fails(views, "AssertionError", step.lineno)
        if not leaves_entry(step):
            return None
        steps = [view.step for view in views]
        outcome = outcome_of_steps(steps)
        if outcome is None or outcome.kind is OutcomeKind.RETURNED:
            return Forecast(
                outlook=Outlook.PASSES,
                confidence=_confidence(views),
                num_steps=len(views),
                visited=frozenset(_visited(views)),
            )
        return self._fails(views, exception_name(outcome.value), raising_line(steps, made.program.text))

    def _fails(self, views: Sequence[StepView], exception: str, lineno: int) -> Forecast:
        return Forecast(
            outlook=Outlook.FAILS,
            confidence=_confidence(views),
            exception=exception,
            lineno=lineno,
            num_steps=len(views),
            visited=frozenset(_visited(views)),
        )

    def _unknown(self, reason: str, views: Sequence[StepView] = ()) -> Forecast:
        return Forecast(
            outlook=Outlook.UNKNOWN,
            reason=reason,
            num_steps=len(views),
            visited=frozenset(_visited(views)),
        )


class _Clock:
    """Counts the time of one forecast.

    Args:
        most: processor seconds.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._started = time.thread_time()
        self._started_wall = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Processor seconds so far."""
        return time.thread_time() - self._started

    @property
    def is_over(self) -> bool:
        """Whether it took too long."""
        return self.seconds > self._most or time.perf_counter() - self._started_wall > MAX_WALL_S


def _confidence(views: Sequence[StepView]) -> float:
    confidence = 1.0
    for view in views:
        confidence *= 1.0 if view.probability is None else view.probability
    return confidence


def _visited(views: Sequence[StepView]) -> Iterator[tuple[str, int]]:
    return (("", view.step.lineno) for view in views)


def _moved(found: Forecast, made: Slice) -> Forecast:
    """Return a forecast whose lines are those of the files, not of the program."""
    path, lineno = made.place(found.lineno) if found.lineno else ("", 0)
    visited = frozenset(made.place(line) for _, line in found.visited)
    return dataclasses.replace(found, path=path, lineno=lineno, visited=visited)


def _message(views: Sequence[StepView]) -> str:
    """Return the text of the exception that was raised last, as far as it can be read off."""
    raised = next((view.step.value for view in reversed(views) if view.step.kind is StepKind.EXCEPTION), None)
    try:
        node = ast.parse(raised or "", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return raised or ""
    parts = node.args if isinstance(node, ast.Call) else []
    if len(parts) == 1 and isinstance(parts[0], ast.Constant) and isinstance(parts[0].value, str):
        return parts[0].value
    return raised or ""
