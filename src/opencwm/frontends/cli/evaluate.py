"""``opencwm eval``: its commands."""

from __future__ import annotations

import enum
import functools
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.core.errors import ConfigError
from opencwm.debugger.working import Working
from opencwm.frontends.cli.options import (
    Detail,
    DetailLevel,
    Json,
    ModelFolder,
    OutputFolder,
    SearchSamples,
    Unconstrained,
    WorkingLevel,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opencwm.evals.cruxeval_items import Item
    from opencwm.evals.cruxeval_report import CruxEvalReport, Validation
    from opencwm.evals.inputs import Question
    from opencwm.evals.inputs_report import InputsReport
    from opencwm.evals.jumps_report import JumpsReport
    from opencwm.evals.predictor import NativePredictor
    from opencwm.evals.probes_report import ProbesReport
    from opencwm.evals.steps_report import StepsReport
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
Draws = Annotated[int, typer.Option("--draws", metavar="N", help="Most calls proposed for a result.", min=1)]
MaxSteps = Annotated[
    int, typer.Option("--max-steps", metavar="N", help="Most steps of a predicted run.", min=1)
]


def steps(
    context: typer.Context,
    data: Data = None,
    programs: Annotated[int, typer.Option("--programs", metavar="N", help="How many programs.", min=1)] = 200,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Of generated programs, or of the draw from DATA.")
    ] = 0,
    model: ModelFolder = None,
    unconstrained: Unconstrained = False,
    detail: DetailLevel = Detail.LINE,
    working: WorkingLevel = Working.FOLLOWED,
    search: SearchSamples = 0,
    max_steps: MaxSteps = 1024,
    output: Resume = None,
    as_json: Json = False,
) -> None:
    """Score predictions against recorded runs.

    Per step, given the true run so far: next line, state and values, as the debugger predicts them and as
    most likely tokens. Whole runs, left to itself: by number of steps. Without --data it is scored on
    generated programs that were not in training.
    """
    from opencwm.evals.steps import StepsConfig, evaluate_steps
    from opencwm.frontends.cli.output import progress
    from opencwm.frontends.trace_files import held_out_traces, load_traces

    expressions = detail is Detail.EXPR
    predictor = _predictor(
        model, constrained=not unconstrained, expressions=expressions, working=working, search=search
    )
    traces = load_traces(data) if data else held_out_traces(programs, seed, expressions=expressions)
    with progress("evaluating") as advance:
        report = evaluate_steps(
            traces,
            predictor,
            StepsConfig(num_programs=programs, seed=seed, max_steps=max_steps, expressions=expressions),
            data=_described(data, programs, seed),
            folder=output,
            command=_command(context),
            progress=advance,
        )
    _print_report(report, as_json=as_json)


def everything(
    context: typer.Context,
    output: OutputFolder,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="PATH", help="Real programs as well: a corpus, .jsonl or .parquet."),
    ] = None,
    programs: Annotated[
        int, typer.Option("--programs", metavar="N", help="Programs of each set.", min=1)
    ] = 100,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of all draws.")] = 0,
    draws: Draws = 1,
    model: ModelFolder = None,
    working: WorkingLevel = Working.FOLLOWED,
    max_steps: MaxSteps = 256,
    as_json: Json = False,
) -> None:
    """Measure everything, on generated and on real programs, and write one report.

    DIR gets report.json, report.md, report.html and pictures; results are kept there while they come, and
    the same command goes on where it was stopped. Real programs are those of --data.
    """
    from opencwm.core.files import write_atomic
    from opencwm.evals.report import format_table
    from opencwm.evals.suite import SuiteConfig, evaluate_suite
    from opencwm.evals.suite_plots import draw
    from opencwm.frontends.cli.output import notice, print_json, progress
    from opencwm.frontends.trace_files import held_out_traces, load_traces
    from opencwm.sandbox import Sandbox, record

    predictor = _predictor(model, constrained=True, expressions=True, working=working)
    sets = {"generated": list(held_out_traces(programs, seed, expressions=True))}
    described = {"generated": _described(None, programs, seed)}
    if data is not None:
        sets["real"], described["real"] = list(load_traces(data)), str(data)
    with progress("evaluating") as advance, Sandbox() as sandbox:
        report = evaluate_suite(
            sets,
            predictor,
            lambda program: record(program, sandbox=sandbox),
            SuiteConfig(num_programs=programs, seed=seed, max_steps=max_steps, num_draws=draws),
            data=described,
            folder=output,
            command=_command(context),
            progress=lambda what, done, of: advance(done, of, what),
        )
    pictures = draw(output, report)
    if not pictures:
        notice("no pictures: pip install 'opencwm[plots]'")
    write_atomic(output / "report.json", json.dumps(report.to_json(), indent=2) + "\n")
    write_atomic(output / "report.md", report.markdown(pictures) + "\n")
    write_atomic(output / "report.html", report.html(pictures, output))
    if as_json:
        print_json(report.to_json())
    else:
        print(format_table(report.headline()))


