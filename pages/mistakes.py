"""Mistakes: every misread test digit at the cursor's epoch, and the labels one may doubt."""

import streamlit as st

from mnist_core.ui import frame, notices
from mnist_core.ui.chart import load_plotly
from mnist_core.ui.label_view import label_view
from mnist_core.ui.mistakes_view import mistakes_view

SHOWS = ("Mistakes", "Doubtful labels")

frame.page_starts()

with frame.title("Mistakes", "Is the network wrong, or the label?"):
    show = st.segmented_control(
        "Show",
        SHOWS,
        default=SHOWS[0],
        required=True,
        key="mistakes",
        bind="query-params",
        label_visibility="collapsed",
    )
played = notices.played()
if show == "Mistakes":
    mistakes_view(*played)
else:
    label_view(*played)
load_plotly()
