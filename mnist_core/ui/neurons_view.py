"""The neuron bench: what each hidden unit does, and what is lost without it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import neuron_cut, neuron_figures, neurons, runs, wording
from mnist_core.data import Dataset
from mnist_core.moment import Moment
from mnist_core.neurons import Bench, Change
from mnist_core.ui import chapters, chosen, explained, frame, neuron_card, neuron_choice, resources
from mnist_core.ui.chart import chart
from mnist_core.ui.digit_grid import digit_grid
from mnist_core.ui.neuron_choice import Edits

MOST = 128  # units that are drawn
SHOWN = 60  # lost and won digits
HEIGHT, GRID = 298, 100  # CSS pixels: both above the bar of a projector's 720


def neurons_view() -> None:
    """Draw the first hidden layer's units of the current network."""
    at = explained.network()
    written = resources.recorded_at(at.run, "weights", at.epoch)
    try:
        dataset = resources.dataset_of(at.run)
        found = _bench(at.run.id, at.epoch, written, at, dataset)
    except neuron_cut.NoUnits as error:
        _without_units(str(error), at.run.config.convolutional)
        return
    except (runs.RunsError, ValueError) as error:
        st.error(f"{wording.verbatim(str(error))} Choose another epoch, or another run, below.")
        return
    _lab(found, dataset)


@st.cache_resource(show_spinner=False, max_entries=2)
def _bench(run_id: str, epoch: float, written: int, _at: Moment, _dataset: Dataset) -> Bench:
    return neurons.bench(_at.network, _dataset.test.images, _dataset.test.labels)


def _without_units(why: str, filters: bool) -> None:
    if why == neuron_cut.NO_HIDDEN_LAYER:
        st.info(f"{why} There is no unit to switch off; the weights to each digit can be seen.")
        if st.button("See the weights on Evaluate", key="to_weights"):
            st.session_state["evaluate"] = "Weights"
            st.switch_page("pages/evaluate.py", query_params={"evaluate": "Weights"})
        return
    st.info(f"{why} Single units can be switched off in networks that begin with a dense layer.")
    if filters:
        chapters.on("Convolution", "See the filters", "What they look for in a digit.")
    else:
        chapters.on("One digit", "One digit's way", "What this network does instead.")


@st.fragment
def _lab(found: Bench, dataset: Dataset) -> None:
    """Draw the bench; a click on it draws only this anew."""
    frame.draw_more()
    neuron_choice.arrive(found.units)
    top = st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="neuron_controls"
    )
    with top:
        order = found.order(_order(found))
    unit = neuron_choice.unit(found.units, int(order[0]))
    off, edits = neuron_choice.off(found.units), neuron_choice.edits()
    with top:
        _switches(unit, off)
    alone = found.after([unit])
    now = found.after(off, edits) if off or edits else None
    st.markdown(_result(found, unit, alone, now, _what(off, edits)), help=_help(found))
    neuron_choice.show_problems(found.units)
    left, right = st.columns([13, 10], gap="medium")
    with left, st.container(gap="small", key="neuron_units"):
        _mosaic(found, order, unit, off)
        _changed(now or alone, dataset)
        _caption(found)
    with right, st.container(gap="small", key="neuron_one"):
        neuron_card.card(found, dataset, unit, unit in off, edits)
    chapters.on("The walk", "The walk", "The whole app in ten steps, in the order of the paper.")
    neuron_choice.to_url()
    chosen.to_url()


def _order(found: Bench) -> str:
    return st.segmented_control(
        "Order",
        neurons.ORDERS,
        default=neurons.ORDERS[0],
        required=True,
        format_func=lambda name: (
            "Highest output" if name == "Fires most" and not found.can_be_silent else name
        ),
        key="neuron_order",
        persist_state="session",
        label_visibility="collapsed",
        help="Missed most: most digits are lost without it. Favourite digit: by the digit for "
        "which its mean output is highest.",
    )


def _switches(unit: int, off: set[int]) -> None:
    st.button(
        f"Switch {'on' if unit in off else 'off'} unit {unit}", key="switch_unit",
        on_click=neuron_choice.switch, args=(unit,),
    )  # fmt: skip
    st.button(
        f"Switch all on again ({len(off)})" if off else "Switch all on again",
        key="switch_all_on", on_click=neuron_choice.switch_all_on, disabled=not off,
        help=None if off else "No unit is off.",
    )  # fmt: skip


