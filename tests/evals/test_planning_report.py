"""The report of ``eval planning``, from records written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from opencwm.evals.planning_report import PlanningReport, auc
from opencwm.evals.report import Provenance

PROVENANCE = Provenance(model="m", data="tasks", command="opencwm eval planning", settings={})


def candidate(distance: int, probability: float, *, is_resolved: bool, passed: bool | None) -> dict[str, Any]:
    forecast = {"outlook": "passes", "confidence": 0.9, "probability": probability, "passed": passed}
    return {
        "path": "a.py",
        "line": 1,
        "distance": distance,
        "suspicion": 1.0 if is_resolved else 0.0,
        "probability": probability,
        "is_resolved": is_resolved,
        "forecasts": {"t": forecast},
    }


def before(outlook: str, *, passed: bool, confidence: float = 0.9) -> dict[str, Any]:
    return {
        "test": "t",
        "passed": passed,
        "outlook": outlook,
        "confidence": confidence if outlook != "unknown" else 0.0,
        "probability": 0.5,
        "reason": "too long" if outlook == "unknown" else "",
        "is_exception_right": True,
        "is_line_right": False,
    }


def record(package: str, *, is_fixable: bool = True) -> dict[str, Any]:
    """Return a task with four candidates, the third of which is right and thought the likeliest."""
    return {
        "task": f"small/{package}-1",
        "package": package,
        "candidates": [
            candidate(0, 0.3, is_resolved=False, passed=False),
            candidate(1, 0.05, is_resolved=False, passed=False),
            candidate(2, 0.9, is_resolved=is_fixable, passed=is_fixable),
            candidate(3, 0.01, is_resolved=False, passed=None),
        ],
        "before": [
            *[before("passes", passed=True)] * 8,
            *[before("fails", passed=False)] * 8,
            *[before("unknown", passed=True)] * 8,
        ],
        "seconds_planning": 2.0,
    }


def report() -> PlanningReport:
    return PlanningReport.of([record("a"), record("b"), record("c", is_fixable=False)], PROVENANCE)


def test_orders_are_counted_as_they_would_run() -> None:
    made = report()
    assert (made.num_tasks, made.num_fixable, made.num_candidates) == (3, 2, 12)
    within = {name: order.resolved for name, order in made.orders.items()}
    assert within["model"][1] == within["oracle"][1] == pytest.approx(2 / 3)
    assert within["distance"][2] == 0.0
    assert within["distance"][4] == pytest.approx(2 / 3)
    assert within["random"][1] == pytest.approx(2 / 3 / 4)
    assert within["coverage"][1] == 0.0  # its first run is the one that records lines
    assert within["coverage"][2] == pytest.approx(2 / 3)
    runs = {name: order.runs.value for name, order in made.orders.items()}
    assert runs["distance"] == pytest.approx((3 + 3 + 4) / 3)
    assert runs["model"] == pytest.approx((1 + 1 + 4) / 3)
    assert runs["model, skipping"] == pytest.approx((1 + 1 + 2) / 3)
    assert runs["oracle"] == pytest.approx(2 / 3)
    assert made.orders["model"].saved.value == pytest.approx(4 / 3)


def test_tests_before_a_change_and_with_one_have_calibrations_of_their_own() -> None:
    made = report()
    as_is, changed = made.fit.as_is, made.fit.changed
    assert as_is.usual > 0.9  # the unknown ones all passed
    assert as_is.probability(True, 0.9) > 0.9 > 0.1 > as_is.probability(False, 0.9)
    assert changed.probability(True, 0.9) < 0.5  # two of nine passed
    assert made.to_json()["fitted"]["as_is"]["usual"] == as_is.usual
    assert made.before.known.fraction == pytest.approx(2 / 3)
    assert made.before.right.fraction == 1.0
    assert (made.before.calibration.ece or 0.0) < 0.1
    assert made.before.line is not None
    assert made.before.line.fraction == 0.0
    assert made.after.num == 9
    assert made.after.exception is None


def test_the_area_under_the_curve_counts_ties_as_half() -> None:
    assert auc([(0.9, True), (0.1, False)]) == 1.0
    assert auc([(0.5, True), (0.5, False)]) == 0.5
    assert auc([(0.5, True)]) is None


def test_tables_name_every_order() -> None:
    orders, *_ = report().tables()
    assert [row[0] for row in orders.rows] == list(report().orders)
