"""The confusion matrix with the images behind its cells."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from mnist_core import confusion_figures
from mnist_core.evaluation import Evaluation
from mnist_core.ui import cells, compared, numbers
from mnist_core.ui.chart import chart
from mnist_core.ui.notices import Played

HEIGHT = 420  # CSS pixels: above the bar of a projector's 720


def matrix_view(playing: Played) -> None:
    """Draw the matrix of one moment, clickable, and what is in the chosen cells."""
    evaluation = playing.evaluation
    chosen = cells.current(playing)
    picture, selection = st.columns([3, 2], gap="medium")
    with selection:
        shown, fade, before = _controls(playing)
        cells.images(playing, chosen, errors_only=fade, height=250)
    with picture:
        chart(
            confusion_figures.confusion_matrix(
                evaluation.confusion,
                shown if before is not None or shown != "change" else "counts",
                before=before,
                fade_diagonal=fade,
                chosen=chosen,
            ),
            key="confusion",
            height=HEIGHT,
            on_click=partial(cells.clicked, chosen),
            save_as=f"confusion-{playing.name}",
        )
    with st.expander("Precision, recall and F1 of each digit"):
        _scores(evaluation)


def _controls(playing: Played) -> tuple[str, bool, np.ndarray | None]:
    """Draw what the cells show; return it, whether the diagonal is faded, what is compared with."""
    with st.container(horizontal=True, key="cells_controls", vertical_alignment="center"):
        shown = st.segmented_control(
            "Cells show",
            confusion_figures.SHOWN,
            default="counts",
            required=True,
            key="cells_show",
            bind="query-params",
            help="Per cent of a row: of all 4s. Per cent of a column: of all read as 4. Change: "
            "compared with another epoch or run.",
        )
        fade = st.toggle(
            "Errors only",
            value=True,
            key="errors_only",
            bind="query-params",
            help="Fades the diagonal, the right answers, and leaves them out of the sums.",
        )
        st.toggle(
            "Several",
            key="several_cells",
            persist_state="session",
            help="A click adds a cell or takes it away; with mouse and keyboard, Shift-click.",
        )
        numbers.download(playing)
    reference = compared.choose(playing) if shown == "change" else None
    return shown, fade, None if reference is None else reference.evaluation.confusion


def _scores(evaluation: Evaluation) -> None:
    st.dataframe(
        evaluation.scores(),
        hide_index=True,
        column_config={
            "digit": "Digit",
            **{
                name: st.column_config.ProgressColumn(
                    title, format="percent", min_value=0, max_value=1, help=meaning
                )
                for name, title, meaning in (
                    ("precision", "Precision", "Of the images read as this digit, how many are"),
                    ("recall", "Recall", "Of the images of this digit, how many are found"),
                    ("f1", "F1", "The harmonic mean of precision and recall"),
                )
            },
            "support": st.column_config.NumberColumn("Images", help="Images of this digit"),
        },
    )
    st.caption(
        "All digits: the mean over the digits that have images, each counting the same (macro "
        "average)."
    )
