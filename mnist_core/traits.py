"""What can be measured on every image, and the mean image of each digit; in one pass each.

The images stay uint8: floats exist only for some hundred at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mnist_core.data import Dataset, Split

DARK = 128  # a pixel of at least this value counts as dark
CHUNK = 200  # images that are floats at a time: 0.6 MB stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Classes:
    """Each digit's training images, pixel by pixel; float64 (10, 28, 28), 0 to 255.

    A digit without images has zeros.
    """

    mean: np.ndarray
    deviation: np.ndarray  # standard deviation, divided by N

    @property
    def distances(self) -> np.ndarray:
        """float64 (10, 10): Euclidean distance between class means, pixels scaled to 0–1."""
        flat = self.mean.reshape(10, -1) / 255
        return np.linalg.norm(flat[:, None] - flat[None], axis=-1)


@dataclass(frozen=True, eq=False)
class Traits:
    """Measures of all images of a dataset, the training set's first (see selection.py), float32.

    `ink` (N,): share of dark pixels, 0 to 1. `thickness` (N,): of the stroke, in pixels. `slant`
    (N,): degrees, positive leans to the right. `centre` (N, 2): centre of mass as row and column.
    `distances` (N, 10): Euclidean distance to the mean training image of each digit, pixels scaled
    to 0–1. `labels` uint8 (N,).
    """

    labels: np.ndarray
    ink: np.ndarray
    thickness: np.ndarray
    slant: np.ndarray
    centre: np.ndarray
    distances: np.ndarray

    @property
    def from_own_mean(self) -> np.ndarray:
        """float32 (N,): the distance to the mean of the image's own class."""
        return self.distances[np.arange(len(self.labels)), self.labels]


def measure_classes(split: Split) -> Classes:
    """Return mean and standard deviation of each digit's images."""
    sums, squares = np.zeros((2, 10, 784))
    for rows, chunk in _chunks(split):
        of_class = (split.labels[rows] == np.arange(10)[:, None]).astype(np.float32)
        sums += of_class @ chunk
        squares += of_class @ np.square(chunk)
    n = np.maximum(np.bincount(split.labels, minlength=10), 1)[:, None]
    mean = sums / n
    deviation = np.sqrt(np.maximum(squares / n - mean**2, 0))
    return Classes(mean.reshape(10, 28, 28), deviation.reshape(10, 28, 28))


def median_images(split: Split) -> np.ndarray:
    """Return the median of each digit's images, pixel by pixel, float64 (10, 28, 28), 0 to 255."""
    medians = np.zeros((10, 28, 28))
    for digit in np.unique(split.labels):
        medians[digit] = np.median(split.images[split.labels == digit], axis=0)
    return medians


def measure(dataset: Dataset, classes: Classes) -> Traits:
    """Return the traits of all images; `classes` are those of the training set."""
    parts = [measure_split(split, classes) for split in (dataset.train, dataset.test)]
    both = zip(*(vars(part).values() for part in parts), strict=True)
    return Traits(*map(np.concatenate, both))


def measure_split(split: Split, classes: Classes) -> Traits:
    """Return the traits of a split's images alone."""
    n = len(split)
    ink, thickness, slant = np.empty((3, n), np.float32)
    centre, distances = np.empty((n, 2), np.float32), np.empty((n, 10), np.float32)
    row, column = (axis.ravel() - 13.5 for axis in np.mgrid[:28, :28])
    products = np.stack([np.ones(784), row, column, row * row, row * column], axis=1)
    products = products.astype(np.float32)
    means = (classes.mean.reshape(10, 784) / 255).astype(np.float32)
    for rows, chunk in _chunks(split):
        ink[rows] = (split.images[rows] >= DARK).mean((1, 2))
        chunk /= 255
        mass, by_row, by_column, by_row_2, by_both = (chunk @ products).T
        thickness[rows] = 2 * mass / np.maximum(_outline(chunk), 1e-6)
        mass = np.maximum(mass, 1e-6)  # an empty image: nothing is divided by zero
        y, x = by_row / mass, by_column / mass
        centre[rows] = np.stack([y, x], axis=1) + 13.5
        slant[rows] = _slant(by_row_2 / mass - y * y, by_both / mass - y * x)
        squared = np.square(chunk).sum(1)[:, None] - 2 * chunk @ means.T + np.square(means).sum(1)
        # Rounded, so that equal images have equal distances whatever stands beside them.
        distances[rows] = np.round(np.sqrt(np.maximum(squared, 0)), 4)
    return Traits(split.labels, ink, thickness, slant, centre, distances)


def _slant(variance: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return how far the stroke leans, in degrees, from the rows' variance and the covariance.

    It is the shear that makes rows and columns uncorrelated. Rows count downwards, so leaning to
    the right is a negative covariance.
    """
    # Rounding must not tilt a stroke of one row, whose variance is 0.
    return -np.degrees(np.arctan2(covariance, np.maximum(variance, 0.01)))


def _outline(chunk: np.ndarray) -> np.ndarray:
    """Return the length of each image's outline in pixels: the sum of the gradient's magnitude.

    A stroke of length L and width w has an area of L·w and an outline of 2·L, so that its width is
    twice the area divided by the outline.
    """
    images = np.zeros((len(chunk), 30, 30), np.float32)  # with background around
    images[:, 1:-1, 1:-1] = chunk.reshape(-1, 28, 28)
    here = images[:, :-1, :-1]
    down, across = images[:, 1:, :-1] - here, images[:, :-1, 1:] - here
    down *= down
    across *= across
    down += across
    return np.sqrt(down, out=down).sum((1, 2))


def _chunks(split: Split) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows and their images as float32 (n, 784), 0 to 255."""
    for start in range(0, len(split), CHUNK):
        rows = slice(start, start + CHUNK)
        yield rows, split.images[rows].reshape(-1, 784).astype(np.float32)
