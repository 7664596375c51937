"""The report of ``eval planning``: tasks resolved and tests run, with the model and without, and calibration.

A pure function of the records of :mod:`.planning`. Intervals are of tasks: means by bootstrap over tasks
(2,000 samples, seed 0), fractions of forecasts by clusters. Probabilities are those of a calibration fitted
on the *other* packages; the ones that ship are fitted on all.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from opencwm.agent.planning.calibration import Calibration as Fit
from opencwm.agent.planning.calibration import Calibrator, Curve
from opencwm.evals.metrics import Calibration, Score, calibration
from opencwm.evals.report import (
    Provenance,
    Table,
    calibration_json,
    calibration_table,
    score_json,
)

Record = Mapping[str, Any]
SKIP_BELOW: Final = 0.1
"""The order that skips runs no candidate of which less than this is forecast."""
ORDERS: Final = ("random", "distance", "coverage", "model", "model, skipping", "oracle")
BUDGETS: Final = (1, 2, 4, 8)
_SAMPLES: Final = 2_000


@dataclasses.dataclass(frozen=True)
class Mean:
    """A mean over tasks and its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Take the mean of one value for each task, at least one."""
        found = np.asarray(values, dtype=float)
        rng = np.random.default_rng(0)
        means = found[rng.integers(0, len(found), (_SAMPLES, len(found)))].mean(axis=1)
        return cls(float(found.mean()), *map(float, np.percentile(means, [2.5, 97.5])))

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} - {self.high:.2f})"


@dataclasses.dataclass(frozen=True)
class OrderReport:
    """What one order comes to.

    Attributes:
        resolved: tasks with a candidate that is run and passes all tests, by runs allowed; one of all.
        runs: test runs a task, until one passes or no candidate is left.
        runs_to_fix: the same over the tasks that some candidate fixes and this order does not give up.
        saved: runs saved against the order by distance, a task; paired.
    """

    resolved: Mapping[int, float]
    runs: Mean
    runs_to_fix: Mean | None
    saved: Mean

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {
            "resolved_within": {str(budget): value for budget, value in self.resolved.items()},
            "runs": dataclasses.asdict(self.runs),
            "runs_to_fix": None if self.runs_to_fix is None else dataclasses.asdict(self.runs_to_fix),
            "saved_against_distance": dataclasses.asdict(self.saved),
        }


@dataclasses.dataclass(frozen=True)
class ForecastReport:
    """How good forecasts of single tests are.

    Attributes:
        num: forecasts that were asked for.
        known: of those that say something.
        right: of the known ones, that say how the test ends.
        auc: area under the curve of the probability of passing; unknown ones count as the usual one. With its
            interval; None when all tests end alike.
        calibration: of the probability of passing.
        exception, line: of the tests rightly said to fail, type and line that are right.
    """

    num: int
    known: Score
    right: Score
    auc: tuple[float, float, float] | None
    calibration: Calibration
    exception: Score | None = None
    line: Score | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {
            "num": self.num,
            "known": score_json(self.known),
            "right": score_json(self.right),
            "auc": self.auc,
            "calibration": calibration_json(self.calibration),
            "exception": None if self.exception is None else score_json(self.exception),
            "line": None if self.line is None else score_json(self.line),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlanningReport:
    """What ``eval planning`` found.

    Attributes:
        provenance: model, tasks, settings, versions.
        num_tasks: evaluated.
        num_fixable: that a candidate of the list fixes.
        num_candidates: in all lists.
        orders: by name.
        before: forecasts of the tests of the repositories as given.
        after: forecasts of tests with a candidate, where it is run and the model was asked.
        reasons: why forecasts before a change are unknown.
        fit: a calibration fitted on all tasks.
        seconds: processor seconds of planning a task.
        curve: order -> part of the tasks resolved within 0, 1, 2 ... runs.
    """

    provenance: Provenance
    num_tasks: int
    num_fixable: int
    num_candidates: int
    orders: Mapping[str, OrderReport]
    before: ForecastReport
    after: ForecastReport
    reasons: Mapping[str, int]
    fit: Fit
    seconds: float
    curve: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, records: Sequence[Record], provenance: Provenance) -> PlanningReport:
        """Sum up the records of at least one task."""
        runs = {order: [_runs(record, order) for record in records] for order in ORDERS}
        longest = max(len(record["candidates"]) for record in records)
        curve = {
            order: [
                _mean([within(budget) for within in map(_within, records, [order] * len(records))])
                for budget in range(longest + 2)
            ]
            for order in ORDERS
        }
        distance = runs["distance"]
        orders = {
            order: OrderReport(
                {budget: curve[order][min(budget, longest + 1)] for budget in (*BUDGETS, longest + 1)},
                Mean.of(found),
                _runs_to_fix(records, order),
                Mean.of([there - here for there, here in zip(distance, found, strict=True)]),
            )
            for order, found in runs.items()
        }
        reasons = collections.Counter(
            _shortened(item["reason"]) for record in records for item in record["before"] if item["reason"]
        )
        return cls(
            provenance=provenance,
            num_tasks=len(records),
            num_fixable=sum(_is_fixable(record) for record in records),
            num_candidates=sum(len(record["candidates"]) for record in records),
            orders=orders,
            before=_forecasts(records, _before_items),
            after=_forecasts(records, _after_items),
            reasons=dict(reasons.most_common()),
            fit=Fit(as_is=_fitted(records, _before_items), changed=_fitted(records, _after_items)),
            seconds=_mean([record["seconds_planning"] for record in records]),
            curve=curve,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        return {
            **self.provenance.to_json("planning"),
            "num_tasks": self.num_tasks,
            "num_fixable": self.num_fixable,
            "num_candidates": self.num_candidates,
            "orders": {name: order.to_json() for name, order in self.orders.items()},
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "unknown_because": dict(self.reasons),
            "fitted": dataclasses.asdict(self.fit),
            "seconds_a_task": self.seconds,
            "resolved_by_runs": {name: list(values) for name, values in self.curve.items()},
        }

    def tables(self) -> list[Table]:
        """Return the report as tables."""
        title = (
            f"Orders of the same {self.num_candidates} candidates ({self.num_tasks} tasks, in the lists of"
            f" {self.num_fixable} a fix)"
        )
        columns = (
            "order",
            *(f"resolved within {budget}" for budget in BUDGETS),
            "in all",
            "runs a task",
            "runs to a fix",
            "saved against distance",
        )
        rows = tuple(
            (
                name,
                *(f"{self.num_tasks * value:.1f}" for value in order.resolved.values()),
                str(order.runs),
                str(order.runs_to_fix or "-"),
                str(order.saved),
            )
            for name, order in self.orders.items()
        )
        forecasts = tuple(
            _forecast_cells(name, found)
            for name, found in (("before any change", self.before), ("with a candidate", self.after))
        )
        reasons = tuple((reason, str(count)) for reason, count in list(self.reasons.items())[:12])
        names = ("forecasts of single tests", "of", "known", "right", "AUC", "exception", "line")
        return [
            Table(title, columns, rows),
            Table("Forecasts", names, forecasts),
            calibration_table("Probability of passing, before any change", self.before.calibration),
            calibration_table("Probability of passing, with a candidate", self.after.calibration),
            Table("Unknown before any change, because", ("reason", "tests"), reasons),
            Table("Cost", ("", "value"), (("processor seconds a task", f"{self.seconds:.1f}"),)),
        ]


def _fitted(records: Sequence[Record], items_of: Callable[[Record], list[Mapping[str, Any]]]) -> Calibrator:
    """Fit a calibration to those forecasts of some records that ``items_of`` takes."""
    items = [item for record in records for item in items_of(record)]
    points = {
        outlook: [(item["confidence"], item["passed"]) for item in items if item["outlook"] == outlook]
        for outlook in ("passes", "fails", "unknown")
    }
    unknown = [passed for _, passed in points["unknown"]]
    return Calibrator(
        Curve.fitted(points["passes"]), Curve.fitted(points["fails"]), (sum(unknown) + 1) / (len(unknown) + 2)
    )


# -- orders ----------------------------------------------------------------------------------------


def _order(record: Record, order: str) -> list[Mapping[str, Any]]:
    """Return the candidates in an order; the random one is not drawn but averaged."""
    numbered = list(enumerate(record["candidates"]))
    keys: dict[str, Callable[[tuple[int, Mapping[str, Any]]], tuple[float, ...]]] = {
        "random": lambda item: (item[0],),
        "distance": lambda item: (item[1]["distance"], item[0]),
        "coverage": lambda item: (-item[1]["suspicion"], item[1]["distance"], item[0]),
        "model": lambda item: (-round(item[1]["probability"], 3), item[1]["distance"], item[0]),
        "oracle": lambda item: (not item[1]["is_resolved"], item[0]),
    }
    if order == "model, skipping":
        return [item for item in _order(record, "model") if item["probability"] >= SKIP_BELOW]
    return [candidate for _, candidate in sorted(numbered, key=keys[order])]


def _runs(record: Record, order: str) -> float:
    """Return the test runs until one passes, or all candidates of the order are run.

    Ordering by coverage takes a run with recording more, which is counted.
    """
    found = _order(record, order)
    if order == "random":
        right = sum(item["is_resolved"] for item in found)
        return (len(found) + 1) / (right + 1) if right else float(len(found))
    if order == "oracle" and not _is_fixable(record):
        return 0.0
    first = next((place for place, item in enumerate(found, 1) if item["is_resolved"]), len(found))
    return float(first + (order == "coverage"))


def _within(record: Record, order: str) -> Callable[[int], float]:
    """Return the chance that a task is resolved within so many runs."""
    found = _order(record, order)
    right = sum(item["is_resolved"] for item in found)

    def within(budget: int) -> float:
        if order == "random":
            drawn = min(budget, len(found))
            return 1 - math.comb(len(found) - right, drawn) / math.comb(len(found), drawn)
        left = budget - (order == "coverage")
        return float(any(item["is_resolved"] for item in found[: max(left, 0)]))

    return within


def _runs_to_fix(records: Sequence[Record], order: str) -> Mean | None:
    kept = [record for record in records if any(item["is_resolved"] for item in _order(record, order))]
    return Mean.of([_runs(record, order) for record in kept]) if kept else None


def _is_fixable(record: Record) -> bool:
    return any(item["is_resolved"] for item in record["candidates"])


# -- forecasts -------------------------------------------------------------------------------------


def _before_items(record: Record) -> list[Mapping[str, Any]]:
    return list(record["before"])


def _after_items(record: Record) -> list[Mapping[str, Any]]:
    return [
        item
        for candidate in record["candidates"]
        for item in candidate["forecasts"].values()
        if item["passed"] is not None
    ]


def _forecasts(
    records: Sequence[Record], items: Callable[[Record], list[Mapping[str, Any]]]
) -> ForecastReport:
    """Sum up forecasts, with probabilities fitted on the other packages."""
    by_task: list[list[tuple[float, bool, bool]]] = []
    fits = {
        package: _fitted([record for record in records if record["package"] != package], items)
        for package in {record["package"] for record in records}
    }
    for record in records:
        fit = fits[record["package"]]
        by_task.append(
            [
                (_probability(fit, item), item["passed"], item["outlook"] != "unknown")
                for item in items(record)
            ]
        )
    flat = [entry for task in by_task for entry in task]
    found = [item for record in records for item in items(record)]
    failures = [item for item in found if item["outlook"] == "fails" and not item["passed"]]
    is_placed = bool(failures) and "is_line_right" in failures[0]
    return ForecastReport(
        len(flat),
        Score.of_clusters([(sum(known for *_, known in task), len(task)) for task in by_task]),
        Score.of_clusters([_counted(items(record)) for record in records]),
        _auc_interval(by_task),
        calibration((probability, passed) for probability, passed, _ in flat),
        Score.of(sum(item["is_exception_right"] for item in failures), len(failures)) if is_placed else None,
        Score.of(sum(item["is_line_right"] for item in failures), len(failures)) if is_placed else None,
    )


def _probability(fit: Calibrator, item: Mapping[str, Any]) -> float:
    is_to_pass = None if item["outlook"] == "unknown" else item["outlook"] == "passes"
    return fit.probability(is_to_pass, item["confidence"])


def _counted(items: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    known = [item for item in items if item["outlook"] != "unknown"]
    return sum((item["outlook"] == "passes") == item["passed"] for item in known), len(known)


def auc(scored: Sequence[tuple[float, bool]]) -> float | None:
    """Return the chance that one that passed scores higher than one that did not; None without both kinds."""
    passed = np.array([score for score, is_passed in scored if is_passed])
    failed = np.sort(np.array([score for score, is_passed in scored if not is_passed]))
    if not len(passed) or not len(failed):
        return None
    below = np.searchsorted(failed, passed, "left")
    equal = np.searchsorted(failed, passed, "right") - below
    return float((below + equal / 2).mean() / len(failed))


def _auc_interval(by_task: Sequence[Sequence[tuple[float, bool, bool]]]) -> tuple[float, float, float] | None:
    """Return the area and its interval, by bootstrap over tasks."""
    pairs = [[(score, passed) for score, passed, _ in task] for task in by_task]
    whole = auc([pair for task in pairs for pair in task])
    if whole is None:
        return None
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        drawn = rng.integers(0, len(pairs), len(pairs))
        sample = auc([pair for index in drawn for pair in pairs[index]])
        if sample is not None:
            found.append(sample)
    low, high = np.percentile(found, [2.5, 97.5])
    return whole, float(low), float(high)


def _forecast_cells(name: str, found: ForecastReport) -> tuple[str, ...]:
    area = "-" if found.auc is None else f"{found.auc[0]:.3f} ({found.auc[1]:.3f} - {found.auc[2]:.3f})"
    scores = [found.known, found.right]
    placed = [found.exception, found.line]
    return (
        name,
        str(found.num),
        *map(_percent, scores),
        area,
        *(_percent(score) if score is not None else "-" for score in placed),
    )


def _percent(score: Score) -> str:
    if score.fraction is None:
        return "-"
    return f"{100 * score.fraction:.1f} % ({100 * score.low:.1f} - {100 * score.high:.1f})"


def _shortened(reason: str) -> str:
    return " ".join(reason.split())[:60]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
