"""Two networks on the same images: where they disagree, and whether that is more than luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnist_core.evaluation import Evaluation

LUCK = 0.05  # differences that luck alone makes more often than this are called luck


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two evaluations of the same labels. Raises ValueError for different ones."""

    first: Evaluation
    second: Evaluation

    def __post_init__(self) -> None:
        if not np.array_equal(self.first.labels, self.second.labels):
            raise ValueError(
                "Expected two evaluations of the same images. Received: "
                f"{len(self.first.labels)} and {len(self.second.labels)} labels that differ."
            )

    @property
    def table(self) -> np.ndarray:
        """int64 (2, 2): rows the first wrong, right; columns the second wrong, right."""
        cells = 2 * self.first.right + self.second.right
        return np.bincount(cells, minlength=4).reshape(2, 2)

    def select(self, first_right: bool, second_right: bool) -> np.ndarray:
        """Return the indices of the images of a cell of the table, int64, ascending."""
        chosen = (self.first.right == first_right) & (self.second.right == second_right)
        return np.flatnonzero(chosen)

    @property
    def p_value(self) -> float:
        """How often luck alone would make a difference at least as large, 0 to 1: mcnemar()."""
        return mcnemar(int(self.table[1, 0]), int(self.table[0, 1]))

    @property
    def more_than_luck(self) -> bool:
        return self.p_value < LUCK


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value for the numbers of images that one alone reads rightly.

    Q. McNemar (1947), "Note on the sampling error of the difference between correlated proportions
    or percentages": were both equally good, each such image would go to either as a coin falls.
    """
    n, fewer = only_first + only_second, min(only_first, only_second)
    ways = tail = 1  # in whole numbers: 2 to the power of 10,000 is beyond any float
    for k in range(fewer):
        ways = ways * (n - k) // (k + 1)
        tail += ways
    return min(1.0, 2 * tail / 2**n)
