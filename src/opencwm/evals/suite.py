"""Everything at once: steps, jumps and inputs on the same programs, of one set or more, in one report.

The one idea: the parts keep their own journals, in folders named after the set and the part, so that an
evaluation of hours goes on where it stopped; the report is made anew from them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.evals.inputs import InputsConfig, evaluate_inputs, questions_of_traces
from opencwm.evals.jumps import JumpsConfig, evaluate_jumps
from opencwm.evals.predictor import Predictor
from opencwm.evals.report import Provenance
from opencwm.evals.steps import StepsConfig, choose_traces, evaluate_steps
from opencwm.evals.suite_report import SetReport, SuiteReport
from opencwm.model.together import Worker, one_by_one
from opencwm.traces import Program, Trace

SuiteProgress = Callable[[str, int, int], object]
"""Called with what is being measured, the number of cases done, and the number there are."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SuiteConfig:
    """What is measured; see the configs of the parts.

    Attributes:
        num_programs: programs of each set, drawn with ``seed``.
        seed: of all draws.
        max_steps: most steps of a rollout, and of a run that is predicted step by step.
        per_program: most jumps in one program.
        num_draws: most calls proposed for a result.
        expressions: steps are predicted with expression detail.
    """

    num_programs: int = 100
    seed: int = 0
    max_steps: int = 256
    per_program: int = 4
    num_draws: int = 1
    expressions: bool = True


def evaluate_suite(
    sets: Mapping[str, Sequence[Trace]],
    predictor: Predictor,
    record: Callable[[Program], Trace],
    config: SuiteConfig,
    *,
    data: Mapping[str, str],
    folder: Path,
    command: str = "",
    progress: SuiteProgress = lambda what, done, of: None,  # noqa: ARG005
    worker: Worker = one_by_one,
) -> SuiteReport:
    """Measure everything on every set.

    Args:
        sets: name -> recorded runs.
        predictor: what is evaluated.
        record: runs and records a program; use one that confines it.
        config: bounds and choice of programs.
        data: name -> what the runs are, for the report.
        folder: keeps results while they come; evaluating into the same folder again goes on where it stopped.
        command: what reproduces this, for the report.
        progress: told before the first and after every case of a part.
        worker: does the cases, one after the other or several together.

    Raises:
        ConfigError: a set without a run, or ``folder`` holds results of other settings.
        EngineError: the engine broke; results so far are kept.
    """
    reports = {}
    for name, traces in sets.items():
        chosen = choose_traces(traces, config.num_programs, config.seed)
        if not chosen:
            raise ConfigError("no trace with a step in it", where=data[name])
        runs = list(chosen.values())

        def common(part: str, name: str = name) -> dict[str, Any]:
            return {
                "data": data[name],
                "command": command,
                "folder": folder / name / part,
                "worker": worker,
                "progress": lambda done, of: progress(f"{name}: {part}", done, of),
            }

        steps = StepsConfig(max_steps=config.max_steps, seed=config.seed, expressions=config.expressions)
        jumps = JumpsConfig(per_program=config.per_program, seed=config.seed, max_steps=config.max_steps)
        inputs = InputsConfig(num_draws=config.num_draws, seed=config.seed)
        questions = list(questions_of_traces(runs))
        reports[name] = SetReport(
            steps=evaluate_steps(runs, predictor, steps, **common("steps")),
            jumps=evaluate_jumps(runs, predictor, jumps, **common("jumps")),
            inputs=evaluate_inputs(questions, predictor, record, inputs, **common("inputs"))
            if questions
            else None,
        )
    settings = {"config": dataclasses.asdict(config), "predictor": dict(predictor.settings)}
    told = Provenance(model=predictor.name, data=", ".join(data.values()), command=command, settings=settings)
    return SuiteReport(told, reports)
