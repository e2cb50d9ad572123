"""When a training stops early, and which of its epochs is the best."""

from __future__ import annotations

from collections.abc import Mapping


def best_epoch(scores: Mapping[int, float], metric: str) -> int:
    """Return the best epoch of {epoch: value}, the earliest of equals.

    Of "val_loss" the least value is the best, of "val_accuracy" the largest.
    """
    sign = 1 if metric == "val_loss" else -1
    return min(scores, key=lambda epoch: (sign * scores[epoch], epoch))


def stops(scores: Mapping[int, float], metric: str, patience: int, since: int = 0) -> bool:
    """Tell whether, after the last epoch of `scores`, nothing was better for `patience` epochs.

    Epochs are counted from the best one, or from `since`, where a viewer made a training go on
    that had stopped.
    """
    return max(scores) - max(best_epoch(scores, metric), since) >= patience
