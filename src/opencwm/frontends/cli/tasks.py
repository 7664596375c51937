"""``opencwm tasks``: ``mutate``, ``small``, ``import`` and ``validate``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from opencwm.frontends.cli.options import Json

Folder = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="DIR", help="Where the task directories go.", show_default=False),
]
Kind = Annotated[
    str, typer.Option("--box", metavar="KIND", help="Box to run in: auto, bubblewrap, podman or docker.")
]


def mutate(
    repository: Annotated[
        Path,
        typer.Argument(metavar="REPO", help="A folder of Python code with tests.", show_default=False),
    ],
    output: Folder,
    number: Annotated[int, typer.Option("-n", "--number", metavar="N", help="Tasks to make.", min=1)] = 10,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same tasks.")] = 0,
    test_command: Annotated[
        str | None,
        typer.Option(
            "--test-command",
            metavar="COMMAND",
            help="Shell command that ends in pytest [default: python -m pytest -q].",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="Seconds that all tests may take.", min=1.0)
    ] = 300.0,
    box: Kind = "auto",
    as_json: Json = False,
) -> None:
    """Make bug-fix tasks from a repository with tests.

    It is changed, and what breaks some tests and not all is kept. Runs in boxes without a network; the
    repository is not written to. Tests that fail before any change, or need the network, are left out and
    named. Stopped or killed, the same command goes on.
    """
    from opencwm.agent.mutation.make import MutateConfig, mutate_repository
    from opencwm.frontends.cli.output import notice, print_json, progress, visible

    config = MutateConfig(num_tasks=number, seed=seed, command=test_command, timeout_s=timeout, kind=box)
    with progress("making tasks", number) as advance:
        report = mutate_repository(repository, output, config, advance)
    for test, reason in report.left_out.items():
        notice(visible(f"left out: {test}: {reason}"))
    if as_json:
        print_json(dataclasses.asdict(report))
    else:
        for name in report.tasks:
            print(visible(str(output / name)))
    tried = ", ".join(f"{count} {outcome}" for outcome, count in sorted(report.judged.items()))
    notice(f"{len(report.tasks)} of {number} tasks written to {output} ({tried})")


def small(
    output: Folder,
    traces: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="TRACES",
            help="Trace files, or folders of them, of real functions; without any, generated programs.",
            show_default=False,
        ),
    ] = None,
    number: Annotated[int, typer.Option("-n", "--number", metavar="N", help="Tasks to make.", min=1)] = 100,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same tasks.")] = 0,
    per_function: Annotated[
        int, typer.Option("--per-function", metavar="N", help="Most tasks of one function.", min=1)
    ] = 3,
    operator: Annotated[
        list[str] | None,
        typer.Option("--operator", metavar="NAME", help="Make only this change; repeatable."),
    ] = None,
    box: Kind = "auto",
    as_json: Json = False,
) -> None:
    """Make single-file bug-fix tasks in numbers.

    A small function with one line changed, and examples, which come from real runs of the function as it was.
    Everything is run in one box without a network; several tasks a second.
    """
    from opencwm.agent.small.make import SmallConfig, make_small_tasks
    from opencwm.core.errors import ConfigError
    from opencwm.frontends.cli.output import notice, print_json, progress, visible

    files = [
        file
        for path in traces or []
        for file in (sorted(path.glob("*.parquet")) if path.is_dir() else [path])
    ]
    if traces and not files:
        raise ConfigError("holds no trace file", where=str(traces[0]))
    config = SmallConfig(
        num_tasks=number, seed=seed, per_function=per_function, operators=tuple(operator or ()), kind=box
    )
    with progress("making tasks", number) as advance:
        names = make_small_tasks(files, output, config, advance)
    if as_json:
        print_json(names)
    else:
        for name in names:
            print(visible(str(output / name)))
    notice(f"{len(names)} of {number} tasks written to {output}")


def import_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Instances as JSON or JSON lines.", show_default=False),
    ],
    output: Folder,
) -> None:
    """Write task directories for instances of SWE-bench, SWE-smith or R2E-Gym.

    Images are named, not fetched. An instance that cannot be used is passed over with its reason.
    """
    from opencwm.agent.importing import Refusal, import_instances
    from opencwm.core.errors import TaskError
    from opencwm.frontends.cli.output import notice, visible

    num_tasks = num_refused = 0
    for outcome in import_instances(file, output):
        if isinstance(outcome, Refusal):
            num_refused += 1
            notice(visible(f"passed over: {outcome.where}: {outcome.reason}"))
        else:
            num_tasks += 1
            print(visible(str(outcome.directory)))
    if not num_tasks:
        raise TaskError("no instance could be imported", where=str(file))
    notice(f"{num_tasks} tasks written to {output}, {num_refused} instances passed over")


def validate(
    directories: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Task directories, or folders of them.", show_default=False),
    ],
    box: Kind = "auto",
    as_json: Json = False,
) -> int:
    """Check that the solution of each task scores 1 and its untouched files 0.

    Exit status 1 when one is not sound.
    """
    from opencwm.agent.grading import why_invalid
    from opencwm.agent.task import find_tasks, read_task
    from opencwm.core.errors import TaskError
    from opencwm.frontends.cli.output import notice, print_json, progress, visible

    paths = [path for directory in directories for path in find_tasks(directory)]
    reasons: dict[str, str] = {}
    with progress("validating", len(paths)) as advance:
        for number, path in enumerate(paths, 1):
            try:
                reasons[str(path)] = why_invalid(read_task(path), kind=box)
            except TaskError as error:
                reasons[str(path)] = str(error)
            advance(number)
            if not as_json:
                print(visible(f"{path}: {reasons[str(path)] or 'sound'}"))
    if as_json:
        print_json({path: {"is_sound": not reason, "reason": reason} for path, reason in reasons.items()})
    num_sound = sum(not reason for reason in reasons.values())
    notice(f"{num_sound} of {len(paths)} tasks are sound")
    return int(num_sound < len(paths))
