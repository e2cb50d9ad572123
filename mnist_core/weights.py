"""The first layer's weights of a run: what its units look for in an image."""

from __future__ import annotations

import numpy as np

from mnist_core.files import UNREADABLE
from mnist_core.layers import IMAGE_SHAPE
from mnist_core.runs import Run, RunsError, moment_name

MOST = 128  # units that are shown


def first_layer(run: Run, moment: float) -> np.ndarray:
    """Return the weights into each unit or filter of the first layer, float32 (U, h, w).

    A dense unit looks at the whole image, 28 × 28; a filter at a piece of its kernel's size. Raises
    RunsError when they were not recorded at that moment, or are not numbers.
    """
    file = run.path / "weights" / f"{moment_name(moment)}.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            kernel = arrays["weights/0"]
    except UNREADABLE as error:
        raise RunsError(f"No readable weights of epoch {moment:g} in {run.id}.") from error
    return as_images(kernel)


def as_images(kernel: np.ndarray) -> np.ndarray:
    """Return a first layer's weights as Keras holds them as images, float32 (U, h, w).

    Raises RunsError for another shape, and for what is no number.
    """
    height, width = IMAGE_SHAPE
    if kernel.ndim == 2 and len(kernel) == height * width:
        images = kernel.T.reshape(-1, height, width)
    elif kernel.ndim == 4 and kernel.shape[2] == 1:
        images = kernel[:, :, 0].transpose(2, 0, 1)
    else:
        raise RunsError(
            f"Expected a kernel (784, units) or (h, w, 1, filters). Received: {kernel.shape}."
        )
    if not np.isfinite(images).all():
        raise RunsError("The weights of this epoch are not all numbers: the training diverged.")
    return images


def mosaic(images: np.ndarray, columns: int) -> np.ndarray:
    """Return images (U, h, w) side by side, zeros where none is: the same dtype (H, W)."""
    count, height, width = images.shape
    rows = -(-count // columns)
    whole = np.zeros((rows * columns, height, width), images.dtype)
    whole[:count] = images
    return whole.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, -1)
