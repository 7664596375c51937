"""The report of ``eval steps``: scores over the records of programs, as JSON and as tables.

A pure function of the records that :mod:`opencwm.evals.steps` writes down.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opencwm.evals.free_running import NEVER
from opencwm.evals.journal import Record
from opencwm.evals.metrics import Calibration, Score, bucket_name, calibration
from opencwm.evals.per_step_report import OneStepReport, TeacherForcedReport
from opencwm.evals.published import STEPS, published
from opencwm.evals.report import (
    SCORE_COLUMNS,
    Provenance,
    Table,
    calibration_json,
    calibration_table,
    cost_rows,
    passes_ratio,
    published_json,
    published_table,
    ratio,
    score_cells,
    score_json,
)
from opencwm.evals.rollout import End


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runs:
    """Rollouts of some programs.

    Attributes:
        exact: the whole run is right, its end included.
        outcome: the returned or raised value is right, however it was come by; of runs that came to their
            end.
        terminated: the rollout left its entry within its bounds; of runs that came to their end.
        right_steps: steps before the first wrong one, of all recorded steps.

    """

    exact: Score
    outcome: Score
    terminated: Score
    right_steps: Score

    @classmethod
    def of(cls, records: Sequence[Record]) -> Runs:
        """Sum up ``free_running`` parts of records."""
        ended = [r for r in records if r["is_outcome_right"] is not None]
        return cls(
            exact=Score.of(sum(r["is_exact"] for r in records), len(records)),
            outcome=Score.of(sum(r["is_outcome_right"] for r in ended), len(ended)),
            terminated=Score.of(sum(r["end"] == End.ENDED for r in ended), len(ended)),
            right_steps=Score.of_clusters((r["num_right"], r["num_steps"]) for r in records),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the scores as JSON."""
        return {field.name: score_json(getattr(self, field.name)) for field in dataclasses.fields(self)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FreeRunningReport:
    """Whole runs predicted from the source alone. Arguments that the call spells out are given.

    Attributes:
        runs: all programs.
        by_num_steps: the same by recorded steps, (bucket, scores), short runs first.
        endings: how recorded runs ended (returned, raised, never) -> whether the rollout ended so too.
        divergences: what was wrong in first wrong steps -> in how many programs, most frequent first.
        ends: why rollouts were over -> how many.
        value_calibration: of predicted values, up to and including the first wrong step of a run.
        num_steps: steps predicted in all.
        sampled_tokens_per_step: tokens of a predicted step the model decided; what follows from the program
            is not sampled. None, as the next two, without a step.
        tokens_per_step: tokens of a predicted step in all.
        ms_per_step: wall-clock milliseconds of a predicted step.
        passes_per_step: forward passes of a predicted step, those that read the prompt included; None too for
            results of a version that did not count them.

    """

    runs: Runs
    by_num_steps: tuple[tuple[str, Runs], ...]
    endings: Mapping[str, Score]
    divergences: Mapping[str, int]
    ends: Mapping[str, int]
    value_calibration: Calibration
    num_steps: int
    sampled_tokens_per_step: float | None
    tokens_per_step: float | None
    ms_per_step: float | None
    passes_per_step: float | None

    @classmethod
    def of(cls, records: Sequence[Record]) -> FreeRunningReport:
        """Sum up the ``free_running`` parts of records."""
        buckets: dict[str, list[Record]] = {}
        for record in sorted(records, key=lambda record: int(record["num_steps"])):
            buckets.setdefault(bucket_name(record["num_steps"]), []).append(record)
        num_steps = sum(r["num_predicted"] for r in records)
        return cls(
            runs=Runs.of(records),
            by_num_steps=tuple((name, Runs.of(members)) for name, members in buckets.items()),
            endings=_endings(records),
            divergences=_ranked(r["divergence"] for r in records if r["divergence"] is not None),
            ends=_ranked(r["end"] for r in records),
            value_calibration=calibration((p, right) for r in records for p, right in r["confidences"]),
            num_steps=num_steps,
            sampled_tokens_per_step=ratio(sum(r["num_sampled"] for r in records), num_steps),
            tokens_per_step=ratio(sum(r["num_tokens"] for r in records), num_steps),
            ms_per_step=ratio(1000 * sum(r["seconds"] for r in records), num_steps),
            passes_per_step=passes_ratio(records, num_steps),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            **self.runs.to_json(),
            "by_num_steps": [{"num_steps": name, **runs.to_json()} for name, runs in self.by_num_steps],
            "endings": {name: score_json(score) for name, score in self.endings.items()},
            "divergences": dict(self.divergences),
            "ends": dict(self.ends),
            "value_calibration": calibration_json(self.value_calibration),
            "num_steps": self.num_steps,
            "sampled_tokens_per_step": self.sampled_tokens_per_step,
            "tokens_per_step": self.tokens_per_step,
            "ms_per_step": self.ms_per_step,
            "passes_per_step": self.passes_per_step,
        }


def _endings(records: Sequence[Record]) -> dict[str, Score]:
    found: dict[str, list[bool]] = {}
    for record in sorted(records, key=lambda record: str(record["ending"])):
        found.setdefault(record["ending"], []).append(record["is_ending_right"])
    return {name: Score.of(sum(right), len(right)) for name, right in found.items()}


def _ranked(items: Iterable[str]) -> dict[str, int]:
    counts = collections.Counter(str(item) for item in items)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DirectReport:
    """Outcomes predicted in one go, without steps; of runs that came to their end.

    Attributes:
        outcome: the returned or raised value is right.
        by_ending: the same by how the recorded run ended: returned, raised.
        ending: whether it returns or raises is right.
        calibration: of the probability of what was written.
        sampled_tokens: mean tokens the model decided.

    """

    outcome: Score
    by_ending: Mapping[str, Score]
    ending: Score
    calibration: Calibration
    sampled_tokens: float

    @classmethod
    def of(cls, records: Sequence[Record]) -> DirectReport:
        """Sum up the ``direct`` parts of records, at least one."""
        return cls(
            outcome=_direct_score(records),
            by_ending={
                ending: _direct_score([r for r in records if r["ending"] == ending])
                for ending in sorted({r["ending"] for r in records}, reverse=True)
            },
            ending=Score.of(sum(r["is_ending_right"] for r in records), len(records)),
            calibration=calibration((r["probability"], r["is_right"]) for r in records),
            sampled_tokens=sum(r["num_sampled"] for r in records) / len(records),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "outcome": score_json(self.outcome),
            "by_ending": {name: score_json(score) for name, score in self.by_ending.items()},
            "ending": score_json(self.ending),
            "calibration": calibration_json(self.calibration),
            "sampled_tokens": self.sampled_tokens,
        }

    def tables(self) -> list[Table]:
        """Return the report as tables to print."""
        rows = (
            ("outcome", *score_cells(self.outcome)),
            *((f"outcome, {name}", *score_cells(score)) for name, score in self.by_ending.items()),
            ("returns or raises", *score_cells(self.ending)),
        )
        title = f"Outcomes asked for at once ({self.sampled_tokens:.1f} tokens each)"
        return [
            Table(title, ("exact match", *SCORE_COLUMNS), rows),
            calibration_table("Confidence in outcomes asked for at once", self.calibration),
        ]


def _direct_score(records: Sequence[Record]) -> Score:
    return Score.of(sum(r["is_right"] for r in records), len(records))


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepsReport:
    """What ``eval steps`` found.

    Attributes:
        provenance: model, data, settings, versions.
        num_programs: programs evaluated, the skipped ones included.
        num_steps: their recorded steps.
        skipped: why a part could not be measured on a program -> on how many. Such a program counts as
            wrong in ``free_running`` and ``direct`` and is in no score of the other two.
        one_step: None when it was not asked for.
        teacher_forced: None when it was not asked for.
        free_running: None when it was not asked for.
        direct: outcomes asked for without steps; None when they were not, or no run came to its end.

    """

    provenance: Provenance
    num_programs: int
    num_steps: int
    skipped: Mapping[str, int]
    one_step: OneStepReport | None
    teacher_forced: TeacherForcedReport | None
    free_running: FreeRunningReport | None
    direct: DirectReport | None = None

    @classmethod
    def of(cls, provenance: Provenance, records: Sequence[Record]) -> StepsReport:
        """Sum up the records of all programs."""
        wanted = provenance.settings["config"]
        ahead = [r["one_step"] for r in records if r["one_step"] is not None]
        teacher = [r["teacher_forced"] for r in records if r["teacher_forced"] is not None]
        free = [r["free_running"] or _never_run(r) for r in records]
        direct = [r["direct"] or _never_asked(r) for r in records if r["ending"] != NEVER]
        return cls(
            provenance=provenance,
            num_programs=len(records),
            num_steps=sum(r["num_steps"] for r in records),
            skipped=_ranked(reason for r in records for reason in r["skipped"]),
            one_step=OneStepReport.of(ahead) if wanted["one_step"] else None,
            teacher_forced=TeacherForcedReport.of(teacher) if wanted["teacher_forced"] else None,
            free_running=FreeRunningReport.of(free) if wanted["free_running"] else None,
            direct=DirectReport.of(direct) if wanted["direct"] and direct else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object; keys are only ever added within a schema version."""
        return {
            **self.provenance.to_json(STEPS),
            "num_programs": self.num_programs,
            "num_steps": self.num_steps,
            "skipped": dict(self.skipped),
            "one_step": self.one_step.to_json() if self.one_step else None,
            "teacher_forced": self.teacher_forced.to_json() if self.teacher_forced else None,
            "free_running": self.free_running.to_json() if self.free_running else None,
            "direct": self.direct.to_json() if self.direct else None,
            "published": published_json(published(STEPS)),
        }

    def tables(self) -> list[Table]:
        """Return the report as tables to print."""
        tables: list[Table] = []
        for part in (self.one_step, self.teacher_forced):
            tables += part.tables() if part is not None else []
        if self.free_running is not None:
            tables += _free_tables(self.free_running)
        if self.direct is not None:
            tables += self.direct.tables()
        if self.skipped:
            rows = tuple((reason, str(count)) for reason, count in self.skipped.items())
            tables.append(Table("Programs not measured", ("reason", "programs"), rows))
        return [*(table for table in tables if table.rows), published_table(published(STEPS))]


def _never_run(record: Record) -> Record:
    return {
        "num_steps": record["num_steps"],
        "num_predicted": 0,
        "num_right": 0,
        "divergence": None,
        "end": "skipped",
        "is_exact": False,
        "is_outcome_right": False,
        "ending": record["ending"],
        "is_ending_right": False,
        "confidences": [],
        "seconds": 0.0,
        "num_sampled": 0,
        "num_tokens": 0,
        "num_passes": 0,
    }


def _never_asked(record: Record) -> Record:
    return {
        "ending": record["ending"],
        "is_ending_right": False,
        "is_right": False,
        "probability": 0.0,
        "num_sampled": 0,
    }


def _free_tables(report: FreeRunningReport) -> list[Table]:
    names = {
        "exact": "whole run",
        "outcome": "outcome",
        "terminated": "came to its end",
        "right_steps": "steps up to the first wrong one",
    }
    rows = tuple((label, *score_cells(getattr(report.runs, name))) for name, label in names.items())
    buckets = tuple(
        (name, *score_cells(runs.exact), score_cells(runs.outcome)[0], score_cells(runs.right_steps)[0])
        for name, runs in report.by_num_steps
    )
    costs = cost_rows(
        report.sampled_tokens_per_step,
        report.tokens_per_step,
        report.ms_per_step,
        passes=report.passes_per_step,
    )
    endings = tuple((name, *score_cells(score)) for name, score in report.endings.items())
    wrong = tuple((name, str(count)) for name, count in report.divergences.items())
    ends = tuple((name, str(count)) for name, count in report.ends.items())
    return [
        Table("Free running", ("exact match", *SCORE_COLUMNS), rows),
        Table("Cost of a predicted step", ("", "value"), costs),
        Table("Whole runs by number of steps", ("steps", *SCORE_COLUMNS, "outcome", "right steps"), buckets),
        Table("How runs end, rolled out", ("recorded", *SCORE_COLUMNS), endings),
        Table("First wrong thing", ("what", "programs"), wrong),
        Table("Why rollouts were over", ("end", "programs"), ends),
        calibration_table("Confidence in values", report.value_calibration),
    ]
