"""Walks through recorded runs, as the ``nd`` format writes them: forward and backward.

The one idea: the moves are those of the state tree of the steps that the format writes; what is added here is
each state's text. The rules are those of :mod:`opencwm.codec.nd_text`.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Collection, Iterator, Sequence

from opencwm.codec.cwm_text import left_entry
from opencwm.codec.nd_special import (
    ACTION_TOKENS,
    EXIT_TOKENS,
    INV_EXIT_ENTRY,
    INVERSE_ACTION_TOKENS,
    INVERSE_STEP_TOKENS,
    STEP_TOKENS,
)
from opencwm.codec.nd_text import NdAction, NdExit, NdStep, Trajectory, collapsed
from opencwm.core.errors import CodecError
from opencwm.traces import Action, Move, Program, StateTree, Step, StepFlags, StepKind, Trace, replay
from opencwm.traces.inverse import InverseTree, draw_inverse_weights
from opencwm.traces.trajectory import Told, exit_state, follow, sample_trajectory


def trajectory(trace: Trace, rng: random.Random | None = None, *, told: Sequence[Told] = ()) -> Trajectory:
    """Walk forward through a run, from its first step to its exit state.

    Args:
        trace: of a run with at least one step.
        rng: draws the actions, with the published weights.
        told: without ``rng``, the first actions; after them every step is stepped into.

    Raises:
        CodecError: nothing was recorded, or a step's line is not in the program.
    """
    run = _Run(trace)
    tree = StateTree(run.steps, is_complete=left_entry(trace), sources=run.sources)
    if rng is None:
        moves = follow(tree, told)
    else:
        moves = sample_trajectory(tree, rng, lines=_code_lines(run.sources))
    walk = [_Stop(None, 0, False), *(_Stop(move, move.target, False) for move in moves)]
    return run.written(walk, trace.program.text, EXIT_TOKENS[exit_state(trace.status)], inverse=False)


def inverse_trajectory(
    trace: Trace,
    rng: random.Random | None = None,
    *,
    told: Sequence[Told] = (),
    hides_call: bool = False,
) -> Trajectory:
    """Walk backward through a run, from the step it ended with to before its first.

    Args:
        trace: a run that returned or raised.
        rng: draws the actions.
        told: without ``rng``, the first actions, ``STEP_RETURN`` for ``inv_step_call``; after them every step
            is stepped into.
        hides_call: leave the wrapper out, of the code and of the walk: it starts where the called function
            ended, and going to that function's call is predicting its arguments.

    Raises:
        CodecError: nothing was recorded, a step's line is not in the program, or the run did not end by
            itself; or the call is to be hidden and there is none of a function of the program.
    """
    if not left_entry(trace):
        raise CodecError(f"the run ended with status {trace.status}", where=trace.program.filename)
    run = _Run(trace)
    code, entry = trace.program.text, 0
    if hides_call:
        code, entry = _without_wrapper(trace.program), _called(run.steps, trace.program)
    inverse = InverseTree(run.steps, entry=entry)
    if rng is None:
        moves = follow(inverse.tree, told)
    else:
        moves = sample_trajectory(inverse.tree, rng, lines=(), weights=draw_inverse_weights(rng))
    walk = []
    for move in (None, *moves):
        position = 0 if move is None else move.target
        item = None if position is None else inverse.items[position]
        walk.append(_Stop(move, None if item is None else item.index, item is not None and item.is_calling))
    return run.written(walk, code, INV_EXIT_ENTRY, inverse=True)


def sample_walks(trace: Trace, rng: random.Random) -> Iterator[Trajectory]:
    """Yield what a model trains on of one run: a walk forward, and one backward if the run ended by itself.

    The backward walk hides the call where it can: the wrapper would tell the arguments. Which walks were
    trained on is not published.

    Raises:
        CodecError: nothing was recorded, or a step's line is not in the program.
    """
    yield trajectory(trace, rng)
    if left_entry(trace):
        try:
            backward = inverse_trajectory(trace, rng, hides_call=True)
        except CodecError:  # not entered by a call of one of its functions
            backward = inverse_trajectory(trace, rng)
        yield backward


@dataclasses.dataclass(frozen=True, slots=True)
class _Stop:
    """Where a walk stops: what led there, the step (None: the exit), and whether it is a doubled line."""

    move: Move | None
    index: int | None
    is_calling: bool


class _Run:
    """The steps of a run that the format writes, and their texts."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._kept = [i for i, step in enumerate(trace.steps) if StepFlags.UNWIND not in step.flags]
        self.steps = [trace.steps[i] for i in self._kept]
        self.sources = [f"{line}\n" for line in trace.program.lines]
        where = trace.program.filename
        if not self.steps:
            raise CodecError("nothing was recorded", where=where)
        for step in self.steps:
            if not 1 <= step.lineno <= len(self.sources):
                num_lines = len(self.sources)
                raise CodecError(
                    f"line {step.lineno} is not in the program of {num_lines} lines", where=where
                )
        self._levels = StateTree(self.steps)

    def written(self, walk: Sequence[_Stop], code: str, exit_token: str, *, inverse: bool) -> Trajectory:
        """Return a walk as it is written."""
        tokens = INVERSE_STEP_TOKENS if inverse else STEP_TOKENS
        actions = INVERSE_ACTION_TOKENS if inverse else ACTION_TOKENS
        states: list[NdStep | NdExit] = []
        told: list[NdAction] = []
        locals_of = self._locals({stop.index for stop in walk if stop.index is not None})
        known: dict[str, str] | None = None
        previous: _Stop | None = None
        for stop in walk:
            if stop.move is not None:
                goal = stop.move.goal
                told.append(
                    NdAction(actions[stop.move.action], None if goal is None else self.sources[goal - 1])
                )
            if stop.index is None:
                states.append(NdExit(exit_token))
                break
            step = self.steps[stop.index]
            kind = StepKind.LINE if stop.is_calling else step.kind
            source = self.sources[step.lineno - 1]
            if not self._is_near(previous, stop):
                known = None
            previous = stop
            if kind in (StepKind.RETURN, StepKind.EXCEPTION):
                value = "None" if step.value is None else step.value
                states.append(NdStep(tokens[kind], source, value=value))
                continue
            now = locals_of[stop.index]
            states.append(
                NdStep(tokens[kind], source, collapsed(now, None if kind is StepKind.CALL else known))
            )
            known = now
        indices = tuple(self._kept[stop.index] for stop in walk if stop.index is not None)
        return Trajectory(code, tuple(states), tuple(told), indices, inverse)

    def _is_near(self, previous: _Stop | None, stop: _Stop) -> bool:
        """Whether what was written before tells the locals of an activation that the step belongs to."""
        if previous is None or previous.index is None or stop.index is None or stop.move is None:
            return False
        return (
            stop.move.action is not Action.BREAKPOINT
            and self.steps[previous.index].kind not in (StepKind.CALL, StepKind.RETURN)
            and self._levels.start(previous.index) == self._levels.start(stop.index)
        )

    def _locals(self, indices: Collection[int]) -> dict[int, dict[str, str]]:
        wanted = {self._kept[index]: index for index in indices}
        return {
            wanted[position]: dict(stack[-1].locals)
            for position, (_, stack) in enumerate(replay(self._trace))
            if position in wanted
        }


def _code_lines(sources: Sequence[str]) -> list[int]:
    """Return the lines a breakpoint may be set on."""
    return [n for n, text in enumerate(sources, 1) if text.strip() and not text.lstrip().startswith("#")]


def _without_wrapper(program: Program) -> str:
    if program.wrapper_lineno is None:
        raise CodecError("there is no call to hide", where=program.filename)
    return "".join(f"{line}\n" for line in program.lines[: program.wrapper_lineno - 1])


def _called(steps: Sequence[Step], program: Program) -> int:
    """Return the first step of the activation that the wrapper's call is: the last one it made."""
    tree = StateTree(steps)
    calls = [call for index in tree.level(0) for call in tree.children(index)]
    if not calls:
        raise CodecError("the call enters no function of the program", where=program.filename)
    return calls[-1]
