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


def saliency(path: Path, moment: float, image: np.ndarray, answer: int, other: int) -> np.ndarray:
    """Return how much the log-odds rise a unit of ink at each pixel: the gradient.

    K. Simonyan, A. Vedaldi, A. Zisserman (2014), "Deep Inside Convolutional Networks".
    """
    network = models.after_scaling(_cached(path, moment))
    pixels = tf.constant(image[None], tf.float32) / 255
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        outputs = network(pixels, training=False)[0]
        odds = outputs[answer] - outputs[other]
    return tape.gradient(odds, pixels)[0].numpy()


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
