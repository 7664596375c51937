"""A world model that is always right: it plays back real runs, recorded without a sandbox in this process."""

from __future__ import annotations

from typing import Any

from opencwm.debugger.execution import Predicted
from opencwm.debugger.testing import predicted_from
from opencwm.debugger.world_model import WorldModel
from opencwm.model.together import Worker, one_by_one
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program


class OracleWorldModel(WorldModel):
    """Predicts what really happens, each part with the same probability.

    Args:
        probability: of every value, line and return.

    Attributes:
        num_executions: how many were asked for.
    """

    name, revision, format = "oracle", "", "native"

    def __init__(self, probability: float = 1.0) -> None:
        self._probability = probability
        self.num_executions = 0

    def try_out(self) -> str:
        """Answer anything."""
        return "nothing"

    def worker(self, at_once: int) -> Worker:  # noqa: ARG002
        """Do jobs one by one."""
        return one_by_one

    def execution(self, program: Program, **_: Any) -> Predicted:
        """Return the real run as a prediction."""
        self.num_executions += 1
        trace = record(program, TraceLimits(max_steps=2_000))
        made: Any = predicted_from(trace, probability=self._probability)
        return made  # type: ignore[no-any-return]