def _what(off: set[int], edits: Edits) -> str:
    """Return what is not as it was learned."""
    parts = []
    if off:
        its = "its output is" if len(off) == 1 else "their outputs are"
        parts.append(f"{wording.count(len(off), 'unit')} off ({its} 0)")
    if edits:
        parts.append(f"{wording.count(len(edits), 'weight')} changed")
    return " and ".join(parts)


def _result(found: Bench, unit: int, alone: Change, now: Change | None, what: str) -> str:
    """Return the accuracy as it is now; with all as learned, also without the chosen unit."""
    before = wording.percent(alone.before.accuracy)
    if now is None:
        return (
            f"**{before}** of {wording.count(len(found.labels), 'test digit')} are read rightly. "
            f"Without unit {unit}: **{wording.percent(alone.after.accuracy)}**, {_counts(alone)}."
        )
    after = wording.percent(now.after.accuracy)
    return f"**{before} → {after}** with {what}: {_counts(now)}. {_by_digit(now)}"


def _counts(change: Change) -> str:
    lost = wording.count(len(change.lost), "digit")
    return f"{lost} lost, {wording.count(len(change.won))} won"


def _by_digit(change: Change) -> str:
    lost = change.lost_by_digit()
    most = [digit for digit in np.argsort(-lost, kind="stable")[:3].tolist() if lost[digit]]
    said = ", ".join(f"{lost[digit]:,} of the {digit}s" for digit in most)
    return f"Lost most: {said}." if most else ""


def _help(found: Bench) -> str:
    sample = ""
    if not found.direct:
        digits = wording.count(found.singles.digits, "test digit")
        sample = f" The order “Missed most” is measured on the first {digits} only."
    return (
        "A unit that is switched off puts out 0 for every digit. Lost: read rightly before, "
        f"wrongly now. Won: the other way round.{sample}"
    )


def _mosaic(found: Bench, order: np.ndarray, unit: int, off: set[int]) -> None:
    shown = order[:MOST]

    def clicked(point: dict) -> None:
        if isinstance(number := point["customdata"], int | float) and number < found.units:
            if point["add"]:
                neuron_choice.switch(int(number))
            neuron_choice.choose(int(number))

    texts = [f"unit {each}: {neuron_card.does(found, each)}" for each in shown]
    chart(
        neuron_figures.units(
            found.incoming[shown], shown.tolist(), texts, chosen=unit, off=off
        ),
        key="neurons",
        height=HEIGHT,
        on_click=clicked,
    )  # fmt: skip


def _caption(found: Bench) -> None:
    count = wording.count(found.units, "unit")
    some = f"The first {MOST} of {count} in this order" if found.units > MOST else f"All {count}"
    st.caption(
        f"{some} of the first hidden layer: ink on blue raises a unit's sum, on red lowers it.",
        help="A click chooses a unit. With Shift or Ctrl it also switches the unit off, or on.",
    )


def _changed(change: Change, dataset: Dataset) -> None:
    """Draw the digits that are lost and won, and the way to follow one of them."""
    lost, won = change.lost[:SHOWN], change.won[: SHOWN // 3]
    index = np.concatenate([lost, won])
    if not len(index):
        with st.container(height=GRID, border=False, key="neuron_none_lost"):
            st.caption("No digit is lost, and none is won.")
        return
    groups = {name: len(part) for name, part in (("lost", lost), ("won", won)) if len(part)}
    digit_grid(
        dataset.test.images[index],
        captions=[
            f"test image {i:,}: a {change.before.labels[i]}, read as {change.before.predicted[i]} "
            f"before and as {change.after.predicted[i]} now"
            for i in index
        ],
        groups=groups,
        cell=38,
        height=GRID,
        label="Lost and won digits",
        on_pick=lambda place: neuron_card.pick(dataset, index[place]),
        key="neuron_lost",
    )
    if len(change.lost) > SHOWN:
        st.caption(f"The {SHOWN} surest of {len(change.lost):,} lost digits are shown.")
