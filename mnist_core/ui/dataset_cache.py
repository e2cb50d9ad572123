"""What is known of the dataset the app runs on: worked out once, shared by all sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from mnist_core import analyses, maps, neighbours, runs, traits, workers
from mnist_core.data import Dataset
from mnist_core.selection import Subset
from mnist_core.ui import resources
from mnist_core.ui.chart import StoredDigits


def classes() -> traits.Classes:
    return _known("classes")


def medians() -> np.ndarray:
    """float64 (10, 28, 28), 0 to 255"""
    return _known("medians")


def all_traits() -> traits.Traits:
    return _known("traits")


def training_neighbours(dataset: Dataset | None = None) -> neighbours.Neighbours:
    """`dataset` None: the one the app runs on."""
    dataset = dataset or resources.dataset()
    return _worked_out("neighbours", "", dataset.fingerprint, dataset)


def exact_copies() -> dict[str, int]:
    return _known("copies")


def map_sample(split: str) -> Subset:
    return _known("sample", split)


def map_digits(split: str) -> StoredDigits:
    """The map's digits, packed for the browser."""
    return _known("digits", split)


def map_neighbours(split: str) -> neighbours.Neighbours:
    return _known("map neighbours", split)


def pca_map(split: str) -> tuple[np.ndarray, float]:
    return _known("pca", split)


def _digits(dataset, split: str) -> StoredDigits:
    found = map_sample(split)
    return StoredDigits(found.images, found.captions())


_KINDS = {
    "classes": lambda dataset, split: traits.measure_classes(dataset.train),
    "medians": lambda dataset, split: traits.median_images(dataset.train),
    "traits": lambda dataset, split: traits.measure(dataset, classes()),
    "neighbours": lambda dataset, split: neighbours.Neighbours(dataset.train.images),
    "copies": lambda dataset, split: neighbours.exact_copies(dataset),
    "sample": maps.sample,
    "digits": _digits,
    "map neighbours": lambda dataset, split: neighbours.Neighbours(map_sample(split).images),
    "pca": lambda dataset, split: maps.pca(map_sample(split).images),
}


def _known(what: str, split: str = ""):
    dataset = resources.dataset()
    return _worked_out(what, split, dataset.fingerprint, dataset)


@st.cache_resource(show_spinner=False, max_entries=24)
def _worked_out(what: str, split: str, fingerprint: str, _dataset):
    return _KINDS[what](_dataset, split)


def analysis(name: str, split: str) -> dict[str, np.ndarray] | None:
    """Return what a worker found out (analyses.py), or None where nobody has asked yet."""
    kept = _kept(name, split, resources.dataset().fingerprint, _root())
    if kept is None:
        _kept.clear(name, split, resources.dataset().fingerprint, _root())
    return kept


@st.cache_resource(show_spinner=False, max_entries=8)
def _kept(name: str, split: str, fingerprint: str, root: Path) -> dict[str, np.ndarray] | None:
    return analyses.kept(root, fingerprint, name, split)


def start_analysis(name: str, split: str) -> None:
    dataset = resources.dataset()
    workers.analyse(_root(), dataset.source, dataset.fingerprint, name, split)


def analysis_progress(name: str, split: str) -> tuple[float | None, str | None]:
    """Return how far a worker is, 0 to 1 or None when none is at it, and why it failed."""
    fingerprint = resources.dataset().fingerprint
    future = workers.analysis(_root(), fingerprint, name, split)
    if future is None:
        return None, None
    if not future.done():
        return analyses.fraction(_root(), fingerprint, name, split), None
    error = future.exception()
    return None, None if error is None else str(error) or type(error).__name__


def _root() -> Path:
    return runs.runs_folder()
