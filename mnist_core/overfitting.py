"""When a network begins to learn its training images by heart: what its two curves say in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mnist_core import wording

RISE = 0.02  # the loss on validation images is said to have risen when it is this share above least
LAST = 2  # epochs: the losses of single ones jump by more than that
LOSSES = ["val_loss", "sample_loss"]


@dataclass(frozen=True)
class Gap:
    """The epoch since which the network overfits, or None, and what to say; "" before epoch 1."""

    opened: int | None
    text: str


def gap(epochs: pd.DataFrame) -> Gap:
    """Return since when training and validation part, from the figures at the epochs' ends.

    `epochs` has the index epoch and the columns sample_loss, sample_accuracy (of training images),
    val_loss, val_accuracy, all measured after the epoch. Epoch 0, untrained, and epochs without
    both losses are left out. The best epoch is the one of the least val_loss. Overfitting has begun
    there when, in each of the last two epochs, val_loss is at least 2 % above this least, while
    sample_loss is, in their mean, lower than after the best epoch. One epoch is not enough: in
    three of five trainings as in the paper, one was so far above a least that was not the last.
    """
    rows = epochs.reindex(columns=[*LOSSES, "val_accuracy", "sample_accuracy"]).astype(float)
    rows = rows[(rows.index >= 1) & np.isfinite(rows[LOSSES]).all(axis=1)].sort_index()
    rows = rows[~rows.index.duplicated()]
    if not len(rows):
        return Gap(None, "")
    best = int(rows["val_loss"].idxmin())
    least, then = rows.loc[best, LOSSES]
    last = rows[rows.index > best].tail(LAST)
    risen = last["val_loss"] >= least * (1 + RISE)
    if len(last) == LAST and risen.all():
        now, own = last[LOSSES].mean()
        if own < then:
            return Gap(best, _opened(best, least, now, then, own))
    return Gap(None, f"{_scores(rows)}{_course(rows, best, risen)}")


def _opened(best: int, least: float, now: float, then: float, own: float) -> str:
    return (
        f"Since epoch {best} the loss on validation images rises ({wording.loss(least)} → "
        f"{wording.loss(now)}) while the loss on training images still falls "
        f"({wording.loss(then)} → {wording.loss(own)}; the later figures are means of "
        f"{LAST} epochs): the network begins to learn its training images by heart. This is called "
        "overfitting."
    )


def _scores(rows: pd.DataFrame) -> str:
    """Return what share of both kinds of images it reads after the last epoch; "" if not known."""
    own, other = rows.iloc[-1][["sample_accuracy", "val_accuracy"]]
    if not np.isfinite([own, other]).all():
        return ""
    # The gap between the shares as they are written: a reader can subtract.
    points = round(round(100 * own, 1) - round(100 * other, 1), 1)
    between = f"a gap of {points:.1f} points" if points > 0 else "no gap"
    return (
        f"After epoch {rows.index[-1]} it reads {wording.percent(own, 1)} of training images and "
        f"{wording.percent(other, 1)} of validation images: {between}. "
    )


def _course(rows: pd.DataFrame, best: int, risen: pd.Series) -> str:
    """Return how the loss on validation images went, where this is not called overfitting."""
    loss, least = "the loss on validation images", f"after epoch {best}"
    if len(rows) == 1:
        return f"How {loss} goes on, the next epochs show."
    if not len(risen):
        return f"{loss.capitalize()} still falls."
    if not risen.iloc[-1]:
        return f"{loss.capitalize()} was least {least} and has hardly risen since."
    if risen.all() and len(risen) == LAST:
        return (
            f"{loss.capitalize()} has risen since epoch {best}, but that on training images has "
            "not fallen: this is not overfitting. The learning rate may be too high."
        )
    return (
        f"{loss.capitalize()} was least {least} and is higher now "
        f"({wording.loss(rows.loc[best, 'val_loss'])} → "
        f"{wording.loss(rows['val_loss'].iloc[-1])}): one epoch may be chance."
    )
