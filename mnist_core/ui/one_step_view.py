"""One learning step: the chain rule from one digit's loss back to every weight, then the step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from mnist_core import blocks, explain_figures, runs, step_equations, wording
from mnist_core.blocks import Block
from mnist_core.layout import Index, Layout
from mnist_core.optimizers import OPTIMIZERS
from mnist_core.ui import chapters, explained, frame, optimizer_view
from mnist_core.ui.chapters import chapter, equation
from mnist_core.ui.chart import chart
from mnist_core.ui.explained import Explained


@dataclass(frozen=True, eq=False)
class Chosen:
    """A layer with the unit and the weight of it whose numbers are filled in, and its words."""

    block: Block
    layout: Layout
    unit: int
    index: Index
    what: str  # unit, filter or output
    words: str
    name: str  # under which the session holds the unit

    @property
    def first(self) -> int:
        """From which filters and units are counted on the screen."""
        return int(self.what == "filter")


L2 = " L2 adds its own part, 2 λ w: it draws every weight towards 0."


@st.fragment
def one_step_view() -> None:
    """Draw the choice of the digit, then the step that the optimizer would take with it."""
    frame.draw_more()
    digit = explained.choose()
    step = digit.moment.next_step(digit.found)
    try:
        remembered = digit.moment.memory
    except runs.RunsError as error:
        st.warning(f"{wording.verbatim(str(error))} The step itself is left out.")
        remembered = None
    layers = blocks.blocks(digit.moment.network)
    chosen = [_chosen(digit, block, block is layers[-1]) for block in layers]
    _error(digit, chosen[-1])
    for number, one in enumerate(reversed(chosen), start=2):
        _back(number, digit, layers, one)
    if remembered is not None:
        optimizer_view.update_chapter(len(layers) + 2, step, chosen)
        optimizer_view.after_chapter(len(layers) + 3, step)
        optimizer_view.keras_chapter(len(layers) + 4, digit)
    chapters.to_url()
    if layers[0].kind == "Conv2D":
        chapters.on("Convolution", "Convolution", "What the filters of this network look for.")
    else:
        chapters.on("Neurons", "The neuron bench", "What each hidden unit does.")


def _chosen(digit: Explained, block: Block, output: bool) -> Chosen:
    """Return the weight of a layer that is followed: a clicked one, else the steepest."""
    layer = digit.moment.network[block.sums]
    kernel = layer.weights["kernel"]
    layout = Layout(kernel.shape, blocks.from_pixels(digit.moment.network, block))
    strength = abs(digit.found.slopes[block.sums + 1][0].reshape(-1, kernel.shape[-1])).sum(axis=0)
    name = chapters.unit_of(block.title, layout.pixels)
    own = chapters.chosen_unit(name, strength)
    unit = chapters.chosen_digit(digit.answer) if output else own
    clicked = st.session_state.setdefault("step_cells", {}).get(block.title)
    index = clicked and layout.index(*clicked, unit)
    if index is None:
        slopes = digit.found.gradients[block.sums]["kernel"][..., unit]
        index = (*map(int, np.unravel_index(abs(slopes).argmax(), slopes.shape)), unit)
    what = "filter" if block.kind == "Conv2D" else "output" if output else "unit"
    units_before = any(each.kind == "Dense" for each in digit.moment.network[: block.sums])
    words = layout.in_words(index, "unit" if units_before else "input", what)
    return Chosen(block, layout, unit, index, what, words, name)


def _the(title: str) -> str:
    """Return a layer's title within a sentence: "the hidden layer", but "convolution 2"."""
    return title if title[-1].isdigit() else f"the {title}"


def _take_cell(title: str, click: dict) -> None:
    """Follow the weight of a clicked cell, also in the optimizer's step."""
    st.session_state["step_cells"][title] = (int(click["y"]), int(click["x"]))
    st.session_state["step_layer"] = title


def _error(digit: Explained, output: Chosen) -> None:
    found, squared = digit.found, digit.found.loss_name == "mean_squared_error"
    title = OPTIMIZERS[digit.moment.run.config.optimizer].title
    words, image = chapter(
        1, "The error at the output",
        f"Follow the step that {title} would take if its next batch were this one digit. How does "
        "the loss change when a logit grows a little? This slope is called **gradient**, here δ.",
    )  # fmt: skip
    write = step_equations.squared_slope if squared else step_equations.output_slope
    with words:
        equation(write(found.probabilities[0], digit.label, output.unit))
        if not squared:
            st.markdown(
                "Softmax and cross-entropy together have this simple slope: what was said, minus "
                "what should have been said."
            )
        st.caption("Click a bar to follow another digit's output.")
        if note := _as_when_answering(digit):
            st.caption(note)
    with image:
        chart(
            explain_figures.bars(
                found.slopes[-1][0], output.unit, across="digit", up="δ", what="digit"
            ),
            key="step_error", height=230, on_click=chapters.take_digit,
        )  # fmt: skip


