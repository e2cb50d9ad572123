"""What a run's logits say about the test set: predictions, confusion, per-class scores.

Everything is computed in float64 from the recorded float32 logits; the tests' oracles are
scikit-learn and Keras's own `evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

CLASSES = 10
ORDERS = ("confidence", "loss", "index")


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return log probabilities, float64, same shape; the maximum is subtracted first."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def loss_and_accuracy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the mean categorical cross-entropy (natural log) and the share of right answers.

    logits (N, 10), labels (N,) of 0–9. Both are NaN for N = 0.
    """
    evaluation = Evaluation(np.asarray(labels), np.asarray(logits))
    return evaluation.loss, evaluation.accuracy


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

    @cached_property
    def confusion(self) -> np.ndarray:
        """int64 (10, 10): rows are true labels, columns are predictions."""
        cells = np.asarray(self.labels, np.int64) * CLASSES + self.predicted
        return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)

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

    def select(
        self, true: int | None = None, predicted: int | None = None, order: str = "confidence"
    ) -> np.ndarray:
        """Return the indices of the images with these labels, right ones included.

        order: most confident first, largest loss first, or by index; ties by index.
        """
        if order not in ORDERS:
            raise ValueError(f"Expected an order among {', '.join(ORDERS)}. Received: {order!r}.")
        chosen = np.ones(len(self.labels), bool)
        if true is not None:
            chosen &= self.labels == true
        if predicted is not None:
            chosen &= self.predicted == predicted
        index = np.flatnonzero(chosen)
        if order == "index":
            return index
        values = self.confidence if order == "confidence" else self.losses
        return index[np.argsort(-values[index], kind="stable")]

    def errors(
        self, true: int | None = None, predicted: int | None = None, order: str = "confidence"
    ) -> np.ndarray:
        """Return the indices of misclassified images, filtered and ordered as in select()."""
        index = self.select(true, predicted, order)
        return index[~self.right[index]]

    def worst_confusion(self) -> tuple[int, int, int] | None:
        """Return (true, predicted, count) of the most frequent error, or None without errors."""
        off = self.confusion - np.diag(np.diag(self.confusion))
        true, predicted = np.unravel_index(off.argmax(), off.shape)
        count = int(off[true, predicted])
        return (int(true), int(predicted), count) if count else None
