"""The report of ``rollout``: how many attempts solve their task, at what cost, why the others do not.

A pure function of the records that :mod:`opencwm.agent.rollout` writes down. Attempts that ended in an error
of the machinery are counted apart and say nothing about the policy.

Source of pass@k: Chen et al., "Evaluating large language models trained on code", arXiv 2107.03374.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from opencwm.agent.rollout import ERROR
from opencwm.evals.metrics import Score
from opencwm.evals.report import SCORE_COLUMNS, Provenance, Table, score_cells, score_json

Record = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskReport:
    """The attempts at one task.

    Attributes:
        solved: attempts with reward 1, of those that were graded.
        num_errors: attempts that were not.
        mean_reward: of those graded; None without any.
        turns: mean turns of those graded; likewise.
        tokens: mean tokens written; None where they were not counted.
        test_runs: mean commands that really ran tests, grading apart; None where they were not counted.
    """

    solved: Score
    num_errors: int
    mean_reward: float | None
    turns: float | None
    tokens: float | None
    test_runs: float | None

    @classmethod
    def of(cls, records: Sequence[Record]) -> TaskReport:
        """Sum up the records of one task."""
        graded = [record for record in records if record["status"] != ERROR]
        counted = [
            record["completion_tokens"] for record in graded if record["completion_tokens"] is not None
        ]
        return cls(
            solved=Score.of(sum(record["reward"] == 1.0 for record in graded), len(graded)),
            num_errors=len(records) - len(graded),
            mean_reward=_mean([record["reward"] for record in graded]),
            turns=_mean([record["num_turns"] for record in graded]),
            tokens=_mean(counted),
            test_runs=_mean([record["num_test_runs"] for record in graded if "num_test_runs" in record]),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {
            "solved": score_json(self.solved),
            "num_errors": self.num_errors,
            "mean_reward": self.mean_reward,
            "mean_turns": self.turns,
            "mean_completion_tokens": self.tokens,
            "mean_test_runs": self.test_runs,
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class RolloutReport:
    """All attempts of a run.

    Attributes:
        provenance: where the numbers come from.
        solved: attempts with reward 1; its interval counts tasks, for attempts at one go together.
        pass_at: k -> chance that one of k attempts solves a task, a mean over tasks with at least k.
        tasks: by name.
        reasons: why attempts have no reward of 1, or none at all -> how many.
        stops: how attempts ended -> how many.
        num_backtracks: turns that went back to an earlier state, of all attempts.
        num_test_runs: commands that really ran tests, of all attempts.
        seconds: mean of an attempt.
    """

    provenance: Provenance
    solved: Score
    pass_at: Mapping[int, float]
    tasks: Mapping[str, TaskReport]
    reasons: Mapping[str, int]
    stops: Mapping[str, int]
    num_backtracks: int
    num_test_runs: int
    seconds: float | None

    @classmethod
    def of(cls, records: Sequence[Record], provenance: Provenance) -> RolloutReport:
        """Sum up the records of a run."""
        by_task: dict[str, list[Record]] = {}
        for record in records:
            by_task.setdefault(record["task"], []).append(record)
        tasks = {name: TaskReport.of(found) for name, found in by_task.items()}
        counts = [(task.solved.num_right, task.solved.num_total) for task in tasks.values()]
        reasons = collections.Counter(
            ("error: " if record["status"] == ERROR else "") + record["reason"]
            for record in records
            if record["reward"] != 1.0
        )
        return cls(
            provenance=provenance,
            solved=Score.of_clusters(counts),
            pass_at=_pass_at(counts),
            tasks=tasks,
            reasons=dict(reasons.most_common()),
            stops=dict(
                collections.Counter(record["stop"] for record in records if record["stop"]).most_common()
            ),
            num_backtracks=sum(record["num_backtracks"] for record in records),
            num_test_runs=sum(record.get("num_test_runs", 0) for record in records),
            seconds=_mean([record["seconds"] for record in records if record["status"] != ERROR]),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return {
            **self.provenance.to_json("rollouts"),
            "solved": score_json(self.solved),
            "pass_at": {str(k): value for k, value in self.pass_at.items()},
            "tasks": {name: task.to_json() for name, task in self.tasks.items()},
            "reasons": dict(self.reasons),
            "stops": dict(self.stops),
            "num_backtracks": self.num_backtracks,
            "num_test_runs": self.num_test_runs,
            "mean_seconds": self.seconds,
        }

    def tables(self) -> list[Table]:
        """Return the report as tables."""
        rows = [(name, *_task_cells(task)) for name, task in self.tasks.items()]
        num_errors = sum(task.num_errors for task in self.tasks.values())
        total = ("all tasks", *score_cells(self.solved), str(num_errors), "", "", "", str(self.num_test_runs))
        columns = ("task", *SCORE_COLUMNS, "errors", "reward", "turns", "tokens", "test runs")
        tables = [Table("Attempts that solve their task", columns, (*rows, total))]
        if self.pass_at:
            cells = tuple((f"pass@{k}", f"{100 * value:.1f}") for k, value in self.pass_at.items())
            tables.append(Table("One of k attempts solves a task, %", ("k", "mean of tasks"), cells))
        if self.reasons:
            found = tuple((reason[:90], str(count)) for reason, count in list(self.reasons.items())[:20])
            tables.append(Table("Why not", ("reason", "attempts"), found))
        return tables


def _task_cells(task: TaskReport) -> tuple[str, ...]:
    numbers = (
        _shown(task.mean_reward, 2),
        _shown(task.turns, 1),
        _shown(task.tokens, 0),
        _shown(task.test_runs, 1),
    )
    return (*score_cells(task.solved), str(task.num_errors), *numbers)


def _shown(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _pass_at(counts: Sequence[tuple[int, int]]) -> dict[int, float]:
    """Return the unbiased estimates for 1, 2, 4, ... attempts, as far as every task has so many."""
    totals = [total for _, total in counts if total]
    found: dict[int, float] = {}
    k = 1
    while totals and k <= min(totals):
        misses = [math.comb(total - right, k) / math.comb(total, k) for right, total in counts if total]
        found[k] = 1 - sum(misses) / len(misses)
        k *= 2
    return found


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
