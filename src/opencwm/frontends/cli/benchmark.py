"""``opencwm eval benchmark``: items of public suites, from files the user has."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencwm.core.errors import ConfigError
from opencwm.debugger.working import Working
from opencwm.frontends.cli.evaluating import (
    Batch,
    Draws,
    EngineGpus,
    EngineWorkers,
    Resume,
    UseRay,
    command_line,
    evaluated_inputs,
    print_report,
    run_predictor,
    spread,
)
from opencwm.frontends.cli.options import (
    Detail,
    DetailLevel,
    Json,
    MaxSteps,
    Model,
    SearchSamples,
    Unconstrained,
    WorkingLevel,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.cruxeval_items import Item
    from opencwm.evals.cruxeval_report import CruxEvalReport
    from opencwm.evals.predictor import RunPredictor
    from opencwm.evals.probes_report import ProbesReport
    from opencwm.evals.validation import Validation
    from opencwm.model.together import Worker
    from opencwm.traces import Program, Trace


class Task(enum.StrEnum):
    """What is asked of an item."""

    OUTPUT = "output"
    INPUT = "input"


class Suite(enum.StrEnum):
    """Whose format a file of items is in."""

    CRUXEVAL = "cruxeval"
    LIVECODEBENCH = "livecodebench"
    EVALPLUS = "evalplus"
    REVAL = "reval"
    COCONUT = "coconut"
    CODESENSE = "codesense"


class Method(enum.StrEnum):
    """How an output is predicted."""

    TRACE = "trace"
    DIRECT = "direct"
    BOTH = "both"


SuiteFile = Annotated[
    Path, typer.Option("--data", metavar="FILE", help="The suite's file.", show_default=False)
]
SuiteName = Annotated[
    Suite,
    typer.Option(
        "--suite",
        metavar="cruxeval|livecodebench|evalplus|reval|coconut|codesense",
        help="CRUXEval; LiveCodeBench's code execution; HumanEval+ or MBPP+, whose solutions are run in"
        " the sandbox for their outputs. REval, CoCoNUT and CodeSense ask about runs; REval's are run in"
        " the sandbox.",
    ),
]
TasksFile = Annotated[
    Path | None,
    typer.Option(
        "--tasks",
        metavar="FILE",
        help="reval: its tasks [default: DREval_tasks.jsonl beside the data].",
    ),
]
TaskName = Annotated[
    Task,
    typer.Option(
        "--task",
        metavar="output|input",
        help="What the call returns; or a call that returns it, which is run in the sandbox.",
    ),
]
MethodName = Annotated[
    Method,
    typer.Option(
        "--method",
        metavar="trace|direct|both",
        help="output: roll out the run, ask for the output at once, or both.",
    ),
]
NumItems = Annotated[int | None, typer.Option("--items", metavar="N", help="Only the first N items.", min=1)]
Validate = Annotated[
    bool,
    typer.Option(
        "--validate", help="Also run every item in the sandbox: the grader must accept what happens."
    ),
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Asked:
    """What was asked for: of which items, and how their runs are predicted."""

    data: Path
    suite: Suite
    items: int | None
    validate: bool
    max_steps: int
    output: Path | None
    command: str


def benchmark(
    context: typer.Context,
    data: SuiteFile,
    suite: SuiteName = Suite.CRUXEVAL,
    tasks: TasksFile = None,
    task: TaskName = Task.OUTPUT,
    method: MethodName = Method.BOTH,
    draws: Draws = 1,
    items: NumItems = None,
    validate: Validate = False,
    model: Model = None,
    unconstrained: Unconstrained = False,
    detail: DetailLevel = Detail.LINE,
    working: WorkingLevel = Working.FOLLOWED,
    search: SearchSamples = 0,
    max_steps: MaxSteps = 1024,
    batch: Batch = 1,
    engine_workers: EngineWorkers = 1,
    ray: UseRay = False,
    engine_gpus: EngineGpus = 0,
    output: Resume = None,
    as_json: Json = False,
) -> None:
    """Score predictions on the items of a public benchmark.

    Outputs, inputs, or questions about runs. The file is yours; none comes with this package. Programs are
    not run, except with --validate, by the task input, for the outputs of evalplus and for the answers of
    reval.
    """
    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.inputs import questions_of_items

    is_probed = _is_probed(suite, tasks, task, method)
    spreading: dict[str, Any] = {"engine_workers": engine_workers, "ray": ray, "engine_gpus": engine_gpus}
    if task is Task.INPUT:
        questions = questions_of_items(_items(data, suite)[:items])
        report = evaluated_inputs(
            context,
            questions,
            model,
            draws=draws,
            seed=0,
            data=str(data),
            output=output,
            **spreading,
        )
        print_report(report, as_json=as_json)
        return
    world = WorldModel.load(model)
    method = _possible(method, world)
    how: dict[str, Any] = {
        "constrained": not unconstrained,
        "expressions": detail is Detail.EXPR,
        "working": working,
        "search": search,
    }
    predictor = run_predictor(world, **how)
    asked = _Asked(
        data=data,
        suite=suite,
        items=items,
        validate=validate,
        max_steps=max_steps,
        output=output,
        command=command_line(context),
    )
    with spread(world, predictor, model, how, batch=batch, **spreading) as worker:
        scored = (
            _questions(asked, tasks, worker, predictor)
            if is_probed
            else _outputs(asked, method, worker, predictor)
        )
    print_report(scored, as_json=as_json)


def _is_probed(suite: Suite, tasks: Path | None, task: Task, method: Method) -> bool:
    """Tell whether a suite asks about runs; raises :class:`ConfigError` where options do not go together."""
    if tasks is not None and suite is not Suite.REVAL:
        raise ConfigError("only reval has a file of tasks", where="--tasks")
    is_probed = suite in (Suite.REVAL, Suite.COCONUT) or (suite is Suite.CODESENSE and task is Task.OUTPUT)
    if is_probed and (task is Task.INPUT or method is Method.DIRECT):
        raise ConfigError(f"{suite} asks about runs, which are rolled out", where="--task and --method")
    return is_probed


def _possible(method: Method, world: WorldModel) -> Method:
    """Return how a model predicts outputs; raises :class:`ConfigError` where it cannot as it was told to."""
    from opencwm.model.spec import Format

    if world.format != Format.CWM:
        return method
    if method is Method.DIRECT:
        raise ConfigError("a model of the cwm format predicts outcomes step by step", where="--method")
    return Method.TRACE


def _outputs(asked: _Asked, method: Method, worker: Worker, predictor: RunPredictor) -> CruxEvalReport:
    from opencwm.evals import cruxeval
    from opencwm.frontends.cli.output import progress

    items = _items(asked.data, asked.suite)
    methods = tuple(cruxeval.Method) if method is Method.BOTH else (cruxeval.Method(method),)
    validation = _validation(items[: asked.items]) if asked.validate else None
    with progress("evaluating") as advance:
        return cruxeval.evaluate_cruxeval(
            items,
            predictor,
            cruxeval.CruxEvalConfig(methods=methods, num_items=asked.items, max_steps=asked.max_steps),
            suite=asked.suite.value,
            data=str(asked.data),
            folder=asked.output,
            command=asked.command,
            validation=validation,
            progress=advance,
            worker=worker,
        )


def _questions(asked: _Asked, tasks: Path | None, worker: Worker, predictor: RunPredictor) -> ProbesReport:
    from opencwm.evals import coconut_items, codesense_items, probes, reval_items
    from opencwm.evals.rollout import RolloutBounds
    from opencwm.frontends.cli.output import progress
    from opencwm.sandbox import Sandbox, record

    with Sandbox() as sandbox:

        def run(program: Program) -> Trace:
            return record(program, sandbox=sandbox)

        if asked.suite is Suite.REVAL:
            found = reval_items.load_items(asked.data, tasks, run)
        else:
            found = (coconut_items if asked.suite is Suite.COCONUT else codesense_items).load_items(
                asked.data
            )
        validation = None
        if asked.validate:
            with progress("validating") as advance:
                validation = probes.validate(found.items[: asked.items], run, progress=advance)
    with progress("evaluating") as advance:
        return probes.evaluate_probes(
            found,
            predictor,
            RolloutBounds(max_steps=asked.max_steps),
            suite=asked.suite.value,
            num_items=asked.items,
            data=str(asked.data),
            folder=asked.output,
            command=asked.command,
            validation=validation,
            progress=advance,
            worker=worker,
        )


def _validation(items: Sequence[Item]) -> Validation:
    from opencwm.evals.cruxeval import validate
    from opencwm.frontends.cli.output import progress
    from opencwm.sandbox import Sandbox, record

    with progress("validating") as advance, Sandbox() as sandbox:
        return validate(items, lambda program: record(program, sandbox=sandbox), progress=advance)


def _items(path: Path, suite: Suite) -> list[Item]:
    from opencwm.evals import codesense_items, cruxeval_items, evalplus_items, livecodebench_items
    from opencwm.sandbox import Sandbox, record

    if suite is Suite.CRUXEVAL:
        return cruxeval_items.load_items(path)
    if suite is Suite.LIVECODEBENCH:
        return livecodebench_items.load_items(path)
    if suite is Suite.CODESENSE:
        return codesense_items.load_outputs(path)
    with Sandbox() as sandbox:
        return evalplus_items.load_items(path, lambda program: record(program, sandbox=sandbox))
