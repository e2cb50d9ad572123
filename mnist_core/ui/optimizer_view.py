"""What the optimizer makes of a gradient: a weight's step, the loss after it, Keras's step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from mnist_core import explain_figures, runs, step_equations, wording
from mnist_core.equations import spoken
from mnist_core.moment import NextStep
from mnist_core.optimizers import OPTIMIZERS
from mnist_core.ui import chapters, resources
from mnist_core.ui.chapters import chapter
from mnist_core.ui.chart import chart
from mnist_core.ui.explained import Explained

WHY = (
    "Why is the difference not 0? The run computes in float32, which holds about seven digits; "
    "NumPy computes here in float64, with sixteen. And where p is nearly 1, p − 1 cancels: of "
    "0.9999998 − 1 hardly a digit is left that float32 knows. A logit of 20 is known to 0.000002 "
    "only, and the rounding of thousands of products adds up."
)


def update_chapter(number: int, step: NextStep, chosen: Sequence[Any]) -> None:
    """Draw the optimizer's step of the followed weight of one layer, line by line.

    `chosen` has one_step_view's Chosen of each layer.
    """
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
        f"The weight {one.words}, **{_signed(w)}**, at step t = {at.step + 1:,}. "
        + _remembered(name, at.step)
    )
    for found in step_equations.update(name, numbers, old, g, w, at.step + 1, at.rate):
        general, filled = st.columns([4, 7], gap="medium", vertical_alignment="center")
        general.latex(found.general)
        filled.latex(found.filled)
    kernel = step.numbers[place]["kernel"]
    maps = [(_TITLES[state], kernel[state]) for state in ("m", "v", "step") if state in kernel]
    pictures = [(words, one.layout.picture(values, one.unit)) for words, values in maps]
    names = " and ".join(words for words, _ in pictures[:-1])
    after = f"{names} after the step, and the step Δw" if names else "The step Δw"
    st.caption(f"{after}, of all weights into {one.what} {one.unit + one.first}.")
    chart(explain_figures.weight_maps(pictures), key="step_maps", height=260)


_TITLES = {"m": "m", "v": "v", "step": "Δw"}
ADAM = (
    "m and v before it are the recorded ones of this epoch: moving averages of the gradient and of "
    "its square, in which the latest batches count most."
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


def after_chapter(number: int, step: NextStep) -> None:
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
        st.markdown(_why_it_may_rise(step))
        if before.penalty:
            st.caption(f"The loss includes λ Σ w² of L2, {wording.loss(before.penalty)}.")


def _why_it_may_rise(step: NextStep) -> str:
    """Return why a step along the gradient may still raise this digit's loss, in words."""
    kept = step.moment.rule.state
    if step.moment.step and "m" in kept:
        return (
            "The step also holds what earlier batches asked for, so the loss of a single digit "
            "may rise."
        )
    if step.moment.step and kept:
        return (
            "How far each weight goes also depends on the gradients of earlier batches. A step "
            "that goes too far raises the loss."
        )
    return "A step that goes too far, by a high learning rate, would raise the loss."


def _signed(value: float) -> str:
    return f"{value:.6f}".replace("-", "−")


def keras_chapter(number: int, digit: Explained) -> None:
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
        lines += [
            f"| {what} | {spoken(size)} | {spoken(float(f'{apart:.1e}'))} |"
            for what, size, apart in told["rows"]
        ]
        st.markdown("\n".join(lines))
        st.caption(
            f"Keras's loss: {told['before']:.6f} before the step, {told['after']:.6f} after."
        )
