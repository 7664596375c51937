"""``opencwm check``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.frontends.cli.options import Json, Model

if TYPE_CHECKING:
    from opencwm.debugger.checking.check import CheckConfig, CheckedFunction, Finding
    from opencwm.debugger.world_model import WorldModel
    from opencwm.sandbox import Sandbox

EXIT_FOUND = 1


def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE[:FUNC]",
            help="A Python file, or one function of it; without one, every function at its top.",
            show_default=False,
        ),
    ],
    inputs: Annotated[
        int, typer.Option("--inputs", metavar="N", help="Most inputs tried on a function.", min=1, max=200)
    ] = 12,
    max_steps: Annotated[
        int, typer.Option("--max-steps", metavar="N", help="Most steps of a predicted run.", min=1)
    ] = 200,
    max_seconds: Annotated[
        float,
        typer.Option("--max-seconds", metavar="SECONDS", help="Most time spent on a function.", min=0.1),
    ] = 60.0,
    verify: Annotated[
        bool, typer.Option("--verify", help="Run each reported input in the sandbox, and say what is true.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="SECONDS", help="A real run that takes longer counts as endless.", min=0.1
        ),
    ] = 2.0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of inputs that are drawn.")] = 0,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Tell for which inputs a function raises or never ends.

    Inputs are proposed, their runs predicted, not run, and what goes wrong is reported with line, input and
    confidence. With --verify each report is confirmed or refuted by a real run. Exit status 0: nothing is
    reported, or all of it was refuted; 1: something is reported and not refuted; 2: the input is wrong.
    """
    from opencwm.debugger.checking.check import CheckConfig, Verdict
    from opencwm.debugger.world_model import WorldModel
    from opencwm.frontends.check_json import checked_json
    from opencwm.frontends.cli.output import print_json

    config = CheckConfig(num_inputs=inputs, max_steps=max_steps, max_seconds=max_seconds, seed=seed)
    path, source, names = _targets(target)
    world = WorldModel.load(model)
    found = []
    with _sandbox(wanted=verify) as sandbox:
        for name in names:
            checked = _checked(world, path, source, name, config, sandbox, timeout)
            found.append(checked)
            if not as_json:
                _print(checked, path)
    if as_json:
        print_json({"kind": "check", "file": str(path), "functions": [checked_json(item) for item in found]})
    if any(finding.verdict is not Verdict.REFUTED for item in found for finding in item.findings):
        raise typer.Exit(EXIT_FOUND)


def _targets(target: str) -> tuple[Path, str, list[str]]:
    """Return the file, its text, and the functions to check.

    Raises:
        ConfigError: the file cannot be read or does not parse, or there is no such function.
    """
    from opencwm.core.errors import ConfigError
    from opencwm.debugger.invented import functions_of
    from opencwm.frontends.calls import why_nothing_runs
    from opencwm.frontends.cli.output import notice
    from opencwm.frontends.programs import parsed, program_for_calls, read_source

    name, path = "", Path(target)
    before, colon, after = target.rpartition(":")
    if colon and not path.exists():
        path, name = Path(before), after
    source = read_source(path)
    tree = parsed(source, str(path))
    if name:
        program_for_calls(source, str(path), name, where=str(path))
    names = list(functions_of(source))
    if not names or (name and name not in names):
        problem = f"defines no function {name!r} at its top" if name else "defines no function at its top"
        raise ConfigError(problem, where=str(path), hint=f"its functions: {', '.join(names) or 'none'}")
    if name:
        return path, source, [name]
    reasons = {other: why_nothing_runs(other, tree) for other in names}
    for other, reason in reasons.items():
        if reason:
            notice(f"{path}: {other}: not checked: it {reason}")
    return path, source, [other for other in names if not reasons[other]]


@contextlib.contextmanager
def _sandbox(*, wanted: bool) -> Iterator[Sandbox | None]:
    if not wanted:
        yield None
        return
    from opencwm.sandbox import Sandbox

    with Sandbox() as sandbox:
        yield sandbox


def _checked(
    world: WorldModel,
    path: Path,
    source: str,
    name: str,
    config: CheckConfig,
    sandbox: Sandbox | None,
    timeout: float,
) -> CheckedFunction:
    from opencwm.debugger.checking.check import check_function
    from opencwm.debugger.checking.verify import verify
    from opencwm.frontends.cli.output import progress

    with progress(f"predicting runs of {name}") as advance:
        checked = check_function(world, source, name, config, filename=str(path), progress=advance)
    return (
        checked if sandbox is None else verify(checked, source, sandbox, seconds=timeout, filename=str(path))
    )


def _print(checked: CheckedFunction, path: Path) -> None:
    from opencwm.frontends.cli.output import counted, notice, visible

    for finding in checked.findings:
        print(visible(f"{path}:{finding.lineno}: {_described(finding)}"))
        if finding.verdict is not None:
            print(visible(f"    {finding.verdict}: really {finding.really}"))
    if checked.problem:
        notice(f"{path}: {checked.name}: {checked.problem}")
    inputs, reports = counted(len(checked.inputs), "input"), counted(len(checked.findings), "report")
    notice(f"{path}: {checked.name}: {inputs} tried, {reports}")


def _described(finding: Finding) -> str:
    from opencwm.debugger.display import percent
    from opencwm.frontends.cli.output import counted

    others = len(finding.other_calls)
    more = f" and {counted(others, 'other input')}" if others else ""
    purpose = ", raised on purpose" if finding.is_raised else ""
    return f"{finding.what}{purpose}, with {finding.call}{more} ({percent(finding.confidence)})"
