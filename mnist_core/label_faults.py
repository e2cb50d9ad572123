"""Is the model wrong, or the label? Which labels several networks believe least.

After C. Northcutt, L. Jiang, I. Chuang (2021), "Confident Learning: Estimating Uncertainty in
Dataset Labels". Nothing here knows a fault: only what the networks say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mnist_core.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class Ranking:
    """Images by how likely their label is wrong.

    `order` int64 (N,): indices, most suspicious first; by index, for all images: `self_confidence`
    float64 (N,), the label's probability, 0 to 1; `margin` float64 (N,), this minus the most
    probable other digit's, −1 to 1, both means over the runs; `read` int64 (N,): the digit that is
    most probable on average; `votes` int64 (N,): the runs that do not read the label.
    """

    order: np.ndarray
    self_confidence: np.ndarray
    margin: np.ndarray
    read: np.ndarray
    votes: np.ndarray

    @cached_property
    def place(self) -> np.ndarray:
        """int64 (N,): where each image stands in the order, 0 for the most suspicious."""
        place = np.empty(len(self.order), np.int64)
        place[self.order] = np.arange(len(self.order))
        return place

    def doubted(self, index: np.ndarray) -> np.ndarray:
        """Return which of some images' indices (K,) are doubted: positions, int64.

        Those whose label at least one run does not read, most suspicious first.
        """
        positions = np.argsort(self.place[index], kind="stable")
        return positions[self.votes[index[positions]] > 0]


def rank(evaluations: Sequence[Evaluation]) -> Ranking:
    """Rank the labels of one or several runs' evaluations of the same images.

    The smallest mean margin comes first, ties by self-confidence. Of the averages compared in
    tests/benchmarks/bench_label_faults.py this is among the best for plausible faults, which real
    ones are; random ones the mean self-confidence finds a little better. Raises ValueError without
    an evaluation, or for different labels.
    """
    if not evaluations:
        raise ValueError("Expected the evaluation of at least one run. Received: none.")
    labels = evaluations[0].labels
    if any(not np.array_equal(labels, other.labels) for other in evaluations):
        raise ValueError("Expected evaluations of the same images. Received: labels that differ.")
    rows = np.arange(len(labels))
    probabilities = np.zeros((len(labels), 10))
    margin = np.zeros(len(labels))
    for evaluation in evaluations:
        others = evaluation.probabilities.copy()
        others[rows, labels] = -1.0
        margin += evaluation.probabilities[rows, labels] - others.max(axis=1)
        probabilities += evaluation.probabilities
    margin /= len(evaluations)
    probabilities /= len(evaluations)
    self_confidence = probabilities[rows, labels]
    return Ranking(
        np.lexsort((rows, self_confidence, margin)),
        self_confidence,
        margin,
        probabilities.argmax(axis=1),
        np.sum([~evaluation.right for evaluation in evaluations], axis=0),
    )
