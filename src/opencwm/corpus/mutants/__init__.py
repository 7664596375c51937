"""Mutants: programs with one small change each, and traces of both that part at a known step."""

from opencwm.corpus.mutants.config import MutationConfig
from opencwm.corpus.mutants.drawing import Mutant, mutate
from opencwm.corpus.mutants.operators import OPERATORS, Operator
from opencwm.corpus.mutants.recording import first_divergence, mutant_traces, reproduced

__all__ = [
    "OPERATORS",
    "Mutant",
    "MutationConfig",
    "Operator",
    "first_divergence",
    "mutant_traces",
    "mutate",
    "reproduced",
]
