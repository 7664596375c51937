"""Figures other people published, to stand beside ours. Never mixed with what was measured here.

They were measured on other data, splits and prompts than a run here may use; each says where it comes from.
"""

from __future__ import annotations

import dataclasses

STEPS = "steps"
CRUXEVAL = "cruxeval"
INPUTS = "inputs"
LIVECODEBENCH = "livecodebench"
EVALPLUS = "evalplus"
BENCHMARKS = (CRUXEVAL, LIVECODEBENCH, EVALPLUS)
"""Suites of items whose output is to be predicted."""

REVAL = "reval"
COCONUT = "coconut"
CODESENSE = "codesense"
PROBED = (REVAL, COCONUT, CODESENSE)
"""Suites that ask about runs."""


LIVECODEBENCH_CODE = "livecodebench-code"
MATH_500 = "math500"
AIME_24 = "aime24"
AIME_25 = "aime25"
SWEBENCH_VERIFIED = "swebench-verified"
"""What harnesses run: :data:`opencwm.evals.harnesses.BENCHMARKS`."""


@dataclasses.dataclass(frozen=True, slots=True)
class PublishedFigure:
    """One published number.

    Attributes:
        benchmark: :data:`STEPS`, :data:`INPUTS` or a suite: the report it stands beside.
        model: what was measured.
        metric: what was measured of it, in words.
        percent: the figure, in percent.
        source: where it was published.

    """

    benchmark: str
    model: str
    metric: str
    percent: float
    source: str


_NEURAL_DEBUGGER = "Beck, Gehring, Kossen, Synnaeve, Towards a Neural Debugger for Python, arXiv 2603.09951"
_SCRATCH = "1.8B from scratch, 150B tokens"
_TUNED = "32B fine-tuned"
_CWM = "facebook/cwm 32B"
_REVAL = "Chen et al., Reasoning Runtime Behavior of a Program with LLM, abstract, arXiv 2403.16437"
_COCONUT = "Beger, Dutta, CoCoNUT, arXiv 2501.16456, README of ClaasBeger/StructuralCodeUnderstanding"
_HARD = "HumanEval tasks with all traces right, CoT"
_MEAN = "HumanEval traces right, CoT"

_CARD = "FAIR CodeGen team, CWM, MODEL_CARD.md of facebookresearch/cwm, arXiv 2510.02387"
_REASONING = "pass@1, temperature 1.0, top_p 0.95, reasoning"

FIGURES = (
    PublishedFigure(INPUTS, _SCRATCH, "input, on CRUXEval", 53.6, _NEURAL_DEBUGGER),
    PublishedFigure(INPUTS, _TUNED, "input, on CRUXEval", 66.5, _NEURAL_DEBUGGER),
    PublishedFigure(CRUXEVAL, _SCRATCH, "output by step_return", 48.0, _NEURAL_DEBUGGER),
    PublishedFigure(CRUXEVAL, _SCRATCH, "output by breakpoint", 57.7, _NEURAL_DEBUGGER),
    PublishedFigure(CRUXEVAL, _TUNED, "output by step_return", 77.9, _NEURAL_DEBUGGER),
    PublishedFigure(CRUXEVAL, _TUNED, "output by breakpoint", 83.2, _NEURAL_DEBUGGER),
    PublishedFigure(CRUXEVAL, _CWM, "output by full trace (497 tokens on average)", 87.7, _NEURAL_DEBUGGER),
    PublishedFigure(CRUXEVAL, _CWM, "output in a single step", 58.1, _NEURAL_DEBUGGER),
    PublishedFigure(
        CRUXEVAL, _CWM, "output by natural-language reasoning (1164 tokens)", 94.3, _NEURAL_DEBUGGER
    ),
    PublishedFigure(STEPS, _CWM, "state exact per step, on CRUXEval", 96.9, _NEURAL_DEBUGGER),
    PublishedFigure(STEPS, _CWM, "source line (action) exact per step, on CRUXEval", 96.5, _NEURAL_DEBUGGER),
    PublishedFigure(STEPS, _CWM, "valid format per step, on CRUXEval", 99.6, _NEURAL_DEBUGGER),
    PublishedFigure(REVAL, "mean of the LLMs evaluated", "accuracy, the four tasks together", 44.4, _REVAL),
    PublishedFigure(REVAL, "mean of the LLMs evaluated", "incremental consistency", 10.3, _REVAL),
    PublishedFigure(COCONUT, "Gemini 1.5 Pro 002", _HARD, 47.2, _COCONUT),
    PublishedFigure(COCONUT, "Gemini 1.5 Pro 002", _MEAN, 66.2, _COCONUT),
    PublishedFigure(COCONUT, "Claude 3.5 Sonnet", _HARD, 41.0, _COCONUT),
    PublishedFigure(COCONUT, "Claude 3.5 Sonnet", _MEAN, 61.6, _COCONUT),
    PublishedFigure(COCONUT, "GPT-4o", _HARD, 16.8, _COCONUT),
    PublishedFigure(COCONUT, "GPT-4o", _MEAN, 39.4, _COCONUT),
    PublishedFigure(COCONUT, "Qwen2.5-Coder 32B", _HARD, 26.1, _COCONUT),
    PublishedFigure(COCONUT, "Qwen2.5-Coder 32B", _MEAN, 44.3, _COCONUT),
    PublishedFigure(LIVECODEBENCH_CODE, _CWM, f"v5, {_REASONING}, 10 answers", 68.6, _CARD),
    PublishedFigure(LIVECODEBENCH_CODE, _CWM, f"v6, {_REASONING}, 10 answers", 63.5, _CARD),
    PublishedFigure(LIVECODEBENCH_CODE, "Qwen3-32B", "v6, pass@1", 61.9, _CARD),
    PublishedFigure(LIVECODEBENCH_CODE, "gpt-oss-20B (med)", "v6, pass@1", 62.0, _CARD),
    PublishedFigure(MATH_500, _CWM, f"{_REASONING}, 20 answers", 96.6, _CARD),
    PublishedFigure(MATH_500, "Qwen3-32B", "pass@1", 97.2, _CARD),
    PublishedFigure(AIME_24, _CWM, f"{_REASONING}, 20 answers", 76.0, _CARD),
    PublishedFigure(AIME_24, "Qwen3-32B", "pass@1", 81.4, _CARD),
    PublishedFigure(AIME_25, _CWM, f"{_REASONING}, 20 answers", 68.2, _CARD),
    PublishedFigure(AIME_25, "Qwen3-32B", "pass@1", 72.9, _CARD),
    PublishedFigure(SWEBENCH_VERIFIED, _CWM, "pass@1 with its own tools", 53.9, _CARD),
    PublishedFigure(SWEBENCH_VERIFIED, _CWM, "with test-time scaling", 65.8, _CARD),
    PublishedFigure(SWEBENCH_VERIFIED, "Qwen3-Coder-32B", "pass@1", 51.6, _CARD),
)
"""Figures of output prediction and of single steps; in print they are pass@1 and exact match."""


def published(benchmark: str) -> tuple[PublishedFigure, ...]:
    """Return the figures that stand beside a report on ``benchmark``."""
    return tuple(figure for figure in FIGURES if figure.benchmark == benchmark)
