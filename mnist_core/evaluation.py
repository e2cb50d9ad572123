"""What a run's logits say about the test set: predictions, confusion, per-class scores.

Everything is computed in float64 from the recorded float32 logits; the tests' oracles are
scikit-learn and Keras's own `evaluate`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

CLASSES = 10
ORDERS = ("confidence", "loss", "margin", "index")
Cell = tuple[int | None, int | None]  # (true, predicted) of a confusion matrix; None: any digit


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return log probabilities, float64, same shape; the maximum is subtracted first."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def confusion(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count labels (N,) by predictions (N,), both 0–9: int64 (10, 10), rows are true labels."""
    cells = np.asarray(labels, np.int64) * CLASSES + predicted
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def most_frequent_error(confusion: np.ndarray) -> tuple[int, int, int] | None:
    """Return (true, predicted, count) of a matrix's most frequent error, or None without errors."""
    off = np.where(np.eye(CLASSES, dtype=bool), 0, confusion)
    true, predicted = np.unravel_index(off.argmax(), off.shape)
    count = int(off[true, predicted])
    return (int(true), int(predicted), count) if count else None


@dataclass(frozen=True)
class Evaluation:
    """A network's answers to the test set: labels (N,) integers 0–9, logits float (N, 10)."""

    labels: np.ndarray
    logits: np.ndarray

    def __post_init__(self) -> None:
        if self.logits.shape != (len(self.labels), CLASSES):
            raise ValueError(
                f"Expected logits of shape ({len(self.labels)}, {CLASSES}), one row a label. "
                f"Received: {self.logits.shape}."
            )

    @cached_property
    def log_probabilities(self) -> np.ndarray:
        return log_softmax(self.logits)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """float64 (N, 10), each row sums to 1."""
        return np.exp(self.log_probabilities)

    @cached_property
    def predicted(self) -> np.ndarray:
        """int64 (N,): the class of the largest logit, the lowest where several are equal."""
        return self.logits.argmax(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """float64 (N,): the probability of the predicted class."""
        return self.probabilities[np.arange(len(self.labels)), self.predicted]

    @cached_property
    def runner_up(self) -> np.ndarray:
        """int64 (N,): the class of the second largest logit."""
        others = np.array(self.logits, np.float64)
        others[np.arange(len(others)), self.predicted] = -np.inf
        return others.argmax(axis=1)

    @cached_property
    def margin(self) -> np.ndarray:
        """float64 (N,): the predicted class's probability minus the runner-up's, 0 to 1."""
        return self.confidence - self.probabilities[np.arange(len(self.labels)), self.runner_up]

    @cached_property
    def losses(self) -> np.ndarray:
        """float64 (N,): −log of the true class's probability."""
        return -self.log_probabilities[np.arange(len(self.labels)), self.labels]

    @property
    def right(self) -> np.ndarray:
        """bool (N,)"""
        return self.predicted == self.labels

    @property
    def loss(self) -> float:
        return float(self.losses.mean()) if len(self.labels) else float("nan")

    @property
    def accuracy(self) -> float:
        return float(self.right.mean()) if len(self.labels) else float("nan")

    def accuracy_without(self, positions: np.ndarray) -> float:
        """Return the accuracy on all images but these; NaN where none is left."""
        rest = np.delete(self.right, positions)
        return float(rest.mean()) if len(rest) else float("nan")

    @property
    def top2_accuracy(self) -> float:
        """The share of images whose true class has the largest or second largest logit."""
        among = self.right | (self.runner_up == self.labels)
        return float(among.mean()) if len(self.labels) else float("nan")

    @cached_property
    def confusion(self) -> np.ndarray:
        """int64 (10, 10): rows are true labels, columns are predictions."""
        return confusion(self.labels, self.predicted)

    @cached_property
    def row_shares(self) -> np.ndarray:
        """The confusion in per cent of each true digit, float (10, 10); NaN without images."""
        counts = self.confusion.astype(float)
        images = counts.sum(axis=1, keepdims=True)
        return 100 * counts / np.where(images > 0, images, np.nan)

    def per_class(self) -> pd.DataFrame:
        """Return precision, recall, f1 (0 to 1; 0 where undefined, as scikit-learn) and support."""
        true_positive = np.diag(self.confusion).astype(float)
        said, support = self.confusion.sum(axis=0), self.confusion.sum(axis=1)

        def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
            return np.divide(part, whole, out=np.zeros(CLASSES), where=whole > 0)

        return pd.DataFrame(
            {
                "precision": ratio(true_positive, said),
                "recall": ratio(true_positive, support),
                "f1": ratio(2 * true_positive, said + support),
                "support": support,
            },
            index=pd.Index(range(CLASSES), name="digit"),
        )

    def scores(self) -> pd.DataFrame:
        """Return per_class() with the digit as a text column, below a row of macro averages.

        A macro average is the mean over the digits that have images, each counting the same.
        """
        table = self.per_class()
        macro = table[table["support"] > 0].mean().fillna(0).rename("all digits")
        macro["support"] = table["support"].sum()
        whole = pd.concat([macro.to_frame().T, table]).astype({"support": int})
        return whole.rename_axis("digit").reset_index().astype({"digit": str})

    def in_cells(self, cells: Iterable[Cell], errors_only: bool = False) -> np.ndarray:
        """Return which images lie in one of these cells, bool (N,).

        (4, None) is the row of 4, or with `errors_only` the errors in it; so for columns.
        """
        found = np.zeros(len(self.labels), bool)
        for true, predicted in cells:
            here = np.ones(len(self.labels), bool)
            if true is not None:
                here &= self.labels == true
            if predicted is not None:
                here &= self.predicted == predicted
            if errors_only and None in (true, predicted):
                here &= ~self.right
            found |= here
        return found

    def ordered(self, index: np.ndarray, order: str = "confidence") -> np.ndarray:
        """Return indices of images in an order of ORDERS; ties by index.

        Most confident first, largest loss first, smallest margin first, or by index.
        """
        if order not in ORDERS:
            raise ValueError(f"Expected an order among {', '.join(ORDERS)}. Received: {order!r}.")
        index = np.sort(index)
        if order == "index":
            return index
        keys = {"confidence": -self.confidence, "loss": -self.losses, "margin": self.margin}
        return index[np.argsort(keys[order][index], kind="stable")]

    def errors(
        self, true: int | None = None, predicted: int | None = None, order: str = "confidence"
    ) -> np.ndarray:
        """Return the indices of misclassified images with these labels, in an order of ORDERS."""
        wrong = self.in_cells([(true, predicted)]) & ~self.right
        return self.ordered(np.flatnonzero(wrong), order)

    def by_pair(self, index: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
        """Return (true, predicted) -> those of the indices, in their order; most frequent first."""
        pairs = self.labels[index].astype(np.int64) * CLASSES + self.predicted[index]
        found, counts = np.unique(pairs, return_counts=True)
        return {
            (int(pair) // CLASSES, int(pair) % CLASSES): index[pairs == pair]
            for pair in found[np.argsort(-counts, kind="stable")]
        }
