"""The data model of recorded and predicted runs, and its files."""

from opencwm.traces.program import Program
from opencwm.traces.trace import (
    SCHEMA_VERSION,
    Activation,
    Binding,
    CodeInfo,
    Evaluation,
    Mutation,
    Status,
    Step,
    StepFlags,
    StepKind,
    Trace,
    apply_step,
    replay,
)

__all__ = [
    "SCHEMA_VERSION",
    "Activation",
    "Binding",
    "CodeInfo",
    "Evaluation",
    "Mutation",
    "Program",
    "Status",
    "Step",
    "StepFlags",
    "StepKind",
    "Trace",
    "apply_step",
    "replay",
]
