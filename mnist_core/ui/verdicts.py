"""What people decide about a test digit: the model's fault, the label's, or unclear."""

from __future__ import annotations

import streamlit as st

from mnist_core import marks, runs, wording
from mnist_core.data import Dataset
from mnist_core.selection import Subset
from mnist_core.ui import chosen

SIGNS = {"model": "right", "label": "wrong", "unclear": "unclear"}  # the label's mark in a grid
HELP = (
    "**Model**: the label is right, the network errs. **Label**: the label is wrong. Kept for "
    "everybody who uses this app; press again to take it back."
)
SHORT = {"model": "Model", "label": "Label", "unclear": "Unclear"}


def of(dataset: Dataset) -> marks.Marks:
    """Return what is marked in a dataset's test set."""
    return marks.read(runs.runs_folder(), dataset.fingerprint, len(dataset.test))


def choose(one: Subset, marked: marks.Marks) -> None:
    """Draw whose fault it is, for a Subset of one test image; a press keeps it at once."""
    index = int(one.index[0])
    # A key for each image: a press that comes late cannot mark the image that has come instead.
    key = f"verdict_{index}"
    st.session_state[key] = marked.verdicts.get(index)
    with st.container(horizontal=True, key="verdicts", vertical_alignment="center"):
        st.markdown("Whose fault?", width="content", help=HELP)
        st.segmented_control(
            "Whose fault?",
            list(marks.VERDICTS),
            format_func=SHORT.get,
            key=key,
            on_change=_decided,
            args=(one, key),
            label_visibility="collapsed",
        )
    if problem := st.session_state.pop("verdict_problem", None):
        st.error(wording.verbatim(problem))


def _decided(one: Subset, key: str) -> None:
    """Keep a verdict, and the image open: who marks it looks at it."""
    dataset, index = one.dataset.describe(), int(one.index[0])
    verdict = st.session_state[key]
    chosen.open_image(one.ids[0], one.dataset.fingerprint)
    try:
        marks.mark(runs.runs_folder(), dataset, index, verdict)
    except runs.RunsError as error:
        st.session_state["verdict_problem"] = str(error)


def problems(marked: marks.Marks) -> None:
    """Say what of the marks' file could not be read."""
    for problem in marked.problems:
        st.warning(wording.verbatim(problem))
