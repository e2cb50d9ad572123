"""The confusion matrix with the images behind its cells, and its cells over the epochs."""

from __future__ import annotations

import streamlit as st

from mnist_core import confusion_figures, runs, wording
from mnist_core.evaluation import Evaluation
from mnist_core.selection import Subset
from mnist_core.ui import cells, compared, notices, numbers, verdicts
from mnist_core.ui.chart import chart

HEIGHT = 420  # CSS pixels: above the bar of a projector's 720


def matrix_view(run: runs.Run, moment: float, images: Subset, evaluation: Evaluation) -> None:
    """Draw the matrix of one moment, clickable, and what is in the chosen cells."""
    picture, selection = st.columns([3, 2], gap="medium")
    with selection:
        shown, fade, before = _controls(run, moment, images, evaluation)
        cells.images(images, evaluation, verdicts.of(images.dataset), errors_only=fade, height=250)
    with picture:
        chart(
            confusion_figures.confusion_matrix(
                evaluation.confusion,
                shown if before is not None or shown != "change" else "counts",
                before=before,
                fade_diagonal=fade,
                chosen=cells.current(evaluation),
            ),
            key="confusion",
            height=HEIGHT,
            on_click=cells.clicked,
            save_as=f"confusion-{run.id}-epoch-{wording.epoch(moment)}",
        )
    with st.expander("Precision, recall and F1 of each digit"):
        _scores(evaluation)


def _controls(run, moment, images, evaluation):
    """Draw what the cells show; return it, whether the diagonal is faded, what is compared with."""
    with st.container(horizontal=True, key="cells_controls", vertical_alignment="center"):
        shown = st.segmented_control(
            "Cells show",
            confusion_figures.SHOWN,
            default="counts",
            required=True,
            key="cells_show",
            bind="query-params",
            label_visibility="collapsed",
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
        numbers.download(run, moment, images, evaluation)
    reference = compared.choose(run, moment, images) if shown == "change" else None
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
    st.caption("All digits: the mean of the ten, each digit counting the same (macro average).")


def over_time_view(run: runs.Run, moment: float, images: Subset, evaluation: Evaluation) -> None:
    """Draw every cell of the matrix over the epochs, and the chosen ones large."""
    past = notices.recorded_history(run, images)
    chosen = cells.current(evaluation)
    picture, selection = st.columns([3, 2], gap="medium")
    with picture:
        chart(
            confusion_figures.confusion_over_time(
                past.moments, past.confusions, cursor=moment, chosen=chosen
            ),
            key="over_time",
            height=HEIGHT,
            on_click=cells.clicked,
            save_as=f"confusion-over-time-{run.id}",
        )
    with selection:
        chart(
            confusion_figures.cell_curve(
                past.moments, past.in_cells(chosen), cells.in_words(chosen), moment
            ),
            key="cell_curve",
            height=190,
        )
        cells.images(images, evaluation, verdicts.of(images.dataset), errors_only=True, height=180)
