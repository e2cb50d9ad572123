"""The map of Browse: a sample of images as points, similar digits close together."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import data_figures, maps, wording
from mnist_core.selection import Subset
from mnist_core.ui import chosen, dataset_cache
from mnist_core.ui.chart import chart

NEAR = 12  # neighbours that light up
MODEBAR = {
    "displayModeBar": True,
    "modeBarButtons": [["lasso2d", "select2d", "pan2d", "zoom2d", "resetScale2d"]],
    "scrollZoom": True,
}


def digit_map(found: Subset, split: str, opened_id: int | None, height: int) -> None:
    """Draw the map of a split's sample; what `found` filters out is faint."""
    with st.container(horizontal=True, key="map_controls", vertical_alignment="center"):
        method = st.segmented_control(
            "Method",
            list(maps.METHODS),
            format_func=maps.METHODS.get,
            required=True,
            key="map_method",
            label_visibility="collapsed",
            help="**PCA** looks at the digits from the direction in which they differ most. "
            "**t-SNE** moves points until neighbours among the digits are neighbours on the map; "
            "distances between groups mean little.",
        )
        sample = dataset_cache.map_sample(split)
        images = wording.count(len(sample), "image")
        st.caption(
            f"{images} of the {_named(split)}. {_finding(method, split)}",
            width="content",
            help="A fixed sample, as many of each digit as in the whole. Point at one to see it, "
            "click to open it and light up its nearest. Draw around several to select them; with "
            "Shift they are added. The arrow keys go from one to the next.",
        )
    with st.container(height=height, border=False, key="map_place"):
        place = _positions(method, split)
        if place is None:
            _offer_tsne(split)
            return
        positions, axes = place
        here, near = sample.position(opened_id), None
        if here is not None:
            image = sample[[here]].images[0]
            near, _ = dataset_cache.map_neighbours(split).nearest(image, NEAR, without=here)
        chart(
            data_figures.digit_map(
                positions,
                sample.labels,
                axes,
                shown=np.isin(sample.ids, found.ids),
                selected=np.isin(sample.ids, chosen.ids()),
                opened=here,
                neighbours=near,
            ),
            key="digit_map",
            height=height - 8,
            on_click=lambda point: _open(sample, point),
            on_select=lambda places, add: chosen.select(sample.ids[places], add),
            digits=dataset_cache.map_digits(split),
            label="Map of the digits. Arrow keys move, Enter opens, Space selects",
            config=MODEBAR,
        )


def _named(split: str) -> str:
    return "training and test set" if split == "both" else f"{split} set"


def _open(sample: Subset, point: dict) -> None:
    if point["customdata"] is not None:
        chosen.open_image(sample.ids[int(point["customdata"])])


def _finding(method: str, split: str) -> str:
    if method == "pca":
        share = wording.percent(dataset_cache.pca_map(split)[1], 0)
        return f"This flat view keeps {share} of how the digits differ."
    return "Groups mean something; distances between groups do not."


def _positions(method: str, split: str) -> tuple[np.ndarray, tuple[str, str]] | None:
    """Return where the points are and the axes' names, or None: not worked out yet."""
    if method == "pca":
        return dataset_cache.pca_map(split)[0], ("first component", "second component")
    kept = dataset_cache.analysis("tsne", split)
    if kept is None or not np.array_equal(kept.get("ids"), dataset_cache.map_sample(split).ids):
        return None
    return kept["positions"], ("t-SNE 1", "t-SNE 2")


@st.fragment(run_every=1.0)
def _offer_tsne(split: str) -> None:
    """Offer to have t-SNE worked out; show how far that is, and the map when it is there."""
    if _positions("tsne", split) is not None:
        st.rerun()
    fraction, problem = dataset_cache.analysis_progress("tsne", split)
    if problem:
        st.error(f"t-SNE could not be worked out. {wording.verbatim(problem)}")
    if fraction is not None:
        st.progress(fraction, f"Working out t-SNE beside the app: {fraction:.0%}")
        return
    st.info(
        "t-SNE places similar digits next to each other. Working it out takes about half a minute, "
        "once; then it is kept."
    )
    st.button(
        "Work out t-SNE",
        type="primary",
        key="start_tsne",
        on_click=dataset_cache.start_analysis,
        args=("tsne", split),
    )
