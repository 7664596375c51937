"""A typed random generator of realistic Python programs, its curriculum, and the filter behind it."""

from opencwm.corpus.generator.config import CurriculumConfig, GeneratorConfig, sample_config
from opencwm.corpus.generator.functions import generate_candidate, generate_program
from opencwm.corpus.generator.traced import Recorder, generate_traced, in_process_recorder, rejection

__all__ = [
    "CurriculumConfig",
    "GeneratorConfig",
    "Recorder",
    "generate_candidate",
    "generate_program",
    "generate_traced",
    "in_process_recorder",
    "rejection",
    "sample_config",
]
