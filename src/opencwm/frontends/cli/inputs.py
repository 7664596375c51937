"""``opencwm inputs``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.frontends.cli.options import Json, Model, ProgramFile, Timeout

if TYPE_CHECKING:
    from opencwm.debugger.inverse import PredictedCall
    from opencwm.traces import Outcome, Program


def inputs(
    file: ProgramFile,
    entry: Annotated[
        str,
        typer.Option("--entry", metavar="NAME", help="The function to call.", show_default=False),
    ],
    returns: Annotated[
        str | None, typer.Option("--returns", metavar="VALUE", help="What the call is to return, as written.")
    ] = None,
    raises: Annotated[
        str | None,
        typer.Option("--raises", metavar="ERROR", help="What it is to raise, for example \"KeyError('x')\"."),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Most calls to propose.", min=1)] = 5,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the calls after the first.")] = 0,
    run: Annotated[
        bool, typer.Option("--run/--no-run", help="Run what is proposed in the sandbox, and say what holds.")
    ] = True,
    timeout: Timeout = 10.0,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Propose calls of a function that give a result.

    The inverse question: the model proposes, and a run in the sandbox says what holds.
    """
    from opencwm.debugger.display import percent
    from opencwm.debugger.questions import inputs_for
    from opencwm.debugger.world_model import WorldModel
    from opencwm.frontends.calls import wanted_outcome
    from opencwm.frontends.cli.output import print_json, visible
    from opencwm.frontends.programs import program_for_calls, read_source

    wanted = wanted_outcome(returns, raises)
    program = program_for_calls(read_source(file), str(file), entry, where="--entry")
    found = inputs_for(WorldModel.load(model), program, entry, wanted, num_draws=draws, seed=seed)
    results = []
    for call in found:
        holds = _holds(program, call, wanted, timeout) if run else None
        results.append({**dataclasses.asdict(call), "holds": holds})
        if not as_json:
            said = {True: "holds", False: "does not hold", None: "not run"}[holds]
            print(f"{percent(call.probability):>6}  {said:13}  {visible(call.call)}")
    if as_json:
        wish = {"kind": str(wanted.kind), "value": wanted.value}
        print_json({"kind": "inputs", "function": entry, "wanted": wish, "calls": results})
    elif not results:
        print("no call is proposed")


def _holds(program: Program, call: PredictedCall, wanted: Outcome, timeout: float) -> bool:
    from opencwm.evals.inputs import comes_to
    from opencwm.sandbox import RunLimits, record

    limits = RunLimits(wall_s=timeout, cpu_s=timeout)
    return comes_to(record(dataclasses.replace(program, call=call.call), limits=limits), wanted)
