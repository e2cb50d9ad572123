"""What is asked of a trained network; runs in the answering process, where networks stay cached."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import keras
import numpy as np

from mnist_core import models, runs


@lru_cache(maxsize=8)
def _network(path: Path, moment: float, recorded_at: float) -> keras.Sequential:
    """Return a run's network without softmax at a recorded moment; cached by the file's time."""
    run = runs.read(path.name, path.parent)
    model = models.build(run.config)
    with np.load(path / "weights" / f"{runs.moment_name(moment)}.npz") as arrays:
        model.set_weights([arrays[f"weights/{i}"] for i in range(len(model.weights))])
    return models.logits_of(model)


def logits(path: Path, moment: float, images: np.ndarray) -> np.ndarray:
    """Return the logits float32 (N, 10) of images uint8 (N, 28, 28) by the run's network.

    Raises RunsError when the run or its weights at that moment are missing.
    """
    file = path / "weights" / f"{runs.moment_name(moment)}.npz"
    try:
        network = _network(path, moment, file.stat().st_mtime)
    except runs.UNREADABLE as error:
        raise runs.RunsError(f"No readable weights of epoch {moment:g} in {path.name}.") from error
    return np.asarray(network(np.asarray(images, np.uint8), training=False))
