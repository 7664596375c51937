"""Fractions with their uncertainty, calibration, and buckets of run lengths. Pure functions of numbers.

The one idea: no fraction without its interval. Steps of one program succeed and fail together, so an
interval over steps counts programs, not steps: Wilson's score interval at the effective sample size of a
clustered sample.

Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927); Dean
and Pagano, "Evaluating confidence interval methods for binomial proportions in clustered surveys", JSSAM 3
(2015); Guo et al., "On calibration of modern neural networks", ICML 2017.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal distribution."""

COVERAGE = 0.9
"""Part of the predictions, the most confident ones, whose accuracy a calibration tells."""

FIRST_BUCKET = 8
"""Runs of 1 to 8 steps are the first bucket; every later one reaches twice as far as the one before."""


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """A fraction ``num_right / num_total`` and its 95 % interval.

    Attributes:
        num_right: successes, 0 <= num_right <= num_total.
        num_total: cases.
        low: lower end of the interval, in [0, 1].
        high: upper end, in [low, 1].

    """

    num_right: int
    num_total: int
    low: float
    high: float

    @classmethod
    def of(cls, num_right: int, num_total: int) -> Score:
        """Score independent cases.

        Raises:
            ValueError: counts that are no fraction.

        """
        return cls(num_right, num_total, *wilson_interval(num_right, num_total))

    @classmethod
    def of_clusters(cls, clusters: Iterable[tuple[int, int]]) -> Score:
        """Score cases that come in clusters, such as programs, given as (right, total) of each."""
        counts = list(clusters)
        right, total = sum(r for r, _ in counts), sum(t for _, t in counts)
        return cls(right, total, *clustered_interval(counts))

    @property
    def fraction(self) -> float | None:
        """``num_right / num_total``, or None when there was no case."""
        return self.num_right / self.num_total if self.num_total else None


def count_case(counts: dict[str, list[int]], metric: str, is_right: bool) -> None:
    """Count one case in ``counts``, metric -> [right, total]."""
    entry = counts.setdefault(metric, [0, 0])
    entry[0] += is_right
    entry[1] += 1


def wilson_interval(num_right: float, num_total: float, z: float = Z_95) -> tuple[float, float]:
    """Return Wilson's score interval of a fraction; (0, 1) when there is no case.

    Args:
        num_right: successes; need not be whole, an effective count will do.
        num_total: cases, likewise.
        z: quantile of the standard normal distribution.

    Raises:
        ValueError: negative counts, or more successes than cases.

    """
    if not 0 <= num_right <= num_total:
        raise ValueError(f"{num_right} of {num_total} is no fraction")
    if num_total == 0:
        return 0.0, 1.0
    p = num_right / num_total
    scale = 1 + z * z / num_total
    centre = (p + z * z / (2 * num_total)) / scale
    half = z * math.sqrt(p * (1 - p) / num_total + z * z / (4 * num_total * num_total)) / scale
    # At the ends rounding must not exclude the fraction itself.
    return min(max(centre - half, 0.0), p), max(min(centre + half, 1.0), p)


def clustered_interval(clusters: Sequence[tuple[int, int]], z: float = Z_95) -> tuple[float, float]:
    """Return a Wilson interval of the pooled fraction that allows for cases in one cluster going together.

    The sample counts as ``n / deff`` cases, where ``deff`` is the variance of the pooled ratio over clusters
    divided by the binomial one, never below 1 and never so large that less than one case per two clusters is
    left. Where all cases agree no variance can be seen and each cluster counts as one case, which is the
    cautious end.

    Args:
        clusters: (right, total) of each; those with total 0 say nothing.
        z: quantile of the standard normal distribution.

    """
    counts = [(right, total) for right, total in clusters if total]
    n, k = sum(total for _, total in counts), len(counts)
    if not n:
        return 0.0, 1.0
    p = sum(right for right, _ in counts) / n
    if p in (0.0, 1.0) or k == 1:
        effective = float(k)
    else:
        spread = sum((right - p * total) ** 2 for right, total in counts) * k / (k - 1)
        effective = min(float(n), max(n * n * p * (1 - p) / spread if spread else n, k / 2, 1.0))
    return wilson_interval(p * effective, effective, z)


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """How much a fraction differs from another, measured on the same cases, and its 95 % interval.

    Attributes:
        value: the second fraction less the first, in [-1, 1].
        low: lower end of the interval.
        high: upper end.
        num_total: cases.

    """

    value: float
    low: float
    high: float
    num_total: int