def inputs(
    context: typer.Context,
    data: Data = None,
    programs: Annotated[int, typer.Option("--programs", metavar="N", help="How many programs.", min=1)] = 200,
    draws: Draws = 1,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Of programs, and of calls after the first.")
    ] = 0,
    model: ModelFolder = None,
    output: Resume = None,
    as_json: Json = False,
) -> None:
    """Score input prediction on recorded runs: the call that gives a result.

    Proposed calls are run in the sandbox: a call is right when it gives the result, whatever was recorded.
    """
    from opencwm.evals.inputs import questions_of_traces
    from opencwm.frontends.trace_files import held_out_traces, load_traces

    questions = questions_of_traces(load_traces(data) if data else held_out_traces(programs, seed))
    described = _described(data, programs, seed)
    report = _inputs(
        context, questions, model, limit=programs, draws=draws, seed=seed, data=described, output=output
    )
    _print_report(report, as_json=as_json)


def _inputs(
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
    from opencwm.evals.inputs import InputsConfig, evaluate_inputs
    from opencwm.frontends.cli.output import progress
    from opencwm.sandbox import Sandbox, record

    predictor = _predictor(model, constrained=True, expressions=False, working=Working.FREE)
    with progress("evaluating") as advance, Sandbox() as sandbox:
        return evaluate_inputs(
            questions,
            predictor,
            lambda program: record(program, sandbox=sandbox),
            InputsConfig(num_questions=limit, num_draws=draws, seed=seed),
            data=data,
            folder=output,
            command=_command(context),
            progress=advance,
        )


def jumps(
    context: typer.Context,
    data: Data = None,
    programs: Annotated[int, typer.Option("--programs", metavar="N", help="How many programs.", min=1)] = 200,
    per_program: Annotated[
        int, typer.Option("--per-program", metavar="N", help="Most jumps in one program.", min=1)
    ] = 4,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of programs, places and actions.")] = 0,
    model: ModelFolder = None,
    output: Resume = None,
    as_json: Json = False,
) -> None:
    """Score where a debugger's actions end, predicted in one go: over, out, to a line, to the end."""
    from opencwm.evals.jumps import JumpsConfig, evaluate_jumps
    from opencwm.frontends.cli.output import progress
    from opencwm.frontends.trace_files import held_out_traces, load_traces

    predictor = _predictor(model, constrained=True, expressions=False, working=Working.FREE)
    with progress("evaluating") as advance:
        report = evaluate_jumps(
            load_traces(data) if data else held_out_traces(programs, seed),
            predictor,
            JumpsConfig(num_programs=programs, per_program=per_program, seed=seed),
            data=_described(data, programs, seed),
            folder=output,
            command=_command(context),
            progress=advance,
        )
    _print_report(report, as_json=as_json)


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


def benchmark(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Option("--data", metavar="FILE", help="The suite's file.", show_default=False),
    ],
    suite: Annotated[
        Suite,
        typer.Option(
            "--suite",
            metavar="cruxeval|livecodebench|evalplus|reval|coconut|codesense",
            help="CRUXEval; LiveCodeBench's code execution; HumanEval+ or MBPP+, whose solutions are run in"
            " the sandbox for their outputs. REval, CoCoNUT and CodeSense ask about runs; REval's are run in"
            " the sandbox.",
        ),
    ] = Suite.CRUXEVAL,
    tasks: Annotated[
        Path | None,
        typer.Option(
            "--tasks",
            metavar="FILE",
            help="Of reval: its tasks [default: DREval_tasks.jsonl beside the data].",
        ),
    ] = None,
    task: Annotated[
        Task,
        typer.Option(
            "--task",
            metavar="output|input",
            help="What the call returns; or a call that returns it, which is run in the sandbox.",
        ),
    ] = Task.OUTPUT,
    method: Annotated[
        Method,
        typer.Option(
            "--method",
            metavar="trace|direct|both",
            help="Of output: roll out the run, ask for the output at once, or both.",
        ),
    ] = Method.BOTH,
    draws: Draws = 1,
    items: Annotated[
        int | None, typer.Option("--items", metavar="N", help="Only the first N items.", min=1)
    ] = None,
    validate: Annotated[
        bool,
        typer.Option(
            "--validate", help="Also run every item in the sandbox: the grader must accept what happens."
        ),
    ] = False,
    model: ModelFolder = None,
    unconstrained: Unconstrained = False,
    detail: DetailLevel = Detail.LINE,
    working: WorkingLevel = Working.FOLLOWED,
    search: SearchSamples = 0,
    max_steps: MaxSteps = 1024,
    output: Resume = None,
    as_json: Json = False,
) -> None:
    """Score predictions on the items of a public benchmark: outputs, inputs, or questions about runs.

    The file is yours; none comes with this package. Programs are not run, except with --validate, by the
    task input, for the outputs of evalplus and for the answers of reval.
    """
    from opencwm.evals import cruxeval as outputs
    from opencwm.evals.inputs import questions_of_items
    from opencwm.frontends.cli.output import progress

    predictor = functools.partial(
        _predictor,
        model,
        constrained=not unconstrained,
        expressions=detail is Detail.EXPR,
        working=working,
        search=search,
    )
    if tasks is not None and suite is not Suite.REVAL:
        raise ConfigError("only reval has a file of tasks", where="--tasks")
    if suite in (Suite.REVAL, Suite.COCONUT) or (suite is Suite.CODESENSE and task is Task.OUTPUT):
        if task is Task.INPUT or method is Method.DIRECT:
            raise ConfigError(f"{suite} asks about runs, which are rolled out", where="--task and --method")
        probed = _probed(
            context,
            data,
            tasks,
            suite,
            predictor(),
            items=items,
            validate=validate,
            max_steps=max_steps,
            output=output,
        )
        _print_report(probed, as_json=as_json)
        return
    found = _items(data, suite)
    if task is Task.INPUT:
        questions = questions_of_items(found[:items])
        report = _inputs(context, questions, model, draws=draws, seed=0, data=str(data), output=output)
        _print_report(report, as_json=as_json)
        return
    methods = tuple(outputs.Method) if method is Method.BOTH else (outputs.Method(method),)
    validation = _validation(found[:items]) if validate else None
    with progress("evaluating") as advance:
        scored = outputs.evaluate_cruxeval(
            found,
            predictor(),
            outputs.CruxEvalConfig(methods=methods, num_items=items, max_steps=max_steps),
            suite=suite.value,
            data=str(data),
            folder=output,
            command=_command(context),
            validation=validation,
            progress=advance,
        )
    _print_report(scored, as_json=as_json)


