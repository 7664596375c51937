"""The report of ``eval all``: one table of what matters, all others behind it, as JSON, Markdown and HTML."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opencwm.evals.inputs_report import InputsReport
from opencwm.evals.jumps_report import JumpsReport
from opencwm.evals.metrics import Score
from opencwm.evals.page import heading, html_page
from opencwm.evals.report import Provenance, Table, markdown_table, score_cells
from opencwm.evals.steps_report import StepsReport

SUITE = "all"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetReport:
    """What was measured on one set of programs; ``inputs`` is None where no run is entered by a call."""

    steps: StepsReport
    jumps: JumpsReport
    inputs: InputsReport | None

    def headline(self) -> dict[str, Score]:
        """Return the scores that matter, by what they are of, in the order they are told."""
        found: dict[str, Score] = {}
        if (ahead := self.steps.one_step) is not None:
            found |= {
                "next line, one step ahead": ahead.scores["next_line"],
                "state, one step ahead": ahead.scores["state"],
                "whole step, one step ahead": ahead.scores["step"],
                "changed strings": ahead.scores["value_string"],
                "call arguments": ahead.scores["arguments"],
            }
        if (free := self.steps.free_running) is not None:
            found |= {"whole runs": free.runs.exact, "output, by rolling out": free.runs.outcome}
            found |= {f"ends as recorded: {name}": score for name, score in free.endings.items()}
        if self.steps.direct is not None:
            found["output, asked for at once"] = self.steps.direct.outcome
        if self.inputs is not None:
            found["input, first call"] = self.inputs.pass_at_1
            if self.inputs.num_draws > 1:
                found[f"input, one of {self.inputs.num_draws} calls"] = self.inputs.pass_at_k
        found["jumps"] = self.jumps.right
        return found

    def numbers(self) -> dict[str, float | None]:
        """Return calibration and cost, by what they are."""
        found: dict[str, float | None] = {}
        if (ahead := self.steps.one_step) is not None:
            surest = ahead.value_calibration.accuracy_at_90
            found |= {
                "ECE of the next line": ahead.line_calibration.ece,
                "ECE of values": ahead.value_calibration.ece,
                "right of the surest 90 % of values, percent": None if surest is None else 100 * surest,
                "tokens decided a step": ahead.sampled_tokens_per_step,
                "tokens a step": ahead.tokens_per_step,
                "forward passes a step": ahead.passes_per_step,
            }
        if (free := self.steps.free_running) is not None:
            found["ms a step, rolled out"] = free.ms_per_step
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the reports of the parts as JSON."""
        return {
            "steps": self.steps.to_json(),
            "jumps": self.jumps.to_json(),
            "inputs": self.inputs.to_json() if self.inputs is not None else None,
        }

    def tables(self) -> list[Table]:
        """Return the tables of all parts."""
        inputs = self.inputs.tables() if self.inputs is not None else []
        return [*self.steps.tables(), *self.jumps.tables(), *inputs]


@dataclasses.dataclass(frozen=True)
class SuiteReport:
    """What ``eval all`` found, by name of the set of programs."""

    provenance: Provenance
    sets: Mapping[str, SetReport]

    @property
    def title(self) -> str:
        """What it is."""
        return f"Evaluation of {self.provenance.model}"

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object; keys are only ever added within a schema version."""
        return {
            **self.provenance.to_json(SUITE),
            "sets": {name: report.to_json() for name, report in self.sets.items()},
        }

    def headline(self) -> Table:
        """Return the one table that matters: a row for each score, a column for each set."""
        scores = {name: report.headline() for name, report in self.sets.items()}
        numbers = {name: report.numbers() for name, report in self.sets.items()}
        rows = [
            (label, *(_cell(found.get(label)) for found in scores.values()))
            for label in dict.fromkeys(label for found in scores.values() for label in found)
        ]
        rows += [
            (label, *(_number(found.get(label)) for found in numbers.values()))
            for label in dict.fromkeys(label for found in numbers.values() for label in found)
        ]
        return Table("Scores", ("percent exact, 95 % interval, cases", *self.sets), tuple(rows))

    def markdown(self, pictures: Mapping[str, str]) -> str:
        """Return the report as Markdown.

        Args:
            pictures: what a picture shows -> its file name.
        """
        lines = heading(self.title, self.provenance)
        lines += markdown_table(self.headline())
        lines += [line for what, name in pictures.items() for line in (f"![{what}]({name})", "")]
        for name, report in self.sets.items():
            lines += [f"## {name}", ""]
            for table in report.tables():
                lines += [f"### {table.title}", "", *markdown_table(table)]
        return "\n".join(lines)

    def html(self, pictures: Mapping[str, str], folder: Path) -> str:
        """Return the report as one page with its pictures inside.

        Args:
            pictures: what a picture shows -> its file name.
            folder: where the pictures are.
        """
        return html_page(self.title, self.markdown(pictures), pictures, folder)


def _cell(score: Score | None) -> str:
    if score is None or score.fraction is None:
        return "-"
    percent, interval, _, of = score_cells(score)
    return f"{percent} ({interval}) of {int(of):,}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if value < 1 else f"{value:.1f}"
