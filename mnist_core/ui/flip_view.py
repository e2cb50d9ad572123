"""The smallest change that flips the answer, pixel by pixel."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import draw_figures, flipping, wording
from mnist_core.evaluation import log_softmax
from mnist_core.ui import draw_view, resources, sheet
from mnist_core.ui.chart import chart
from mnist_core.ui.draw_view import Network
from mnist_core.ui.sheet import Sheet


def flip_view(found: Sheet | None, playing: Network | None) -> None:
    """Draw the digit after some of the changes, what the network then says, and the way there."""
    if not draw_view.has_digit(found, playing):
        return
    change = resources.ask_flip(playing.run, playing.moment, found.digit)
    count, said = len(change["pixels"]), np.exp(log_softmax(change["logits"]))
    before, after = int(said[0].argmax()), int(said[-1].argmax())
    if not change["reached"]:
        st.info(
            f"No way was found: after {count} changed pixels it is still read as {before}. "
            "A network before training, or one that says the same of everything, cannot be flipped."
        )
        return
    st.markdown(
        f"**{wording.count(count, 'pixel')} of 784** make{'s' if count == 1 else ''} a **{after}** "
        f"of this {before}.",
        help="A greedy search along the gradient: each step takes the pixel, made black or white, "
        "that helps most; at the end, changes that were not needed are taken back. None of these "
        "can be left out; whether fewer others would do is not known.",
    )
    step = count
    if count > 1:
        key = f"flip_step_{hash((found.digit.tobytes(), playing.run.id, playing.moment))}"
        step = st.slider("Changed pixels", 0, count, count, key=key)
    changed = flipping.after(found.digit, change["pixels"][:step], change["values"][:step])
    left, right = st.columns([2, 3], gap="medium", vertical_alignment="center")
    with left:
        figure = draw_figures.changed_digit(changed, change["pixels"][:step])
        chart(figure, key="flipped", height=250)
    with right:
        chart(draw_figures.flip_steps(said, before, after, step), key="flip_curve", height=210)
    now = int(said[step].argmax())
    st.caption(
        f"After {wording.count(step, 'changed pixel')} it is read as {now}, "
        f"{wording.percent(said[step, now], 1)} sure."
    )
    st.button(
        "Edit this digit", icon=":material/grid_on:", key="edit_flipped", on_click=sheet.edit,
        args=(changed, found.meant),
    )  # fmt: skip
