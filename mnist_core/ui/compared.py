"""With what the current network is compared: another epoch of its run, or another run."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from mnist_core import runs, wording
from mnist_core.evaluation import Evaluation
from mnist_core.selection import Subset
from mnist_core.ui import frame, resources

EPOCH = "epoch "  # "epoch 3" is a moment of the current run, anything else the id of a run


@dataclass(frozen=True)
class Reference:
    """What is compared with, how the screens call it, and what it says of the same images."""

    name: str
    evaluation: Evaluation


def choose(run: runs.Run, moment: float, images: Subset) -> Reference | None:
    """Draw the choice and return what is compared with; None: it said why that cannot be."""
    others = {one.id: label for one, label in _others(run)}
    epochs = [f"{EPOCH}{wording.epoch(one)}" for one in run.moments]
    options = [*others, *epochs]
    asked = st.session_state.get("compared_with") or st.query_params.get("with")
    if asked not in options:
        asked = _default(run, moment, options)
    st.session_state["compared_with"] = st.session_state["compared_choice"] = asked
    st.query_params["with"] = asked
    st.selectbox(
        "Compared with",
        options,
        format_func=lambda option: others.get(option, f"this run after {option}"),
        key="compared_choice",
        on_change=_chosen,
        args=(tuple(options),),
        width=330,
        help="Another run, at its last epoch, or another epoch of this run.",
    )
    return _read(run, asked, images)


def _others(run: runs.Run) -> list[tuple[runs.Run, str]]:
    found = [one for one in frame.all_runs() if one.id != run.id and one.moments]
    labels = frame.run_labels(found)
    return [(one, labels[one.id]) for one in found]


def _default(run: runs.Run, moment: float, options: list[str]) -> str:
    """Return the newest other run on the same data, else the epoch before, else the first."""
    for one, _ in _others(run):
        if one.dataset.get("fingerprint") == run.dataset.get("fingerprint"):
            return one.id
    before = [one for one in run.moments if one < moment] or run.moments
    return f"{EPOCH}{wording.epoch(before[-1])}" if before else options[0]


def _chosen(known: tuple[str, ...]) -> None:
    if (picked := st.session_state["compared_choice"]) in known:  # see frame._picked
        st.session_state["compared_with"] = picked


def _read(run: runs.Run, asked: str, images: Subset) -> Reference | None:
    try:
        if asked.startswith(EPOCH):
            moment = min(run.moments, key=lambda one: abs(one - float(asked[len(EPOCH) :])))
            return Reference(asked, resources.evaluation_of(run, moment, images))
        other = runs.read(asked)
        if other.dataset.get("fingerprint") != run.dataset.get("fingerprint"):
            st.warning(
                f"These two cannot be compared: this run was tested on "
                f"{wording.verbatim(str(run.dataset.get('name')))}, the other on "
                f"{wording.verbatim(str(other.dataset.get('name')))}. They were asked different "
                "digits. Choose a run on the same data."
            )
            return None
        evaluation = resources.evaluation_of(other, other.moments[-1], images)
    except runs.RunsError as error:
        st.error(f"What is compared with cannot be read. {error}")
        return None
    return Reference(other.config.title, evaluation)
