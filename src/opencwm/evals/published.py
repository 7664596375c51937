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


@dataclasses.dataclass(frozen=True, slots=True)
class PublishedFigure:
    """One published number.

    Attributes:
        benchmark: :data:`STEPS`, :data:`CRUXEVAL` or :data:`INPUTS`: the report it stands beside.
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
)
"""Figures of output prediction and of single steps; in print they are pass@1 and exact match."""


def published(benchmark: str) -> tuple[PublishedFigure, ...]:
    """Return the figures that stand beside a report on ``benchmark``."""
    return tuple(figure for figure in FIGURES if figure.benchmark == benchmark)
