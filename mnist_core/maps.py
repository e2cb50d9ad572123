"""Two-dimensional maps of a sample of images: similar digits lie close together."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator

import numpy as np

from mnist_core import training_set
from mnist_core.data import Dataset
from mnist_core.selection import Subset, ids_of

SAMPLE = 5000
TSNE_STEPS = 1000
METHODS = {"pca": "PCA", "tsne": "t-SNE"}


def sample(dataset: Dataset, split: str, size: int = SAMPLE) -> Subset:
    """Return the images on the map: a fixed, stratified sample of a split."""
    every = Subset(dataset, ids_of(dataset, split))
    return every[training_set.choose(every.labels, size, 0.0, seed=0)[0]]


def pca(images: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the two principal components of images uint8 (N, 28, 28) and what they explain.

    float64 (N, 2), pixels scaled to 0–1, and their share of the variance, 0 to 1. Written out,
    because importing scikit-learn's costs the server 90 MB; the tests compare the two. As there, a
    component's largest entry is positive.
    """
    flat = images.reshape(-1, 784)
    mean = flat.mean(0) / 255
    scatter = np.zeros((784, 784))
    for _, chunk in _centred(flat, mean):
        scatter += chunk.T @ chunk
    variances, directions = np.linalg.eigh(scatter.astype(np.float32))
    largest = directions[:, :-3:-1]
    largest = largest * np.sign(largest[abs(largest).argmax(0), [0, 1]])
    positions = np.empty((len(flat), 2))
    for rows, chunk in _centred(flat, mean):
        positions[rows] = chunk @ largest
    return positions, float(variances[-2:].sum() / max(variances.sum(), 1e-3))


def _centred(flat: np.ndarray, mean: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows and their images as float32 (n, 784), some at a time: all would be 16 MB."""
    for start in range(0, len(flat), 500):
        rows = slice(start, start + 500)
        yield rows, (flat[rows] / np.float32(255) - mean).astype(np.float32)


def tsne(images: np.ndarray, progress: Callable[[float], None]) -> np.ndarray:
    """Return scikit-learn's t-SNE of images uint8 (N, 28, 28), float32 (N, 2).

    From the first 50 principal components, as its authors advise. `progress` hears 0 to 1 from
    what scikit-learn prints every 50 steps. 5,000 images take about 20 seconds.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    class Steps(io.TextIOBase):
        def write(self, text: str) -> int:
            if found := re.search(r"Iteration (\d+)", text):
                progress(int(found[1]) / TSNE_STEPS)
            return len(text)

    flat = images.reshape(-1, 784).astype(np.float32) / 255
    flat = PCA(min(50, *flat.shape), random_state=0).fit_transform(flat)
    perplexity = min(30, (len(images) - 1) / 3)
    model = TSNE(2, perplexity=perplexity, max_iter=TSNE_STEPS, init="pca", random_state=0,
                 verbose=2)  # fmt: skip
    with contextlib.redirect_stdout(Steps()):
        positions = model.fit_transform(flat)
    progress(1.0)  # it may have stopped early
    return positions