def _probed(
    context: typer.Context,
    data: Path,
    tasks: Path | None,
    suite: Suite,
    predictor: NativePredictor,
    *,
    items: int | None,
    validate: bool,
    max_steps: int,
    output: Path | None,
) -> ProbesReport:
    from opencwm.evals import coconut_items, codesense_items, probes, reval_items
    from opencwm.evals.rollout import RolloutBounds
    from opencwm.frontends.cli.output import progress
    from opencwm.sandbox import Sandbox, record

    with Sandbox() as sandbox:

        def run(program: Program) -> Trace:
            return record(program, sandbox=sandbox)

        if suite is Suite.REVAL:
            found = reval_items.load_items(data, tasks, run)
        else:
            found = (coconut_items if suite is Suite.COCONUT else codesense_items).load_items(data)
        validation = None
        if validate:
            with progress("validating") as advance:
                validation = probes.validate(found.items[:items], run, progress=advance)
    with progress("evaluating") as advance:
        return probes.evaluate_probes(
            found,
            predictor,
            RolloutBounds(max_steps=max_steps),
            suite=suite.value,
            num_items=items,
            data=str(data),
            folder=output,
            command=_command(context),
            validation=validation,
            progress=advance,
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


def _predictor(
    model: Path | None, *, constrained: bool, expressions: bool, working: Working, search: int = 0
) -> NativePredictor:
    from opencwm.debugger.step_search import SearchConfig
    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.predictor import NativePredictor

    opened = WorldModel.load(model)
    return NativePredictor(
        opened.name,
        opened.codec,
        opened.engine,
        constrained=constrained,
        expressions=expressions,
        working=working,
        revision=opened.revision,
        search=SearchConfig(samples=search),
    )


def _described(data: Path | None, programs: int, seed: int) -> str:
    return str(data) if data is not None else f"{programs} generated held-out programs, seed {seed}"


def _command(context: typer.Context) -> str:
    """Return the command line as typed, for the report."""
    return shlex.join(["opencwm", *context.find_root().obj["arguments"]])


def _print_report(
    report: StepsReport | JumpsReport | InputsReport | CruxEvalReport | ProbesReport, *, as_json: bool
) -> None:
    from opencwm.evals.report import format_table
    from opencwm.frontends.cli.output import print_json

    if as_json:
        print_json(report.to_json())
    else:
        print("\n\n".join(format_table(table) for table in report.tables()))
