"""Landings of a debugger's actions: what is drawn, what is right, what the report says."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import pytest
from evals_programs import loop, mixed, raising

from opencwm.codec.native import NativeCodec
from opencwm.codec.native_moves import Landing, encode_moves
from opencwm.core.errors import ConfigError
from opencwm.evals.jumps import (
    JumpsConfig,
    draw_jumps,
    evaluate_jumps,
    is_same_landing,
    is_same_place,
    true_landing,
)
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.report import format_table
from opencwm.evals.testing import oracle
from opencwm.traces import Action, Move, Outcome, OutcomeKind, StateTree, Step, Trace
from opencwm.traces.trajectory import target_of

CODEC = NativeCodec()
NOTHING = NativePredictor("oracle", CODEC, oracle(CODEC, []))


def knowing(*traces: Trace) -> NativePredictor:
    """A predictor that knows where every action told in these runs ends."""
    documents = []
    for trace in traces:
        view, tree = NOTHING.view(trace.program), StateTree(trace.steps)
        for index in range(len(trace.steps) - 1):
            told = [(action, None) for action in (Action.STEP_OVER, Action.STEP_RETURN, Action.CONTINUE)]
            for action, goal in [*told, *((Action.BREAKPOINT, line) for line in view.lines)]:
                target = target_of(tree, index, action, goal)
                if target is None and action in (Action.STEP_OVER, Action.STEP_RETURN):
                    continue
                into = [Move(Action.STEP_INTO, place) for place in range(1, index + 1)]
                moves = [*into, Move(action, target, goal)]
                documents.append(encode_moves(CODEC, trace, view, moves).ids)
    return NativePredictor("oracle", CODEC, oracle(CODEC, documents))


def test_who_knows_everything_is_right_about_everything() -> None:
    traces = [mixed(), loop(6), raising()]
    report = evaluate_jumps(traces, knowing(*traces), JumpsConfig(per_program=6))
    assert report.num_programs == 3
    assert report.num_jumps > 9
    assert report.right.fraction == report.place.fraction == 1.0
    assert sum(score.num_total for score in report.by_action.values()) == report.num_jumps
    assert sum(score.num_total for score in report.by_distance.values()) == report.num_jumps
    assert "Landings by steps jumped over" in "\n".join(format_table(table) for table in report.tables())


def test_who_knows_nothing_is_not() -> None:
    report = evaluate_jumps([mixed(), loop(6)], NOTHING)
    assert report.right.fraction is not None
    assert report.right.fraction < 0.5


def test_what_is_drawn_are_distinct_places_where_something_follows() -> None:
    trace = mixed()
    view, config = NOTHING.view(trace.program), JumpsConfig(per_program=40)
    drawn = list(draw_jumps(trace, view, random.Random(1), config))
    assert len({(index, move.action, move.goal) for index, move in drawn}) == len(drawn) > 8
    assert {move.action for _, move in drawn} >= {Action.STEP_OVER, Action.STEP_RETURN, Action.CONTINUE}
    for index, move in drawn:
        assert index < len(trace.steps) - 1
        assert move.target is None or move.target > index
        assert isinstance(true_landing(trace, view, NOTHING, index, move), Landing)
    assert not list(
        draw_jumps(dataclasses.replace(trace, steps=trace.steps[:1]), view, random.Random(1), config)
    )


def test_what_counts_as_the_same_landing() -> None:
    trace = mixed()
    view = NOTHING.view(trace.program)
    tree = StateTree(trace.steps)
    index = 2
    truth = true_landing(
        trace, view, NOTHING, index, Move(Action.STEP_OVER, target_of(tree, index, Action.STEP_OVER))
    )
    step = truth.target
    assert isinstance(step, Step)
    renumbered = dataclasses.replace(truth, target=dataclasses.replace(step, code=step.code + 1))
    elsewhere = dataclasses.replace(truth, target=dataclasses.replace(step, lineno=step.lineno + 1))
    changed = dataclasses.replace(truth, target=dataclasses.replace(step, changed=(("zz", "1"),)))
    ended = dataclasses.replace(truth, target=Outcome(OutcomeKind.RETURNED, "1"))
    assert is_same_landing(renumbered, truth)
    assert not is_same_landing(elsewhere, truth)
    assert not is_same_place(elsewhere, truth)
    assert not is_same_landing(changed, truth)
    assert is_same_place(changed, truth)
    assert not is_same_landing(ended, truth)
    assert not is_same_place(ended, truth)
    assert not is_same_landing(None, truth)
    assert is_same_landing(ended, ended)


def test_an_evaluation_goes_on_where_it_stopped(tmp_path: Path) -> None:
    traces = [mixed(), loop(6)]
    predictor = knowing(*traces)
    whole = evaluate_jumps(traces, predictor, folder=tmp_path)
    path = tmp_path / "results.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    again = evaluate_jumps(traces, predictor, folder=tmp_path)
    assert again.right == whole.right
    assert json.dumps(again.to_json())


def test_what_cannot_be_evaluated_is_one_error() -> None:
    with pytest.raises(ConfigError, match="no trace"):
        evaluate_jumps([], NOTHING)
    with pytest.raises(ConfigError, match="must be positive"):
        JumpsConfig(per_program=0)
