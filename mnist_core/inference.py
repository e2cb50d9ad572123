"""What is asked of a trained network; runs in the answering process, where networks stay cached.

What speaks for an answer is measured in *log-odds*: the logit of one digit minus that of another,
the logarithm of how many times more probable the network thinks it. An image is uint8 (28, 28).
Maps are float32 (28, 28), positive where ink speaks for `answer`, negative for `other`; pixels are
scaled to 0–1. All raise RunsError when the run or its weights at that moment are missing.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mnist_core import files, models, runs

STEPS = 128  # of the path from black to the image
PATCH = 5  # pixels: the side of what occlusion blanks out


@lru_cache(maxsize=8)
def _network(path: Path, moment: float, recorded_at: float) -> keras.Sequential:
    """Return a run's network without softmax at a recorded moment; cached by the file's time."""
    run = runs.read(path.name, path.parent)
    model = models.build(run.config)
    with np.load(path / "weights" / f"{runs.moment_name(moment)}.npz") as arrays:
        model.set_weights([arrays[f"weights/{i}"] for i in range(len(model.weights))])
    return models.logits_of(model)


def _cached(path: Path, moment: float) -> keras.Sequential:
    file = path / "weights" / f"{runs.moment_name(moment)}.npz"
    try:
        return _network(path, moment, file.stat().st_mtime)
    except files.UNREADABLE as error:
        raise runs.RunsError(f"No readable weights of epoch {moment:g} in {path.name}.") from error


def logits(path: Path, moment: float, images: np.ndarray) -> np.ndarray:
    """Return the logits float32 (N, 10) of images uint8 (N, 28, 28) by the run's network."""
    network = _cached(path, moment)
    return np.asarray(network(np.asarray(images, np.uint8), training=False))


def _gradients(
    path: Path, moment: float, pixels: np.ndarray, answer: int, other: int
) -> np.ndarray:
    """Return d(log-odds)/d(pixel) for images float32 (N, 28, 28) of 0–1, the same shape."""
    network = models.after_scaling(_cached(path, moment))
    inputs = tf.constant(pixels)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = network(inputs, training=False)
        odds = outputs[:, answer] - outputs[:, other]
    return tape.gradient(odds, inputs).numpy()


def saliency(path: Path, moment: float, image: np.ndarray, answer: int, other: int) -> np.ndarray:
    """Return how much the log-odds rise a unit of ink at each pixel: the gradient.

    K. Simonyan, A. Vedaldi, A. Zisserman (2014), "Deep Inside Convolutional Networks".
    """
    return _gradients(path, moment, _scaled(image)[None], answer, other)[0]


def integrated_gradients(
    path: Path, moment: float, image: np.ndarray, answer: int, other: int
) -> np.ndarray:
    """Return each pixel's share of what the image's ink adds to the log-odds of a black image.

    The mean gradient on the way from black to the image, times the ink; it sums to the difference,
    up to the rounding of STEPS midpoints. M. Sundararajan, A. Taly, Q. Yan (2017), "Axiomatic
    Attribution for Deep Networks".
    """
    pixels = _scaled(image)
    way = ((np.arange(STEPS, dtype=np.float32) + 0.5) / STEPS)[:, None, None]
    return pixels * _gradients(path, moment, way * pixels, answer, other).mean(axis=0)


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


def _scaled(image: np.ndarray) -> np.ndarray:
    return np.asarray(image, np.float32) / 255