def _as_when_answering(digit: Explained) -> str:
    """Return what is otherwise in training, in words; "" where nothing is."""
    kinds = {layer.kind for layer in digit.moment.network}
    parts = [
        words
        for kind, words in (
            ("Dropout", "dropout switches units off at random"),
            ("BatchNormalization", "batch normalization takes means and deviations of the batch"),
        )
        if kind in kinds
    ]
    return f"In training {' and '.join(parts)}; here not, as when the network answers." * bool(
        parts
    )


def _back(number: int, digit: Explained, layers: list[Block], one: Chosen) -> None:
    """Draw a layer's part in the chain rule: its slopes, and the gradient of a unit's weights."""
    block, found = one.block, digit.found
    output, filters = block is layers[-1], block.kind == "Conv2D"
    words, image = chapter(
        number, f"Back through {_the(block.title)}",
        "Every weight took part in the loss through the sum it stands in: its gradient g is what "
        "came in there, times the sum's own slope δ."
        + " A filter's weight is used at every place, so all places are added." * filters
        + L2 * bool(digit.moment.network[block.sums].decay),
    )  # fmt: skip
    slopes = found.slopes[block.sums + 1][0]
    with words:
        if not output:
            with st.container(horizontal=True, key=f"step_unit_{number}"):
                chapters.unit_field(
                    one.name, one.unit, slopes.shape[-1], what=one.what.capitalize(),
                    first=one.first,
                )  # fmt: skip
            _slope_of_sum(digit, layers, one)
        equation(_slope_of_weight(digit, one))
        st.caption(f"The weight {one.words}. Click another in the picture.")
    with image:
        if not output:
            each = slopes if slopes.ndim == 1 else slopes.sum(axis=(0, 1))
            up = "δ, all places" if filters else "δ"
            chart(
                explain_figures.bars(
                    each, one.unit, across=one.what, up=up, what=one.what, first=one.first
                ),
                key=f"step_slopes_{number}", height=170,
                on_click=partial(chapters.take_unit, one.name, one.first),
            )  # fmt: skip
        gradient = one.layout.picture(found.gradients[block.sums]["kernel"], one.unit)
        chart(
            explain_figures.weight_map(
                gradient, one.layout.cell(one.index),
                f"Gradient of {one.what} {one.unit + one.first}'s weights",
            ),
            key=f"step_gradient_{number}", height=270, on_click=partial(_take_cell, block.title),
        )  # fmt: skip


def _slope_of_sum(digit: Explained, layers: list[Block], one: Chosen) -> None:
    """Write where a hidden unit's slope comes from, where the next layer is dense, too."""
    following = layers[layers.index(one.block) + 1]
    if one.block.kind == "Conv2D" or following.kind == "Conv2D":
        st.markdown(
            "Its slope δ at each place comes back through the layers after it, from all that its "
            "value there went into. Where a pooling layer took a maximum, only the largest gets it."
        )
        return
    network, found, unit = digit.moment.network, digit.found, one.unit
    gate = blocks.local_slope(network, found.values, one.block)[0, unit]
    kernel = network[following.sums].weights["kernel"][unit]
    slopes = found.slopes[following.sums + 1][0]
    value = found.slopes[one.block.sums + 1][0, unit]
    place, normalized = one.block.activation, one.block.norm is not None
    relu = place is not None and network[place].arguments["activation"] == "relu"
    equation(
        step_equations.hidden_slope(
            kernel, slopes, gate, value, unit, relu=relu, normalized=normalized
        )
    )
    if relu and not gate:
        st.markdown(
            f"Unit {unit} is off for this digit: nothing flows back through it, and its weights "
            "get no gradient from this digit."
        )


def _slope_of_weight(digit: Explained, one: Chosen):
    block, found = one.block, digit.found
    layer = digit.moment.network[block.sums]
    x, slopes = found.values[block.sums][0], found.slopes[block.sums + 1][0]
    decay, w = layer.decay, float(layer.weights["kernel"][one.index])
    if block.kind == "Dense":
        i, unit = one.index
        units = one.what == "output" and " unit " in one.words
        symbols = "auk" if units else "xik" if one.what == "output" else "xiu"
        return step_equations.weight_slope(x[i], slopes[unit], (i, unit), decay, w, symbols)
    row, column, channel, unit = one.index
    windows = layer.windows(x[None])[0, :, :, channel, row, column]
    return step_equations.filter_slope(windows.ravel(), slopes[..., unit].ravel(), decay, w)
