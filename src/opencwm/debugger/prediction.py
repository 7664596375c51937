"""One predicted step and how sure the model was of its parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from opencwm.codec.native import MalformedStep
from opencwm.traces import Step


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """One predicted step and the probabilities of its parts, each in (0, 1], given everything before.

    Attributes:
        step: the step, or why the ids are none.
        probabilities: changed name to the probability of writing it with this value.
        control_probability: of the step's kind and line.
        value_probability: of the returned or raised value, None when there is none.
        num_sampled: decisions the model made.
        num_tokens: ids of the step, appended ones included.
        num_passes: forward passes it took, those that read the prompt among them where it was the first one.
        supplied: changed names whose values the program's call or an assumption gives.
        is_value_supplied: whether an assumption gives the returned value.
    """

    step: Step | MalformedStep
    probabilities: Mapping[str, float]
    control_probability: float
    value_probability: float | None
    num_sampled: int
    num_tokens: int
    supplied: frozenset[str] = frozenset()
    num_passes: int = 0
    is_value_supplied: bool = False
