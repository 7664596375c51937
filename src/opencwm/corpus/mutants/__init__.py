"""Mutants: programs with one small change each, and traces of both that part at a known step."""

from opencwm.corpus.mutants.config import MutationConfig
from opencwm.corpus.mutants.drawing import Mutant, mutate
from opencwm.corpus.mutants.operators import OPERATORS, Operator
from opencwm.corpus.mutants.recording import (
    MutationTally,
    first_divergence,
    mutant_traces,
    mutate_traces,
    reproduced,
)

__all__ = [
    "OPERATORS",
    "Mutant",
    "MutationConfig",
    "MutationTally",
    "Operator",
    "first_divergence",
    "mutant_traces",
    "mutate",
    "mutate_traces",
    "reproduced",
]
