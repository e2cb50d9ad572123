"""The training images that look most like a digit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from mnist_core.data import Dataset
from mnist_core.selection import Subset
from mnist_core.ui import dataset_cache
from mnist_core.ui.digit_grid import digit_grid

NEAREST = 5  # of a class


def nearest(
    dataset: Dataset, image: np.ndarray, digits: Sequence[int], keys: Sequence[str], without=None
) -> None:
    """Draw for each of `digits` the nearest training images of an image, uint8 (28, 28).

    `without` is the training image that is not to be found, by its index.
    """
    train = dataset.train
    search = dataset_cache.training_neighbours(dataset)
    for digit, key in zip(digits, keys, strict=True):
        left_out = train.labels != digit
        if without is not None:
            left_out[without] = True
        index, distances = search.nearest(image, NEAREST, without=left_out)
        near = Subset(dataset, index)
        st.markdown(
            f"Nearest {digit}s, at a distance of {distances[0]:.1f} and more"
            if len(near)
            else f"There is no training image of {digit}.",
            help="Euclidean distance, pixels from 0 to 1",
        )
        digit_grid(
            near.images,
            captions=[
                f"{name}: {far:.2f} away"
                for name, far in zip(near.captions(), distances, strict=True)
            ],
            columns=NEAREST,
            cell=50,
            label=f"Nearest training images of {digit}",
            key=key,
        )
