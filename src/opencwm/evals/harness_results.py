"""What harnesses leave, read into one form: how many answers to each item were right.

Nothing is graded here; an item's score is what the harness gave it. Files are data of strangers: what does
not follow a harness' form is an error that names the file.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from opencwm.core.errors import TaskError
from opencwm.evals.harnesses import HARBOR, LIGHTEVAL, LM_EVAL, Benchmark
from opencwm.evals.metrics import Score
from opencwm.evals.published import PublishedFigure, published
from opencwm.evals.report import (
    SCORE_COLUMNS,
    Provenance,
    Table,
    published_json,
    published_table,
    score_cells,
    score_json,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The answers of one attempt at one item.

    Attributes:
        item: which.
        num_right: of them right.
        num_total: how many, at least 1.
        problem: why there was no answer to grade; empty when there was one.
    """

    item: str
    num_right: int
    num_total: int = 1
    problem: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HarnessReport:
    """pass@1 of a benchmark that a harness ran.

    Attributes:
        provenance: where the numbers come from; its ``data`` is the benchmark's title, or other items.
        benchmark: what was run.
        score: right answers; those to one item go together in its interval.
        num_items: items with an answer, or a problem.
        problems: of attempts without an answer, which count as wrong, by kind.
    """

    provenance: Provenance
    benchmark: Benchmark
    score: Score
    num_items: int
    problems: Mapping[str, int]

    @classmethod
    def of(cls, provenance: Provenance, benchmark: Benchmark, folder: Path) -> HarnessReport:
        """Read what a harness left in a folder.

        Raises:
            TaskError: nothing, or something else.
        """
        answers = list(_READERS[benchmark.harness](benchmark, folder))
        if not answers:
            raise TaskError(
                f"no results of {benchmark.harness}", where=str(folder), hint="did it run to its end?"
            )
        items: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
        for answer in answers:
            items[answer.item][0] += answer.num_right
            items[answer.item][1] += answer.num_total
        problems = collections.Counter(answer.problem for answer in answers if answer.problem)
        score = Score.of_clusters((right, total) for right, total in items.values())
        return cls(
            provenance=provenance,
            benchmark=benchmark,
            score=score,
            num_items=len(items),
            problems=dict(problems.most_common()),
        )

    @property
    def published(self) -> tuple[PublishedFigure, ...]:
        """What others published of the benchmark; nothing where other items were asked."""
        is_own = self.provenance.data == self.benchmark.title
        return published(self.benchmark.name) if is_own else ()

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            **self.provenance.to_json("bench"),
            "benchmark": self.benchmark.name,
            "harness": self.benchmark.harness,
            "num_items": self.num_items,
            "pass_at_1": score_json(self.score),
            "problems": dict(self.problems),
            "published": published_json(self.published),
        }

    def tables(self) -> list[Table]:
        """Return the report as tables."""
        title = f"{self.provenance.data} by {self.benchmark.harness}: {self.num_items} items"
        rows = (("pass@1", *score_cells(self.score)),)
        tables = [Table(title, ("", *SCORE_COLUMNS), rows)]
        if self.problems:
            counts = tuple((name, str(count)) for name, count in self.problems.items())
            tables.append(
                Table("Attempts without an answer, counted as wrong", ("problem", "attempts"), counts)
            )
        return [*tables, published_table(self.published)] if self.published else tables


def _of_lm_eval(benchmark: Benchmark, folder: Path) -> Iterator[Answer]:
    """Read the newest file of samples of each attempt; of several filters, the first one's."""
    for attempt in sorted(folder.glob("attempt-*")):
        files = sorted(attempt.rglob("samples_*.jsonl"), key=lambda path: path.name)
        for path in files[-1:]:
            chosen = None
            for number, line in enumerate(path.read_bytes().splitlines(), 1):
                entry = _object(line, f"{path}:{number}")
                chosen = entry.get("filter") if number == 1 else chosen
                if entry.get("filter") != chosen:
                    continue
                value = _number(entry.get(benchmark.metric), f"{path}:{number}", benchmark.metric)
                yield Answer(str(entry.get("doc_id")), round(value))


def _of_lighteval(benchmark: Benchmark, folder: Path) -> Iterator[Answer]:
    """Read the newest file of details of each attempt; a score is the fraction of answers that are right."""
    import pyarrow
    import pyarrow.parquet

    for attempt in sorted(folder.glob("attempt-*")):
        files = sorted(attempt.rglob("details_*.parquet"), key=lambda path: path.parent.name)
        for path in files[-1:]:
            try:
                rows = pyarrow.parquet.read_table(path, columns=["metric", "model_response"]).to_pylist()
            except (OSError, ValueError, pyarrow.ArrowException) as error:
                raise TaskError(f"no details of lighteval: {error}", where=str(path)) from None
            for number, row in enumerate(rows):
                yield _of_details(benchmark, row, str(number), str(path))


def _of_details(benchmark: Benchmark, row: Mapping[str, Any], item: str, where: str) -> Answer:
    metric, response = (
        row[name] if isinstance(row[name], dict) else {} for name in ("metric", "model_response")
    )
    name = benchmark.metric if benchmark.metric in metric else next(iter(metric), benchmark.metric)
    value = _number(metric.get(name), where, name)
    num_answers = len(response.get("text") or [""])
    return Answer(item, round(value * num_answers), num_answers)


def _of_harbor(benchmark: Benchmark, folder: Path) -> Iterator[Answer]:
    """Read the result of every trial; one that failed has no reward, and says why."""
    for path in sorted((folder / "job").glob("*/result.json")):
        trial = _object(path.read_bytes(), str(path))
        name = str(trial.get("task_name"))
        verified = trial.get("verifier_result")
        rewards = verified.get("rewards") if isinstance(verified, dict) else None
        failed = trial.get("exception_info")
        if isinstance(rewards, dict) and rewards:
            value = _number(rewards.get(benchmark.metric), str(path), benchmark.metric)
            yield Answer(name, int(value >= 1))
        else:
            kind = failed.get("exception_type") if isinstance(failed, dict) else None
            yield Answer(name, 0, problem=str(kind or "no reward"))


def _object(text: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaskError(f"not JSON: {error}", where=where) from None
    if not isinstance(found, dict):
        raise TaskError("not a JSON object", where=where)
    return found


def _number(value: Any, where: str, name: str) -> float:
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return float(value)
    raise TaskError(f"{name!r} is no score from 0 to 1: {value!r}", where=where)


_READERS: Final[Mapping[str, Callable[[Benchmark, Path], Iterator[Answer]]]] = {
    LM_EVAL: _of_lm_eval,
    LIGHTEVAL: _of_lighteval,
    HARBOR: _of_harbor,
}
