"""What every evaluation does around its cases: settings that name them, a journal, where numbers are from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from opencwm.evals.journal import Journal, Progress, Record
from opencwm.evals.predictor import RunPredictor
from opencwm.evals.report import Provenance
from opencwm.model.together import Worker, one_by_one

Case = TypeVar("Case")


def evaluate_cases(
    cases: Mapping[str, Case],
    evaluate: Callable[[Case], Record],
    predictor: RunPredictor,
    settings: Mapping[str, Any],
    *,
    data: str,
    folder: Path | None,
    command: str,
    progress: Progress | None,
    worker: Worker = one_by_one,
) -> tuple[Provenance, list[Record]]:
    """Evaluate cases; return where the numbers come from and a record of each case, in order.

    Args:
        cases: by key.
        evaluate: returns the record of one.
        predictor: what is evaluated.
        settings: what results depend on besides the predictor: the benchmark, its bounds, a digest of the
            cases.
        data: what the cases are, for the report.
        folder: where results are kept while they come; None for nowhere.
        command: what reproduces this, for the report.
        progress: told before the first and after every case.
        worker: does the cases, one after the other or several together.

    Raises:
        ConfigError: ``folder`` holds results of other settings.
        EngineError: the engine broke; results so far are kept.
    """
    everything = {**settings, "model": predictor.name, "predictor": dict(predictor.settings)}
    with Journal(folder, everything) as journal:
        records = journal.complete(cases, evaluate, progress, worker)
    return Provenance(model=predictor.name, data=data, command=command, settings=journal.settings), records


def digest_of_lines(lines: Iterable[str]) -> str:
    """Return the SHA-256 of texts, one a line."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
