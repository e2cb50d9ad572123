"""Which images of a split, in which order: what the grids show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mnist_core.data import Split


def counts(split: Split) -> np.ndarray:
    """Return how many images of each digit a split has, int64 (10,)."""
    return np.bincount(split.labels, minlength=10)


def arrange(split: Split, digits: Iterable[int] = (), seed: int | None = None) -> np.ndarray:
    """Return the indices of these digits' images (none named: all), int64 (n,).

    In the split's order, or shuffled by a seed >= 0: the same seed gives the same order.
    """
    digits = list(digits)
    chosen = np.isin(split.labels, digits) if digits else np.ones(len(split), bool)
    index = np.flatnonzero(chosen)
    return index if seed is None else np.random.default_rng(seed).permutation(index)


def first_of_each(split: Split, number: int) -> np.ndarray:
    """Return the indices of the first `number` images of each digit, a row of ten at a time."""
    rows = [np.flatnonzero(split.labels == digit)[:number] for digit in range(10)]
    return np.array([row[i] for i in range(number) for row in rows if i < len(row)], np.int64)
