"""A timeline of a session, under a number that no other timeline of the server ever has."""

from __future__ import annotations

import dataclasses
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.debugger.compare import Lockstep, Row
from opencwm.debugger.execution import Execution, FrameView, RealExecution, Steerable
from opencwm.debugger.session import Session


@dataclasses.dataclass
class Line:
    """One way the program may go.

    Attributes:
        id: its number.
        session: that it belongs to.
        number: that the session knows it by.
        label: what tells it from others.
        execution: its steps.
        lockstep: the real run beside it; None when there is none.
        forked_at: the step at which a variable was set; None for the first.
    """

    id: int
    session: Session
    number: int
    label: str
    execution: Execution
    lockstep: Lockstep | None = None
    forked_at: int | None = None
    _num_compared: int = 0
    _first_divergence: int | None = None

    @property
    def is_real(self) -> bool:
        """Whether it is what really happened."""
        return isinstance(self.execution, RealExecution)

    @property
    def num_steps(self) -> int:
        """How many steps are known; one that is malformed does not count."""
        known = self.execution.num_known
        last = self.execution.get(known - 1) if known else None
        return known - 1 if last is not None and last.malformed is not None else known

    def check(self, position: int) -> None:
        """Check that a step is known.

        Raises:
            ConfigError: it is not.
        """
        if not 0 <= position < self.num_steps:
            raise ConfigError(f"step {position} is not known", hint="reload the page")

    def stack(self, position: int) -> list[FrameView]:
        """Return the stack at a step.

        Raises:
            ConfigError: the step is not known.
        """
        self.check(position)
        return self.execution.stack_at(position)

    def row(self, position: int) -> Row | None:
        """Return a step beside that of the real run; None where there is none."""
        return None if self.lockstep is None else self.lockstep.row(position)

    @property
    def first_divergence(self) -> int | None:
        """The first known step that is not as in the real run."""
        while self.lockstep is not None and self._first_divergence is None:
            if self._num_compared >= self.num_steps:
                break
            row = self.lockstep.row(self._num_compared)
            if row is not None and not row.agrees:
                self._first_divergence = self._num_compared
            self._num_compared += 1
        return self._first_divergence

    def json(self) -> dict[str, Any]:
        """Return what tells about the timeline as a whole."""
        return {
            "id": self.id,
            "label": self.label,
            "source": "real" if self.is_real else "predicted",
            "num_steps": self.num_steps,
            "is_ended": self.execution.ended(),
            "status": self.execution.status,
            "first_divergence": self.first_divergence,
            "forked_at": self.forked_at,
            "can_steer": isinstance(self.execution, Steerable),
        }
