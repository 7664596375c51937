"""All commands in one table, and how a failing one ends.

Importing this loads typer and nothing heavier: the command modules import what they need when they run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from opencwm.core.errors import OpenCWMError
from opencwm.core.version import __version__
from opencwm.frontends.cli import EXIT_ERROR, EXIT_INTERRUPTED, benchmark, corpus, evaluate, tasks
from opencwm.frontends.cli.ask import ask
from opencwm.frontends.cli.before import before
from opencwm.frontends.cli.bench import bench
from opencwm.frontends.cli.check import check
from opencwm.frontends.cli.dap import dap
from opencwm.frontends.cli.debug import debug
from opencwm.frontends.cli.doctor import doctor
from opencwm.frontends.cli.forecast import forecast, planning
from opencwm.frontends.cli.inputs import inputs
from opencwm.frontends.cli.mcp import mcp
from opencwm.frontends.cli.mutate import mutate
from opencwm.frontends.cli.practice import practice
from opencwm.frontends.cli.predict import predict
from opencwm.frontends.cli.rl import rl
from opencwm.frontends.cli.rollout import rollout
from opencwm.frontends.cli.serve import serve
from opencwm.frontends.cli.trace import trace
from opencwm.frontends.cli.train import export, quantize, train
from opencwm.frontends.cli.twins import twins
from opencwm.frontends.cli.view import view
from opencwm.frontends.cli.web import web

PROGRAM: Final = "opencwm"
_COMMANDS: Final = (
    *(predict, debug, web, dap, mcp, serve, ask, trace, check, inputs, before),
    *(train, export, quantize, bench, doctor),
    *(forecast, rollout, view, practice, rl),
)


def _print_version(value: bool) -> None:
    if value:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


def _root(
    traceback: Annotated[
        bool, typer.Option("--traceback", help="On an error, show where it was raised.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Predict what Python code does, line by line, without running it."""


def build(only: str = "") -> Any:
    """Return the root command with everything below it, a click-compatible group.

    Args:
        only: name of the one command to put below it, if it is one: all take 40 ms to put together.
    """
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    root = _group(context_settings=settings)
    root.callback()(_root)
    named = [command for command in _COMMANDS if command.__name__ == only]
    for command in named or _COMMANDS:
        root.command()(command)
    if named:
        return typer.main.get_command(root)
    shards = _group(help="Programs and their recorded runs, as training data.")
    shards.command()(corpus.build)
    shards.command()(corpus.harvest)
    shards.command()(corpus.info)
    shards.command()(mutate)
    root.add_typer(shards, name="corpus")
    evaluation = _group(help="Measure predictions against what really happens.")
    evaluation.command()(evaluate.steps)
    evaluation.command(name="all")(evaluate.everything)
    evaluation.command()(evaluate.jumps)
    evaluation.command()(evaluate.inputs)
    evaluation.command()(evaluate.quantization)
    evaluation.command()(benchmark.benchmark)
    evaluation.command()(twins)
    evaluation.command()(planning)
    root.add_typer(evaluation, name="eval")
    agents = _group(help="Tasks for agents, as Harbor task directories.")
    agents.command()(tasks.mutate)
    agents.command()(tasks.small)
    agents.command(name="import")(tasks.import_)
    agents.command()(tasks.validate)
    root.add_typer(agents, name="tasks")
    return typer.main.get_command(root)


def _group(**settings: Any) -> typer.Typer:
    return typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, **settings)


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; errors made on purpose become one line on stderr.

    Raises:
        BrokenPipeError: whoever reads stdout stopped.
    """
    wants_traceback = "--traceback" in arguments
    try:
        status = build(next(iter(arguments), ""))(
            list(arguments), prog_name=PROGRAM, standalone_mode=False, obj={"arguments": arguments}
        )
    except OpenCWMError as error:
        _print_traceback(wanted=wants_traceback)
        return _fail(str(error))
    except typer.Abort:
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.filename is None or isinstance(error, BrokenPipeError):
            raise
        _print_traceback(wanted=wants_traceback)
        return _fail(f"{error.filename}: {error.strerror}")
    except Exception as error:
        if not hasattr(
            error, "format_message"
        ):  # typer's own; it carries click inside or not, depending on its version
            raise
        return _fail_usage(error.format_message(), getattr(error, "ctx", None))
    return status if isinstance(status, int) else 0


def _print_traceback(*, wanted: bool) -> None:
    if wanted:
        import traceback

        traceback.print_exc()


def _fail_usage(message: str, context: Any) -> int:
    if message.startswith("Usage:"):  # a command group without a command
        print(message, file=sys.stderr)
        return EXIT_ERROR
    path = context.command_path if context is not None else PROGRAM
    return _fail(f"{message.rstrip('.')} (see `{path} --help`)")


def _fail(message: str) -> int:
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)
    return EXIT_ERROR
