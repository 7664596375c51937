"""``opencwm debug``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.debugger.working import Working
from opencwm.frontends.cli.options import (
    Assume,
    Call,
    Detail,
    DetailLevel,
    Entry,
    Json,
    ModelFolder,
    ProgramFile,
    SearchSamples,
    Timeout,
    Unconstrained,
    WorkingLevel,
)

if TYPE_CHECKING:
    from opencwm.debugger.assumed import AssumedProgram
    from opencwm.debugger.execution import Execution, RealExecution, StepView
    from opencwm.debugger.prompt import Prompt


def debug(
    file: ProgramFile,
    call: Call = None,
    entry: Entry = None,
    assume: Assume = None,
    commands: Annotated[
        str | None, typer.Option("--commands", metavar="COMMANDS", help='Execute these and end: "s;s;p n;c".')
    ] = None,
    real: Annotated[
        bool, typer.Option("--real", help="Step the real run instead, recorded in the sandbox.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Lay prediction and real run side by side, to the end.")
    ] = False,
    model: ModelFolder = None,
    unconstrained: Unconstrained = False,
    detail: DetailLevel = Detail.EXPR,
    working: WorkingLevel = Working.CALCULATED,
    search: SearchSamples = 0,
    max_steps: Annotated[
        int, typer.Option("--max-steps", metavar="N", help="Most steps predicted at once.", min=1)
    ] = 1_000,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> None:
    """Step through a call that is predicted, not run.

    Shows a prompt that knows pdb's words; `help` there lists them. With --compare it prints the whole run as
    a table beside the real one, or, together with --commands, says at each step whether reality agrees. With
    --json it prints the whole run as one object. Arguments that the entry needs and that nobody gives are
    invented.
    """
    from opencwm.core.errors import ConfigError
    from opencwm.frontends.cli.output import notice
    from opencwm.frontends.programs import load_assumed

    if real and compare:
        raise ConfigError(
            "--real and --compare exclude each other", hint="--compare shows the real run as well"
        )
    if as_json and commands is not None:
        raise ConfigError("--json and --commands exclude each other", hint="--json prints the whole run")
    assumed = load_assumed(file, call=call, entry=entry, assumptions=assume or ())
    if assumed.missing:
        assumed = _invented(assumed, model)
    for note in assumed.notes:
        notice(f"assumed: {note}")
    expressions = detail is Detail.EXPR
    observed = None
    if real or compare:
        observed = _observe(assumed, timeout, needed=real, expressions=expressions)
    execution: Execution
    if real and observed:
        execution = observed
    else:
        execution = _predict(
            assumed,
            model,
            constrained=not unconstrained,
            expressions=expressions,
            working=working,
            search=search,
        )
    beside = observed if compare else None
    if beside is not None:  # a prediction that goes astray need not end
        max_steps = min(max_steps, 2 * len(beside.trace.steps) + 16)
    if as_json:
        _print_json(execution, beside, max_steps)
    elif compare and commands is None:
        _print_table(execution, beside, max_steps)
    else:
        _step(execution, beside, commands, max_steps)


def _invented(assumed: AssumedProgram, model: Path | None) -> AssumedProgram:
    from opencwm.debugger.invented import with_invented_arguments
    from opencwm.debugger.world_model import WorldModel

    return with_invented_arguments(WorldModel.load(model), assumed)


def _predict(
    assumed: AssumedProgram,
    model: Path | None,
    *,
    constrained: bool,
    expressions: bool,
    working: Working,
    search: int,
) -> Execution:
    from opencwm.debugger.step_search import SearchConfig
    from opencwm.debugger.world_model import WorldModel
    from opencwm.frontends.cli.output import notice

    world = WorldModel.load(model)
    execution = world.execution(
        assumed.program,
        constrained=constrained,
        expressions=expressions,
        working=working,
        search=SearchConfig(samples=search),
        assumed=assumed.assumed,
    )
    for text in execution.view.left_out:
        notice(f"{assumed.program.filename}: {text}")
    return execution


def _observe(
    assumed: AssumedProgram, timeout: float, *, needed: bool, expressions: bool
) -> RealExecution | None:
    """Record the real run; None when it left nothing to look at.

    Raises:
        ConfigError: it left nothing, and is ``needed``.
    """
    from opencwm.core.errors import ConfigError
    from opencwm.debugger.execution import RealExecution
    from opencwm.frontends.cli.output import notice
    from opencwm.sandbox import RunLimits, record
    from opencwm.tracer import TraceLimits

    program = assumed.program
    trace = record(
        program,
        limits=RunLimits(wall_s=timeout, cpu_s=timeout),
        trace_limits=TraceLimits(expressions=expressions),
    )
    execution = RealExecution(trace, assumed=assumed.assumed)
    if trace.steps:
        return execution
    if needed:
        raise ConfigError(
            f"there is no real run: {execution.status}",
            where=program.filename,
            hint="without --real it is predicted, which needs no run",
        )
    notice(f"{program.filename}: there is no real run to compare with: {execution.status}")
    return None


def _print_json(execution: Execution, beside: Execution | None, max_steps: int) -> None:
    from opencwm.frontends.cli.output import print_json
    from opencwm.frontends.step_json import comparison_json, execution_json

    if beside is None:
        print_json(execution_json(execution, max_steps=max_steps))
    else:
        print_json(comparison_json(execution, beside, max_steps=max_steps))


def _print_table(execution: Execution, beside: Execution | None, max_steps: int) -> None:
    from opencwm.debugger.compare import compare
    from opencwm.frontends.cli.output import console, visible
    from opencwm.frontends.cli.step_table import comparison_table, comparison_verdict, prediction_table

    screen = console()
    if beside is None:
        screen.print(prediction_table(_watched(execution, max_steps), execution.program, width=screen.width))
        screen.print(visible(f"predicted: {execution.status}"), soft_wrap=True)
        return
    for _ in _watched(execution, max_steps):
        pass
    comparison = compare(execution, beside, max_steps=max_steps)
    screen.print(comparison_table(comparison, execution.program, width=screen.width))
    for line in comparison_verdict(comparison, execution, beside):
        screen.print(visible(line), soft_wrap=True)


def _watched(execution: Execution, max_steps: int) -> Iterator[StepView]:
    """Yield the steps as they are predicted, counting them on stderr."""
    from opencwm.frontends.cli.output import progress

    with progress("predicting steps") as advance:
        for index in range(max_steps):
            view = execution.get(index)
            if view is None:
                return
            advance(index + 1)
            yield view


def _step(execution: Execution, beside: Execution | None, commands: str | None, max_steps: int) -> None:
    from opencwm.debugger.prompt import Prompt
    from opencwm.debugger.session import Session
    from opencwm.frontends.cli.output import visible

    prompt = Prompt(
        Session(execution, max_steps=max_steps), lambda line: print(visible(line), flush=True), real=beside
    )
    if commands is not None:
        prompt.show()
        prompt.run_commands(commands)
    elif sys.stdin.isatty():
        prompt.run(_ask)
    else:
        _run_piped(prompt)


def _ask(prefix: str) -> str | None:
    """Read a line with editing and history; None at the end of input."""
    import contextlib

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - importing it is what makes input() edit
    try:
        return input(prefix)
    except EOFError:
        print()
        return None
    except KeyboardInterrupt:
        print()  # leave the shell a line of its own
        raise


def _run_piped(prompt: Prompt) -> None:
    """Execute the lines of stdin, each shown after the prompt, so that the output reads like a session."""

    def read(prefix: str) -> str | None:
        line = sys.stdin.readline()
        if not line:
            return None
        print(prefix + line.rstrip("\n"))
        return line

    prompt.run(read)
