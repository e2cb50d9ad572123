"""One learning step: the chain rule from one digit's loss back to every weight, then the step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from mnist_core import blocks, explain_figures, runs, step_equations, wording
from mnist_core.blocks import Block
from mnist_core.layout import Index, Layout
from mnist_core.moment import NextStep
from mnist_core.optimizers import OPTIMIZERS
from mnist_core.ui import chapters, explained, frame, resources
from mnist_core.ui.chapters import chapter, equation
from mnist_core.ui.chart import chart
from mnist_core.ui.explained import Explained

WHY = (
    "Why is the difference not 0? The run computes in float32, which holds about seven digits; "
    "NumPy computes here in float64, with sixteen. And where p is nearly 1, p − 1 cancels: of "
    "0.9999998 − 1 hardly a digit is left that float32 knows. A logit of 20 is known to 0.000002 "
    "only."
)


@dataclass(frozen=True, eq=False)
class Chosen:
    """A layer with the unit and the weight of it whose numbers are filled in, and its words."""

    block: Block
    layout: Layout
    unit: int
    index: Index
    what: str  # unit, filter or output
    words: str


@st.fragment
def one_step_view() -> None:
    """Draw the choice of the digit, then the step that the optimizer would take with it."""
    frame.draw_more()
    digit = explained.choose()
    step = digit.moment.next_step(digit.found)
    layers = blocks.blocks(digit.moment.network)
    chosen = [_chosen(digit, block, block is layers[-1]) for block in layers]
    _error(digit, chosen[-1])
    for number, one in enumerate(reversed(chosen), start=2):
        _back(number, digit, layers, one)
    _update(len(layers) + 2, step, chosen)
    _after(len(layers) + 3, step)
    _keras(len(layers) + 4, digit)
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
    own = chapters.chosen_unit(strength)
    unit = chapters.chosen_digit(digit.answer) if output else own
    clicked = st.session_state.setdefault("step_cells", {}).get(block.title)
    index = clicked and layout.index(*clicked, unit)
    if index is None:
        slopes = digit.found.gradients[block.sums]["kernel"][..., unit]
        index = (*map(int, np.unravel_index(abs(slopes).argmax(), slopes.shape)), unit)
    what = "filter" if block.kind == "Conv2D" else "output" if output else "unit"
    units_before = any(each.kind == "Dense" for each in digit.moment.network[: block.sums])
    words = layout.in_words(index, "unit" if units_before else "input", what)
    return Chosen(block, layout, unit, index, what, words)


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
        number, f"Back through the {block.title}",
        "Every weight took part in the loss through the sum it stands in: its gradient is what "
        "came in there, times the sum's own slope."
        + (" A filter's weight is used at every place, so all places are added." * filters),
    )  # fmt: skip
    slopes = found.slopes[block.sums + 1][0]
    with words:
        if not output:
            with st.container(horizontal=True, key=f"step_unit_{number}"):
                chapters.unit_field(
                    one.unit, slopes.shape[-1], f"step_unit_typed_{number}", one.what.capitalize()
                )
            _slope_of_sum(digit, layers, one)
        equation(_slope_of_weight(digit, one))
        st.caption(f"The weight {one.words}. Click another in the picture.")
    with image:
        if not output:
            each = slopes if slopes.ndim == 1 else slopes.sum(axis=(0, 1))
            up = "δ, summed over places" if filters else "δ"
            chart(
                explain_figures.bars(each, one.unit, across=one.what, up=up, what=one.what),
                key=f"step_slopes_{number}", height=170, on_click=chapters.take_unit,
            )  # fmt: skip
        gradient = one.layout.picture(found.gradients[block.sums]["kernel"], one.unit)
        chart(
            explain_figures.weight_map(
                gradient, one.layout.cell(one.index), f"Gradient of {one.what} {one.unit}'s weights"
            ),
            key=f"step_gradient_{number}", height=270, on_click=partial(_take_cell, block.title),
        )  # fmt: skip


def _slope_of_sum(digit: Explained, layers: list[Block], one: Chosen) -> None:
    """Write where a hidden unit's slope comes from, where the next layer is dense, too."""
    following = layers[layers.index(one.block) + 1]
    if one.block.kind == "Conv2D" or following.kind == "Conv2D":
        st.markdown("Its slope δ at each place comes from all the sums that this place went into.")
        return
    network, found, unit = digit.moment.network, digit.found, one.unit
    gate = blocks.local_slope(network, found.values, one.block)[0, unit]
    kernel = network[following.sums].weights["kernel"][unit]
    slopes = found.slopes[following.sums + 1][0]
    value = found.slopes[one.block.sums + 1][0, unit]
    plain = one.block.norm is None and one.block.activation is not None
    relu = plain and network[one.block.activation].arguments["activation"] == "relu"
    equation(step_equations.hidden_slope(kernel, slopes, gate, value, unit, relu))
    if relu and not gate:
        st.markdown(
            f"Unit {unit} is off for this digit: nothing flows back through it, and none of its "
            "weights gets a gradient."
        )


