"""With what the current network is compared: another epoch of its run, or another run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from mnist_core import runs, wording
from mnist_core.evaluation import Evaluation
from mnist_core.selection import Subset
from mnist_core.ui import frame, notices, resources, url

EPOCH = "epoch "  # "epoch 3" is a moment of the current run, anything else the id of a run


@dataclass(frozen=True)
class Reference:
    """What is compared with, how the screens call it, and what it says of the same images."""

    name: str
    evaluation: Evaluation
    same_settings: bool = False  # another run that differs in its seed alone


def choose(playing: notices.Played) -> Reference | None:
    """Draw the choice and return what is compared with; None: it said why that cannot be."""
    run, moment = playing.run, playing.moment
    others = {one.id: label for one, label in _others(run)}
    epochs = [f"{EPOCH}{wording.epoch(one)}" for one in run.moments if one != moment]
    options = [*others, *epochs]
    if not options:
        st.info("There is nothing to compare with yet: no other run, and no other epoch.")
        return None
    asked = st.session_state.get("compared_with") or st.query_params.get("with")
    if asked not in options:
        asked = _default(run, moment, options)
    st.session_state["compared_with"] = st.session_state["compared_choice"] = asked
    url.write("with", asked)
    st.selectbox(
        "Compared with",
        options,
        format_func=lambda option: others.get(option) or _words(option),
        key="compared_choice",
        on_change=_chosen,
        args=(tuple(options),),
        width=330,
        help="Another run, at its last epoch, or another epoch of this run.",
    )
    return _read(run, asked, playing.images)


def _others(run: runs.Run) -> list[tuple[runs.Run, str]]:
    found = [one for one in frame.all_runs() if one.id != run.id and one.moments]
    labels = frame.run_labels(found)
    return [(one, labels[one.id]) for one in found]


def _default(run: runs.Run, moment: float, options: list[str]) -> str:
    """Return the newest finished run on the same data, else the epoch before."""
    for one, _ in _others(run):
        same = one.dataset.get("fingerprint") == run.dataset.get("fingerprint")
        if same and one.state not in (*runs.ACTIVE, "diverged"):
            return one.id
    before = [one for one in run.moments if one < moment] or run.moments[1:]
    return f"{EPOCH}{wording.epoch(before[-1])}" if before else options[0]


def _words(option: str) -> str:
    return "this run before any training" if option == f"{EPOCH}0" else f"this run after {option}"


def _chosen(known: tuple[str, ...]) -> None:
    if (picked := st.session_state["compared_choice"]) in known:  # see frame._picked
        st.session_state["compared_with"] = picked


def _read(run: runs.Run, asked: str, images: Subset) -> Reference | None:
    try:
        if asked.startswith(EPOCH):
            moment = min(run.moments, key=lambda one: abs(one - float(asked[len(EPOCH) :])))
            return Reference(_words(asked), resources.evaluation_of(run, moment, images))
        other = runs.read(asked)
        if other.dataset.get("fingerprint") != run.dataset.get("fingerprint"):
            st.warning(
                f"These two cannot be compared: this run was tested on "
                f"{wording.verbatim(str(run.dataset.get('name')))}, the other on "
                f"{wording.verbatim(str(other.dataset.get('name')))}. They were asked different "
                "digits. Choose a run on the same data."
            )
            return None
        last = other.moments[-1]
        evaluation = resources.evaluation_of(other, last, images)
    except runs.RunsError as error:
        st.error(f"What is compared with cannot be read. {error}")
        return None
    name = f"{wording.verbatim(other.title)} after epoch {wording.epoch(last)}"
    same = replace(other.config, seed=run.config.seed, name=run.config.name) == run.config
    return Reference(name, evaluation, same)
