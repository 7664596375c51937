"""``opencwm rollout``."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.frontends.cli.options import Json, OutputFolder

if TYPE_CHECKING:
    from opencwm.agent.planning.planner_config import PlannerConfig
    from opencwm.agent.rollouts import Job, RunConfig
    from opencwm.agent.run_folder import RunFolder


class CallStyle(enum.StrEnum):
    """How a model calls tools."""

    TEXT = "text"
    FUNCTIONS = "functions"


TaskFolders = Annotated[
    list[Path],
    typer.Argument(metavar="TASKS", help="Task folders, or folders of them.", show_default=False),
]
PolicyName = Annotated[
    str,
    typer.Option(
        "--policy",
        metavar="SPEC",
        help="Who acts: http://HOST:PORT/v1 (any OpenAI-compatible chat endpoint; its key is read from"
        " OPENCWM_API_KEY), model:FOLDER (a small model that acts), script:FILE, searcher, or"
        " package.module:NAME.",
        show_default=False,
    ),
]
Attempts = Annotated[int, typer.Option("-n", metavar="N", help="Attempts at each task.", min=1)]
Workers = Annotated[
    int, typer.Option("--workers", metavar="N", help="Processes; 0 does all in this one.", min=0)
]
WithRay = Annotated[
    bool, typer.Option("--ray", help="Let Ray do it, on the cluster of RAY_ADDRESS or this machine.")
]
ReplyTokens = Annotated[
    int, typer.Option("--max-tokens", metavar="N", help="Most tokens of one reply.", min=1)
]
ModelName = Annotated[
    str | None, typer.Option("--served-model", metavar="NAME", help="The model, as the endpoint lists it.")
]
Calls = Annotated[
    CallStyle,
    typer.Option(
        "--calls", metavar="text|functions", help="Tools are called in text, or as OpenAI functions."
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="X",
        help="Sampling temperature [default: the endpoint's own; 0 for a model].",
        min=0,
    ),
]
TokenIds = Annotated[
    bool,
    typer.Option("--token-ids", help="Ask an endpoint for token ids and log-probabilities, as vLLM."),
]
Undo = Annotated[bool, typer.Option("--undo", help="Also offer the tool undo, which takes back an edit.")]
AtDesk = Annotated[
    bool,
    typer.Option(
        "--desk",
        help="Attempt tasks of `tasks small` without a box for each, which is faster; implies --undo.",
    ),
]
PromptFile = Annotated[
    Path | None,
    typer.Option("--prompt", metavar="FILE", help="A system prompt instead of the one built in."),
]
PlannerModel = Annotated[
    str | None,
    typer.Option(
        "--planner",
        metavar="MODEL",
        help="Forecast commands that run tests before they are run; the searcher runs the likeliest"
        " repairs. A model as --model takes it elsewhere, or package for the one that ships.",
    ),
]
SkipBelow = Annotated[
    float,
    typer.Option(
        "--skip-below",
        metavar="P",
        help="With --planner: do not run tests that are less likely than this to pass.",
        min=0.0,
        max=1.0,
    ),
]
Choose = Annotated[
    bool,
    typer.Option(
        "--choose",
        help="Choose one patch a task: generated tests passed, forecast, majority, fewest tokens.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the run.")]
LimitsOf = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="KEY=VALUE",
        help="A limit of each attempt: turns, tokens, wall_s, malformed, repeats, timeout_s (of a command),"
        " output_chars, context_lines; repeatable.",
    ),
]


def rollout(
    context: typer.Context,
    tasks: TaskFolders,
    policy: PolicyName,
    output: OutputFolder,
    attempts: Attempts = 1,
    workers: Workers = 1,
    ray: WithRay = False,
    max_tokens: ReplyTokens = 4_096,
    model_name: ModelName = None,
    calls: Calls = CallStyle.TEXT,
    temperature: Temperature = None,
    token_ids: TokenIds = False,
    undo: Undo = False,
    desk: AtDesk = False,
    prompt: PromptFile = None,
    planner: PlannerModel = None,
    skip_below: SkipBelow = 0.0,
    choose: Choose = False,
    seed: Seed = 0,
    limit: LimitsOf = None,
    as_json: Json = False,
) -> None:
    """Let a policy attempt tasks in boxes, and grade what it submits.

    All of it is written down. Attempts go on where an earlier run into the same folder ended; those that
    failed for reasons of the machinery are made again. Exit status 1 when some did.
    """
    from opencwm.agent.chat_policy import ChatConfig
    from opencwm.agent.episode import Limits
    from opencwm.agent.policies import PolicySpec
    from opencwm.agent.rollout import RolloutConfig
    from opencwm.agent.rollouts import RunConfig, find_tasks, jobs_of
    from opencwm.agent.run_folder import RunFolder
    from opencwm.agent.tools import PUBLISHED
    from opencwm.core.config import load_config

    chat = ChatConfig(
        model=model_name,
        max_tokens=max_tokens,
        temperature=temperature,
        calls_functions=calls is CallStyle.FUNCTIONS,
        wants_tokens=token_ids,
    )
    limits = load_config(Limits, None, limit or [], where="--limit")
    config = RunConfig(
        policy=PolicySpec(spec=policy, chat=chat, planner=_planner(planner, skip_below)),
        rollout=RolloutConfig(
            limits=limits,
            tools=(*PUBLISHED, "undo") if undo or desk else PUBLISHED,
            seed=seed,
            prompt=_text(prompt),
            at_desk=desk,
        ),
        num_rollouts=attempts,
    )
    found = find_tasks(tasks)
    folder = RunFolder(output)
    with folder.owned(config.to_json()):
        jobs = list(jobs_of(found, attempts, folder))
        _run(config, folder, jobs, workers=workers, uses_ray=ray)
        has_errors = _finish(context, config, folder, tasks, as_json=as_json)
        if choose:
            _choose(config, folder, found)
    if has_errors:
        raise typer.Exit(1)


def _text(path: Path | None) -> str | None:
    from opencwm.core.errors import ConfigError

    try:
        return path.read_text(encoding="utf-8") if path is not None else None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", where=str(path)) from None


def _planner(model: str | None, skip_below: float) -> PlannerConfig | None:
    from opencwm.agent.planning.planner_config import PlannerConfig
    from opencwm.core.errors import ConfigError

    if model is None:
        if skip_below:
            raise ConfigError("needs a planner", where="--skip-below", hint="--planner package")
        return None
    return PlannerConfig(model="" if model == "package" else model, skip_below=skip_below)


def _choose(config: RunConfig, folder: RunFolder, tasks: dict[str, Path]) -> None:
    """Choose one patch for each task, write that down, and say what it gained."""
    import json

    from opencwm.agent.choosing_run import NAME, chosen
    from opencwm.core.files import write_atomic
    from opencwm.frontends.cli.output import notice

    choices = chosen(folder.records(), tasks, config.policy.planner)
    write_atomic(folder.path / NAME, json.dumps(choices, indent=1) + "\n")
    made = [choice for choice in choices.values() if choice["rollout"] is not None]
    counts = {
        key: sum(choice[key] == 1.0 for choice in made) for key in ("reward", "first_reward", "best_reward")
    }
    notice(
        f"of {len(choices)} tasks the chosen patches solve {counts['reward']}, first attempts"
        f" {counts['first_reward']}, any attempt {counts['best_reward']}; see {folder.path / NAME}"
    )


def _run(config: RunConfig, folder: RunFolder, jobs: Sequence[Job], *, workers: int, uses_ray: bool) -> None:
    from opencwm.agent.rollout_pool import run_pool
    from opencwm.agent.rollouts import run_here, run_ray
    from opencwm.frontends.cli.output import progress

    if not jobs:
        return
    with progress("rollouts", len(jobs)) as advance:
        num_done = 0

        def report(job: Job) -> None:
            nonlocal num_done
            num_done += 1
            advance(num_done, len(jobs), f"{job['task']} {job['rollout']}")

        if uses_ray:
            run_ray(config, folder.path, jobs, report, workers)
        elif workers:
            run_pool(config, folder.path, jobs, report, workers)
        else:
            run_here(config, folder.path, jobs, report)


def _finish(
    context: typer.Context, config: RunConfig, folder: RunFolder, tasks: Sequence[Path], *, as_json: bool
) -> bool:
    """Write and print what came of it; return whether attempts failed for reasons of the machinery."""
    from opencwm.agent.rollout import ERROR
    from opencwm.evals.report import Provenance
    from opencwm.evals.rollout_report import RolloutReport
    from opencwm.frontends.cli.evaluating import command_line, print_report
    from opencwm.frontends.cli.output import notice

    records = folder.records()
    provenance = Provenance(
        model=next((record["policy"] for record in records), config.policy.spec),
        data=" ".join(map(str, tasks)),
        command=command_line(context),
        settings=config.to_json(),
    )
    report = RolloutReport.of(records, provenance)
    folder.finish(report.to_json())
    print_report(report, as_json=as_json)
    num_errors = len([record for record in records if record["status"] == ERROR])
    if num_errors:
        notice(
            f"{num_errors} attempts ended in errors of the machinery and have no reward; the same command"
            " makes them again"
        )
    notice(f"written to {folder.path}; look at it with: opencwm view {folder.path}")
    return num_errors > 0
