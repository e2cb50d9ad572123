"""The chosen unit: its weights, what it does for each digit, and which digits excite it most."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from mnist_core import neuron_figures, wording
from mnist_core.data import Dataset
from mnist_core.neurons import Bench
from mnist_core.ui import chapters, chosen, explained, frame, neuron_choice
from mnist_core.ui.chart import chart
from mnist_core.ui.digit_grid import digit_grid
from mnist_core.ui.neuron_choice import Edits
from mnist_core.ui.neuron_edit import weight_slider

HEIGHT = 194  # CSS pixels, of a chart


def card(found: Bench, dataset: Dataset, unit: int, is_off: bool, edits: Edits) -> None:
    """Draw the chosen unit: its weights, what it does for each digit, what excites it most."""
    _heading(found, unit, is_off)
    learned, outgoing = found.incoming[unit], None
    if found.direct:
        outgoing = _edited(found.outgoing[unit], unit, "out", edits)
    default = int(abs(learned).argmax())
    weight = neuron_choice.weight(unit, default, found.direct, found.has_bias)
    picture, bars = st.columns([1, 1], gap="small")
    with picture:
        chart(
            neuron_figures.one_unit(
                _edited(learned, unit, "in", edits), float(abs(learned).max()),
                weight.index if weight.kind == "in" else None,
            ),
            key="neuron_weights", height=HEIGHT, on_click=_pixel_clicked,
        )  # fmt: skip
    with bars:
        chart(
            neuron_figures.bars(
                found.means[unit], outgoing, weight.index if weight.kind == "out" else None
            ),
            key="neuron_bars", height=HEIGHT, on_click=_bar_clicked if found.direct else None,
        )  # fmt: skip
    _strongest(found, dataset, unit)
    weight_slider(found, weight, edits, is_off)


def _edited(learned: np.ndarray, unit: int, kind: str, edits: Edits) -> np.ndarray:
    """Return a unit's weights of one kind as they are now, a copy in the same shape."""
    now = learned.copy()
    for weight, value in edits.items():
        if (weight.unit, weight.kind) == (unit, kind):
            now.flat[weight.index] = value
    return now


def _pixel_clicked(point: dict) -> None:
    neuron_choice.choose_weight("in", int(point["y"]) * 28 + int(point["x"]))


def _bar_clicked(point: dict) -> None:
    if point["curve"] == 1:
        neuron_choice.choose_weight("out", int(point["x"]))


def _heading(found: Bench, unit: int, is_off: bool) -> None:
    st.session_state["neuron_number"] = unit
    with st.container(horizontal=True, vertical_alignment="center", key="neuron_heading"):
        st.number_input(
            "Unit", 0, found.units - 1, key="neuron_number", width=120,
            label_visibility="collapsed",
            on_change=lambda: neuron_choice.choose(st.session_state["neuron_number"]),
        )  # fmt: skip
        state = " (off)" if is_off else ""
        st.markdown(f"**Unit {unit}{state}**: {does(found, unit)}", width="stretch")


def _strongest(found: Bench, dataset: Dataset, unit: int) -> None:
    if found.silent[unit]:
        st.caption("No test digit excites it.")
        return
    index, outputs = found.strongest(unit)
    digit_grid(
        dataset.test.images[index],
        captions=[
            f"test image {i:,}: a {dataset.test.labels[i]}, output {output:.2f}"
            for i, output in zip(index, outputs, strict=True)
        ],
        cell=33,
        label=f"The test digits that excite unit {unit} most",
        on_pick=partial(_pick_among, dataset, index),
        key="neuron_strongest",
    )
    _follow(dataset)


def _pick_among(dataset: Dataset, index: np.ndarray, place: int) -> None:
    pick(dataset, index[place])


def pick(dataset: Dataset, index: int) -> None:
    """Open a test digit, which can then be followed through the network."""
    number = len(dataset.train) + int(index)
    chosen.open_image(number, dataset.fingerprint)
    st.session_state["neuron_picked"] = int(index)


def _follow(dataset: Dataset) -> None:
    """Offer the way to the opened digit's numbers."""
    index = st.session_state.get("neuron_picked")
    if index is None or index >= len(dataset.test):
        st.caption("The test digits that excite it most. A click on a digit opens it.")
        return
    st.button(
        f"Follow test image {index:,}, a {dataset.test.labels[index]}, through the network",
        type="tertiary", icon=":material/arrow_forward:", key="follow_digit",
        on_click=_follow_digit, args=(dataset, index),
    )  # fmt: skip


def _follow_digit(dataset: Dataset, index: int) -> None:
    pick(dataset, index)
    st.session_state["digit_is"] = explained.KINDS[0]
    chapters.show("One digit")
    frame.change_more()


def does(found: Bench, unit: int) -> str:
    """Say in a few words what a unit does."""
    if found.silent[unit]:
        return "never fires: it does nothing for any test digit"
    favourite = f"highest for a {found.favourite[unit]}"
    if found.can_be_silent:
        return f"{favourite}, fires on {wording.percent(found.fires[unit], 0)} of the digits"
    return f"{favourite}, mean output {found.mean[unit]:.2f}"
