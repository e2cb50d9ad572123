"""Evaluate: how good the network is at the cursor's epoch, and what it takes for what."""

import streamlit as st

from mnist_core.ui import frame, notices, numbers
from mnist_core.ui.certainty_view import certainty_view
from mnist_core.ui.chart import load_plotly
from mnist_core.ui.confusion_view import matrix_view, over_time_view
from mnist_core.ui.two_runs_view import two_runs_view

SHOWS = ("Confusion", "Over time", "How sure", "Two runs")

frame.page_starts()

with frame.title("Evaluate", "How often is the network right, and what does it take for what?"):
    show = st.segmented_control(
        "Show",
        SHOWS,
        default=SHOWS[0],
        required=True,
        key="evaluate",
        bind="query-params",
        label_visibility="collapsed",
    )
played = run, moment, images, evaluation = notices.played()
numbers.row(*played)
if show == "Confusion":
    matrix_view(*played)
elif show == "Over time":
    over_time_view(*played)
elif show == "How sure":
    certainty_view(evaluation)
else:
    two_runs_view(*played)
load_plotly()
