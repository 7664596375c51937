"""``opencwm eval``: its commands, but for :mod:`opencwm.frontends.cli.benchmark`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencwm.debugger.working import Working
from opencwm.frontends.cli.evaluating import (
    Batch,
    Data,
    Draws,
    EngineGpus,
    EngineWorkers,
    Programs,
    Resume,
    UseRay,
    command_line,
    described,
    evaluated_inputs,
    native_predictor,
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
    OutputFolder,
    SearchSamples,
    Unconstrained,
    WorkingLevel,
)

if TYPE_CHECKING:
    from opencwm.evals.quantization_report import QuantizationReport


def steps(
    context: typer.Context,
    data: Data = None,
    programs: Programs = 200,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of generated programs, or of the draw from DATA.")
    ] = 0,
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
    """Score predictions against recorded runs.

    Per step, given the true run so far: next line, state and values, as the debugger predicts them and as
    most likely tokens. Whole runs, left to itself: by number of steps. Without --data it is scored on
    generated programs that were not in training. Models of the cwm format are scored on steps and runs.
    """
    from opencwm.codec.cwm_told import told_by_format
    from opencwm.corpus.trace_files import held_out_traces, load_traces
    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.steps import StepsConfig, evaluate_steps
    from opencwm.frontends.cli.output import notice, progress
    from opencwm.model.spec import Format

    expressions = detail is Detail.EXPR
    world = WorldModel.load(model)
    how: dict[str, Any] = {
        "constrained": not unconstrained,
        "expressions": expressions,
        "working": working,
        "search": search,
    }
    predictor = run_predictor(world, **how)
    spreading = spread(
        world,
        predictor,
        model,
        how,
        engine_workers=engine_workers,
        ray=ray,
        engine_gpus=engine_gpus,
        batch=batch,
    )
    traces = load_traces(data) if data else held_out_traces(programs, seed, expressions=expressions)
    config = StepsConfig(num_programs=programs, seed=seed, max_steps=max_steps, expressions=expressions)
    if world.format == Format.CWM:
        notice("a model of the cwm format: steps and runs, but for what lines that return or raise change")
        traces = map(told_by_format, traces)
        config = dataclasses.replace(config, teacher_forced=False, direct=False, expressions=False)
    with progress("evaluating") as advance, spreading as worker:
        report = evaluate_steps(
            traces,
            predictor,
            config,
            data=described(data, programs, seed),
            folder=output,
            command=command_line(context),
            progress=advance,
            worker=worker,
        )
    print_report(report, as_json=as_json)


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
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of all draws.")] = 0,
    draws: Draws = 1,
    model: Model = None,
    working: WorkingLevel = Working.FOLLOWED,
    max_steps: MaxSteps = 256,
    engine_workers: EngineWorkers = 1,
    ray: UseRay = False,
    engine_gpus: EngineGpus = 0,
    as_json: Json = False,
) -> None:
    """Measure everything, and write one report.

    On generated and on real programs. DIR gets report.json, report.md, report.html and pictures; results are
    kept there while they come, and the same command goes on where it was stopped. Real programs are those of
    --data.
    """
    from opencwm.core.files import write_atomic
    from opencwm.corpus.trace_files import held_out_traces, load_traces
    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.report import format_table
    from opencwm.evals.suite import SuiteConfig, evaluate_suite
    from opencwm.evals.suite_plots import draw
    from opencwm.frontends.cli.output import notice, print_json, progress
    from opencwm.sandbox import Sandbox, record

    world = WorldModel.load(model)
    how: dict[str, Any] = {"expressions": True, "working": working}
    predictor = native_predictor(world, **how)
    sets = {"generated": list(held_out_traces(programs, seed, expressions=True))}
    told = {"generated": described(None, programs, seed)}
    if data is not None:
        sets["real"], told["real"] = list(load_traces(data)), str(data)
    with contextlib.ExitStack() as stack:
        advance = stack.enter_context(progress("evaluating"))
        run = functools.partial(record, sandbox=stack.enter_context(Sandbox()))
        spreading = spread(
            world,
            predictor,
            model,
            how,
            engine_workers=engine_workers,
            ray=ray,
            engine_gpus=engine_gpus,
            record=run,
        )
        report = evaluate_suite(
            sets,
            predictor,
            run,
            SuiteConfig(num_programs=programs, seed=seed, max_steps=max_steps, num_draws=draws),
            data=told,
            folder=output,
            command=command_line(context),
            progress=lambda what, done, of: advance(done, of, what),
            worker=stack.enter_context(spreading),
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
    programs: Programs = 200,
    draws: Draws = 1,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of programs, and of calls after the first.")
    ] = 0,
    model: Model = None,
    engine_workers: EngineWorkers = 1,
    ray: UseRay = False,
    engine_gpus: EngineGpus = 0,
    output: Resume = None,
    as_json: Json = False,
) -> None:
    """Score calls that are predicted to give a result.

    Proposed calls are run in the sandbox: a call is right when it gives the result, whatever was recorded.
    """
    from opencwm.corpus.trace_files import held_out_traces, load_traces
    from opencwm.evals.inputs import questions_of_traces

    questions = questions_of_traces(load_traces(data) if data else held_out_traces(programs, seed))
    told = described(data, programs, seed)
    report = evaluated_inputs(
        context,
        questions,
        model,
        limit=programs,
        draws=draws,
        seed=seed,
        data=told,
        output=output,
        engine_workers=engine_workers,
        ray=ray,
        engine_gpus=engine_gpus,
    )
    print_report(report, as_json=as_json)


def jumps(
    context: typer.Context,
    data: Data = None,
    programs: Programs = 200,
    per_program: Annotated[
        int, typer.Option("--per-program", metavar="N", help="Most jumps in one program.", min=1)
    ] = 4,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of programs, places and actions.")
    ] = 0,
    model: Model = None,
    engine_workers: EngineWorkers = 1,
    ray: UseRay = False,
    engine_gpus: EngineGpus = 0,
    output: Resume = None,
    as_json: Json = False,
) -> None:
    """Score where a debugger's actions end, predicted in one go.

    Actions are: over a call, out of a function, to a line, and to the end.
    """
    from opencwm.corpus.trace_files import held_out_traces, load_traces
    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.jumps import JumpsConfig, evaluate_jumps
    from opencwm.frontends.cli.output import progress

    world = WorldModel.load(model)
    predictor = native_predictor(world)
    spreading = spread(
        world, predictor, model, {}, engine_workers=engine_workers, ray=ray, engine_gpus=engine_gpus
    )
    with progress("evaluating") as advance, spreading as worker:
        report = evaluate_jumps(
            load_traces(data) if data else held_out_traces(programs, seed),
            predictor,
            JumpsConfig(num_programs=programs, per_program=per_program, seed=seed),
            data=described(data, programs, seed),
            folder=output,
            command=command_line(context),
            progress=advance,
            worker=worker,
        )
    print_report(report, as_json=as_json)


def quantization(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A training run, a model folder made with --safetensors, or a Hugging Face folder.",
            show_default=False,
        ),
    ],
    precisions: Annotated[
        str,
        typer.Option(
            "--precisions",
            metavar="LIST",
            help="Ways to store weights; int8 and int4 may say a block size. Compared with the first.",
        ),
    ] = "fp32,bf16,int8,int8:128,int4",
    data: Data = None,
    programs: Programs = 40,
    documents: Annotated[
        int,
        typer.Option(
            "--documents", metavar="N", help="So many more, only scored token by token: fast.", min=0
        ),
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the draw of programs.")] = 0,
    working: WorkingLevel = Working.FOLLOWED,
    max_steps: Annotated[
        int,
        typer.Option("--max-steps", metavar="N", help="Longer runs are left out.", min=1),
    ] = 64,
    output: Resume = None,
    as_json: Json = False,
) -> None:
    """Measure what quantization costs.

    One model in several precisions, on the same programs: steps, states and whole runs that are exact,
    calibration, size, speed and memory; differences are paired by program. DIR gets report.json, report.md,
    report.html and a picture too.
    """
    import tempfile

    from opencwm.corpus.trace_files import held_out_traces, load_traces
    from opencwm.evals.quantization import QuantizationConfig, evaluate_quantization
    from opencwm.frontends.cli.output import progress
    from opencwm.frontends.quantizing import open_candidates

    config = QuantizationConfig(
        num_programs=programs, num_documents=documents, seed=seed, max_steps=max_steps
    )
    wanted = programs + documents
    traces = load_traces(data) if data else held_out_traces(2 * wanted, seed, expressions=config.expressions)
    with progress("evaluating") as advance, tempfile.TemporaryDirectory() as scratch:
        report = evaluate_quantization(
            traces,
            open_candidates(
                source,
                precisions.split(","),
                Path(scratch),
                expressions=config.expressions,
                working=working,
            ),
            config,
            model=source.resolve().name,
            data=described(data, wanted, seed),
            folder=output,
            command=command_line(context),
            progress=advance,
        )
    if output is not None:
        _write_quantization(report, output)
    print_report(report, as_json=as_json)


def _write_quantization(report: QuantizationReport, folder: Path) -> None:
    """Write a report as JSON, Markdown and HTML, with its picture."""
    from opencwm.core.files import write_atomic
    from opencwm.evals.quantization_plot import draw
    from opencwm.frontends.cli.output import notice

    pictures = draw(folder, report)
    if not pictures:
        notice("no picture: pip install 'opencwm[plots]'")
    write_atomic(folder / "report.json", json.dumps(report.to_json(), indent=2) + "\n")
    write_atomic(folder / "report.md", report.markdown(pictures) + "\n")
    write_atomic(folder / "report.html", report.html(pictures, folder))
