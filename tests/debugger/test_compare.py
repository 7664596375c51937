"""Predicted beside real: agreement, the first divergence, and detours."""

from __future__ import annotations

import dataclasses

from debugged import real, traced

from opencwm.debugger.compare import Lockstep, compare
from opencwm.debugger.execution import Origin, StepView
from opencwm.debugger.testing import ScriptedExecution, predicted_from


def test_a_right_prediction_agrees_everywhere_and_is_verified() -> None:
    trace = traced("count")
    comparison = compare(predicted_from(trace), real("count"))
    assert comparison.agrees
    assert comparison.first_divergence is None
    assert len(comparison.rows) == len(trace.steps)
    for row in comparison.rows:
        assert row.agrees
        assert row.describe() == ""
        assert all(
            value.origin is Origin.VERIFIED and value.probability == 0.9 for value in row.locals.values()
        )
    assert comparison.rows[-1].value is not None
    assert comparison.rows[-1].value.origin is Origin.VERIFIED


def test_a_wrong_value_is_the_first_divergence_and_stays_wrong_until_it_changes() -> None:
    comparison = compare(predicted_from(traced("count"), wrong={7: {"n": "9"}}), real("count"))
    assert comparison.first_divergence == 7
    row = comparison.rows[7]
    assert (row.line_agrees, row.kind_agrees, row.locals_agree, row.value_agrees) == (True, True, False, True)
    assert row.differences == {"n": ("9", "0")}
    assert row.describe() == "n: predicted 9, really 0"
    assert row.locals["n"].origin is Origin.PREDICTED
    assert row.locals["word"].origin is Origin.VERIFIED
    assert not comparison.rows[8].locals_agree
    assert comparison.rows[-1].agrees


def test_a_detour_is_seen_as_one() -> None:
    trace = traced("count")
    views = [StepView(step, Origin.PREDICTED) for step in trace.steps]
    again = [views[7], views[8]]  # once more round the loop
    detour = ScriptedExecution(trace.program, trace.codes, [*views[:9], *again, *views[9:]])
    comparison = compare(detour, real("count"))
    assert comparison.first_divergence is not None
    extra = [row for row in comparison.rows if row.real is None]
    assert len(extra) == 2
    assert all(
        row.predicted is not None and row.describe() == "the real run has no such step" for row in extra
    )
    assert comparison.rows[-1].line_agrees
    assert len(comparison.rows) == len(trace.steps) + 2


def test_a_prediction_that_stops_early_or_breaks() -> None:
    trace = traced("count")
    views = [StepView(step, Origin.PREDICTED) for step in trace.steps]
    short = compare(ScriptedExecution(trace.program, trace.codes, views[:5]), real("count"))
    assert short.first_divergence == 5
    assert short.rows[5].describe() == "the prediction has no such step"
    assert len(short.rows) == len(trace.steps)
    broken = compare(predicted_from(trace, malformed_at=4), real("count"))
    assert broken.first_divergence == 4
    assert "malformed: no line follows" in broken.rows[4].describe()


def test_a_wrong_result_is_told() -> None:
    trace = traced("count")
    views = [StepView(step, Origin.PREDICTED) for step in trace.steps]
    views[-1] = StepView(
        dataclasses.replace(trace.steps[-1], value="'many'"), Origin.PREDICTED, value_probability=0.4
    )
    comparison = compare(ScriptedExecution(trace.program, trace.codes, views), real("count"))
    assert comparison.first_divergence == len(views) - 1
    assert comparison.rows[-1].describe() == "value: predicted 'many', really 'none'"
    assert comparison.rows[-1].value is not None
    assert comparison.rows[-1].value.origin is Origin.PREDICTED


def test_lockstep_reads_no_further_than_asked() -> None:
    execution = predicted_from(traced("count"))
    lockstep = Lockstep(execution, real("count"))
    row = lockstep.row(3)
    assert row is not None
    assert row.agrees
    assert execution.num_made == 4
    assert lockstep.row(10_000) is None
