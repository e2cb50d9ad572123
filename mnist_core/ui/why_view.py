"""Which pixels speak for the answer, and which training digits look like it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import draw_figures
from mnist_core.ui import draw_view, resources
from mnist_core.ui.chart import chart
from mnist_core.ui.draw_view import Network
from mnist_core.ui.nearest_view import nearest
from mnist_core.ui.sheet import Sheet

MAPS = {
    "Gradient": "saliency",
    "Integrated gradients": "integrated_gradients",
    "Occlusion": "occlusion",
}
MEANING = (
    "**Gradient**: how much a little more ink at a pixel would raise the log-odds, the logarithm "
    "of how many times more probable one digit is than the other. **Integrated gradients**: what "
    "each pixel's own ink has added to them, from an empty picture on; all shares sum to the "
    "whole. **Occlusion**: how much is lost when the 5×5 pixels around a pixel are blanked."
)


def why_view(found: Sheet | None, playing: Network | None) -> None:
    """Draw three maps in one scale, and the nearest training digits of both classes."""
    if not draw_view.has_digit(found, playing):
        return
    said = playing.probabilities(found.scaled[None])[0]
    answer, second = (int(digit) for digit in np.argsort(-said)[:2])
    options = [digit for digit in np.argsort(-said).tolist() if digit != answer]
    told = found.meant if found.meant in options else second
    # Another digit is drawn, or meant, or another view was shown, where Streamlit forgets a choice.
    if st.session_state.get("why_told") != (answer, told) or "why_other" not in st.session_state:
        st.session_state["why_told"], st.session_state["why_other"] = (answer, told), told
    st.selectbox(f"Why {answer}, and not", options, key="why_other", width=180)
    other = int(st.session_state["why_other"])
    maps = [
        (title, resources.ask_attribution(
            function, playing.run, playing.moment, found.digit, answer, other))
        for title, function in MAPS.items()
    ]  # fmt: skip
    figure = draw_figures.attributions(maps, found.digit, answer, other)
    chart(figure, key="drawn_maps", height=280)
    st.caption(
        f"Blue speaks for {answer}, red for {other}; each map is scaled to its own strongest "
        "pixel.",
        help=MEANING,
    )
    dataset = resources.dataset_of(playing.run)
    with st.container(horizontal=True, gap="large"):
        for digit in (answer, other):
            with st.container(width=300, key=f"near_{'answer' if digit == answer else 'other'}"):
                name = "drawn_near_answer" if digit == answer else "drawn_near_other"
                nearest(dataset, found.digit, [digit], [name])
