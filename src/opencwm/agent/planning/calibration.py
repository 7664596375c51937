"""From a model's confidence in a whole predicted run to the probability that the test passes.

Confidence is the product of the probabilities of all steps, which says how sure the model is of *this very
run*; another run may come to the same. The curve is logistic in the logarithm of the confidence's odds, one
for runs predicted to pass and one for runs predicted to fail. What is usual differs: most tests of a
repository pass, and hardly any that fails is mended by a change that somebody tries; so each has its own.
The numbers are ``fitted`` in the report of ``eval planning`` (docs/agent.md says on which tasks); they hold
for the model in the package.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

_LEAST = 1e-4


@dataclasses.dataclass(frozen=True)
class Curve:
    """A logistic curve: probability of passing = 1 / (1 + exp(-(offset + slope * logit(confidence))))."""

    offset: float
    slope: float

    def at(self, confidence: float) -> float:
        """Return the probability for a confidence in [0, 1]."""
        return 1 / (1 + math.exp(-(self.offset + self.slope * _logit(confidence))))

    @classmethod
    def fitted(cls, points: Sequence[tuple[float, bool]]) -> Curve:
        """Fit to confidences and whether the test passed: maximum likelihood with a weak prior.

        Args:
            points: may be few or of one kind; the prior then keeps the curve flat and off 0 and 1.
        """
        odds = np.array([_logit(confidence) for confidence, _ in points])
        passed = np.array([float(is_passed) for _, is_passed in points])
        weights = np.zeros(2)
        design = np.stack([np.ones(len(odds)), odds], axis=1).reshape(-1, 2)
        for _ in range(50):
            chance = 1 / (1 + np.exp(-design @ weights))
            gradient = design.T @ (passed - chance) - _PRIOR * weights
            curvature = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag([_PRIOR, _PRIOR])
            change = np.linalg.solve(curvature, gradient)
            weights += change
            if np.abs(change).max() < 1e-9:
                break
        return cls(float(weights[0]), float(weights[1]))


_PRIOR = 0.1


@dataclasses.dataclass(frozen=True)
class Calibrator:
    """Turns confidence into the probability that a test passes.

    Attributes:
        predicted_pass: for runs predicted to pass.
        predicted_fail: for runs predicted to fail.
        usual: of a test of which nothing is predicted.
    """

    predicted_pass: Curve
    predicted_fail: Curve
    usual: float

    def probability(self, is_to_pass: bool | None, confidence: float) -> float:
        """Return the probability that a test passes.

        Args:
            is_to_pass: whether its predicted run passes; None when nothing is predicted.
            confidence: in that run.
        """
        if is_to_pass is None:
            return self.usual
        return (self.predicted_pass if is_to_pass else self.predicted_fail).at(confidence)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How confidence is read in the two cases in which tests are forecast.

    Attributes:
        as_is: tests of a repository as it stands.
        changed: tests that failed, with a change that may mend them.
    """

    as_is: Calibrator = Calibrator(Curve(3.538, 0.182), Curve(2.551, -1.549), 0.65)
    changed: Calibrator = Calibrator(Curve(0.648, 0.391), Curve(-3.449, -0.444), 0.041)


def _logit(confidence: float) -> float:
    bounded = min(max(confidence, _LEAST), 1 - _LEAST)
    return math.log(bounded / (1 - bounded))
