"""The figures of an evaluation in one row, and what can be downloaded of it."""

from __future__ import annotations

import streamlit as st

from mnist_core import calibration, export, runs, wording
from mnist_core.evaluation import Evaluation
from mnist_core.selection import Subset
from mnist_core.ui import notices


def row(run: runs.Run, moment: float, images: Subset, evaluation: Evaluation) -> None:
    """Draw accuracy, loss, top-2 accuracy, errors, which network this is, and the interval."""
    low, high = calibration.accuracy_interval(evaluation)
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
            st.caption(
                f"{notices.moment_line(run, moment, images)}. Its true accuracy on such digits "
                f"probably lies between {low * 100:.1f} and {high * 100:.1f} %.",
                help="A 95 % interval (Wilson): were there other test digits of the same kind, "
                "another accuracy would be measured. The fewer digits, the wider it is.",
            )


def download(run: runs.Run, moment: float, images: Subset, evaluation: Evaluation) -> None:
    """Offer the answers and the confusion matrix as files."""
    name = f"{run.id}-epoch-{wording.epoch(moment)}"
    with st.popover("Download"):
        for title, file, make in (
            ("Predictions (CSV)", "predictions", lambda: export.predictions(images, evaluation)),
            ("Confusion matrix (CSV)", "confusion", lambda: export.confusion(evaluation)),
        ):
            st.download_button(
                title,
                data=make,
                file_name=f"{file}-{name}.csv",
                on_click="ignore",
                key=f"download_{file}",
                width="stretch",
            )
        st.caption("The matrix as a picture: the two buttons below it.")
