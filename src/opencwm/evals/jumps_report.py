"""The report of ``eval jumps``: landings by action and by how many steps lie between, as JSON and as tables.

A pure function of the records that :mod:`opencwm.evals.jumps` writes down.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from opencwm.evals.journal import Record
from opencwm.evals.metrics import Calibration, Score, bucket_name, calibration
from opencwm.evals.report import (
    SCORE_COLUMNS,
    Provenance,
    Table,
    calibration_json,
    calibration_table,
    score_cells,
    score_json,
)

JUMPS = "jumps"
Jump = Mapping[str, Any]
"""What is kept of one jump."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JumpsReport:
    """What ``eval jumps`` found.

    Attributes:
        provenance: model, data, settings, versions.
        num_programs: programs asked about.
        num_jumps: actions told.
        right: landings that are right in everything.
        place: landings at the right line, or the right kind of end.
        by_action: action -> ``right`` of it.
        by_distance: steps between an action and its end, in buckets -> ``right``, near ones first.
        problems: programs that could not be asked about.
        calibration: of a landing's probability.
        tokens_per_jump: mean tokens the model decided; None without a jump.
    """

    provenance: Provenance
    num_programs: int
    num_jumps: int
    right: Score
    place: Score
    by_action: Mapping[str, Score]
    by_distance: Mapping[str, Score]
    problems: int
    calibration: Calibration
    tokens_per_jump: float | None

    @classmethod
    def of(cls, provenance: Provenance, records: Sequence[Record]) -> JumpsReport:
        """Sum up the records of all programs, at least one."""
        runs: list[list[Jump]] = [record["jumps"] for record in records]
        jumps = [jump for run in runs for jump in run]
        return cls(
            provenance=provenance,
            num_programs=len(records),
            num_jumps=len(jumps),
            right=_score(runs, "is_right"),
            place=_score(runs, "is_place_right"),
            by_action=_scores(runs, lambda jump: str(jump["action"])),
            by_distance=_scores(runs, lambda jump: bucket_name(jump["distance"])),
            problems=sum(bool(record["problem"]) for record in records),
            calibration=calibration((jump["probability"], jump["is_right"]) for jump in jumps),
            tokens_per_jump=sum(jump["num_sampled"] for jump in jumps) / len(jumps) if jumps else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object; keys are only ever added within a schema version."""
        return {
            **self.provenance.to_json(JUMPS),
            "num_programs": self.num_programs,
            "num_jumps": self.num_jumps,
            "right": score_json(self.right),
            "place": score_json(self.place),
            "by_action": {name: score_json(score) for name, score in self.by_action.items()},
            "by_distance": {name: score_json(score) for name, score in self.by_distance.items()},
            "problems": self.problems,
            "calibration": calibration_json(self.calibration),
            "tokens_per_jump": self.tokens_per_jump,
        }

    def tables(self) -> list[Table]:
        """Return the report as tables to print."""
        rows = (("landing", *score_cells(self.right)), ("its place", *score_cells(self.place)))
        actions = tuple((name, *score_cells(score)) for name, score in self.by_action.items())
        distances = tuple((name, *score_cells(score)) for name, score in self.by_distance.items())
        title = f"Jumps ({self.num_jumps} in {self.num_programs} programs)"
        tables = [
            Table(title, ("exact match", *SCORE_COLUMNS), rows),
            Table("Landings by action", ("action", *SCORE_COLUMNS), actions),
            Table("Landings by steps jumped over", ("steps", *SCORE_COLUMNS), distances),
            calibration_table("Confidence in landings", self.calibration),
        ]
        if self.tokens_per_jump is not None:
            cost = (("tokens a jump", f"{self.tokens_per_jump:.1f}"),)
            tables.append(Table("Cost", ("", "value"), cost))
        return [table for table in tables if table.rows]


def _score(runs: Iterable[Sequence[Jump]], name: str) -> Score:
    """Score jumps; those of one program go together."""
    return Score.of_clusters((sum(jump[name] for jump in run), len(run)) for run in runs)


def _scores(runs: Sequence[Sequence[Jump]], group: Callable[[Jump], str]) -> dict[str, Score]:
    """Score groups of jumps, those over short distances first."""
    jumps = sorted((jump for run in runs for jump in run), key=lambda jump: int(jump["distance"]))
    return {
        name: _score([[jump for jump in run if group(jump) == name] for run in runs], "is_right")
        for name in dict.fromkeys(map(group, jumps))
    }