def _slope_of_weight(digit: Explained, one: Chosen):
    block, found = one.block, digit.found
    layer = digit.moment.network[block.sums]
    x, slopes = found.values[block.sums][0], found.slopes[block.sums + 1][0]
    decay, w = layer.decay, float(layer.weights["kernel"][one.index])
    if block.kind == "Dense":
        i, unit = one.index
        return step_equations.weight_slope(x[i], slopes[unit], (i, unit), decay, w)
    row, column, channel, unit = one.index
    windows = layer.windows(x[None])[0, :, :, channel, row, column]
    return step_equations.filter_slope(windows.ravel(), slopes[..., unit].ravel(), decay, w)


def _update(number: int, step: NextStep, chosen: list[Chosen]) -> None:
    """Draw the optimizer's step of the followed weight of one layer, line by line."""
    at = step.moment
    name = at.run.config.optimizer
    chapters.heading(number, f"The step of {OPTIMIZERS[name].title}")
    titles = [one.block.title for one in chosen]
    if st.session_state.get("step_layer") not in titles:
        st.session_state["step_layer"] = titles[0]
    title = st.segmented_control(
        "A weight of the", titles, key="step_layer", required=True, persist_state="session"
    )
    one = chosen[titles.index(title)]
    place, index = one.block.sums, one.index
    old = {state: float(array[index]) for state, array in at.memory[place]["kernel"].items()}
    numbers = {
        state: float(value[index]) if np.ndim(value) else float(value)
        for state, value in step.numbers[place]["kernel"].items()
    }
    w = float(at.network[place].weights["kernel"][index])
    g = float(step.before.gradients[place]["kernel"][index])
    st.markdown(
        f"The weight {one.words}, **{w:.6f}**, at step t = {at.step + 1:,}. "
        + _remembered(name, at.step)
    )
    for found in step_equations.update(name, numbers, old, g, w, at.step + 1, at.rate):
        general, filled = st.columns([4, 7], gap="medium", vertical_alignment="center")
        general.latex(found.general)
        filled.latex(found.filled)
    kernel = step.numbers[place]["kernel"]
    maps = [(_TITLES[state], kernel[state]) for state in ("m", "v", "step") if state in kernel]
    pictures = [(words, one.layout.picture(values, one.unit)) for words, values in maps]
    st.caption(f"All weights into {one.what} {one.unit}: after the step, and the step itself.")
    chart(explain_figures.weight_maps(pictures), key="step_maps", height=260)


_TITLES = {"m": "m", "v": "v", "step": "Δw"}
ADAM = (
    "m and v before it are the recorded ones of this epoch: means, over the batches before, of the "
    "gradient and of its square."
)
MEMORY = {
    "adam": ADAM,
    "adamw": ADAM,
    "momentum": "m before it is the recorded one of this epoch.",
    "nesterov": "m before it is the recorded one of this epoch.",
    "rmsprop": "v before it is the recorded one of this epoch.",
}
FRESH = (
    "Before any training m and v are 0. The bias corrections make up for it: the first step of "
    "every weight with a gradient is about as large as the learning rate."
)


def _remembered(optimizer: str, step: int) -> str:
    if not step and optimizer in ("adam", "adamw"):
        return FRESH
    return MEMORY.get(optimizer, "") if step else ""


def _after(number: int, step: NextStep) -> None:
    words, image = chapter(
        number, "The loss after the step",
        "All weights have taken their step. The same digit once more:",
    )  # fmt: skip
    before, after = step.before, step.after
    label = int(before.labels[0])
    with words, st.container(horizontal=True, key="step_losses"):
        st.metric("Loss before", wording.loss(before.loss), width="content")
        st.metric(
            "Loss after", wording.loss(after.loss),
            delta=f"{after.loss - before.loss:+.2g}", delta_color="inverse", width="content",
        )  # fmt: skip
    with image:
        was, now = (float(found.probabilities[0, label]) for found in (before, after))
        st.markdown(
            f"The probability of its label, {label}, goes from **{wording.percent(was)}** to "
            f"**{wording.percent(now)}**."
        )
        if step.moment.run.config.optimizer != "sgd":
            st.markdown(
                "The step also holds what earlier batches asked for, so the loss of a single "
                "digit may rise."
            )


def _keras(number: int, digit: Explained) -> None:
    words, table = chapter(
        number, "The same by Keras",
        "All numbers above are computed in NumPy, from the equations as they stand here. The run "
        "itself was trained by Keras.",
    )  # fmt: skip
    with words:
        wanted = st.toggle(
            "Let Keras take the same step", key="step_keras", persist_state="session",
            help="The first answer takes some seconds",
        )  # fmt: skip
        st.markdown(WHY)
    if not wanted:
        return
    with table:
        try:
            told = resources.ask_same_step(
                digit.moment.run, digit.moment.epoch, digit.image, digit.label
            )
        except runs.RunsError as error:
            st.error(wording.verbatim(str(error)))
            return
        lines = ["| what | largest | largest difference |", "|---|--:|--:|"]
        lines += [f"| {what} | {size:.3g} | {apart:.1e} |" for what, size, apart in told["rows"]]
        st.markdown("\n".join(lines))
        st.caption(
            f"Keras's loss: {told['before']:.6f} before the step, {told['after']:.6f} after."
        )
