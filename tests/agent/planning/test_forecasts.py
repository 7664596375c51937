"""Forecasts with a model that is always right, and with the one in the package."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import pytest

from opencwm.agent.planning.calibration import Calibration, Calibrator, Curve
from opencwm.agent.planning.cases import Case, cases_of, files_with_tests
from opencwm.agent.planning.forecasts import Forecast, ForecastConfig, Forecaster, Outlook
from opencwm.agent.planning.patching import patched
from opencwm.agent.planning.ranking import Candidate, Ranker, changed_lines
from opencwm.agent.planning.verifying import Checked
from opencwm.agent.planning.versions import Version
from opencwm.core.errors import ConfigError
from opencwm.debugger.world_model import WorldModel
from opencwm.frontends.cli.forecast import _said

from .oracle import OracleWorldModel

EXAMPLES = Path(__file__).parents[3] / "examples"


def cases(version: Version) -> dict[str, Case]:
    """Return all tests by name."""
    return {case.name: case for path in files_with_tests(version) for case in cases_of(version, path)}


def broken(version: Version, path: str, old: str, new: str) -> Version:
    """Change one place."""
    assert version.texts[path].count(old) == 1
    return version.changed({path: version.texts[path].replace(old, new)})


@pytest.mark.parametrize("name", ["warehouse", "phrases", "timetable"])
def test_with_a_model_that_is_right_all_tests_of_the_examples_are_forecast_to_pass(name: str) -> None:
    version = Version.of_folder(EXAMPLES / name)
    forecaster = Forecaster(OracleWorldModel(), ForecastConfig(max_steps=400))
    found = {test: forecaster.forecast(version, case) for test, case in cases(version).items()}
    assert {test: item.reason for test, item in found.items() if item.outlook is not Outlook.PASSES} == {}


def test_a_failure_is_forecast_with_its_exception_and_line() -> None:
    version = Version.of_folder(EXAMPLES / "warehouse")
    forecaster = Forecaster(OracleWorldModel(0.9999))
    tests = cases(version)

    def told(changed: Version, test: str) -> tuple[str, str, int]:
        found = forecaster.forecast(changed, tests[test])
        assert found.outlook is Outlook.FAILS
        assert 0 < found.probability < 0.5
        return found.exception, found.path, found.lineno

    plus = broken(version, "warehouse/money.py", "* percent // 100)", "* percent // 10)")
    assert told(plus, "tests/test_money.py::test_discounts_round_for_the_buyer") == (
        "AssertionError",
        "tests/test_money.py",
        21,
    )
    key = broken(
        version, "warehouse/orders.py", "prices[name] * amount\n    if", "prices[amount] * amount\n    if"
    )
    assert told(key, "tests/test_orders.py::test_totals") == ("KeyError", "warehouse/orders.py", 13)
    quiet = broken(version, "warehouse/money.py", "if amount < 0:", "if amount < -9:")
    assert told(quiet, "tests/test_money.py::test_a_negative_price_is_refused") == (
        "Failed",
        "tests/test_money.py",
        11,
    )
    other = broken(version, "warehouse/stock.py", "an amount is positive", "no")
    assert told(other, "tests/test_stock.py::test_nothing_cannot_be_added")[0] == "AssertionError"


def test_equal_programs_are_predicted_once() -> None:
    version, world = Version.of_folder(EXAMPLES / "phrases"), OracleWorldModel()
    forecaster = Forecaster(world)
    case = cases(version)["tests/test_words.py::test_slugs"]
    first = forecaster.forecast(version, case)
    elsewhere = broken(
        version, "phrases/words.py", "line = word\n        elif", "line = word + ''\n        elif"
    )
    assert forecaster.forecast(elsewhere, case).outlook is first.outlook
    assert world.num_executions == 1


def test_a_run_without_an_end_and_one_that_is_too_long() -> None:
    text = "def spin(n):\n    while n > 0:\n        n = n\n\n\ndef far(n):\n    while n:\n        n -= 1\n"
    tests = "from a import far, spin\ndef test_spin():\n    spin(1)\ndef test_far():\n    far(500)\n"
    version = Version({"a.py": text, "test_a.py": tests})
    spin, far = cases_of(version, "test_a.py")
    forecaster = Forecaster(OracleWorldModel())
    assert (forecaster.forecast(version, spin).exception, forecaster.forecast(version, spin).lineno) == (
        "Endless",
        2,
    )
    assert forecaster.forecast(version, far).reason == "not over after 150 steps"


def test_the_right_repair_is_ranked_first() -> None:
    right = Version.of_folder(EXAMPLES / "phrases")
    path = "phrases/numerals.py"
    wrong = broken(right, path, "while number >= value", "while number > value")
    forecaster = Forecaster(OracleWorldModel(0.999))
    tests = cases(wrong)
    failing = [case for name, case in tests.items() if "test_roman[" in name]
    failing = [case for case in failing if forecaster.forecast(wrong, case).outlook is Outlook.FAILS]
    passing = [case for case in tests.values() if case not in failing]
    others = [("last = value", "last = 0"), ("if value < last", "if value <= last"), ("> value", "< value")]
    texts = [wrong.texts[path].replace(old, new) for old, new in others]
    ranked = Ranker(forecaster, wrong, failing, passing).ranked(
        [Candidate(path, text) for text in [*texts, right.texts[path]]]
    )
    assert ranked[0].candidate.text == right.texts[path]
    assert ranked[0].probability > 0.5 > ranked[1].probability


def test_patches_are_applied_to_versions() -> None:
    version = Version({"a.py": "x = 1\n"})
    patch = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    assert patched(version, patch).texts == {"a.py": "x = 2\n"}
    with pytest.raises(ConfigError, match="does not apply"):
        patched(Version({"a.py": "y\n"}), patch)
    assert changed_lines("a\nb\nc", "a\nB\nc") == [2]


def test_calibration_learns_from_what_happened() -> None:
    curve = Curve.fitted([(0.99, True)] * 30 + [(0.5, True)] * 5 + [(0.5, False)] * 5 + [(0.01, False)] * 30)
    assert curve.at(0.01) < 0.1 < 0.4 < curve.at(0.5) < 0.6 < 0.9 < curve.at(0.99)
    assert Curve.fitted([]).at(0.7) == 0.5
    for shipped in dataclasses.astuple(Calibration()):
        calibrator = Calibrator(Curve(*shipped[0]), Curve(*shipped[1]), shipped[2])
        passing, failing = (calibrator.probability(is_to_pass, 0.99) for is_to_pass in (True, False))
        assert passing > calibrator.probability(None, 0.0) > failing


@functools.cache
def shipped() -> Forecaster:
    """Return a forecaster with the model in the package."""
    return Forecaster(WorldModel.load(), ForecastConfig(max_seconds=20.0))


def test_the_model_in_the_package_forecasts_tests_it_can_work_out() -> None:
    version = Version.of_folder(EXAMPLES / "phrases")
    tests = cases(version)
    wanted = (
        "tests/test_numerals.py::test_roman[19-XIX]",
        "tests/test_codes.py::PackTest::test_repeats_are_counted",
    )
    found: list[Forecast] = [shipped().forecast(version, tests[name]) for name in wanted]
    assert [item.outlook for item in found] == [Outlook.PASSES] * 2
    assert all(item.confidence > 0.9 for item in found)
    wrong = broken(version, "phrases/numerals.py", "while number >= value", "while number > value")
    failed = shipped().forecast(wrong, tests[wanted[0]])
    assert (failed.outlook, failed.exception, failed.lineno) == (Outlook.FAILS, "AssertionError", 7)


def test_a_run_that_fails_without_confidence_leaves_the_test_likely_to_pass() -> None:
    sure, unsure = (
        Forecast(outlook=Outlook.FAILS, probability=p, exception="KeyError", path="t.py", lineno=3)
        for p in (0.2, 0.9)
    )
    assert [item.is_to_pass for item in (sure, unsure)] == [False, True]
    assert _said(sure) == "fails with KeyError at t.py:3"
    assert _said(unsure) == "passes, although the predicted run fails with KeyError at t.py:3"
    assert not Forecast(outlook=Outlook.UNKNOWN, probability=0.9, reason="x").is_to_pass
    case = next(iter(cases(Version.of_folder(EXAMPLES / "phrases")).values()))
    checked = [Checked(case, item, "passed").is_right for item in (sure, unsure)]
    assert checked == [False, True]
