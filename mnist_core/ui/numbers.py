"""The figures of an evaluation in one row, and what can be downloaded of it."""

from __future__ import annotations

import streamlit as st

from mnist_core import calibration, export, wording
from mnist_core.ui.notices import Played, moment_line

INTERVAL = (
    "A 95 % interval (Wilson): with other test digits of the same kind another accuracy would be "
    "measured. The fewer digits, the wider it is."
)


def row(playing: Played) -> None:
    """Draw accuracy, loss, top-2 accuracy, errors, which network this is, and the interval."""
    images, evaluation = playing.images, playing.evaluation
    of = "Test " if images.is_test_set else ""
    with st.container(horizontal=True, key="numbers", vertical_alignment="center"):
        st.metric(
            f"{of}accuracy".capitalize(),
            wording.percent(evaluation.accuracy),
            help="The share of the digits that the network reads rightly",
            width=150,
        )
        st.metric(
            f"{of}loss".capitalize(),
            wording.loss(evaluation.loss),
            help="Cross-entropy: the mean of −ln(probability of the true digit). 0 is perfect.",
            width=110,
        )
        st.metric(
            "In its first two",
            wording.percent(evaluation.top2_accuracy),
            help="Top-2 accuracy: the share of the digits whose true value is the network's answer "
            "or its runner-up",
            width=150,
        )
        st.metric(
            f"Wrong of {len(evaluation.labels):,}",
            f"{int((~evaluation.right).sum()):,}",
            width=130,
        )
        with st.container(width="stretch", key="interval"):
            st.caption(f"{moment_line(playing)}. {_interval(playing)}", help=INTERVAL)


def _interval(playing: Played) -> str:
    if not playing.images.is_test_set:
        return "Chosen images are no random sample: they say nothing about other digits."
    low, high = calibration.accuracy_interval(playing.evaluation)
    return (
        "Its true accuracy on such digits probably lies between "
        f"{low * 100:.1f} and {high * 100:.1f} %."
    )


def download(playing: Played) -> None:
    """Offer the answers and the confusion matrix as files."""
    images, evaluation = playing.images, playing.evaluation
    with st.popover("Download"):
        for title, file, make in (
            ("Predictions (CSV)", "predictions", lambda: export.predictions(images, evaluation)),
            ("Confusion matrix (CSV)", "confusion", lambda: export.confusion(evaluation)),
        ):
            st.download_button(
                title,
                data=make,
                file_name=f"{file}-{playing.name}.csv",
                on_click="ignore",
                key=f"download_{file}",
                width="stretch",
            )
        st.caption("The matrix as a picture: the two buttons below it.")
