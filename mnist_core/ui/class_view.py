"""The ten classes of Browse: how many, what they look like on average, which are alike."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import data_figures, selection
from mnist_core.data import Dataset
from mnist_core.ui import chosen, dataset_cache
from mnist_core.ui.chart import chart
from mnist_core.ui.digit_grid import digit_grid

BETWEEN = 12  # images that lie towards the other class
ROWS = {
    "Mean": "What the digits have in common: each pixel's average.",
    "Median": "The value that half of the images exceed: sharper than the mean.",
    "Standard deviation": "Where they differ: pixels with ink in some and none in others.",
}


def class_view(dataset: Dataset) -> None:
    """Draw the classes of the training set; a click on a pair compares the two."""
    classes = dataset_cache.classes()
    distances = classes.distances
    pair = st.session_state.get("class_pair") or _nearest(distances)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        chart(
            data_figures.class_distances(distances, pair),
            key="class_distances",
            height=430,
            on_click=_choose_pair,
        )
        st.caption(
            "Euclidean distance between the mean images, pixels from 0 to 1. Near classes are "
            "confused most easily. Click a pair to compare it."
        )
    digit, other = pair
    with right:
        _ask_pair(digit, other)
        chart(
            data_figures.mean_difference(classes.mean, digit, other),
            key="mean_difference",
            height=250,
        )
        traits = dataset_cache.all_traits()
        for one, another in ((digit, other), (other, digit)):
            between = selection.between_classes(dataset, traits, one, another, BETWEEN)
            st.markdown(f"The {one}s that lie most towards the mean {another}")
            digit_grid(
                between.images,
                captions=[f"{name}: a {one}" for name in between.names()],
                columns=BETWEEN,
                cell=40,
                label=f"{one}s near the mean {another}",
                on_pick=lambda i, ids=between.ids: _open(ids[i]),
                key=f"between_{one == digit}",
            )
    st.subheader("The ten classes of the training set")
    images = (classes.mean, dataset_cache.medians(), np.minimum(classes.deviation * 2, 255))
    for (name, meaning), of_digits in zip(ROWS.items(), images, strict=True):
        st.markdown(f"**{name}.** {meaning}")
        digit_grid(
            np.rint(of_digits).astype(np.uint8),
            captions=[f"{name.lower()} of the {digit}s" for digit in range(10)],
            columns=10,
            cell=90,
            label=f"{name} of each digit",
            key=f"class_{name}",
        )
    chart(
        data_figures.class_balance(selection.counts(dataset.train), selection.counts(dataset.test)),
        key="class_balance",
        height=320,
    )


def _ask_pair(digit: int, other: int) -> None:
    """Draw the question with its two digits to choose: what a click on the chart does, too."""
    st.session_state.update(class_digit=digit, class_other=other)
    with st.container(horizontal=True, key="class_question", vertical_alignment="center"):
        for words, key in (("What makes a", "class_digit"), ("look like a", "class_other")):
            st.markdown(f"**{words}**", width="content")
            st.selectbox(
                words,
                range(10),
                key=key,
                width=72,
                label_visibility="collapsed",
                on_change=_choose_asked,
                args=(digit, other),
            )
        st.markdown("**?**", width="content")


def _choose_asked(digit: int, other: int) -> None:
    """Take the pair of the question; the same digit twice swaps the two."""
    pair = (st.session_state["class_digit"], st.session_state["class_other"])
    st.session_state["class_pair"] = pair if pair[0] != pair[1] else (other, digit)


def _nearest(distances: np.ndarray) -> tuple[int, int]:
    apart = distances + np.diag(np.full(10, np.inf))
    row, column = np.unravel_index(apart.argmin(), apart.shape)
    return int(row), int(column)


def _choose_pair(point: dict) -> None:
    row, column = int(point["y"]), int(point["x"])
    if row != column:
        st.session_state["class_pair"] = (row, column)


def _open(number: int) -> None:
    """Open an image among the digits: this view has no place for it."""
    chosen.open_image(number)
    st.session_state["browse_show"] = "digits"
