"""What is asked of a trained network; runs in the answering process, where networks stay cached.

What speaks for an answer is measured in *log-odds*: the logit of one digit minus that of another,
the logarithm of how many times more probable the network thinks it. An image is uint8 (28, 28).
Maps are float32 (28, 28), positive where ink speaks for `answer`, negative for `other`; pixels are
scaled to 0–1. All raise RunsError when the run or its weights at that moment are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from mnist_core import files, flipping, models, runs
from mnist_core.config import TrainConfig
from mnist_core.layers import CLASSES, IMAGE_SHAPE
from mnist_core.robustness import measure
from mnist_core.same_step import compare

PATCH = 5  # pixels: the side of what occlusion blanks out
STEPS = 50  # pictures on the way from black to the image
PIXELS = tf.TensorSpec((None, *IMAGE_SHAPE), tf.float32)
DIRECTIONS = tf.TensorSpec((None, CLASSES), tf.float32)


class Network:
    """A run's network without softmax, with the weights of the moment that was last asked for.

    Building one takes 80 ms, other weights 1 to 3 ms. A drawing asks at every movement of the pen,
    so the calls are compiled, for any number of pictures: without, they take five times as long.
    """

    def __init__(self, config: TrainConfig):
        self.whole = models.logits_of(models.build(config))
        self.behind_scaling = models.after_scaling(self.whole)
        self.has: tuple[float, int] | None = None  # the moment of its weights, their file's time

    def take(self, file: Path, moment: float) -> None:
        """Take the weights of a moment from their file, unless it has them."""
        wanted = (moment, file.stat().st_mtime_ns)
        if self.has == wanted:
            return
        with np.load(file) as arrays:
            weights = [arrays[f"weights/{i}"] for i in range(len(self.whole.weights))]
        self.has = None  # one of another shape is found when others are set already
        self.whole.set_weights(weights)
        self.has = wanted

    @cached_property
    def logits(self) -> Callable[..., tf.Tensor]:
        """f(pixels float32 (N, 28, 28)) -> logits float32 (N, 10)."""

        def logits(pixels):
            return self.behind_scaling(pixels, training=False)

        return tf.function(logits, input_signature=[PIXELS])

    @cached_property
    def slopes(self) -> Callable[..., tf.Tensor]:
        """f(pixels float32 (N, 28, 28), directions float32 (N, 10)) -> float32 (N, 28, 28).

        The gradient of each picture's logits · direction by its pixels.
        """

        def slopes(pixels, directions):
            with tf.GradientTape() as tape:
                tape.watch(pixels)
                along = tf.reduce_sum(self.behind_scaling(pixels, training=False) * directions)
            return tape.gradient(along, pixels)

        return tf.function(slopes, input_signature=[PIXELS, DIRECTIONS])


@lru_cache(maxsize=16)
def _built(path: Path) -> Network:
    return Network(runs.read(path.name, path.parent).config)


def _network(path: Path, moment: float) -> Network:
    """Return a run's network as it was at a recorded moment; it is so until the next call."""
    file = path / "weights" / f"{runs.moment_name(moment)}.npz"
    try:
        file.stat()  # first: of a deleted run no network is kept or built
        network = _built(path)
        network.take(file, moment)
    except files.UNREADABLE as error:
        raise runs.RunsError(f"No readable weights of epoch {moment:g} in {path.name}.") from error
    return network


def _scaled(images: np.ndarray) -> np.ndarray:
    """Return uint8 images as float32 pixels 0–1, bit by bit as the scaling layer does."""
    return np.asarray(images, np.float32) * np.float32(1 / 255)


def _direction(answer: int, other: int) -> np.ndarray:
    """Return what log-odds are the product of with the logits, float32 (1, 10)."""
    digits = np.eye(CLASSES, dtype=np.float32)
    return (digits[answer] - digits[other])[None]


def logits(path: Path, moment: float, images: np.ndarray) -> np.ndarray:
    """Return the logits float32 (N, 10) of images uint8 (N, 28, 28) by the run's network."""
    whole = _network(path, moment).whole
    return np.asarray(whole(np.asarray(images, np.uint8), training=False))


