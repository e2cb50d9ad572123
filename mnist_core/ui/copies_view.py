"""Before training: how many images there are, and whether some are in both sets."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import data_figures, wording
from mnist_core.data import Dataset
from mnist_core.selection import Subset
from mnist_core.ui import chosen, dataset_cache, sheet
from mnist_core.ui.chart import chart
from mnist_core.ui.digit_grid import digit_grid

PAIRS = 30  # shown at most


def copies_view(dataset: Dataset) -> None:
    """State the sizes of the splits, exact copies, and how near the test set is to training."""
    copies = dataset_cache.exact_copies()
    train, test = len(dataset.train), len(dataset.test)
    with st.container(horizontal=True, key="split_sizes"):
        st.metric("Training images", wording.count(train), width=170)
        st.metric("Test images", wording.count(test), width=170)
        st.metric("Test images also in training", wording.count(copies["across"]), width=240)
        st.metric("Repeated in training", wording.count(copies["training"]), width=190)
        st.metric("Repeated in test", wording.count(copies["test"]), width=190)
    st.write(
        "A network should be tested on images that it has not seen. "
        + (
            "No test image is, pixel by pixel, also a training image."
            if not copies["across"]
            else f"{wording.count(copies['across'], 'test image')} can be learned by heart."
        )
    )
    found = dataset_cache.analysis("nearest", "test")
    if found is None:
        _compare(test)
    else:
        _nearest(dataset, found["index"], found["distance"])


def _nearest(dataset: Dataset, index: np.ndarray, distance: np.ndarray) -> None:
    order = np.argsort(distance, kind="stable")
    limit = st.slider(
        "Call a pair nearly the same up to a distance of",
        0.0,
        3.0,
        1.0,
        0.05,
        key="near_limit",
        persist_state="session",
    )
    near = order[distance[order] <= limit]
    pairs, picture = st.columns(2, gap="medium")
    with picture:
        chart(data_figures.nearest_distances(distance, limit), key="nearest", height=300)
        same = dataset.train.labels[index] == dataset.test.labels
        st.markdown(
            f"Reading every test digit as its nearest training digit is already right for "
            f"**{wording.percent(float(same.mean()))}**: a network has to do better."
        )
    with pairs:
        shown = order[:PAIRS]
        st.markdown(
            f"**{wording.count(len(near), 'test image')}** of {wording.count(len(distance))} "
            f"{'has' if len(near) == 1 else 'have'} a training image within {limit:.2f}. "
            + f"The {len(shown)} nearest pairs:"
        )
        ids = np.column_stack([shown + len(dataset.train), index[shown]]).ravel()
        both = Subset(dataset, ids)
        apart = np.repeat(distance[shown], 2)
        picked = digit_grid(
            both.images,
            captions=[
                f"{name}: a {label}; the two are {gap:.2f} apart"
                for name, label, gap in zip(both.names(), both.labels, apart, strict=True)
            ],
            columns=10,
            height=250,
            label="Test images, each followed by its nearest training image",
            key="near_pairs",
        )
        sheet.send_picked(both, picked, key="pair_to_draw")
        st.caption("Each test image is followed by its nearest training image.")
        st.button(
            "Select these test images",
            on_click=chosen.select,
            args=(near + len(dataset.train),),
            disabled=not len(near),
            key="select_near",
        )


@st.fragment(run_every=1.0)
def _compare(test: int) -> None:
    """Have every test image compared with every training image; show how far that is."""
    if dataset_cache.analysis("nearest", "test") is not None:
        st.rerun()
    fraction, problem = dataset_cache.analysis_progress("nearest", "test")
    if problem:
        st.error(f"The sets could not be compared. {wording.verbatim(problem)}")
        st.button(
            "Try again",
            on_click=dataset_cache.start_analysis,
            args=("nearest", "test"),
            key="again",
        )
        return
    if fraction is None:
        dataset_cache.start_analysis("nearest", "test")
    st.progress(
        fraction or 0.0,
        f"Looking for the nearest training image of all {wording.count(test, 'test image')}: "
        f"{fraction or 0:.0%}. This is done once.",
    )
