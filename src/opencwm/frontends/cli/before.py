"""``opencwm before``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.frontends.cli.options import Json, Model, ProgramFile, Timeout

if TYPE_CHECKING:
    from opencwm.debugger.questions import EarlierState
    from opencwm.traces import Outcome


def before(
    file: ProgramFile,
    line: Annotated[
        int, typer.Option("--line", metavar="LINE", help="The line that ran.", min=1, show_default=False)
    ],
    state: Annotated[
        list[str],
        typer.Option(
            "--state",
            metavar="NAME=VALUE",
            help="What a variable is after the line; repeatable.",
            show_default=False,
        ),
    ],
    to: Annotated[
        int | None, typer.Option("--to", metavar="LINE", help="The last of several lines that ran.", min=1)
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--known", metavar="NAME=VALUE", help="What a variable is before the line, if known; repeatable."
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", metavar="N", help="Most states that the model proposes.", min=1)
    ] = 5,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the states after its first.")] = 0,
    run: Annotated[
        bool,
        typer.Option(
            "--run/--no-run", help="Run the line from each state in the sandbox, and say what holds."
        ),
    ] = True,
    timeout: Timeout = 10.0,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Tell which state may have come before a line.

    An inverse question, asked of the state after it. States are proposed by the model or worked out backward,
    and each is checked by predicting forward.
    """
    from opencwm.core.errors import ConfigError
    from opencwm.debugger.questions import state_question, states_before
    from opencwm.debugger.world_model import WorldModel
    from opencwm.frontends.cli.output import print_json, visible
    from opencwm.frontends.programs import program_of_source, read_source

    if to is not None and to < line:
        raise ConfigError(f"line {to} is before line {line}", where="--to", hint="name the last line there")
    program = program_of_source(read_source(file), str(file), call="print()")
    after, earlier = _values(state), _values(known or ())
    question = state_question(program, line, after, end_lineno=to, known=earlier)
    found = states_before(
        WorldModel.load(model), program, line, after, end_lineno=to, known=earlier, num_draws=draws, seed=seed
    )
    results = []
    for item in found:
        holds = _holds(item, question.wanted, timeout) if run else None
        results.append(state_json(item, holds))
        if not as_json:
            print(visible(_described(item, holds)))
    if as_json:
        print_json({"kind": "before", "file": str(file), "line": line, "after": after, "states": results})
    elif not results:
        print("no state is proposed")


def state_json(item: EarlierState, holds: bool | None) -> dict[str, object]:
    """Return a state as JSON; ``holds`` is null where it was not run."""
    return {
        "locals": dict(item.locals),
        "probability": item.probability,
        "is_predicted_to_lead_there": item.agrees,
        "forward_probability": item.forward_probability,
        "holds": holds,
    }


def _values(texts: Sequence[str]) -> dict[str, str]:
    """Return the rendered value of each variable.

    Raises:
        ConfigError: a text does not give a variable a value.
    """
    from opencwm.core.errors import ConfigError
    from opencwm.debugger.assumed import rendered
    from opencwm.debugger.assumptions import AssumptionKind, parse_assumption

    found = {}
    for text in texts:
        wrong = ConfigError(f"{text!r} gives no variable a value", hint="write it like x = 5")
        try:
            item = parse_assumption(text)
        except ConfigError:
            raise wrong from None
        if item.name is None or item.kind is not AssumptionKind.VALUE:
            raise wrong
        found[item.name] = rendered(item.value)
    return found


def _described(item: EarlierState, holds: bool | None) -> str:
    from opencwm.debugger.display import percent

    said = {True: "holds", False: "does not hold", None: "not run"}[holds]
    source = "worked out" if item.probability is None else percent(item.probability)
    forward = "leads there" if item.agrees else "leads elsewhere"
    values = ", ".join(f"{name} = {text}" for name, text in item.locals.items()) or "any"
    return f"{source:>10}  predicted: {forward:15}  {said:13}  {values}"


def _holds(item: EarlierState, wanted: Outcome, timeout: float) -> bool:
    from opencwm.evals.inputs import comes_to
    from opencwm.sandbox import RunLimits, record

    return comes_to(record(item.program, limits=RunLimits(wall_s=timeout, cpu_s=timeout)), wanted)
