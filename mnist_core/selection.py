"""Which images, in which order: what the grids show.

Images of both splits share one numbering: an *id* is the position in the training set followed by
the test set. So a selection can hold images of both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_core.data import Dataset, Split
from mnist_core.traits import Traits
from mnist_core.view import View


@dataclass(frozen=True, eq=False)
class Subset:
    """Some images of a dataset, in an order: ids int64 (N,), each once."""

    dataset: Dataset
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, positions) -> Subset:
        """Return the images at these positions (a slice, indices or a mask), in their order."""
        return Subset(self.dataset, self.ids[positions])

    @property
    def of_test(self) -> np.ndarray:
        """bool (N,): which are images of the test set."""
        return self.ids >= len(self.dataset.train)

    @property
    def is_test_set(self) -> bool:
        return len(self) == len(self.dataset.test) and bool(self.of_test.all())

    @property
    def index(self) -> np.ndarray:
        """int64 (N,): each image's index within its own split."""
        return np.where(self.of_test, self.ids - len(self.dataset.train), self.ids)

    @property
    def images(self) -> np.ndarray:
        """uint8 (N, 28, 28)"""
        return self._gather("images")

    @property
    def labels(self) -> np.ndarray:
        """uint8 (N,)"""
        return self._gather("labels")

    def _gather(self, name: str) -> np.ndarray:
        # Never the two splits joined: that would be another 55 MB.
        train, test = (getattr(split, name) for split in (self.dataset.train, self.dataset.test))
        of_test, index = self.of_test, self.index
        gathered = np.empty((len(self), *train.shape[1:]), np.uint8)
        gathered[~of_test] = train[index[~of_test]]
        gathered[of_test] = test[index[of_test]]
        return gathered

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """Return where images with these ids are here, int64; those not here are left out."""
        return np.flatnonzero(np.isin(self.ids, ids))

    def among(self, ids: np.ndarray) -> Subset:
        """Return those of the images that have one of these ids, in the same order."""
        return self[self.positions(ids)]

    def position(self, one: int | None) -> int | None:
        """Return where the image with this id is, or None."""
        found = self.positions(np.array([-1 if one is None else one]))
        return int(found[0]) if len(found) else None

    @property
    def title(self) -> str:
        """The first image's name with a capital letter."""
        name = self[:1].names()[0]
        return name[0].upper() + name[1:]

    def names(self) -> list[str]:
        """Return "training image 1,234" or "test image 5" for each."""
        pairs = zip(self.of_test, self.index, strict=True)
        return [f"{'test' if test else 'training'} image {index:,}" for test, index in pairs]

    def captions(self) -> list[str]:
        """Return "training image 1,234: 7" for each."""
        return [f"{name}: {label}" for name, label in zip(self.names(), self.labels, strict=True)]


def ids_of(dataset: Dataset, split: str) -> np.ndarray:
    """Return the ids of a split ("training", "test" or "both"), int64, in order."""
    trained, total = len(dataset.train), len(dataset.train) + len(dataset.test)
    bounds = {"training": (0, trained), "test": (trained, total), "both": (0, total)}
    return np.arange(*bounds[split])


def test_ids(dataset: Dataset, index: np.ndarray) -> np.ndarray:
    """Return the ids of test images given by their index in the test set, int64."""
    return len(dataset.train) + np.asarray(index, np.int64)


def one_image(dataset: Dataset, one: int) -> Subset:
    """Return the image with this id as a Subset of one."""
    return Subset(dataset, np.array([one], np.int64))


def counts(split: Split) -> np.ndarray:
    """Return how many images of each digit a split has, int64 (10,)."""
    return np.bincount(split.labels, minlength=10)


def arrange(
    dataset: Dataset,
    view: View,
    traits: Callable[[], Traits],
    among: np.ndarray | None = None,
) -> Subset:
    """Return the images that a view shows, in its order; `among` (ids) leaves only those.

    `traits()` is called only where the view needs what must be measured first.

    Most and least typical compare an image with its own class: first comes the most typical of
    each digit, then the second of each, and so on. Ties stay in the order of the index.
    """
    found = Subset(dataset, ids_of(dataset, view.split))
    index = found.index
    keep = (index >= view.first) & (index <= (np.inf if view.last is None else view.last))
    if view.digits:
        keep &= np.isin(found.labels, view.digits)
    if view.ink != (0, 100):
        low, high = view.ink
        ink = traits().ink[found.ids] * 100
        keep &= (ink >= low) & (ink <= high)
    if among is not None:
        keep &= np.isin(found.ids, among)
    found = found[keep]
    if view.order == "shuffled":
        return found[np.random.default_rng(view.seed).permutation(len(found))]
    if view.order == "index":
        return found
    measured = traits()
    if view.order in ("typical", "atypical"):
        sign = 1 if view.order == "typical" else -1
        return found[_in_rounds(sign * measured.from_own_mean[found.ids], found.labels)]
    key = {
        "thick": -measured.thickness,
        "thin": measured.thickness,
        "slanted": -abs(measured.slant),
    }[view.order]
    return found[np.argsort(key[found.ids], kind="stable")]


def _in_rounds(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the order: each label's smallest value, then each label's second, and so on."""
    order = np.argsort(values, kind="stable")
    by_label = order[np.argsort(labels[order], kind="stable")]
    sizes = np.bincount(labels, minlength=10)
    rounds = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return by_label[np.argsort(rounds, kind="stable")]


def between_classes(
    dataset: Dataset, traits: Traits, digit: int, other: int, number: int
) -> Subset:
    """Return the training images of `digit` that lie most towards the mean of `other`."""
    own = np.flatnonzero(dataset.train.labels == digit)
    closer = traits.distances[own, other] - traits.distances[own, digit]
    return Subset(dataset, own[np.argsort(closer, kind="stable")[:number]])


def first_of_each(split: Split, number: int) -> np.ndarray:
    """Return the indices of the first `number` images of each digit, a row of ten at a time."""
    rows = [np.flatnonzero(split.labels == digit)[:number] for digit in range(10)]
    return np.array([row[i] for i in range(number) for row in rows if i < len(row)], np.int64)
