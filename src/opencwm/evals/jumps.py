"""Jumps: where a debugger's action ends, predicted in one go from the true run so far.

At a few places of every run an action is drawn; where it ended is known from the record. A jump is right when
all of its landing is: where it is, what changed on the way, what is returned or raised.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from opencwm.codec.native_moves import Landing, decode_moves, encode_moves
from opencwm.codec.view import SourceView
from opencwm.core.errors import CodecError, ConfigError
from opencwm.core.seeds import derive_rng
from opencwm.evals.evaluation import evaluate_cases
from opencwm.evals.free_running import event_difference, first_difference
from opencwm.evals.journal import Progress, Record
from opencwm.evals.jumps_report import JumpsReport
from opencwm.evals.predictor import Predictor
from opencwm.evals.steps import choose_traces, digest_of
from opencwm.evals.values import is_same_value
from opencwm.model.together import Worker, one_by_one
from opencwm.source.cfg import ControlFlow
from opencwm.traces import Action, Move, Outcome, StateTree, Status, Step, Trace
from opencwm.traces.trajectory import draw_goal, target_of

ACTIONS = (Action.STEP_OVER, Action.STEP_RETURN, Action.BREAKPOINT, Action.CONTINUE)
"""What is told, each equally often."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JumpsConfig:
    """What is asked.

    Attributes:
        num_programs: evaluate so many programs, drawn with ``seed``; None for all.
        per_program: most jumps in one program.
        seed: of the draw of programs, places and actions.
        max_steps: jumps start within so many steps.

    Raises:
        ConfigError: a number below 1.
    """

    num_programs: int | None = None
    per_program: int = 4
    seed: int = 0
    max_steps: int = 256

    def __post_init__(self) -> None:
        for name in ("num_programs", "per_program", "max_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be positive, not {value}", where="eval jumps")


def evaluate_jumps(
    traces: Iterable[Trace],
    predictor: Predictor,
    config: JumpsConfig | None = None,
    *,
    data: str = "",
    folder: Path | None = None,
    command: str = "",
    progress: Progress | None = None,
    worker: Worker = one_by_one,
) -> JumpsReport:
    """Have the landings of actions predicted in recorded runs.

    Args:
        traces: recorded runs.
        predictor: what is evaluated.
        config: choice of programs, number of jumps.
        data: what the traces are, for the report.
        folder: where results are kept while they come; evaluating into the same folder again goes on where it
            stopped.
        command: what reproduces this, for the report.
        progress: told before the first and after every program.
        worker: does the programs, one after the other or several together.

    Raises:
        ConfigError: no trace to evaluate, or ``folder`` holds results of other settings.
        EngineError: the engine broke; results so far are kept.
    """
    config = config or JumpsConfig()
    chosen = choose_traces(traces, config.num_programs, config.seed)
    if not chosen:
        raise ConfigError("no trace with a step in it", where=data or "traces")
    provenance, records = evaluate_cases(
        chosen,
        functools.partial(_evaluate, predictor=predictor, config=config),
        predictor,
        {
            "benchmark": "jumps",
            "config": dataclasses.asdict(config),
            "programs_sha256": digest_of(chosen),
        },
        data=data,
        folder=folder,
        command=command,
        progress=progress,
        worker=worker,
    )
    return JumpsReport.of(provenance, records)


def _evaluate(trace: Trace, predictor: Predictor, config: JumpsConfig) -> Record:
    start = time.perf_counter()
    jumps: list[dict[str, Any]] = []
    problem = ""
    try:
        view = predictor.view(trace.program)
        jumper = predictor.jump_predictor(trace.program)
        rng = derive_rng("eval jumps", config.seed, trace.program.id)
        for index, move in draw_jumps(trace, view, rng, config):
            truth = true_landing(trace, view, predictor, index, move)
            found = jumper.predict(trace.steps[: index + 1], trace.codes, move.action, move.goal)
            end = len(trace.steps) - 1 if move.target is None else move.target
            jumps.append(
                {
                    "action": str(move.action),
                    "distance": end - index,
                    "is_right": is_same_landing(found.landing, truth),
                    "is_place_right": is_same_place(found.landing, truth),
                    "probability": found.probability,
                    "num_sampled": found.num_sampled,
                }
            )
    except CodecError as error:  # the program, or a line that ran, is not shown
        problem = error.what
    return {"jumps": jumps, "problem": problem, "seconds": time.perf_counter() - start}


def draw_jumps(
    trace: Trace, view: SourceView, rng: random.Random, config: JumpsConfig
) -> Iterator[tuple[int, Move]]:
    """Yield places, as indices of steps, and what is told there and where it ends; distinct ones."""
    tree = StateTree(trace.steps)
    has_ended = trace.status in (Status.RETURNED, Status.RAISED)
    last = min(len(trace.steps) - 1, config.max_steps)
    seen: set[tuple[int, Action, int | None]] = set()
    for _ in range(8 * config.per_program):
        if len(seen) == config.per_program or last < 1:
            return
        index, action = rng.randrange(last), rng.choice(ACTIONS)
        goal = draw_goal(tree, index, rng, view.lines) if action is Action.BREAKPOINT else None
        if action is Action.BREAKPOINT and goal not in view.label_of:
            continue
        target = target_of(tree, index, action, goal)
        leaves = target is None
        if leaves and not (has_ended and action in (Action.BREAKPOINT, Action.CONTINUE)):
            continue
        if (index, action, goal) not in seen:
            seen.add((index, action, goal))
            yield index, Move(action, target, goal)


def true_landing(trace: Trace, view: SourceView, predictor: Predictor, index: int, move: Move) -> Landing:
    """Return what the document says of an action told after step ``index``.

    Raises:
        CodecError: it has a line that is not shown.
    """
    moves = [*(Move(Action.STEP_INTO, place) for place in range(1, index + 1)), move]
    document = encode_moves(predictor.codec, trace, view, moves)
    control_flow = ControlFlow(trace.program.text, trace.program.filename)
    *_, (last, _) = decode_moves(predictor.codec, document.ids, view, control_flow)
    if not isinstance(last, Landing):
        raise CodecError("the record has no such landing", where=trace.program.filename)
    return last


def is_same_landing(found: object, truth: Landing) -> bool:
    """Whether all of a landing is right. Code objects are not compared: depth and line decide them."""
    if not isinstance(found, Landing) or not is_same_place(found, truth):
        return False
    one, other = found.target, truth.target
    if isinstance(one, Step) and isinstance(other, Step):
        return first_difference(one, other) is None
    return is_same_value(one.value or "", other.value or "")


def is_same_place(found: object, truth: Landing) -> bool:
    """Whether a landing is at the right line, or at the right kind of end, whatever it says of values."""
    if not isinstance(found, Landing):
        return False
    one, other = found.target, truth.target
    if isinstance(one, Step) and isinstance(other, Step):
        return event_difference(one, other) is None
    return isinstance(one, Outcome) and isinstance(other, Outcome) and one.kind is other.kind
