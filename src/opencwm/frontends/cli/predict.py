"""``opencwm predict``."""

from __future__ import annotations

import itertools
import math
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
    MaxSteps,
    Model,
    ProgramFile,
    SearchSamples,
    WorkingLevel,
)

if TYPE_CHECKING:
    from opencwm.debugger.assumed import AssumedProgram
    from opencwm.evals.agreement import Agreement


def predict(
    file: ProgramFile,
    call: Call = None,
    entry: Entry = None,
    assume: Assume = None,
    rollouts: Annotated[
        int,
        typer.Option(
            "--rollouts",
            metavar="N",
            help="Predict up to N runs, and tell what most come to; no more than it takes to settle that.",
            min=1,
            max=256,
        ),
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the runs after the first.")] = 0,
    model: Model = None,
    detail: DetailLevel = Detail.EXPR,
    working: WorkingLevel = Working.CALCULATED,
    search: SearchSamples = 0,
    max_steps: MaxSteps = 1_000,
    as_json: Json = False,
) -> None:
    """Tell what a call is going to return or raise, without running it.

    Prints the value, or the exception that is raised. How sure that is, in steps and runs, stands on stderr.
    Arguments that the entry needs are invented when nobody gives them.
    Exit status 1: no run came to an end.
    """
    from opencwm.debugger.display import percent
    from opencwm.frontends.cli.output import counted, notice, print_json, visible
    from opencwm.frontends.programs import load_assumed

    assumed = load_assumed(file, call=call, entry=entry, assumptions=assume or ())
    found = _agreed(
        assumed,
        model,
        expressions=detail is Detail.EXPR,
        working=working,
        search=search,
        rollouts=rollouts,
        seed=seed,
        max_steps=max_steps,
    )
    probability = _probability(found)
    if as_json:
        print_json(
            {
                "kind": "prediction",
                "outcome": None
                if found.outcome is None
                else {"kind": str(found.outcome.kind), "value": found.outcome.value},
                "votes": found.num_votes,
                "rollouts": len(found.rollouts),
                "probability": probability,
                "num_steps": [len(rollout.steps) for rollout in found.rollouts],
                "ends": [str(rollout.end) for rollout in found.rollouts],
            }
        )
    elif found.outcome is not None:
        print(visible(found.outcome.value))
        votes = f"; {found.num_votes} of {counted(len(found.rollouts), 'run')}" if rollouts > 1 else ""
        steps = counted(len(found.rollouts[0].steps), "predicted step")
        notice(f"{found.outcome.kind} after {steps}, probability {percent(probability)}{votes}")
    if found.outcome is None:
        if not as_json:
            notice(f"no run came to an end: {found.rollouts[0].reason or found.rollouts[0].end}")
        raise typer.Exit(1)


def _agreed(
    assumed: AssumedProgram,
    model: str | None,
    *,
    expressions: bool,
    working: Working,
    search: int,
    rollouts: int,
    seed: int,
    max_steps: int,
) -> Agreement:
    from opencwm.debugger.invented import with_invented_arguments
    from opencwm.debugger.step_search import SearchConfig
    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.agreement import agree
    from opencwm.evals.rollout import RolloutBounds
    from opencwm.frontends.cli.output import notice, progress
    from opencwm.model.together import ROWS

    world = WorldModel.load(model)
    assumed = with_invented_arguments(world, assumed)
    for note in assumed.notes:
        notice(f"assumed: {note}")
    execution = world.execution(
        assumed.program,
        expressions=expressions,
        working=working,
        search=SearchConfig(samples=search),
        assumed=assumed.assumed,
    )
    execution.read()
    bounds = RolloutBounds(max_steps=max_steps, max_seconds=1e9)
    numbers = itertools.count(1)
    with progress("predicting steps") as advance:
        return agree(
            execution.afresh,
            bounds,
            num_rollouts=rollouts,
            seed=seed,
            worker=world.worker(ROWS),
            on_step=lambda: advance(next(numbers)),
        )


def _probability(found: Agreement) -> float:
    """Return the probability of every step of the one run, or the share of runs that agree."""
    if len(found.rollouts) > 1:
        return found.share
    steps = found.rollouts[0].steps
    parts = [
        (view.control_probability, view.value_probability, *view.probabilities.values()) for view in steps
    ]
    return math.prod(part for step in parts for part in step if part is not None)
