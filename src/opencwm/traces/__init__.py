"""The data model of recorded and predicted runs, and its files."""

from opencwm.traces.outcome import Outcome, OutcomeKind, leaves_entry, observed_outcome, outcome_of_steps
from opencwm.traces.program import Program
from opencwm.traces.state_tree import StateTree
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
from opencwm.traces.trajectory import Action, ExitState, Move

__all__ = [
    "SCHEMA_VERSION",
    "Action",
    "Activation",
    "Binding",
    "CodeInfo",
    "Evaluation",
    "ExitState",
    "Move",
    "Mutation",
    "Outcome",
    "OutcomeKind",
    "Program",
    "StateTree",
    "Status",
    "Step",
    "StepFlags",
    "StepKind",
    "Trace",
    "apply_step",
    "leaves_entry",
    "observed_outcome",
    "outcome_of_steps",
    "replay",
]
