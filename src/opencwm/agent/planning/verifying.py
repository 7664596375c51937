"""Forecasts beside real runs: which were right."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from opencwm.agent.box import open_box
from opencwm.agent.mutation.baseline import COMMANDS, SuiteRun, box_spec, prepare, run_tests
from opencwm.agent.planning.cases import Case
from opencwm.agent.planning.forecasts import Forecast
from opencwm.agent.planning.versions import Version

_PLACE = re.compile(r"(?m)^(?P<path>[^\s:][^:\n]*\.py):(?P<line>\d+): (?:in \S+|(?P<what>[\w.]+))?")


@dataclasses.dataclass(frozen=True)
class Checked:
    """A forecast and what really happened.

    Attributes:
        case: the test.
        forecast: what was predicted.
        outcome: ``passed``, ``failed``, ``skipped``, ``missing``.
        exception: type of what really failed it; empty when nothing did, or it is not told.
        path, lineno: where that was.
    """

    case: Case
    forecast: Forecast
    outcome: str
    exception: str = ""
    path: str = ""
    lineno: int = 0

    @property
    def is_right(self) -> bool | None:
        """Whether the forecast says how the test ends; None when it is unknown."""
        if not self.forecast.is_known:
            return None
        return self.forecast.is_to_pass == (self.outcome == "passed")


def run_really(
    repository: Path, version: Version, *, timeout_s: float = 300.0, kind: str = "auto"
) -> SuiteRun:
    """Run all tests of a version in a box.

    Args:
        repository: its folder, never written to.
        version: files that are otherwise than there are written in the box.
        timeout_s: seconds they may take.
        kind: of box.

    Raises:
        SandboxError: no box can be made.
    """
    with open_box(box_spec(repository, timeout_s, kind)) as box:
        prepare(box)
        for path, text in version.texts.items():
            there = repository / path
            if not there.is_file() or there.read_text(encoding="utf-8") != text:
                box.write_file(path, text)
        return run_tests(box, COMMANDS[0], timeout_s=timeout_s)


def checked(forecasts: Sequence[tuple[Case, Forecast]], run: SuiteRun) -> list[Checked]:
    """Put forecasts beside the outcomes of a run."""
    return [
        Checked(case, forecast, *_outcome(run.outcomes, run.texts, case.name)) for case, forecast in forecasts
    ]


def _outcome(outcomes: Mapping[str, str], texts: Mapping[str, str], name: str) -> tuple[str, str, str, int]:
    path, lineno, exception = failure_place(texts.get(name, ""))
    return outcomes.get(name, "missing"), exception, path, lineno


def failure_place(text: str) -> tuple[str, int, str]:
    """Return file, line and exception of what pytest says of a failing test: empty, 0 and empty if nothing.

    Where the exception comes from a file elsewhere, the last place in the repository counts.
    """
    places = [found for found in _PLACE.finditer(text) if not found["path"].startswith(("/", ".."))]
    whats = [found["what"] for found in _PLACE.finditer(text) if found["what"]]
    exception = whats[-1].rpartition(".")[2] if whats else ""
    return (places[-1]["path"], int(places[-1]["line"]), exception) if places else ("", 0, exception)
