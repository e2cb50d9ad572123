"""What a network says of images, in words: the same sentence below every grid."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import wording
from mnist_core.evaluation import Evaluation
from mnist_core.selection import Subset, test_ids
from mnist_core.ui import verdicts


def captions(part: Subset, evaluation: Evaluation, index: np.ndarray) -> list[str]:
    """Return a line for each image of `part`; its answer is number index[i] of the evaluation."""
    return [
        f"{name}: {evaluation.labels[i]} read as {evaluation.predicted[i]}, "
        f"{wording.percent(evaluation.confidence[i], 1)} sure"
        for name, i in zip(part.names(), index, strict=True)
    ]


def marks(right: np.ndarray, doubted: np.ndarray) -> list[str]:
    """Return a grid's marks, from bool (N,): right, wrong, or that the label is doubted."""
    return [
        "unclear" if doubt else "right" if is_right else "wrong"
        for is_right, doubt in zip(right, doubted, strict=True)
    ]


def say_doubts(part: Subset, doubted: np.ndarray) -> None:
    """Say how many labels several networks doubt, and how many people found wrong."""
    if number := int(doubted.sum()):
        st.caption(
            f"**?**: {wording.count(number, 'label')} that the best networks do not believe either",
            help="None of several runs, after its last epoch, reads what the label says: perhaps "
            "the label is wrong. **Mistakes**, Doubtful labels, ranks them and chooses the runs.",
        )
    faults = verdicts.of(part.dataset).of("label")
    if number := len(part.among(test_ids(part.dataset, faults))):
        have = "has" if number == 1 else "have"
        st.caption(f"**{number} of these {have} a wrong label**, people said on Mistakes.")
