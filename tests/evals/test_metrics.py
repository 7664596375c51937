import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.seeds import derive_rng
from opencwm.evals.metrics import (
    Score,
    bucket_name,
    bucket_of,
    calibration,
    clustered_interval,
    paired_difference,
    wilson_interval,
)

COUNTS = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENT = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60)


def test_wilson_interval_matches_the_worked_values() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    worked = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for counts, expected in worked.items():
        assert wilson_interval(*counts) == pytest.approx(expected, abs=5e-5)


def test_wilson_interval_without_a_case_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert Score.of(0, 0).fraction is None


@pytest.mark.parametrize(("right", "total"), [(-1, 3), (4, 3), (1, 0)])
def test_counts_that_are_no_fraction_are_refused(right: int, total: int) -> None:
    with pytest.raises(ValueError, match="no fraction"):
        wilson_interval(right, total)


@given(COUNTS)
@settings(max_examples=50)
def test_wilson_interval_holds_the_fraction_and_mirrors(counts: tuple[int, int]) -> None:
    right, total = counts
    low, high = wilson_interval(right, total)
    assert 0 <= low <= right / total <= high <= 1
    assert low < high
    mirrored = wilson_interval(total - right, total)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(COUNTS)
@settings(max_examples=50)
def test_wilson_interval_narrows_with_more_cases(counts: tuple[int, int]) -> None:
    right, total = counts
    low, high = wilson_interval(right, total)
    tighter_low, tighter_high = wilson_interval(10 * right, 10 * total)
    assert tighter_high - tighter_low < high - low


def test_wilson_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = derive_rng("coverage")
    hits = 0
    for _ in range(2000):
        low, high = wilson_interval(sum(rng.random() < 0.9 for _ in range(60)), 60)
        hits += low <= 0.9 <= high
    assert 0.92 < hits / 2000 < 0.98


def test_clusters_of_one_case_are_independent_cases() -> None:
    clusters = [(1, 1)] * 30 + [(0, 1)] * 10
    low, high = clustered_interval(clusters)
    wilson_low, wilson_high = wilson_interval(30, 40)
    assert low == pytest.approx(wilson_low, abs=0.01)
    assert high == pytest.approx(wilson_high, abs=0.01)


def test_cases_that_go_together_count_as_one() -> None:
    together = [(10, 10)] * 30 + [(0, 10)] * 10
    scattered = [(8, 10), (7, 10)] * 20
    low, high = clustered_interval(together)
    assert (low, high) == pytest.approx(wilson_interval(30, 40), abs=0.01)
    scattered_low, scattered_high = clustered_interval(scattered)
    assert scattered_high - scattered_low < 0.5 * (high - low)


def test_clusters_that_all_agree_count_once_each() -> None:
    assert clustered_interval([(50, 50)] * 20) == wilson_interval(20, 20)
    assert clustered_interval([]) == (0.0, 1.0)
    assert clustered_interval([(0, 0), (0, 0)]) == (0.0, 1.0)


@given(st.lists(COUNTS, min_size=1, max_size=30))
@settings(max_examples=50)
def test_clustered_interval_holds_the_fraction_and_is_no_narrower_than_wilsons(
    clusters: list[tuple[int, int]],
) -> None:
    score = Score.of_clusters(clusters)
    assert score.fraction is not None
    assert 0 <= score.low <= score.fraction + 1e-9
    assert score.fraction - 1e-9 <= score.high <= 1
    low, high = wilson_interval(score.num_right, score.num_total)
    assert score.high - score.low >= (high - low) * (1 - 1e-9)


def test_a_paired_difference_is_the_ratio_over_clusters() -> None:
    # d = -1/40; residuals -0.75, 0.25, 0.25, 0.25 of gains -1, 0, 0, 0; variance 0.75 * 4/3 / 40**2
    found = paired_difference([(9, 8, 10), (9, 9, 10), (10, 10, 10), (8, 8, 10)])
    assert found.value == pytest.approx(-0.025)
    assert found.num_total == 40
    half = 1.959963984540054 * math.sqrt(0.75 * 4 / 3) / 40
    assert (found.low, found.high) == pytest.approx((-0.025 - half, -0.025 + half))


