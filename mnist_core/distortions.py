"""Nine ways to distort digits, each from harmless to severe, to see how much a network stands.

A level is one number in a unit of its own; at the neutral level nothing happens at all. What is
random is drawn from the image and a seed alone: an image looks the same in whatever company, and
at a higher level it gets more of the same noise.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mnist_core import augmentation

SIDE, MIDDLE = 28, 20  # pixels: an image's side, and the side of the middle that holds MNIST's ink


@dataclass(frozen=True)
class Distortion:
    """One way to distort; `levels` ascend, and the first and last are the limits of apply()."""

    key: str
    title: str
    unit: str
    levels: tuple[float, ...]
    neutral: float
    change: Callable[[np.ndarray, float, int], np.ndarray]  # (images, level, seed), both checked

    def apply(self, images: np.ndarray, level: float, seed: int = 0) -> np.ndarray:
        """Return images uint8 (N, 28, 28) distorted, as new ones: uint8 (N, 28, 28).

        The seed, not negative, is of noise and erase. Raises ValueError for another shape or dtype
        and for a level beyond the limits.
        """
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
            raise ValueError(
                f"Expected images as uint8 (N, 28, 28). Received: {images.dtype} {images.shape}."
            )
        low, high = self.levels[0], self.levels[-1]
        if not low <= level <= high:
            raise ValueError(f"Expected {self.key} from {low:g} to {high:g}. Received: {level}.")
        return images.copy() if level == self.neutral else self.change(images, float(level), seed)


def _moved(
    images: np.ndarray, right: float = 0.0, degrees: float = 0.0, zoom: float = 1.0
) -> np.ndarray:
    movement = np.array([right, 0, degrees, zoom], np.float32)
    return augmentation.move(images, np.tile(movement, (len(images), 1)))


def rotate(images: np.ndarray, degrees: float, seed: int) -> np.ndarray:
    """Rotate counter-clockwise about the middle, bilinearly."""
    return _moved(images, degrees=degrees)


def shift(images: np.ndarray, right: float, seed: int) -> np.ndarray:
    """Shift to the right, bilinearly; what leaves the image is lost."""
    return _moved(images, right=right)


def zoom(images: np.ndarray, factor: float, seed: int) -> np.ndarray:
    """Zoom about the middle, bilinearly."""
    return _moved(images, zoom=factor)


def blur(images: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Blur by a Gaussian of standard deviation `sigma` pixels; beyond the border there is no ink.

    Its columns and its rows each by a matrix product, ten times as fast as tap by tap.
    """
    apart = np.arange(SIDE) - np.arange(SIDE)[:, None]
    taps = np.arange(-SIDE, SIDE + 1)
    sigma = max(sigma, 0.01)  # so narrow it reaches no neighbour, and its square is not 0
    weights = np.exp(-((apart / sigma) ** 2) / 2) / np.exp(-((taps / sigma) ** 2) / 2).sum()
    weights = weights.astype(np.float32)
    return _rounded(weights @ images.astype(np.float32) @ weights)


def noise(images: np.ndarray, deviation: float, seed: int) -> np.ndarray:
    """Add Gaussian noise of a standard deviation given as a share of full scale, then clip."""
    noisy = images.astype(np.float32)
    for image, random in zip(noisy, _generators(images, seed), strict=True):
        image += random.standard_normal(image.shape, np.float32) * np.float32(255 * deviation)
    return _rounded(np.clip(noisy, 0, 255, out=noisy))


def thicken(images: np.ndarray, radius: float, seed: int) -> np.ndarray:
    """Grey dilation by a disc: each pixel becomes the largest value within `radius` pixels.

    Between whole radii the ring up to the next one counts by the fraction: the disc's soft edge.
    """
    whole, fraction = int(radius), np.float32(radius % 1)
    reach = math.ceil(radius)
    framed = np.pad(images, ((0, 0), (reach, reach), (reach, reach)))
    disc, ring = images.copy(), np.zeros_like(images)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if (apart := math.hypot(down, right)) > reach:
                continue
            window = framed[:, reach + down :, reach + right :][:, :SIDE, :SIDE]
            into = disc if apart <= whole else ring
            np.maximum(into, window, out=into)
    return np.maximum(disc, _rounded(ring * fraction), out=disc) if fraction else disc


def thin(images: np.ndarray, radius: float, seed: int) -> np.ndarray:
    """Grey erosion by the same disc: what thickens the ground. Beyond the border nothing erodes."""
    return 255 - thicken(255 - images, radius, seed)


def invert(images: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Mix with the negative: (1 − share) · x + share · (255 − x)."""
    return _rounded(images * np.float32(1 - 2 * share) + np.float32(255 * share))


def erase(images: np.ndarray, side: float, seed: int) -> np.ndarray:
    """Blank a square within the middle 20×20, of a broken side the last row and column in part."""
    draws = np.array([random.random(2) for random in _generators(images, seed)]).reshape(-1, 2)
    first = (SIDE - MIDDLE) // 2 + np.floor(draws * (MIDDLE + 1 - math.ceil(side)))
    # How much of each row, and of each column, the square covers: (N, 28), 0 to 1.
    down, right = (np.clip(np.arange(SIDE) - start[:, None], -1, side) for start in first.T)
    covered = [np.clip(side - place, 0, 1) * (place >= 0) for place in (down, right)]
    left = 1 - covered[0][:, :, None] * covered[1][:, None, :]
    return _rounded(images * left.astype(np.float32))


def _generators(images: np.ndarray, seed: int) -> Iterator[np.random.Generator]:
    """Yield a generator for each image: of its pixels and the seed, not of its place."""
    for image in np.ascontiguousarray(images):
        yield np.random.default_rng([seed, zlib.crc32(image)])


def _rounded(values: np.ndarray) -> np.ndarray:
    """Return float values 0–255 as the nearest uint8."""
    return (values + np.float32(0.5)).astype(np.uint8)


_ALL = (
    Distortion("rotate", "Rotate", "° counter-clockwise",
               (-60, -45, -30, -15, 0, 15, 30, 45, 60), 0, rotate),
    Distortion("shift", "Shift", "pixels to the right", (-8, -6, -4, -2, 0, 2, 4, 6, 8), 0, shift),
    Distortion("zoom", "Zoom", "× its size",
               (0.5, 0.625, 0.75, 0.875, 1, 1.125, 1.25, 1.375, 1.5), 1, zoom),
    Distortion("blur", "Blur", "width in pixels",
               (0, 0.375, 0.75, 1.125, 1.5, 1.875, 2.25, 2.625, 3), 0, blur),
    Distortion("noise", "Noise", "share of full scale",
               (0, 0.075, 0.15, 0.225, 0.3, 0.375, 0.45, 0.525, 0.6), 0, noise),
    Distortion("thicken", "Thicken", "pixels of radius",
               (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5), 0, thicken),
    Distortion("thin", "Thin", "pixels of radius",
               (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5), 0, thin),
    Distortion("invert", "Invert", "share of the negative",
               (0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1), 0, invert),
    Distortion("erase", "Erase", "pixels of side", (0, 2, 4, 6, 8, 10, 12, 14, 16), 0, erase),
)  # fmt: skip
DISTORTIONS: dict[str, Distortion] = {one.key: one for one in _ALL}
