"""``opencwm forecast`` and ``opencwm eval planning``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencwm.frontends.cli.options import Json, Model, OutputFolder

if TYPE_CHECKING:
    from opencwm.agent.planning.cases import Case
    from opencwm.agent.planning.forecasts import Forecast
    from opencwm.agent.planning.verifying import Checked
    from opencwm.agent.planning.versions import Version

MaxSteps = Annotated[
    int, typer.Option("--max-steps", metavar="N", help="Most steps of a predicted test.", min=1)
]
MaxSeconds = Annotated[
    float,
    typer.Option(
        "--max-seconds", metavar="SECONDS", help="Most processor time of a predicted test.", min=0.01
    ),
]


def forecast(
    repository: Annotated[
        Path,
        typer.Argument(metavar="REPO", help="A folder of Python code with tests.", show_default=False),
    ],
    test: Annotated[
        list[str] | None,
        typer.Option(
            "--test", metavar="ID", help="A test or the beginning of its name, as pytest has it; repeatable."
        ),
    ] = None,
    patch: Annotated[
        Path | None,
        typer.Option(
            "--patch", metavar="FILE", help="Forecast with this patch applied (as git diff writes)."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Run the tests in a box, and say which forecasts were right.")
    ] = False,
    max_steps: MaxSteps = 150,
    max_seconds: MaxSeconds = 2.0,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Tell how a repository's tests will go, without running them.

    Whether each passes or fails, where, why, and how sure that is. Each test is cut out with the code that it
    reaches, and its run predicted. Tests that need what stands elsewhere (fixtures of pytest, files, other
    packages) are unknown, with the reason. Exit status 0: none is forecast to fail; 1: some are; 2: the input
    is wrong.
    """
    from opencwm.agent.planning.forecasts import ForecastConfig, Forecaster
    from opencwm.debugger.world_model import WorldModel
    from opencwm.frontends.cli.output import notice, print_json, progress

    version = _version(repository, patch)
    cases = _cases(repository, version, test or [])
    config = ForecastConfig(max_steps=max_steps, max_seconds=max_seconds)
    forecaster = Forecaster(WorldModel.load(model), config)
    found: list[tuple[Case, Forecast]] = []
    with progress("forecasting tests", len(cases)) as advance:
        for case in cases:
            found.append((case, forecaster.forecast(version, case)))
            advance(len(found))
            if not (as_json or verify):
                _print(*found[-1])
    checks = _checked(repository, version, found) if verify else []
    if as_json:
        print_json({"kind": "forecast", "repository": str(repository), "tests": _as_json(found, checks)})
    for check in checks if not as_json else ():
        _print(check.case, check.forecast, check)
    known = [item for _, item in found if item.is_known]
    failing = sum(not item.is_to_pass for item in known)
    notice(
        f"{len(found)} tests: {len(known) - failing} are to pass, {failing} to fail,"
        f" {len(found) - len(known)} unknown; {forecaster.seconds:.1f} s"
    )
    if checks:
        right = [check for check in checks if check.is_right]
        notice(f"{len(right)} of {len(known)} were right")
    if failing:
        raise typer.Exit(1)


