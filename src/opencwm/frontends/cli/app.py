"""All commands in one table, and how a failing one ends.

Importing this loads typer and nothing heavier: the command modules import what they need when they run.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
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
from opencwm.frontends.cli.help import Command, Group
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
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of writing to what is full or gone, which the system raises without naming it."""
_COMMANDS: Final = {
    "Predict a program": (predict, debug, web, check, inputs, before, ask),
    "Serve editors, agents, other machines": (dap, mcp, serve),
    "Record real runs": (trace,),
    "Train a model": (train, export, quantize, rl),
    "Measure a model": (bench,),
    "Agents": (forecast, rollout, view, practice),
    "This machine": (doctor,),
}


_NAMES: Final = frozenset(command.__name__ for commands in _COMMANDS.values() for command in commands)
_BELOW: Final[tuple[tuple[str, str, str, dict[str, Callable[..., Any]]], ...]] = (
    (
        "Record real runs",
        "corpus",
        "Programs and their recorded runs, as training data.",
        {"build": corpus.build, "harvest": corpus.harvest, "info": corpus.info, "mutate": mutate},
    ),
    (
        "Measure a model",
        "eval",
        "Measure predictions against what really happens.",
        {
            "steps": evaluate.steps,
            "all": evaluate.everything,
            "jumps": evaluate.jumps,
            "inputs": evaluate.inputs,
            "quantization": evaluate.quantization,
            "benchmark": benchmark.benchmark,
            "twins": twins,
            "planning": planning,
        },
    ),
    (
        "Agents",
        "tasks",
        "Tasks for agents, as Harbor task directories.",
        {"mutate": tasks.mutate, "small": tasks.small, "import": tasks.import_, "validate": tasks.validate},
    ),
)
"""Groups: their section, name and meaning, and the commands below them."""


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
    for section, commands in _COMMANDS.items():
        for command in commands:
            if only == command.__name__ or only not in _NAMES:
                root.command(cls=Command, rich_help_panel=section)(command)
    if only in _NAMES:
        return typer.main.get_command(root)
    for section, name, meaning, below in _BELOW:
        group = _group(help=meaning)
        for word, function in below.items():
            group.command(name=word, cls=Command)(function)
        root.add_typer(group, name=name, rich_help_panel=section)
    return typer.main.get_command(root)


def _group(**settings: Any) -> typer.Typer:
    return typer.Typer(
        cls=Group, add_completion=False, no_args_is_help=True, rich_markup_mode=None, **settings
    )


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
        sys.stdout.flush()
    except OpenCWMError as error:
        _print_traceback(wanted=wants_traceback)
        return _fail(str(error))
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # how click ends then, with status 1
            raise error.__context__ from None
        raise
    except typer.Abort:
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.filename is None and error.errno not in _FULL:
            raise
        _print_traceback(wanted=wants_traceback)
        return _fail(f"{error.filename or 'the output cannot be written'}: {error.strerror}")
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
    message = message.replace(": Value error, ", ": ").rstrip(".")
    return _fail(f"{message} (see `{path} --help`)")


def _fail(message: str) -> int:
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)
    return EXIT_ERROR
