"""Which images a run trains on, with which labels, and in which order: of the seed alone.

The exported script holds these functions' source, so they need nothing but NumPy and one another.
"""

from __future__ import annotations

import numpy as np


def choose(
    labels: np.ndarray, size: int | None, validation_share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of training and of validation images, int64, sorted and disjoint.

    `labels` (N,). The stratified validation share, 0 ≤ share < 1, is taken first, so it does not
    depend on `size`; then a stratified subset of `size` images of what remains, or all of it where
    `size` is None or larger. The same arguments give the same indices. Raises ValueError when no
    training image would be left.
    """
    if not 0 <= validation_share < 1:
        raise ValueError(f"Expected 0 <= validation_share < 1. Received: {validation_share}.")
    classes, counts = np.unique(labels, return_counts=True)
    held_out = in_proportion(counts, round(validation_share * len(labels)))
    remaining = int((counts - held_out).sum())
    size = remaining if size is None else min(size, remaining)
    if size < 1:
        raise ValueError(
            f"Expected at least one training image. Received: size {size} with {len(labels)} "
            f"labels and validation_share {validation_share}."
        )
    taken = in_proportion(counts - held_out, size)
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    training, validation = [], []
    for label, first, more in zip(classes, held_out, taken, strict=True):
        members = shuffled[labels[shuffled] == label]
        validation.append(members[:first])
        training.append(members[first : first + more])
    return np.sort(np.concatenate(training)), np.sort(np.concatenate(validation))


def in_proportion(counts: np.ndarray, total: int) -> np.ndarray:
    """Divide `total` in proportion to `counts`, what is left over by the largest remainders."""
    shares, remainders = np.divmod(counts * total, counts.sum())
    by_remainder = np.argsort(-remainders, kind="stable")
    shares[by_remainder[: total - shares.sum()]] += 1
    return shares


def wrong_labels(
    labels: np.ndarray, chosen: np.ndarray, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels with a share of the chosen images' made wrong, and which images those are.

    labels uint8 (N,), chosen (n,) indices into them; returns uint8 (N,) and sorted indices of
    round(share · n) images. Each gets one of the nine wrong labels, all equally likely.
    """
    random = np.random.default_rng([seed, 1_000_000])  # beyond every epoch_order()
    spoiled = np.sort(random.choice(chosen, round(share * len(chosen)), replace=False))
    given = labels.copy()
    given[spoiled] = (labels[spoiled] + random.integers(1, 10, len(spoiled))) % 10
    return given, spoiled


def epoch_order(seed: int, size: int, epoch: int) -> np.ndarray:
    """Return the permutation of `size` images for an epoch (0-based), int64 (size,)."""
    return np.random.default_rng([seed, epoch]).permutation(size)
