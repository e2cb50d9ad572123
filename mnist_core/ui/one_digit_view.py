"""One digit's way through the network, chapter by chapter, each equation with its numbers."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from mnist_core import blocks, draw_figures, equations, explain_figures, wording
from mnist_core.blocks import Block
from mnist_core.layer_maths import Layer
from mnist_core.ui import chapters, explained, frame
from mnist_core.ui.chapters import chapter, equation
from mnist_core.ui.chart import chart
from mnist_core.ui.explained import Explained

ACTIVATION = {
    "relu": "ReLU lets positive sums through and makes the others 0: such a unit is **off**.",
    "tanh": "tanh squeezes every sum to a value between −1 and 1.",
    "sigmoid": "The sigmoid squeezes every sum to a value between 0 and 1.",
    "elu": "ELU lets positive sums through and bends the others towards −1.",
    "gelu": "GELU is a smooth ReLU: Φ(z) is the share of the normal distribution below z.",
}
NAMES = {"relu": "ReLU", "tanh": "tanh", "sigmoid": "Sigmoid", "elu": "ELU", "gelu": "GELU"}


@st.fragment
def one_digit_view() -> None:
    """Draw the choice of the digit, then seven chapters from its pixels to its loss."""
    frame.draw_more()
    digit = explained.choose()
    found = blocks.blocks(digit.moment.network)
    hidden = [block for block in found[:-1] if block.kind == "Dense"]
    _normalization(digit)
    of_image = not blocks.from_pixels(digit.moment.network, found[0])
    _flatten(digit, of_image)
    if hidden:
        _hidden(digit, hidden)
    else:
        _no_hidden(found, of_image)
    _output(digit, found[-1], hidden)
    _softmax(digit)
    _loss(digit)
    chapters.to_url()
    chapters.on("One step", "One learning step", "How this loss changes the weights.")


def _pixel(digit: Explained) -> tuple[int, int]:
    """Return the pixel whose numbers are filled in: a clicked one, else the brightest."""
    row, column = np.unravel_index(digit.image.argmax(), digit.image.shape)
    return st.session_state.get("explained_pixel") or (int(row), int(column))


def _take_pixel(click: dict) -> None:
    st.session_state["explained_pixel"] = (int(click["y"]), int(click["x"]))


def _normalization(digit: Explained) -> None:
    words, image = chapter(
        1, "Normalization",
        "A pixel is a number from 0, paper, to 255, full ink. The network gets it from 0 to 1.",
    )  # fmt: skip
    row, column = _pixel(digit)
    with words:
        equation(equations.normalization(int(digit.image[row, column]), row, column))
        st.caption("Click a pixel to fill in its number. Rows and columns are counted from 0.")
    with image:
        chart(
            draw_figures.changed_digit(digit.image, np.array([[row, column]])),
            key="explained_pixels", height=280, on_click=_take_pixel,
        )  # fmt: skip


def _flatten(digit: Explained, of_image: bool) -> None:
    words, image = chapter(
        2, "Flatten",
        "The 28 rows of 28 pixels are put one after the other: a list of 784 numbers."
        + (" In this network the first layers look at the image itself; what they make of it is "
           "flattened after them, in the same way." if of_image else ""),
    )  # fmt: skip
    row, column = _pixel(digit)
    with words:
        equation(equations.flatten(row, column))
    with image:
        flat = digit.image.reshape(-1) / 255
        chart(explain_figures.strip(flat, 28 * row + column), key="explained_flat", height=140)


def _no_hidden(found: list[Block], of_image: bool) -> None:
    chapter(3, "Dense layer", "This network has no hidden dense layer.")
    if found[0].kind == "Conv2D":
        chapters.on(
            "Convolution", "See its convolutions",
            "In this network they do what the paper leaves to a hidden layer.",
        )  # fmt: skip
    elif of_image:
        st.markdown("Its ten outputs are sums of the pooled pixels: go on with **5**.")
    else:
        st.markdown("Its ten outputs are sums of the pixels themselves: go on with **5**.")
    chapter(4, "ReLU", "There are no hidden units that could be on or off.")


def _hidden(digit: Explained, hidden: list[Block]) -> None:
    """Draw the sum of a hidden unit, and its activation."""
    network, values = digit.moment.network, digit.found.values
    words, image = chapter(
        3, "Dense layer",
        "Every hidden unit multiplies each number that comes in by a weight of its own, and adds "
        "all products, and its bias where it has one.",
    )  # fmt: skip
    with words:
        with st.container(horizontal=True, key="explained_unit", vertical_alignment="bottom"):
            block = chapters.choose_layer(hidden)
            layer = network[block.sums]
            x, z = values[block.sums][0], values[block.sums + 1][0]
            own = chapters.unit_of(block.title, blocks.from_pixels(network, block))
            unit = chapters.chosen_unit(own, z)
            chapters.unit_field(own, unit, len(z))
        w = layer.weights["kernel"][:, unit]
        bias = layer.weights["bias"][unit] if "bias" in layer.weights else None
        equation(equations.weighted_sum(x, w, bias, unit))
        if block.norm is not None:
            st.caption("Batch normalization then scales and shifts the sum:")
            numbers = {name: own[unit] for name, own in network[block.norm].weights.items()}
            y = values[block.norm + 1][0, unit]
            equation(equations.batch_norm(z[unit], numbers, y, unit))
    with image:
        if blocks.from_pixels(network, block):
            shape = digit.image.shape
            figure = explain_figures.products(x.reshape(shape), w.reshape(shape), unit)
        else:
            figure = explain_figures.bars(
                x * w, None, across="number that comes in", up="x · w", what="input"
            )
        chart(figure, key="explained_products", height=250)
    if block.activation is not None:
        _activation(digit, block, unit, own)
    else:
        chapter(4, "Activation", "This layer has none: its sums go on as they are.")


def _activation(digit: Explained, block: Block, unit: int, own: str) -> None:
    name = digit.moment.network[block.activation].arguments["activation"]
    z, a = (digit.found.values[block.activation + after][0] for after in (0, 1))
    words, image = chapter(4, NAMES.get(name, "Activation"), ACTIVATION.get(name, ""))
    off = a == 0
    with words:
        normalized = block.norm is not None
        equation(equations.activation(name, z[unit], a[unit], unit, normalized))
        if name == "relu":
            st.markdown(
                f"For this digit **{(~off).sum()} of {len(off)}** units are on. "
                f"Unit {unit} is {'off: it passes on 0' if off[unit] else 'on'}."
            )
        st.caption("Click a bar to follow another unit; its sum is written out above.")
    with image:
        chart(
            explain_figures.bars(
                z, unit, across="unit of the layer", up="normalized sum" if normalized else "sum z",
                off=off if name == "relu" else None,
            ),
            key="explained_units", height=250, on_click=partial(chapters.take_unit, own, 0),
        )  # fmt: skip


def _output(digit: Explained, block: Block, hidden: list[Block]) -> None:
    words, image = chapter(
        5, "Output layer",
        "Ten units, one for each digit, sum up what comes from the layer before. These ten sums "
        "are called **logits**; the largest is the answer.",
    )  # fmt: skip
    network = digit.moment.network
    layer, x = network[block.sums], digit.found.values[block.sums][0]
    k, z = chapters.chosen_digit(digit.answer), digit.found.logits[0]
    w = layer.weights["kernel"][:, k]
    with words:
        symbols = "auk" if hidden else "xik"
        equation(equations.weighted_sum(x, w, layer.weights["bias"][k], k, symbols))
        st.caption(
            "Click a bar of the upper chart for another digit. The lower one shows what each "
            "number that comes in adds."
        )
    with image:
        chart(
            explain_figures.bars(z, k, across="digit", up="logit z", what="digit"),
            key="explained_logits", height=180, on_click=chapters.take_digit,
        )  # fmt: skip
        before = "unit" if hidden else "number"
        chart(
            explain_figures.bars(
                x * w, None, across=f"{before} that comes in", up=f"to the {k}", what=before
            ),
            key="explained_terms", height=170,
            on_click=partial(_take_last, hidden[-1], network) if hidden else None,
        )  # fmt: skip


def _take_last(block: Block, network: list[Layer], click: dict) -> None:
    """Follow a unit of the last hidden layer."""
    st.session_state["explained_layer"] = block.title
    chapters.take_unit(chapters.unit_of(block.title, blocks.from_pixels(network, block)), 0, click)


def _softmax(digit: Explained) -> None:
    words, table = chapter(
        6, "Softmax",
        "Softmax makes ten probabilities of the ten logits: all positive, together 1.",
    )  # fmt: skip
    z, p, k = (
        digit.found.logits[0],
        digit.found.probabilities[0],
        chapters.chosen_digit(digit.answer),
    )
    with words:
        equation(equations.softmax(z, k))
        st.markdown(
            "The largest logit is subtracted from all first. That divides numerator and "
            "denominator by the same number, so nothing changes but this: no power is above "
            r"$e^0 = 1$. Without it, a logit of 89 would already give $e^{89}$, more than the "
            "largest number that float32 can hold."
        )
    with table:
        st.markdown(_softmax_table(z, p, k))


def _softmax_table(z: np.ndarray, p: np.ndarray, chosen: int) -> str:
    """Return softmax step by step as a Markdown table, a row for each digit."""
    rows = [r"| digit | $z$ | $z - \max z$ | $e^{z - \max z}$ | $p$ |", "|---|--:|--:|--:|--:|"]
    for digit in range(10):
        shifted = z[digit] - z.max()
        cells = [str(digit), f"{z[digit]:.2f}".replace("-", "−"),
                 f"{shifted:.2f}".replace("-", "−"), equations.spoken(np.exp(shifted)),
                 wording.percent(p[digit])]  # fmt: skip
        strong = "**" if digit == chosen else ""
        rows.append("| " + " | ".join(f"{strong}{cell}{strong}" for cell in cells) + " |")
    total = equations.above_one(np.exp(z - z.max()).sum())
    return "\n".join([*rows, f"| sum |  |  | {total} | {wording.percent(float(p.sum()))} |"])


def _loss(digit: Explained) -> None:
    found, label = digit.found, digit.label
    squared = found.loss_name == "mean_squared_error"
    words, image = chapter(
        7, "Mean squared error" if squared else "One-hot and cross-entropy",
        "The label, too, is written as ten numbers: a single 1 at the label, else 0. This is "
        "called **one-hot**. The loss says how far the ten probabilities are from it"
        + (": the mean of the ten squared differences." if squared else "."),
    )  # fmt: skip
    p, loss = found.probabilities[0], float(found.losses[0])
    with words:
        st.latex(rf"y = ({', '.join('1' if d == label else '0' for d in range(10))})")
        if squared:
            equation(equations.squared_error(p, label, loss))
        else:
            equation(equations.cross_entropy(p, label, loss))
            st.markdown(
                f"Nine of the ten terms are multiplied by 0. One counts: the label's, {label}. "
                "log is the natural logarithm."
            )
        if found.penalty:
            st.caption(f"L2 adds λ Σ w² = {wording.loss(found.penalty)} to it, whatever the digit.")
    with image:
        if squared:
            chart(
                explain_figures.bars(
                    p - found.target[0], label, across="digit", up="p − y", what="digit"
                ),
                key="explained_loss", height=260,
            )  # fmt: skip
        else:
            chart(
                explain_figures.minus_log(float(p[label]), loss), key="explained_loss", height=260
            )
