"""The searcher with a planner: it runs the tests on the candidates that are forecast to pass, best first.

It lists the same repairs as :mod:`opencwm.agent.searcher` and acts through the same tools. The planner reads
what the searcher has read, files and tests, and the names of the tests that fail; it sees no more than that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from opencwm.agent.conversation import Occasion, Reply
from opencwm.agent.planning.cases import cases_of, files_with_tests
from opencwm.agent.planning.forecasts import Forecaster
from opencwm.agent.planning.ranking import Candidate, Ranker
from opencwm.agent.planning.versions import Version
from opencwm.agent.scripted import Play, ScriptedPolicy
from opencwm.agent.searcher import (
    MAX_ATTEMPTS,
    Repair,
    by_mention,
    edit_call,
    fails,
    output_of,
    ranked_repairs,
    tool_call,
)

MAX_CANDIDATES: Final = 48
"""Repairs that are forecast, the nearest of all."""
_TESTS: Final = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q {} --tb=short -p no:cacheprovider 2>&1"
_FIRST: Final = _TESTS.format("-rA") + " | tail -n 200"
_AGAIN: Final = _TESTS.format("-x") + " | tail -n 60"
_FILES: Final = "git ls-files '*.py' | head -n 80"
_IS_TEST: Final = re.compile(r"(^|/)(tests?/|test_|conftest)")
_OUTCOME: Final = re.compile(r"(?m)^(PASSED|FAILED|ERROR) (\S+?\.py::.*?)(?: - .*)?$")


def planned_searcher(
    forecaster: Forecaster, *, skip_below: float = 0.0, max_seconds: float = 10.0
) -> ScriptedPolicy:
    """Return the policy.

    Args:
        forecaster: makes the forecasts.
        skip_below: repairs of which it is less probable that all tests pass are never run.
        max_seconds: processor time of ranking; the repairs that are left then keep their order, behind those
            that are likely.
    """

    def search(_: str, occasion: Occasion) -> Play:
        said = output_of((yield tool_call("bash", _FIRST)))
        outcomes = {name: outcome for outcome, name in _OUTCOME.findall(said)}
        if not fails(said):
            yield Reply(text="The tests pass as they are; there is nothing to go by.", is_last=True)
            return
        files = output_of((yield tool_call("bash", _FILES))).splitlines()
        sources: dict[str, str] = {}
        for path in by_mention([name for name in files if not _IS_TEST.search(name)], said)[:4]:
            sources[path] = output_of((yield tool_call("bash", f"cat -- '{path}'")))
        tests: dict[str, str] = {}
        for path in [name for name in files if _IS_TEST.search(name) or name not in sources][:20]:
            tests[path] = output_of((yield tool_call("bash", f"cat -- '{path}'")))
        nearest = ranked_repairs(sources, said, occasion.seed)[:MAX_CANDIDATES]
        ranked = _forecast(forecaster, {**tests, **sources}, outcomes, nearest, max_seconds)
        kept = [(path, repair) for path, repair, chance in ranked if chance >= skip_below][:MAX_ATTEMPTS]
        yield from _try(kept, sources, takes_back="undo" in occasion.tools)

    return ScriptedPolicy(search, name="searcher, planned")


def _try(ranked: Sequence[tuple[str, Repair]], sources: Mapping[str, str], *, takes_back: bool) -> Play:
    """Try repairs in order until the tests pass."""
    for path, repair in ranked:
        answer = yield edit_call(path, sources[path], repair)
        if " was changed at line " not in answer:
            continue
        if not fails(output_of((yield tool_call("bash", _AGAIN)))):
            yield tool_call("submit", "")
            yield f"Line {repair.lineno} of {path} was wrong; the tests pass now."
            return
        yield tool_call("undo", "") if takes_back else edit_call(path, sources[path], repair, is_undone=True)
    yield Reply(text="No change of one token that is worth a run makes the tests pass.", is_last=True)


def _forecast(
    forecaster: Forecaster,
    texts: Mapping[str, str],
    outcomes: Mapping[str, str],
    repairs: Sequence[tuple[str, Repair]],
    max_seconds: float,
) -> list[tuple[str, Repair, float]]:
    """Return repairs, the likeliest to make all tests pass first, with that probability."""
    version = Version({path: f"{text}\n" for path, text in texts.items()})
    cases = [case for path in files_with_tests(version) for case in cases_of(version, path)]
    failing = [case for case in cases if outcomes.get(case.name, "PASSED") != "PASSED"]
    passing = [case for case in cases if outcomes.get(case.name) == "PASSED"]
    ranker = Ranker(forecaster, version, failing, passing)
    scored = []
    ends_at = forecaster.seconds + max_seconds
    for place, (path, repair) in enumerate(repairs):
        if forecaster.seconds > ends_at:
            scored.append((-round(forecaster.calibration.changed.usual, 3), place, path, repair))
            continue
        lines = version.texts[path].split("\n")
        lines[repair.lineno - 1] = repair.line
        found = ranker.score(Candidate(path, "\n".join(lines)), place)
        scored.append((-round(found.probability, 3), place, path, repair))
    return [(path, repair, -score) for score, _, path, repair in sorted(scored, key=lambda item: item[:2])]