def planning(
    context: typer.Context,
    tasks: Annotated[
        list[Path],
        typer.Argument(metavar="TASKS", help="Task folders, or folders of them.", show_default=False),
    ],
    output: OutputFolder,
    candidates: Annotated[
        int, typer.Option("--candidates", metavar="N", help="Most candidate repairs of a task.", min=2)
    ] = 16,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Only so many tasks of each folder.", min=1)
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Seed of the order of equally near candidates.")
    ] = 0,
    max_steps: MaxSteps = 120,
    max_seconds: MaxSeconds = 1.2,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Measure what planning with a world model saves.

    The same candidate repairs are run in several orders. Every candidate is really run, in boxes, and its
    tests forecast before. Reported: tasks resolved by test runs used, runs saved at equal success, AUC and
    calibration of the forecasts. Goes on where an earlier run into the same folder ended. Needs no network.
    """
    from opencwm.agent.planning.forecasts import ForecastConfig, Forecaster
    from opencwm.core.files import write_atomic
    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.planning import PlanningConfig, evaluate_planning
    from opencwm.evals.planning_plots import draw
    from opencwm.evals.planning_report import PlanningReport
    from opencwm.evals.report import Provenance
    from opencwm.frontends.cli.evaluating import command_line, print_report
    from opencwm.frontends.cli.output import notice, progress

    forecaster = Forecaster(
        WorldModel.load(model), ForecastConfig(max_steps=max_steps, max_seconds=max_seconds)
    )
    config = PlanningConfig(num_candidates=candidates, seed=seed)
    with progress("planning tasks") as advance:
        records = evaluate_planning(
            forecaster, _in_turn(tasks, limit), config, folder=output, progress=advance
        )
    provenance = Provenance(
        model=forecaster.model,
        data=" ".join(map(str, tasks)),
        command=command_line(context),
        settings={"config": dataclasses.asdict(config), "forecast": dataclasses.asdict(forecaster.config)},
    )
    report = PlanningReport.of(records, provenance)
    write_atomic(output / "report.json", json.dumps(report.to_json(), indent=1) + "\n")
    pictures = draw(output, report)
    print_report(report, as_json=as_json)
    notice(f"written to {output}" + ("" if pictures else "; no pictures: pip install 'opencwm[plots]'"))


def _in_turn(paths: Sequence[Path], limit: int | None) -> dict[str, Path]:
    """Return task folders by name, one of each folder after the other, so that all are met early."""
    from opencwm.agent.rollouts import find_tasks

    folders = [list(find_tasks([path]).items())[:limit] for path in paths]
    longest = max(map(len, folders))
    return dict(folder[place] for place in range(longest) for folder in folders if place < len(folder))


def _version(repository: Path, patch: Path | None) -> Version:
    from opencwm.agent.planning.patching import patched
    from opencwm.agent.planning.versions import Version
    from opencwm.core.errors import ConfigError

    if not repository.is_dir():
        raise ConfigError("no such folder", where=str(repository))
    version = Version.of_folder(repository)
    if patch is None:
        return version
    return patched(version, patch.read_bytes().decode("utf-8", "surrogateescape"), where=str(patch))


def _cases(repository: Path, version: Version, wanted: Sequence[str]) -> list[Case]:
    from opencwm.agent.planning.cases import cases_of, files_with_tests
    from opencwm.core.errors import ConfigError

    cases = [case for path in files_with_tests(version) for case in cases_of(version, path)]
    for name in wanted:
        if not any(case.name.startswith(name) for case in cases):
            hint = f"for example {cases[0].name}" if cases else "tests are functions test_* in test_*.py"
            raise ConfigError(f"there is no test {name!r}", where=str(repository), hint=hint)
    if not cases:
        raise ConfigError("there are no tests", where=str(repository), hint="test_*.py or *_test.py")
    return [case for case in cases if not wanted or case.name.startswith(tuple(wanted))]


def _checked(repository: Path, version: Version, found: Sequence[tuple[Case, Forecast]]) -> Sequence[Checked]:
    from opencwm.agent.planning.verifying import checked, run_really
    from opencwm.frontends.cli.output import progress

    with progress("running the tests"):
        return checked(found, run_really(repository, version))


def _print(case: Case, forecast: Forecast, check: Checked | None = None) -> None:
    from opencwm.debugger.display import percent
    from opencwm.frontends.cli.output import visible

    what = f"{case.name}: "
    if forecast.is_known:
        what += _said(forecast) + f" (probability of passing: {percent(forecast.probability)})"
    else:
        what += f"{forecast.outlook}: {forecast.reason}"
    print(visible(what))
    if check is not None:
        really = check.outcome
        if check.exception or check.path:
            really += f" with {check.exception or 'an error'} at {check.path}:{check.lineno}"
        verdict = {True: "right", False: "wrong", None: "unknown"}[check.is_right]
        print(visible(f"    {verdict}: really {really}"))


def _said(forecast: Forecast) -> str:
    if not forecast.exception:
        return "passes" if forecast.is_to_pass else "fails, although the predicted run passes"
    where = f"with {forecast.exception} at {forecast.path}:{forecast.lineno}"
    return f"passes, although the predicted run fails {where}" if forecast.is_to_pass else f"fails {where}"


def _as_json(found: Sequence[tuple[Case, Forecast]], checks: Sequence[Checked]) -> list[dict[str, Any]]:
    entries = []
    for number, (case, item) in enumerate(found):
        entry: dict[str, Any] = {
            "test": case.name,
            "outlook": str(item.outlook),
            "is_to_pass": item.is_to_pass if item.is_known else None,
            "probability_of_passing": item.probability,
            "confidence": item.confidence,
            "exception": item.exception or None,
            "path": item.path or None,
            "lineno": item.lineno or None,
            "reason": item.reason or None,
            "num_steps": item.num_steps,
            "seconds": item.seconds,
        }
        if checks:
            check = checks[number]
            entry["really"] = {
                "outcome": check.outcome,
                "exception": check.exception or None,
                "path": check.path or None,
                "lineno": check.lineno or None,
                "is_right": check.is_right,
            }
        entries.append(entry)
    return entries