def test_a_difference_that_is_nowhere_seen_may_still_be_there() -> None:
    found = paired_difference([(5, 5, 10)] * 20 + [(0, 0, 0)])
    assert (found.value, found.num_total) == (0, 200)
    assert (found.low, found.high) == pytest.approx((-0.1611, 0.1611), abs=5e-5)  # 0 of 20, Newcombe
    with pytest.raises(ValueError, match="nothing to compare"):
        paired_difference([(0, 0, 0)])


def test_a_paired_difference_covers_the_truth_about_95_times_in_100() -> None:
    rng = derive_rng("paired difference")
    covered = 0
    for _ in range(300):
        clusters = []
        for _ in range(60):
            first = [rng.random() < 0.9 for _ in range(20)]
            second = [right != (rng.random() < (0.05 if right else 0.1)) for right in first]
            clusters.append((sum(first), sum(second), 20))
        found = paired_difference(clusters)
        covered += found.low <= 0.9 * -0.05 + 0.1 * 0.1 <= found.high
    assert 270 <= covered <= 297


def test_calibration_of_a_worked_example() -> None:
    result = calibration([(0.95, True), (0.95, True), (0.85, False), (0.05, False)])
    assert result.ece == pytest.approx((2 * 0.05 + 0.85 + 0.05) / 4)
    assert result.brier == pytest.approx((2 * 0.05**2 + 0.85**2 + 0.05**2) / 4)
    assert [item.count for item in result.bins] == [1, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    assert result.bins[9].accuracy == 1.0
    assert result.bins[8].confidence == 0.85


def test_calibration_of_nothing() -> None:
    result = calibration([], num_bins=4)
    assert result.ece is None
    assert result.brier is None
    assert len(result.bins) == 4


@pytest.mark.parametrize("confidence", [-0.01, 1.01, math.nan])
def test_a_confidence_that_is_no_probability_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        calibration([(confidence, True)])
    with pytest.raises(ValueError, match="bin"):
        calibration([], num_bins=0)


@given(CONFIDENT, st.integers(1, 20))
@settings(max_examples=50)
def test_every_prediction_falls_in_the_bin_of_its_confidence(
    predictions: list[tuple[float, bool]], num_bins: int
) -> None:
    result = calibration(predictions, num_bins)
    assert sum(item.count for item in result.bins) == len(predictions)
    assert result.bins[0].low == 0.0
    assert result.bins[-1].high == 1.0
    for item in result.bins:
        if item.count:
            assert item.low - 1e-9 <= item.confidence <= item.high + 1e-9
            assert 0 <= item.accuracy <= 1
    if predictions:
        assert result.ece is not None
        assert result.brier is not None
        assert 0 <= result.ece <= 1
        assert result.ece**2 <= result.brier + 1e-9  # Jensen: binning can only hide error


def test_perfect_confidence_is_calibrated() -> None:
    assert calibration([(1.0, True)] * 5 + [(0.0, False)] * 5).ece == 0.0
    assert calibration([(1.0, False)] * 5).ece == 1.0


@given(st.integers(1, 1 << 20))
@settings(max_examples=50)
def test_buckets_tile_the_lengths(num_steps: int) -> None:
    first, last = bucket_of(num_steps)
    assert first <= num_steps <= last
    assert bucket_of(first) == bucket_of(last) == (first, last)
    assert bucket_of(last + 1)[0] == last + 1


def test_bucket_names() -> None:
    lengths = (1, 8, 9, 16, 17, 32, 33, 64, 65, 128, 0)
    names = ["1-8", "1-8", "9-16", "9-16", "17-32", "17-32", "33-64", "33-64", "65-128", "65-128", "0"]
    assert [bucket_name(length) for length in lengths] == names
    with pytest.raises(ValueError, match="at least one step"):
        bucket_of(0)


def test_the_surest_are_told_apart() -> None:
    sure = [(0.9, True)] * 9 + [(0.1, False)]
    assert calibration(sure).accuracy_at_90 == 1.0
    assert calibration([(0.1, True)] * 9 + [(0.9, False)]).accuracy_at_90 == pytest.approx(8 / 9)
    assert calibration([(0.5, True)] * 5 + [(0.5, False)] * 5).accuracy_at_90 == pytest.approx(0.5)
    assert calibration([(0.5, True)]).accuracy_at_90 == 1.0
    assert calibration([]).accuracy_at_90 is None
