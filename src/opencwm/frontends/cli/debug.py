"""``opencwm debug``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
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
    Model,
    MostSteps,
    ProgramFile,
    Real,
    SearchSamples,
    Timeout,
    Unconstrained,
    WorkingLevel,
)

if TYPE_CHECKING:
    from opencwm.debugger.execution import Execution, StepView
    from opencwm.debugger.prompt import Prompt
    from opencwm.debugger.session import Session
    from opencwm.debugger.world_model import WorldModel
    from opencwm.frontends.sessions import Opened

PATIENCE_S = 2.0
"""A move that takes longer shows how far it is."""


def debug(
    file: ProgramFile,
    call: Call = None,
    entry: Entry = None,
    assume: Assume = None,
    commands: Annotated[
        str | None, typer.Option("--commands", metavar="COMMANDS", help='Execute these and end: "s;s;p n;c".')
    ] = None,
    real: Real = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Lay prediction and real run side by side, to the end.")
    ] = False,
    model: Model = None,
    unconstrained: Unconstrained = False,
    detail: DetailLevel = Detail.EXPR,
    working: WorkingLevel = Working.CALCULATED,
    search: SearchSamples = 0,
    max_steps: MostSteps = 1_000,
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
    from opencwm.frontends.cli.session_options import models_for, session_config
    from opencwm.frontends.programs import load_assumed
    from opencwm.frontends.sessions import open_program

    if as_json and commands is not None:
        raise ConfigError("--json and --commands exclude each other", hint="--json prints the whole run")
    config = session_config(
        real=real,
        compare=compare,
        model=model,
        unconstrained=unconstrained,
        detail=detail,
        working=working,
        search=search,
        max_steps=max_steps,
        timeout=timeout,
    )
    assumed = load_assumed(file, call=call, entry=entry, assumptions=assume or ())
    models = models_for(config)
    import opencwm.debugger.prompt  # noqa: F401 - while the model is loaded

    opened = open_program(assumed, config, models)
    for text in opened.notices:
        notice(text)
    if as_json:
        _print_json(opened)
    elif compare and commands is None:
        _print_table(opened)
    else:
        _step(opened, commands, lambda: models.get(config.model))


def _print_json(opened: Opened) -> None:
    from opencwm.frontends.cli.output import print_json
    from opencwm.frontends.step_json import comparison_json, execution_json

    if opened.real is None:
        print_json(execution_json(opened.execution, max_steps=opened.max_steps))
    else:
        print_json(comparison_json(opened.execution, opened.real, max_steps=opened.max_steps))


def _print_table(opened: Opened) -> None:
    from opencwm.debugger.compare import compare
    from opencwm.frontends.cli.output import console, print_table, visible
    from opencwm.frontends.cli.step_table import comparison_table, comparison_verdict, prediction_table

    screen, execution, max_steps = console(), opened.execution, opened.max_steps
    if opened.real is None:
        table = prediction_table(_watched(execution, max_steps), execution.program, width=screen.width)
        print_table(screen, table)
        screen.print(visible(f"predicted: {execution.status}"), soft_wrap=True)
        return
    for _ in _watched(execution, max_steps):
        pass
    comparison = compare(execution, opened.real, max_steps=max_steps)
    print_table(screen, comparison_table(comparison, execution.program, width=screen.width))
    for line in comparison_verdict(comparison, execution, opened.real):
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


def _step(opened: Opened, commands: str | None, model: Callable[[], WorldModel]) -> None:
    from opencwm.debugger.prompt import Prompt
    from opencwm.debugger.session import Session
    from opencwm.frontends.cli.output import visible

    is_asked = commands is None and sys.stdin.isatty()
    prompt = Prompt(
        opened.session(),
        lambda line: print(visible(line), flush=True),
        watching=_interruptible if is_asked else Session.watched,
        model=model,
    )
    if commands is not None:
        prompt.show()
        prompt.run_commands(commands)
    elif is_asked:
        prompt.run(_ask)
    else:
        _run_piped(prompt)


@contextlib.contextmanager
def _interruptible(session: Session) -> Iterator[None]:
    """Show how far a long move is, and have Ctrl-C stop it where it got; again, it ends the session."""
    import signal
    import time

    from opencwm.debugger.cancellation import Cancellation
    from opencwm.frontends.cli.output import progress

    cancellation = Cancellation()

    def interrupt(_number: int, _frame: object) -> None:
        if cancellation.is_cancelled:
            raise KeyboardInterrupt
        cancellation.cancel()

    show: list[Callable[[int], None]] = []
    begin = time.monotonic()
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with contextlib.ExitStack() as stack:

            def advance(num_steps: int) -> None:
                if not show and time.monotonic() - begin > PATIENCE_S:
                    show.append(stack.enter_context(progress("reading steps, Ctrl-C stops")))
                for bar in show:
                    bar(num_steps)

            with session.watched(cancellation, advance):
                yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ask(prefix: str) -> str | None:
    """Read a line with editing and history; None at the end of input."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - importing it is what makes input() edit
    while True:
        try:
            return input(prefix)
        except EOFError:
            print()
            return None
        except KeyboardInterrupt:
            print("--KeyboardInterrupt-- q leaves")


def _run_piped(prompt: Prompt) -> None:
    """Execute the lines of stdin, each shown after the prompt, so that the output reads like a session."""

    def read(prefix: str) -> str | None:
        line = sys.stdin.readline()
        if not line:
            return None
        print(prefix + line.rstrip("\n"))
        return line

    prompt.run(read)
