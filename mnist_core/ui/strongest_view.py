"""Where in a digit a filter's strongest response comes from, and which digits please it most."""

from __future__ import annotations

import hashlib

import numpy as np
import streamlit as st

from mnist_core import convolution_figures as figures
from mnist_core import receptive
from mnist_core.data import Dataset
from mnist_core.moment import Moment
from mnist_core.receptive import Responses, Stage
from mnist_core.ui import chapters, frame, resources
from mnist_core.ui import chosen as images
from mnist_core.ui import convolution_chosen as chosen
from mnist_core.ui.chart import chart
from mnist_core.ui.convolution_chosen import Place
from mnist_core.ui.explained import KINDS, Explained
from mnist_core.ui.stage_words import in_words, three

DIGITS = 500  # test digits that are looked through
BEST = 9
AT_ONCE = 2_000_000  # multiplications a digit; 500 digits of such a network take about 0.2 s


def chapter(digit: Explained, convolutions: list[Stage], place: Place) -> None:
    """Draw the strongest response in the digit, and the test digits with the strongest ones."""
    chapters.heading(5, "Where a strong response comes from")
    at, values = digit.moment, digit.found.values
    of_map = place.stage.maps(values)[..., place.map]
    row, column = receptive.strongest_place(of_map)
    seen = receptive.field(at.network, values, place.stage.end, row, column)
    top, left, bottom, right = seen.frame
    whole, cut, words = st.columns([2, 2, 3], gap="small")
    with whole:
        figure = figures.image(digit.image, "In the digit", "digit", limit=255, frames=[seen.frame])
        chart(figure, key="conv_digit", height=250)
    with cut:
        figure = figures.image(digit.image[seen.cut], "Cut out", "digit", limit=255)
        chart(figure, key="conv_cut", height=250)
    with words:
        name = f"Filter {place.map + 1} of {place.stage.name}"
        strongest = float(of_map[row, column])
        if strongest > 0:
            st.write(
                f"{name} answers strongest, with **{three(strongest)}**, at "
                f"{in_words(row, column)} of its map. That value looks at "
                f"**{bottom - top + 1}×{right - left + 1} pixels** of the digit, its receptive "
                "field: the frame."
            )
        else:
            st.write(
                f"{name} answers with nothing above 0 to this digit. The frame is what its "
                f"value at {in_words(row, column)} looks at."
            )
        st.button(
            "Look at this place above",
            key="conv_to_strongest",
            on_click=chosen.look_at,
            args=(place.layer, place.map, row, column),
        )
    _best(digit, place)


def _best(digit: Explained, place: Place) -> None:
    at, values = digit.moment, digit.found.values
    dataset = resources.dataset_of(at.run)
    looked_through = min(DIGITS, len(dataset.test))
    wanted = st.session_state.setdefault("conv_look_for", {})  # run -> True
    if receptive.cost(at.network, values) > AT_ONCE and not wanted.get(at.run.id):
        st.button(
            f"Find the {BEST} test digits it answers strongest to",
            key="conv_find",
            on_click=wanted.update,
            args=({at.run.id: True},),
            help=f"Looks through the first {looked_through}, which takes some seconds.",
        )
        return
    found = _responses(at, dataset)[place.layer]
    best = found.best(place.map, BEST)
    frames = [
        receptive.field(at.network, values, place.stage.end, *found.places[n, place.map]).frame
        for n in best
    ]
    texts = [three(float(found.values[n, place.map])) for n in best]

    def pick(click) -> None:
        number = figures.clicked_digit(click["x"])
        if 0 <= number < len(best):
            test = len(dataset.train) + int(best[number])
            images.open_image(test, dataset.fingerprint)
            st.session_state["digit_is"] = KINDS[0]  # and not a drawing any more
            frame.change_more()

    chart(
        figures.digits(dataset.test.images[best], frames, texts),
        key="conv_best",
        height=165,
        on_click=pick,
    )
    st.caption(
        f"Of the first {looked_through} test digits those with its strongest responses, and where. "
        "Click one to follow it."
    )


def _responses(at: Moment, dataset: Dataset) -> list[Responses]:
    weights = hashlib.blake2b(digest_size=16)
    for layer in at.network:
        if layer.kind in ("Conv2D", "BatchNormalization"):
            for array in layer.weights.values():
                weights.update(np.ascontiguousarray(array))
    return _kept_responses(at.run.id, at.epoch, weights.hexdigest(), dataset.fingerprint, at,
                           dataset.test.images[:DIGITS])  # fmt: skip


@st.cache_resource(show_spinner=False, max_entries=2)
def _kept_responses(run_id, epoch, weights, fingerprint, _at: Moment, _images: np.ndarray):
    return receptive.responses(_at.network, _images)
