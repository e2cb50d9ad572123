"""One image, opened: its pixels, its shape, its nearest neighbours, what a network says of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from mnist_core import data_figures, evaluation_figures, runs, traits, wording
from mnist_core.data import Split
from mnist_core.selection import Subset
from mnist_core.ui import chosen, dataset_cache, explained, frame, resources, sheet, walk
from mnist_core.ui.chart import chart
from mnist_core.ui.digit_grid import digit_grid

NEIGHBOURS = 16
VALUES = {False: "0–255", True: "0–1"}


def panel(
    one: Subset, found: Subset, page_size: int, instead: Callable[[], None] | None = None
) -> None:
    """Draw the opened image, a Subset of one; previous and next lead through `found`.

    Beside it are its nearest neighbours, or what `instead` draws.
    """
    image, label = one.images[0], int(one.labels[0])
    walk.heading(f"{one.title}: a {label}", one, found, "browse_page", page_size)
    shape = traits.measure_split(Split(image[None], one.labels), dataset_cache.classes())
    centre = (float(shape.centre[0, 0]), float(shape.centre[0, 1]))
    normalized = st.session_state.get("browse_normalized", False)
    picture, near = st.columns([5, 4], gap="small")
    with picture:
        chart(
            data_figures.pixels(image, centre, normalized=normalized),
            key="browse_pixels",
            height=290,
        )
    with st.container(horizontal=True, key="pixel_values", vertical_alignment="center"):
        st.segmented_control(
            "Values",
            list(VALUES),
            format_func=VALUES.get,
            default=False,
            required=True,
            persist_state="session",
            key="browse_normalized",
            label_visibility="collapsed",
            help="The network sees each pixel divided by 255: the paper's first equation.",
        )
        if st.button("Enlarge", key="enlarge"):
            _enlarged(image, label, centre, normalized, one.title)
        with st.container(horizontal=True, key="browse_send", gap="small"):
            sheet.send(image, label, key="browse_to_draw")
            explained.offer(int(one.ids[0]), one.dataset.fingerprint, key="explain_image")
    st.caption(_shape(image, shape, label))
    with near:
        if instead:
            instead()
        else:
            _neighbours(one, image, label)
    _ask_the_network(image, label)


def _shape(image: np.ndarray, shape: traits.Traits, label: int) -> str:
    slant, width = float(shape.slant[0]), float(shape.thickness[0])
    leans = f"leans {abs(slant):.0f}° to the {'right' if slant > 0 else 'left'}"
    return (
        f"{np.count_nonzero(image)} of 784 pixels have ink, {wording.percent(shape.ink[0], 0)} "
        f"strong ink. The stroke is {width:.1f} pixels wide and {leans}. Distance to the average "
        f"{label}: {shape.from_own_mean[0]:.1f}. The cross is the centre of mass."
    )


@st.dialog("Pixel by pixel", width="large")
def _enlarged(image, label: int, centre, normalized: bool, title: str) -> None:
    st.markdown(
        f"**{title}: a {label}.** Each pixel is a number from 0, background, "
        "to 255, full ink. The network sees it divided by 255:"
    )
    st.latex(r"x_{\text{normalized}} = \frac{x}{255}")
    chart(
        data_figures.pixels(image, centre, normalized=normalized, written=True),
        key="pixels_large",
        height=540,
    )


def _neighbours(one: Subset, image: np.ndarray, label: int) -> None:
    dataset, number = one.dataset, int(one.ids[0])
    index, distances = dataset_cache.training_neighbours().nearest(
        image, NEIGHBOURS, without=number if number < len(dataset.train) else None
    )
    near = Subset(dataset, index)
    labels = near.labels
    same = int((labels == label).sum())
    st.markdown(
        f"**{len(near)} nearest**, {distances[0]:.1f}–{distances[-1]:.1f} away: "
        + (f"all {label}s" if same == len(near) else f"{same} are {label}s"),
        help=f"The most similar of all {wording.count(len(dataset.train))} training images, by "
        "Euclidean distance, pixels from 0 to 1. A cross marks another label. A click opens one.",
    )
    digit_grid(
        near.images,
        captions=[
            f"{name}: a {digit}, {distance:.2f} away"
            for name, digit, distance in zip(near.names(), labels, distances, strict=True)
        ],
        marks=["" if digit == label else "wrong" for digit in labels],
        columns=4,
        cell=46,
        label="Nearest training images",
        on_pick=lambda i: chosen.open_image(index[i]),
        key="neighbours",
    )


def _ask_the_network(image: np.ndarray, label: int) -> None:
    """Offer what the current run's network, at the cursor's epoch, says of the opened image."""
    run, moment = frame.current_run(), frame.current_moment()
    if moment is None or not st.toggle("What does the network say?", key="browse_ask"):
        return
    try:
        with st.spinner("Asking the network"):
            answer = resources.ask_probabilities(run, moment, image)
    except runs.RunsError as error:
        st.error(str(error))
        return
    chart(evaluation_figures.probabilities(answer, label), key="browse_answer", height=280)
