"""What the commands of ``opencwm eval`` share: options, the model, and how a report is printed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.debugger.working import Working

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.inputs import Question
    from opencwm.evals.inputs_report import InputsReport
    from opencwm.evals.predictor import NativePredictor
    from opencwm.evals.report import Report

Resume = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        help="Keep results here while they come; resumes when there are some.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="PATH", help="A corpus, .jsonl or .parquet [default: generated programs]."
    ),
]
Programs = Annotated[int, typer.Option("--programs", metavar="N", help="How many programs.", min=1)]
Draws = Annotated[int, typer.Option("--draws", metavar="N", help="Most calls proposed for a result.", min=1)]
Batch = Annotated[
    int,
    typer.Option(
        "--batch",
        metavar="N",
        help="Predict N programs together: sooner done, but each takes longer, and is told to.",
        min=1,
        max=64,
    ),
]


def native_predictor(
    world: WorldModel,
    *,
    constrained: bool = True,
    expressions: bool = False,
    working: Working = Working.FREE,
    search: int = 0,
) -> NativePredictor:
    """Return what predicts with a model, as a command was told to."""
    from opencwm.debugger.step_search import SearchConfig
    from opencwm.evals.predictor import NativePredictor

    return NativePredictor(
        world.name,
        world.codec,
        world.engine,
        constrained=constrained,
        expressions=expressions,
        working=working,
        revision=world.revision,
        search=SearchConfig(samples=search),
    )


def evaluated_inputs(
    context: typer.Context,
    questions: Iterable[Question],
    model: Path | None,
    *,
    limit: int | None = None,
    draws: int,
    seed: int,
    data: str,
    output: Path | None,
) -> InputsReport:
    """Evaluate input prediction; proposed calls are run in the sandbox."""
    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.inputs import InputsConfig, evaluate_inputs
    from opencwm.frontends.cli.output import progress
    from opencwm.sandbox import Sandbox, record

    predictor = native_predictor(WorldModel.load(model))
    with progress("evaluating") as advance, Sandbox() as sandbox:
        return evaluate_inputs(
            questions,
            predictor,
            lambda program: record(program, sandbox=sandbox),
            InputsConfig(num_questions=limit, num_draws=draws, seed=seed),
            data=data,
            folder=output,
            command=command_line(context),
            progress=advance,
        )


def described(data: Path | None, programs: int, seed: int) -> str:
    """Return what programs are evaluated on, for the report."""
    from opencwm.frontends.model_card import GENERATED

    return str(data) if data is not None else f"{programs} {GENERATED}, seed {seed}"


def command_line(context: typer.Context) -> str:
    """Return the command line as typed, for the report."""
    return shlex.join(["opencwm", *context.find_root().obj["arguments"]])


def print_report(
    report: Report,
    *,
    as_json: bool,
) -> None:
    """Print a report as tables or as JSON."""
    from opencwm.evals.report import format_table
    from opencwm.frontends.cli.output import print_json

    if as_json:
        print_json(report.to_json())
    else:
        print("\n\n".join(format_table(table) for table in report.tables()))
