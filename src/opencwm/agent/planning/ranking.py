"""Which candidate changes to run: those whose tests are forecast to pass, best first.

A candidate's score is the forecast probability that it makes the failing tests pass and keeps the others.
Three things are known without a model's help and are used: how the tests went before any change, which tells
whether a test's forecasts can be believed; that a change which no predicted run of a test comes to leaves
that test as it is; and that equal programs come to the same. Nothing is run.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from opencwm.agent.planning.cases import Case
from opencwm.agent.planning.forecasts import Forecast, Forecaster, Outlook
from opencwm.agent.planning.patching import patched
from opencwm.agent.planning.versions import Version
from opencwm.core.errors import ConfigError

HOPELESS: Final = 0.15
"""Below this probability the other tests of a candidate are not predicted any more."""
MAX_KEPT_TESTS: Final = 4
"""Most tests that pass before and that a change comes to, predicted for each candidate."""
MAX_PASSING: Final = 12
"""Most tests that pass before of which it is looked at whether a change comes to them."""
_STAYS: Final = 0.02
_BROKEN_BEFORE: Final = "predicted wrongly before the change"


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A change of one file.

    Attributes:
        path: of the file.
        text: its new text.
    """

    path: str
    text: str


@dataclasses.dataclass(frozen=True)
class Ranked:
    """A candidate and what is forecast of it.

    Attributes:
        candidate: the change.
        index: its place among those that were given.
        probability: that all tests pass with it.
        forecasts: by name of the test; only of tests that were looked at.
    """

    candidate: Candidate
    index: int
    probability: float
    forecasts: Mapping[str, Forecast]


class Ranker:
    """Scores the candidates of one repository.

    Args:
        forecaster: makes the forecasts.
        version: before any change.
        failing: tests that really fail.
        passing: tests that really pass.
    """

    def __init__(
        self, forecaster: Forecaster, version: Version, failing: Sequence[Case], passing: Sequence[Case]
    ) -> None:
        self._forecaster = forecaster
        self._version = version
        files = {case.path for case in failing}
        self._failing = tuple(failing)
        self._passing = tuple(sorted(passing, key=lambda case: case.path not in files))
        self._before: dict[str, Forecast] = {}

    @property
    def looked_at(self) -> Mapping[str, Forecast]:
        """The forecasts made so far of tests before any change, by name."""
        return self._before

    def before(self, case: Case) -> Forecast:
        """Return the forecast for a test before any change."""
        if case.name not in self._before:
            self._before[case.name] = self._forecaster.forecast(self._version, case)
        return self._before[case.name]

    def ranked(self, candidates: Sequence[Candidate]) -> list[Ranked]:
        """Return the candidates, the likeliest first; equal ones in the order given."""
        found = [self.score(candidate, index) for index, candidate in enumerate(candidates)]
        return sorted(found, key=lambda item: -item.probability)

    def score(self, candidate: Candidate, index: int = 0) -> Ranked:
        """Forecast the tests of one candidate, as long as there is hope."""
        version = self._version.changed({candidate.path: candidate.text})
        lines = changed_lines(self._version.texts.get(candidate.path, ""), candidate.text)
        places = frozenset((candidate.path, line) for line in lines)
        forecasts: dict[str, Forecast] = {}
        probability = 1.0
        for case in self._failing:
            forecasts[case.name] = found = self._of_failing(version, case, places)
            probability *= found.probability
            if probability < HOPELESS:
                return Ranked(candidate, index, probability, forecasts)
        for case in itertools.islice(self._touched(places), MAX_KEPT_TESTS):
            found = self._forecaster.forecast(version, case)
            forecasts[case.name] = found
            probability *= found.probability if found.is_known else 1.0
        return Ranked(candidate, index, probability, forecasts)

    def patch_probability(self, patch: str) -> float | None:
        """Return the probability that the failing tests pass with a patch; None where it does not apply."""
        try:
            version = patched(self._version, patch)
        except ConfigError:
            return None
        places = frozenset(
            (path, line)
            for path, text in version.texts.items()
            for line in changed_lines(self._version.texts.get(path, ""), text)
        )
        probability = 1.0
        for case in self._failing:
            probability *= self._of_failing(version, case, places).probability
        return probability

    def _touched(self, places: frozenset[tuple[str, int]]) -> Iterator[Case]:
        """Yield tests that pass, are predicted to, and come to the places of a change."""
        for case in self._passing[:MAX_PASSING]:
            before = self.before(case)
            if places & before.visited and before.outlook is Outlook.PASSES:
                yield case

    def _of_failing(self, version: Version, case: Case, places: frozenset[tuple[str, int]]) -> Forecast:
        """Return the forecast for a test that fails before the change."""
        before = self.before(case)
        if before.outlook is not Outlook.FAILS:  # the test fails, so the prediction went wrong somewhere
            reason = before.reason or _BROKEN_BEFORE
            return dataclasses.replace(
                before,
                outlook=Outlook.UNKNOWN,
                probability=self._forecaster.calibration.changed.usual,
                reason=reason,
                exception="",
            )
        if not places & before.visited:
            return dataclasses.replace(before, probability=min(_STAYS, before.probability))
        return self._forecaster.forecast(version, case, is_changed=True)


def changed_lines(old: str, new: str) -> list[int]:
    """Return the 1-based lines of a text that another one has otherwise; of an insertion those around it."""
    matcher = difflib.SequenceMatcher(a=old.split("\n"), b=new.split("\n"), autojunk=False)
    found: list[int] = []
    for tag, first, last, _, _ in matcher.get_opcodes():
        if tag == "insert":
            found += [first, first + 1]
        elif tag != "equal":
            found += range(first + 1, last + 1)
    return found
