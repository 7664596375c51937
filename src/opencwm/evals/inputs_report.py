"""The report of ``eval inputs``: how often a proposed call gives the result, as JSON and as tables.

A pure function of the records that :mod:`opencwm.evals.inputs` writes down.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from opencwm.evals.journal import Record
from opencwm.evals.metrics import Calibration, Score, calibration
from opencwm.evals.published import INPUTS, published
from opencwm.evals.report import (
    SCORE_COLUMNS,
    Provenance,
    Table,
    calibration_json,
    calibration_table,
    published_json,
    published_table,
    score_cells,
    score_json,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputsReport:
    """What ``eval inputs`` found.

    Attributes:
        provenance: model, data, settings, versions.
        num_questions: results asked for.
        pass_at_1: questions whose first call gives the result.
        pass_at_k: questions one of whose calls does.
        num_draws: calls asked for at most, the k of ``pass_at_k``.
        by_kind: ``pass_at_1`` by how the wanted run ends: returned, raised.
        num_unanswered: questions without any call: the model wrote none, or the program does not fit.
        calibration: of the first call's probability.
        tokens_per_call: mean tokens the model decided for a call; None without one.
        seconds_per_question: mean wall-clock seconds, running the calls included.
    """

    provenance: Provenance
    num_questions: int
    pass_at_1: Score
    pass_at_k: Score
    num_draws: int
    by_kind: Mapping[str, Score]
    num_unanswered: int
    calibration: Calibration
    tokens_per_call: float | None
    seconds_per_question: float

    @classmethod
    def of(cls, provenance: Provenance, records: Sequence[Record]) -> InputsReport:
        """Sum up the records of all questions, at least one."""
        calls = [call for record in records for call in record["calls"]]
        firsts = [record["calls"][0] for record in records if record["calls"]]
        kinds = sorted({record["kind"] for record in records}, reverse=True)
        return cls(
            provenance=provenance,
            num_questions=len(records),
            pass_at_1=_passed(records, 1),
            pass_at_k=_passed(records, None),
            num_draws=provenance.settings["config"]["num_draws"],
            by_kind={kind: _passed([r for r in records if r["kind"] == kind], 1) for kind in kinds},
            num_unanswered=sum(not record["calls"] for record in records),
            calibration=calibration((call["probability"], call["is_right"]) for call in firsts),
            tokens_per_call=sum(call["num_sampled"] for call in calls) / len(calls) if calls else None,
            seconds_per_question=sum(record["seconds"] for record in records) / len(records),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object; keys are only ever added within a schema version."""
        return {
            **self.provenance.to_json(INPUTS),
            "num_questions": self.num_questions,
            "pass_at_1": score_json(self.pass_at_1),
            "pass_at_k": score_json(self.pass_at_k),
            "num_draws": self.num_draws,
            "by_kind": {kind: score_json(score) for kind, score in self.by_kind.items()},
            "num_unanswered": self.num_unanswered,
            "calibration": calibration_json(self.calibration),
            "tokens_per_call": self.tokens_per_call,
            "seconds_per_question": self.seconds_per_question,
            "published": published_json(published(INPUTS)),
        }

    def tables(self) -> list[Table]:
        """Return the report as tables to print."""
        rows = [("first call", *score_cells(self.pass_at_1))]
        if self.num_draws > 1:
            rows.append((f"one of {self.num_draws} calls", *score_cells(self.pass_at_k)))
        rows += [(f"first call, {kind}", *score_cells(score)) for kind, score in self.by_kind.items()]
        tokens = "-" if self.tokens_per_call is None else f"{self.tokens_per_call:.1f}"
        costs = (
            ("tokens a call", tokens),
            ("seconds a question", f"{self.seconds_per_question:.2f}"),
            ("questions without a call", str(self.num_unanswered)),
        )
        title = f"Input prediction: the call gives the result ({self.num_questions} questions)"
        return [
            Table(title, ("", *SCORE_COLUMNS), tuple(rows)),
            Table("Cost", ("", "value"), costs),
            calibration_table("Confidence in the first call", self.calibration),
            published_table(published(INPUTS)),
        ]


def _passed(records: Sequence[Record], num_draws: int | None) -> Score:
    right = sum(any(call["is_right"] for call in record["calls"][:num_draws]) for record in records)
    return Score.of(right, len(records))
