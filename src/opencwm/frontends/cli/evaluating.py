"""What the commands of ``opencwm eval`` share: options, the model, and how a report is printed."""

from __future__ import annotations

import contextlib
import functools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencwm.core.errors import ConfigError
from opencwm.debugger.working import Working

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.inputs import Question
    from opencwm.evals.inputs_report import InputsReport
    from opencwm.evals.predictor import NativePredictor, RunPredictor
    from opencwm.evals.report import Report
    from opencwm.model.together import Worker
    from opencwm.traces import Program, Trace

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
EngineWorkers = Annotated[
    int,
    typer.Option(
        "--engine-workers",
        metavar="N",
        help="Spread programs over N processes, each with a model of its own; 1: this process alone.",
        min=1,
        max=4096,
    ),
]
UseRay = Annotated[
    bool,
    typer.Option(
        "--ray", help="With --engine-workers: on the Ray cluster that RAY_ADDRESS names, or a Ray of its own."
    ),
]
EngineGpus = Annotated[
    float,
    typer.Option("--engine-gpus", metavar="N", help="With --ray: GPUs of each engine.", min=0),
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
    from opencwm.debugger.native_model import native
    from opencwm.debugger.step_search import SearchConfig
    from opencwm.evals.predictor import NativePredictor

    model = native(world, "this evaluation")
    return NativePredictor(
        model.name,
        model.codec,
        model.engine,
        constrained=constrained,
        expressions=expressions,
        working=working,
        revision=model.revision,
        search=SearchConfig(samples=search),
    )


def run_predictor(
    world: WorldModel,
    *,
    constrained: bool = True,
    expressions: bool = False,
    working: Working = Working.FREE,
    search: int = 0,
) -> RunPredictor:
    """Return what predicts runs with a model of any format, as a command was told to."""
    from opencwm.debugger.cwm_model import CwmWorldModel
    from opencwm.debugger.step_search import SearchConfig
    from opencwm.evals.predictor import CwmPredictor

    if isinstance(world, CwmWorldModel):
        return CwmPredictor(world, constrained=constrained, search=SearchConfig(samples=search))
    return native_predictor(
        world, constrained=constrained, expressions=expressions, working=working, search=search
    )


def _open_predictor(model: str | None, how: Mapping[str, Any]) -> RunPredictor:
    """Open what another process predicts with."""
    from opencwm.debugger.world_model import WorldModel

    return run_predictor(WorldModel.load(model), **how)


def _open_recorder() -> Callable[[Program], Trace]:
    """Open what another process runs programs with; it ends with the process."""
    from opencwm.sandbox import Sandbox, record

    return functools.partial(record, sandbox=Sandbox())


@contextlib.contextmanager
def spread(
    world: WorldModel,
    predictor: RunPredictor,
    model: str | None,
    how: Mapping[str, Any],
    *,
    engine_workers: int = 1,
    ray: bool = False,
    engine_gpus: float = 0,
    batch: int = 1,
    record: Callable[[Program], Trace] | None = None,
) -> Iterator[Worker]:
    """Open what does the programs of an evaluation: this process, processes here, or a cluster.

    Args:
        world: the model of this process.
        predictor: what it predicts with here.
        model: where other processes open it from.
        how: what :func:`run_predictor` is told.
        engine_workers: processes; 1 without Ray for this one alone.
        ray: on a Ray cluster.
        engine_gpus: of each engine there.
        batch: programs predicted together, by this process.
        record: what runs programs here, where the evaluation runs any.

    Raises:
        ConfigError: options that exclude each other, or Ray is not installed.
    """
    if engine_gpus and not ray:
        raise ConfigError("GPUs are handed out by a cluster", where="--engine-gpus", hint="add --ray")
    if engine_workers == 1 and not ray:
        yield world.worker(batch)
        return
    if batch > 1:
        raise ConfigError(
            "one of --batch and --engine-workers", where="--batch", hint="engines predict one by one"
        )
    from opencwm.evals.engine_workers import local_workers, ray_workers

    where = str(Path(model).absolute()) if model is not None and Path(model).exists() else model
    shared: list[tuple[object, Callable[[], object]]] = [
        (predictor, functools.partial(_open_predictor, where, dict(how)))
    ]
    if record is not None:
        shared.append((record, _open_recorder))
    workers = (
        ray_workers(engine_workers, shared, num_gpus=engine_gpus)
        if ray
        else local_workers(engine_workers, shared)
    )
    with workers:
        yield workers


def evaluated_inputs(
    context: typer.Context,
    questions: Iterable[Question],
    model: str | None,
    *,
    limit: int | None = None,
    draws: int,
    seed: int,
    data: str,
    output: Path | None,
    engine_workers: int = 1,
    ray: bool = False,
    engine_gpus: float = 0,
) -> InputsReport:
    """Evaluate input prediction; proposed calls are run in the sandbox."""
    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.inputs import InputsConfig, evaluate_inputs
    from opencwm.frontends.cli.output import progress
    from opencwm.sandbox import Sandbox, record

    world = WorldModel.load(model)
    predictor = native_predictor(world)
    with contextlib.ExitStack() as stack:
        advance = stack.enter_context(progress("evaluating"))
        sandbox = stack.enter_context(Sandbox())
        run = functools.partial(record, sandbox=sandbox)
        worker = spread(
            world,
            predictor,
            model,
            {},
            engine_workers=engine_workers,
            ray=ray,
            engine_gpus=engine_gpus,
            record=run,
        )
        return evaluate_inputs(
            questions,
            predictor,
            run,
            InputsConfig(num_questions=limit, num_draws=draws, seed=seed),
            data=data,
            folder=output,
            command=command_line(context),
            progress=advance,
            worker=stack.enter_context(worker),
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
