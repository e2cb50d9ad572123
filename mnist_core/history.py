"""What a run answered to its test set at every recorded moment: how mistakes come and go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mnist_core import runs, wording
from mnist_core.evaluation import Cell, confusion, log_softmax

MOST_CHANGES = 4  # in a sentence


@dataclass(frozen=True, eq=False)
class History:
    """The answers of a run: moments (M,) in epochs, labels (N,), predicted uint8 (M, N).

    `unreadable` are the moments whose predictions are damaged or do not fit the labels.
    """

    moments: list[float]
    labels: np.ndarray
    predicted: np.ndarray
    unreadable: list[float]

    def among(self, positions: np.ndarray) -> History:
        """Return the history of some of the images."""
        return History(
            self.moments, self.labels[positions], self.predicted[:, positions], self.unreadable
        )

    @property
    def trained(self) -> np.ndarray:
        """bool (M,): all moments but the untrained one."""
        return np.array(self.moments) > 0

    @cached_property
    def confusions(self) -> np.ndarray:
        """int64 (M, 10, 10): the confusion matrix of each moment."""
        each = [confusion(self.labels, answers) for answers in self.predicted]
        return np.array(each, np.int64).reshape(-1, 10, 10)

    def in_cells(self, cells: Iterable[Cell]) -> np.ndarray:
        """Return how many images were in these cells of the matrix at each moment, int64 (M,)."""
        rows, columns = np.ogrid[:10, :10]
        chosen = np.zeros((10, 10), bool)
        for true, predicted in cells:
            here = (true is None or rows == true) & (predicted is None or columns == predicted)
            # A whole row or column counts its errors.
            chosen |= here & ((rows != columns) | (None not in (true, predicted)))
        return self.confusions[:, chosen].sum(axis=1)

    @property
    def epochs_wrong(self) -> np.ndarray:
        """int64 (N,): after how many of the trained moments each image is read wrongly."""
        return (self.predicted[self.trained] != self.labels).sum(axis=0)


def read(run: runs.Run, labels: np.ndarray) -> History:
    """Read a run's answers at all its moments; labels (N,) are its test set's."""
    answers = {}
    for moment in run.moments:
        logits = _logits(run, moment, len(labels))
        answers[moment] = None if logits is None else logits.argmax(axis=1).astype(np.uint8)
    readable = [moment for moment, predicted in answers.items() if predicted is not None]
    predicted = np.array([answers[moment] for moment in readable], np.uint8)
    unreadable = [moment for moment in answers if moment not in readable]
    return History(readable, labels, predicted.reshape(-1, len(labels)), unreadable)


def life(run: runs.Run, index: int, total: int) -> tuple[list[float], np.ndarray]:
    """Return a test image's probabilities over a run: moments (M,), float64 (M, 10).

    `total` is the size of the test set; a moment that is damaged or does not fit is left out.
    """
    moments, rows = [], []
    for moment in run.moments:
        logits = _logits(run, moment, total)
        if logits is not None:
            moments.append(moment)
            rows.append(log_softmax(logits[index]))
    return moments, np.exp(np.array(rows).reshape(-1, 10))


def _logits(run: runs.Run, moment: float, total: int) -> np.ndarray | None:
    """Return the logits (total, 10) of a moment, or None where they are damaged or others."""
    with contextlib.suppress(runs.RunsError):
        logits = run.logits(moment)
        return logits if len(logits) == total else None
    return None


def life_in_words(moments: list[float], right: np.ndarray) -> str:
    """Return when an image was learned and forgotten, from right bool (M,) at the moments.

    M. Toneva et al. (2019), "An Empirical Study of Example Forgetting during Deep Neural Network
    Learning": right and then wrong is forgotten. The untrained network's guess does not count.
    """
    trained = [(m, bool(r)) for m, r in zip(moments, right, strict=True) if m > 0]
    if not trained:
        return "Not trained yet: the network guesses."
    changes, before = [], False
    for moment, now in trained:
        if now != before:
            word = "forgotten" if not now else "learned again" if changes else "learned"
            changes.append(f"{word} by epoch {wording.epoch(moment)}")
        before = now
    if not changes:
        return "Never learned: read wrongly after every epoch."
    if len(changes) > MOST_CHANGES:
        end = "right" if before else "wrong"
        return f"Learned and forgotten: forgotten {len(changes) // 2} times, {end} at the end."
    kept = " and kept" if before else ""
    said = ", ".join(changes)
    return f"{said[0].upper()}{said[1:]}{kept}."
