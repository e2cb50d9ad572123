"""What a network says of images, in words: the same sentence below every grid."""

from __future__ import annotations

import numpy as np

from mnist_core import wording
from mnist_core.evaluation import Evaluation
from mnist_core.selection import Subset


def captions(part: Subset, evaluation: Evaluation, index: np.ndarray) -> list[str]:
    """Return a line for each image of `part`; its answer is number index[i] of the evaluation."""
    return [
        f"{name}: {evaluation.labels[i]} read as {evaluation.predicted[i]}, "
        f"{wording.percent(evaluation.confidence[i], 1)} sure"
        for name, i in zip(part.names(), index, strict=True)
    ]
