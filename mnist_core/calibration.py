"""How sure one can be: of the accuracy itself, and of what a network says of its own answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mnist_core.evaluation import Evaluation

Z_95 = 1.959963984540054  # the standard normal distribution's quantile of 0.975


def wilson(right: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Return the interval in which the true share lies with 95 % confidence, for right of total.

    E. B. Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference",
    without continuity correction. (0, 1) for total = 0. Raises ValueError for an impossible count.
    """
    if not 0 <= right <= total:
        raise ValueError(f"Expected 0 <= right <= total. Received: {right} of {total}.")
    if total == 0:
        return 0.0, 1.0
    share, shrink = right / total, 1 + z * z / total
    middle = (share + z * z / (2 * total)) / shrink
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / shrink
    return max(0.0, middle - half), min(1.0, middle + half)


def accuracy_interval(evaluation: Evaluation) -> tuple[float, float]:
    """Return the 95 % interval of an evaluation's accuracy (Wilson)."""
    return wilson(int(evaluation.right.sum()), len(evaluation.labels))


@dataclass(frozen=True, eq=False)
class Bins:
    """Images by the network's confidence, in equal bins from 0 to 1.

    `edges` float64 (B + 1,), `count` and `right` int64 (B,): images, and rightly read ones;
    `claimed` float64 (B,): the mean confidence of a bin's images, NaN for an empty bin.
    """

    edges: np.ndarray
    count: np.ndarray
    right: np.ndarray
    claimed: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """float64 (B,): the share rightly read; NaN for an empty bin."""
        return _ratio(self.right, self.count)

    @property
    def expected_error(self) -> float:
        """The expected calibration error: the bins' |accuracy − confidence|, weighted by count.

        C. Guo et al. (2017), "On Calibration of Modern Neural Networks". NaN without images.
        """
        if not self.count.sum():
            return math.nan
        gaps = np.nan_to_num(abs(self.accuracy - self.claimed))
        return float((gaps * self.count).sum() / self.count.sum())


def confidence_bins(evaluation: Evaluation, bins: int = 10) -> Bins:
    """Sort the images of an evaluation by confidence; a bin is (low, high]."""
    place = np.clip(np.ceil(evaluation.confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    right = np.bincount(place[evaluation.right], minlength=bins)
    sums = np.bincount(place, weights=evaluation.confidence, minlength=bins)
    return Bins(np.linspace(0, 1, bins + 1), count, right, _ratio(sums, count))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


@dataclass(frozen=True, eq=False)
class Coverage:
    """What leaving the less sure digits unread gains: a row for each confidence that occurs.

    `threshold` float64 (K,), descending: digits with at least this confidence are read; `read` and
    `right` int64 (K,): how many these are, and how many are rightly read; `total`: all.
    """

    threshold: np.ndarray
    read: np.ndarray
    right: np.ndarray
    total: int

    @property
    def accuracy(self) -> np.ndarray:
        """float64 (K,): the share of the read digits that is rightly read."""
        return self.right / self.read

    def at(self, threshold: float) -> tuple[int, int]:
        """Return how many digits are read at a threshold 0 to 1, and how many of them rightly."""
        rows = int(np.searchsorted(-self.threshold, -threshold, side="right"))
        return (int(self.read[rows - 1]), int(self.right[rows - 1])) if rows else (0, 0)

    def threshold_for(self, accuracy: float) -> float | None:
        """Return the threshold that reads most with at least this accuracy; None: there is none."""
        good = np.flatnonzero(self.accuracy >= accuracy)
        return float(self.threshold[good[-1]]) if len(good) else None


def coverage(evaluation: Evaluation) -> Coverage:
    """Return how many digits are read, and how well, at every threshold on the confidence."""
    order = np.argsort(-evaluation.confidence, kind="stable")
    confidence = evaluation.confidence[order]
    # Digits of equal confidence are read together or not at all.
    last = np.append(confidence[1:] != confidence[:-1], True)[: len(order)]
    right = np.cumsum(evaluation.right[order])
    return Coverage(confidence[last], np.flatnonzero(last) + 1, right[last], len(order))
