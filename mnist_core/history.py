"""What a run answered to its test set at every recorded moment: how mistakes come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def _answers(run: runs.Run, total: int) -> Iterator[tuple[float, np.ndarray | None]]:
    """Yield each moment with its logits (total, 10), or None where they are damaged or others."""
    for moment in run.moments:
        try:
            logits = run.logits(moment)
        except runs.RunsError:
            logits = np.empty((0, 10), np.float32)
        yield moment, logits if len(logits) == total else None


def read(run: runs.Run, labels: np.ndarray) -> History:
    """Read a run's answers at all its moments; labels (N,) are its test set's."""
    found = dict(_answers(run, len(labels)))
    answers = {m: logits.argmax(axis=1) for m, logits in found.items() if logits is not None}
    predicted = np.array(list(answers.values()), np.uint8).reshape(-1, len(labels))
    unreadable = [moment for moment in found if moment not in answers]
    return History(list(answers), labels, predicted, unreadable)


def life(run: runs.Run, index: int, total: int) -> tuple[list[float], np.ndarray]:
    """Return a test image's probabilities over a run: moments (M,), float64 (M, 10).

    `total` is the size of the test set; a moment that is damaged or does not fit is left out.
    """
    rows = {m: logits[index] for m, logits in _answers(run, total) if logits is not None}
    return list(rows), np.exp(log_softmax(np.array(list(rows.values())).reshape(-1, 10)))


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
