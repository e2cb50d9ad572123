"""What takes long to find out about a dataset: worked out once in a worker, then kept on disk.

<runs>/analyses/<fingerprint>/tsne-training.npz    the arrays of an analysis
                              tsne-training.json   how far it is: {"fraction": 0.4}
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnist_core import data, files, maps, neighbours

Progress = Callable[[float], None]


def _tsne(dataset: data.Dataset, split: str, progress: Progress) -> dict[str, np.ndarray]:
    found = maps.sample(dataset, split)
    return {"ids": found.ids, "positions": maps.tsne(found.images, progress)}


def _nearest(dataset: data.Dataset, split: str, progress: Progress) -> dict[str, np.ndarray]:
    index, distance = neighbours.nearest_of_each(
        dataset.test.images, dataset.train.images, progress
    )
    return {"index": index, "distance": distance}


# name: what a worker does with the dataset and a split ("training", "test" or "both")
ANALYSES = {"tsne": _tsne, "nearest": _nearest}


def _place(root: Path, fingerprint: str, name: str, split: str) -> Path:
    return root / "analyses" / fingerprint[:16] / f"{name}-{split}.npz"


def kept(root: Path, fingerprint: str, name: str, split: str) -> dict[str, np.ndarray] | None:
    """Return the arrays of an analysis of ANALYSES, or None when it was not made yet."""
    with (
        contextlib.suppress(*files.UNREADABLE, TypeError),  # TypeError: a single array
        open(_place(root, fingerprint, name, split), "rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return dict(arrays)
    return None


def fraction(root: Path, fingerprint: str, name: str, split: str) -> float:
    """Return how far a worker is with an analysis, 0 to 1."""
    line = files.read_json(_place(root, fingerprint, name, split).with_suffix(".json"))
    return float(line.get("fraction", 0.0))


def make(root: Path, source: str, fingerprint: str, name: str, split: str) -> None:
    """Make an analysis of the dataset at `source` and keep it; a worker runs this.

    Raises DataRefused when the data cannot be read or are others by now, OSError when nothing can
    be written.
    """
    dataset = data.open_source(source)
    if dataset.fingerprint != fingerprint:
        raise data.DataRefused(f"Expected the data that were opened. Received: others in {source}.")
    place = _place(root, dataset.fingerprint, name, split)
    place.parent.mkdir(parents=True, exist_ok=True)
    said = place.with_suffix(".json")

    def progress(fraction: float) -> None:
        files.write_json(said, {"fraction": round(fraction, 3)})

    try:
        arrays = ANALYSES[name](dataset, split, progress)
        files.write_arrays(place, np.savez_compressed, **arrays)
    finally:
        said.unlink(missing_ok=True)