def paired_difference(clusters: Iterable[tuple[int, int, int]], z: float = Z_95) -> Difference:
    """Compare two predictors on the same cases, in clusters that go together.

    The variance is that of a ratio over clusters (its linearisation). Where no cluster differs none can be
    seen, and the interval is what Wilson's says of no difference in so many cases, one a cluster.

    Args:
        clusters: (right of the first, right of the second, total) of each.
        z: quantile of the standard normal distribution.

    Raises:
        ValueError: no case.

    """
    gains = [(second - first, total) for first, second, total in clusters if total]
    n, k = sum(total for _, total in gains), len(gains)
    if not n:
        raise ValueError("nothing to compare")
    value = sum(gain for gain, _ in gains) / n
    if k == 1 or not any(gain for gain, _ in gains):
        half = wilson_interval(0, k, z)[1]
    else:
        spread = sum((gain - value * total) ** 2 for gain, total in gains) * k / (k - 1)
        half = z * math.sqrt(spread) / n
    return Difference(value, max(value - half, -1.0), min(value + half, 1.0), n)


@dataclasses.dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Predictions of about one confidence.

    Attributes:
        low: confidences above it (in the first bin: from it on) ...
        high: ... up to and including this one belong here.
        count: how many there are.
        confidence: their mean confidence, 0.0 when there are none.
        accuracy: fraction of them that is right, 0.0 when there are none.

    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclasses.dataclass(frozen=True, slots=True)
class Calibration:
    """How far confidence can be taken at its word.

    Attributes:
        ece: expected calibration error in [0, 1], the mean of |accuracy - confidence| over bins weighted by
            their counts; None when there are no predictions.
        brier: mean squared difference of confidence and correctness, in [0, 1]; None when there are no
            predictions.
        bins: the reliability table, by rising confidence.
        accuracy_at_90: fraction that is right of the most confident 90 %, rounded up; None when there are no
            predictions.

    """

    ece: float | None
    brier: float | None
    bins: tuple[ReliabilityBin, ...]
    accuracy_at_90: float | None = None


def calibration(predictions: Iterable[tuple[float, bool]], num_bins: int = 10) -> Calibration:
    """Compare confidences in [0, 1] with what was right, in ``num_bins`` >= 1 bins of equal width.

    Raises:
        ValueError: a confidence outside [0, 1] or no bin.

    """
    if num_bins < 1:
        raise ValueError("at least one bin is needed")
    members: list[list[tuple[float, bool]]] = [[] for _ in range(num_bins)]
    for confidence, is_right in predictions:
        if not 0.0 <= confidence <= 1.0:
            raise ValueError(f"confidence {confidence} is outside [0, 1]")
        members[max(math.ceil(confidence * num_bins) - 1, 0)].append((confidence, is_right))
    bins = tuple(_bin(index / num_bins, (index + 1) / num_bins, items) for index, items in enumerate(members))
    total = sum(item.count for item in bins)
    if not total:
        return Calibration(None, None, bins, None)
    ece = sum(item.count * abs(item.accuracy - item.confidence) for item in bins) / total
    brier = (
        math.fsum((confidence - is_right) ** 2 for items in members for confidence, is_right in items) / total
    )
    return Calibration(
        ece, brier, bins, _accuracy_at(COVERAGE, [item for items in members for item in items])
    )


def _accuracy_at(coverage: float, predictions: Sequence[tuple[float, bool]]) -> float:
    """Return the fraction that is right of the most confident; equal confidences share what is cut off."""
    least = sorted((confidence for confidence, _ in predictions), reverse=True)
    count = math.ceil(coverage * len(least))
    above = [right for confidence, right in predictions if confidence > least[count - 1]]
    ties = [right for confidence, right in predictions if confidence == least[count - 1]]
    return (sum(above) + (count - len(above)) * sum(ties) / len(ties)) / count


def _bin(low: float, high: float, items: list[tuple[float, bool]]) -> ReliabilityBin:
    count = len(items)
    if not count:
        return ReliabilityBin(low, high, 0, 0.0, 0.0)
    confidence = math.fsum(confidence for confidence, _ in items) / count
    return ReliabilityBin(low, high, count, confidence, sum(is_right for _, is_right in items) / count)


def bucket_of(num_steps: int) -> tuple[int, int]:
    """Return the bucket of ``num_steps`` >= 1 by its first and last length: (1, 8), (9, 16), (17, 32), ...

    Raises:
        ValueError: fewer than one step.

    """
    if num_steps < 1:
        raise ValueError("a run has at least one step")
    if num_steps <= FIRST_BUCKET:
        return 1, FIRST_BUCKET
    last = 1 << (num_steps - 1).bit_length()
    return last // 2 + 1, last


def bucket_name(num_steps: int) -> str:
    """Return the bucket of ``num_steps`` as text, such as ``9-16``; ``0`` for a run without steps."""
    if num_steps == 0:
        return "0"
    first, last = bucket_of(num_steps)
    return f"{first}-{last}"