def logits_of_pixels(path: Path, moment: float, pixels: np.ndarray) -> np.ndarray:
    """Return the logits float32 (N, 10) of pixels float32 (N, 28, 28), behind the scaling layer.

    Pixels are 0–1 as training had them, or 0–255 to see what leaving out the scaling does.
    """
    return _network(path, moment).logits(np.asarray(pixels, np.float32)).numpy()


def logits_over(path: Path, moments: list[float], pixels: np.ndarray) -> np.ndarray:
    """Return what a run says of one picture's pixels (28, 28) at M moments, float32 (M, 10).

    NaN where the training had diverged.
    """
    picture = pixels[None]
    said = [logits_of_pixels(path, moment, picture) for moment in moments]
    return np.concatenate([np.empty((0, CLASSES), np.float32), *said])


def saliency(path: Path, moment: float, image: np.ndarray, answer: int, other: int) -> np.ndarray:
    """Return how much the log-odds rise a unit of ink at each pixel: the gradient.

    K. Simonyan, A. Vedaldi, A. Zisserman (2014), "Deep Inside Convolutional Networks".
    """
    slopes = _network(path, moment).slopes(_scaled(image[None]), _direction(answer, other))
    return slopes[0].numpy()


def integrated_gradients(
    path: Path, moment: float, image: np.ndarray, answer: int, other: int
) -> np.ndarray:
    """Return each pixel's share of the log-odds that the image has more than a black one.

    Its ink times the mean gradient at STEPS midpoints on the way from black: the shares sum to the
    whole. M. Sundararajan, A. Taly, Q. Yan (2017), "Axiomatic Attribution for Deep Networks".
    """
    pixels = _scaled(image)
    parts = (np.arange(STEPS, dtype=np.float32) + np.float32(0.5)) / STEPS
    directions = np.repeat(_direction(answer, other), STEPS, axis=0)
    slopes = _network(path, moment).slopes(parts[:, None, None] * pixels, directions)
    return pixels * slopes.numpy().mean(axis=0)


def occlusion(path: Path, moment: float, image: np.ndarray, answer: int, other: int) -> np.ndarray:
    """Return how much the log-odds fall when the PATCH × PATCH square around a pixel is blanked.

    M. Zeiler, R. Fergus (2014), "Visualizing and Understanding Convolutional Networks".
    """
    blanked = np.repeat(image[None], image.size, axis=0)
    half = PATCH // 2
    for place, (row, column) in enumerate(np.ndindex(image.shape)):
        rows = slice(max(0, row - half), row + half + 1)
        blanked[place, rows, max(0, column - half) : column + half + 1] = 0
    said = logits(path, moment, np.concatenate([image[None], blanked]))
    odds = said[:, answer] - said[:, other]
    return (odds[0] - odds[1:]).reshape(image.shape)


def flip(path: Path, moment: float, image: np.ndarray, target: int | None = None) -> dict[str, Any]:
    """Return the few pixels whose change makes the network read something else: flipping.flip().

    Raises RunsError where its answers are not numbers.
    """
    network = _network(path, moment)

    def said(images: np.ndarray) -> np.ndarray:
        found = network.logits(_scaled(images)).numpy()
        if not np.isfinite(found).all():
            raise runs.RunsError(runs.NOT_NUMBERS)
        return found

    def slopes(images: np.ndarray, directions: np.ndarray) -> np.ndarray:
        return network.slopes(_scaled(images), directions).numpy()

    return flipping.flip(image, target, said, slopes)


def robustness(path: Path, moment: float, name: str, level: float) -> dict[str, Any]:
    """Measure how well distorted digits are read and keep it with the run: robustness.measure()."""
    run = runs.read(path.name, path.parent)
    return measure(run, moment, name, level, lambda images: logits(path, moment, images))


def same_step(path: Path, moment: float, image: np.ndarray, label: int) -> dict[str, Any]:
    """Return how far Keras and the equations in NumPy are apart: same_step.compare()."""
    return compare(runs.read(path.name, path.parent), moment, image, label)
