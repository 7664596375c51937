"""``opencwm eval twins``: whether a model knows a benchmark, or can do what it asks."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencwm.core.errors import ConfigError
from opencwm.frontends.cli.bench import MaxTokens, Plain, Temperature, TopP
from opencwm.frontends.cli.evaluating import (
    EngineGpus,
    EngineWorkers,
    Resume,
    UseRay,
    command_line,
    native_predictor,
    print_report,
    spread,
)
from opencwm.frontends.cli.options import Json, MaxSteps, Model

if TYPE_CHECKING:
    from opencwm.evals.chat import Sampling
    from opencwm.evals.cruxeval_items import Item
    from opencwm.evals.twins.code_tasks import CodeTask
    from opencwm.evals.twins.making import Family, TwinsConfig
    from opencwm.traces import Program, Trace


class Kind(enum.StrEnum):
    """What is asked of a task."""

    OUTPUT = "output"
    CODE = "code"


Tasks = Annotated[
    Path, typer.Option("--data", metavar="FILE", help="Tasks of yours, as JSONL.", show_default=False)
]
KindOfTask = Annotated[
    Kind,
    typer.Option(
        "--kind",
        metavar="output|code",
        help="What a call returns (code, input, output), or code to write (prompt, entry_point,"
        " canonical_solution, test or tests).",
    ),
]
Rewrites = Annotated[
    str | None,
    typer.Option(
        "--twins",
        metavar="LIST",
        help="Any of same, renamed, reordered, rewritten, mutated [default: all; of code: renamed].",
    ),
]
PerKind = Annotated[
    int, typer.Option("--per-kind", metavar="N", help="Most twins of a kind for one task.", min=1)
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N tasks.", min=1)]
Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint", metavar="URL", help="Ask a served model instead: its API."),
]
ServedModel = Annotated[
    str, typer.Option("--served-model", metavar="NAME", help="With --endpoint: the model's name there.")
]
Concurrency = Annotated[
    int, typer.Option("--concurrency", metavar="N", help="With --endpoint: questions at once.", min=1)
]
Write = Annotated[
    Path | None,
    typer.Option("--write", metavar="FILE", help="Write tasks and twins as JSONL, and ask nobody."),
]


def twins(
    context: typer.Context,
    data: Tasks,
    kind: KindOfTask = Kind.OUTPUT,
    rewrites: Rewrites = None,
    per_kind: PerKind = 1,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of all draws.")] = 0,
    limit: Limit = None,
    model: Model = None,
    endpoint: Endpoint = None,
    served_model: ServedModel = "",
    concurrency: Concurrency = 8,
    temperature: Temperature = 1.0,
    top_p: TopP = 0.95,
    max_tokens: MaxTokens = 65_536,
    plain: Plain = False,
    max_steps: MaxSteps = 256,
    engine_workers: EngineWorkers = 1,
    ray: UseRay = False,
    engine_gpus: EngineGpus = 0,
    write: Write = None,
    output: Resume = None,
    as_json: Json = False,
) -> None:
    """Ask a model about tasks and about twins of them.

    What is told is the gap between the two.

    Twins have other names, another order or other words for the same; or they are mutants with another
    answer. Each is run in the sandbox and kept only if it comes to what it should.
    """
    from opencwm.evals.chat import Sampling
    from opencwm.evals.twins.making import CODE_KINDS, KINDS, TwinsConfig
    from opencwm.sandbox import Sandbox

    if kind is Kind.CODE and endpoint is None and write is None:
        raise ConfigError(
            "code is written by a served model", where="--kind", hint="name one with --endpoint"
        )
    if (endpoint is None) != (not served_model):
        raise ConfigError("--endpoint and --served-model go together", where="eval twins")
    wanted = rewrites.split(",") if rewrites else KINDS if kind is Kind.OUTPUT else CODE_KINDS
    config = TwinsConfig(kinds=tuple(wanted), per_kind=per_kind, seed=seed)
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox())
        made = _outputs if kind is Kind.OUTPUT else _codes
        families, num_dropped = made(data, config, limit, sandbox)
        if write is not None:
            _write(write, families)
            return
        how = _How(
            sampling=Sampling(
                temperature=temperature, top_p=top_p, max_tokens=max_tokens, thinking=not plain
            ),
            endpoint=endpoint,
            served_model=served_model,
            concurrency=concurrency,
            model=model,
            max_steps=max_steps,
            spreading={"engine_workers": engine_workers, "ray": ray, "engine_gpus": engine_gpus},
        )
        report = _asked(
            stack,
            families,
            how,
            sandbox,
            settings={"config": dataclasses.asdict(config), "kind": kind.value},
            num_dropped=num_dropped,
            data=str(data),
            folder=output,
            command=command_line(context),
        )
    print_report(report, as_json=as_json)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _How:
    """Who is asked."""

    sampling: Sampling
    endpoint: str | None
    served_model: str
    concurrency: int
    model: str | None
    max_steps: int
    spreading: dict[str, Any]


def _asked(stack: ExitStack, families: Sequence[Family[Any]], how: _How, sandbox: Any, **about: Any) -> Any:
    from opencwm.evals.chat import ChatEndpoint
    from opencwm.evals.twins import code_tasks, gap
    from opencwm.evals.twins.code_tasks import CodeTask
    from opencwm.frontends.cli.output import progress

    advance = stack.enter_context(progress("asking"))
    if how.endpoint is not None:
        served = stack.enter_context(ChatEndpoint(how.endpoint, how.served_model, how.sampling))
        served.check()
        is_code = bool(families) and isinstance(families[0].task, CodeTask)
        passes = functools.partial(code_tasks.passes, sandbox)
        answer: Callable[[Any], dict[str, Any]] = (
            functools.partial(gap.written_code, endpoint=served, passes=passes)
            if is_code
            else functools.partial(gap.told_output, endpoint=served)
        )
        asked: gap.Asked[Any] = gap.Asked(
            name=how.served_model, settings=dataclasses.asdict(how.sampling), answer=answer
        )
        worker: Any = functools.partial(gap.in_threads, at_once=how.concurrency)
        return gap.evaluate_twins(families, asked, progress=advance, worker=worker, **about)
    from opencwm.debugger.world_model import WorldModel

    world = WorldModel.load(how.model)
    predictor = native_predictor(world)
    answer = functools.partial(gap.predicted_output, predictor=predictor, max_steps=how.max_steps)
    settings = {"predictor": dict(predictor.settings), "max_steps": how.max_steps}
    asked = gap.Asked(name=predictor.name, settings=settings, answer=answer)
    worker = stack.enter_context(spread(world, predictor, how.model, {}, **how.spreading))
    return gap.evaluate_twins(families, asked, progress=advance, worker=worker, **about)


def _outputs(
    data: Path, config: TwinsConfig, limit: int | None, sandbox: Any
) -> tuple[list[Family[Item]], int]:
    from opencwm.evals.cruxeval_items import load_items
    from opencwm.evals.twins.making import output_family
    from opencwm.sandbox import record

    def run(program: Program) -> Trace:
        return record(program, sandbox=sandbox)

    return _families(load_items(data)[:limit], lambda item: output_family(item, config, run))


def _codes(
    data: Path, config: TwinsConfig, limit: int | None, sandbox: Any
) -> tuple[list[Family[CodeTask]], int]:
    from opencwm.evals.twins import code_tasks
    from opencwm.evals.twins.making import code_family

    passes = functools.partial(code_tasks.passes, sandbox)
    return _families(code_tasks.load_code_tasks(data)[:limit], lambda task: code_family(task, config, passes))


def _families(
    tasks: Sequence[Any], make: Callable[[Any], Family[Any] | None]
) -> tuple[list[Family[Any]], int]:
    """Make the twins of tasks; tasks that do not hold when they are run are counted."""
    from opencwm.frontends.cli.output import notice, progress

    families: list[Family[Any]] = []
    with progress("making twins", len(tasks)) as advance:
        for number, task in enumerate(tasks, 1):
            family = make(task)
            families += [family] if family is not None else []
            advance(number)
    dropped = len(tasks) - len(families)
    if dropped:
        notice(f"{dropped} of {len(tasks)} tasks do not hold when they are run, and are left out")
    return families, dropped


def _write(path: Path, families: Sequence[Family[Any]]) -> None:
    from opencwm.core.files import write_atomic

    lines = []
    for family in families:
        dressed = [("original", family.task), *((twin.kind, twin.task) for twin in family.twins)]
        lines += [json.dumps({**_fields(task), "twin": kind, "of": family.task.id}) for kind, task in dressed]
    write_atomic(path, "".join(f"{line}\n" for line in lines))


def _fields(task: Any) -> dict[str, Any]:
    """Return a task in the format it can be read in again."""
    from opencwm.evals.twins.code_tasks import CodeTask

    if isinstance(task, CodeTask):
        return {
            "task_id": task.id,
            "prompt": task.prompt,
            "entry_point": task.entry_point,
            "canonical_solution": task.solution,
            "tests": [task.tests],
        }
    call = str(task.program.call)  # whole, as LiveCodeBench has it
    return {"id": task.id, "code": task.program.source, "input": call, "output": task.output}
