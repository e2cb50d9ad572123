"""The runs that are asked about labels: those that one ticks on Mistakes, else the best three."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import label_faults, runs
from mnist_core.selection import Subset
from mnist_core.ui import frame, resources, url

BEST = 3  # runs, before anybody chose


def choose() -> list[runs.Run]:
    """Draw the choice and return the ticked runs."""
    by_id = {one.id: one for one in _candidates()}
    labels = frame.run_labels(list(by_id.values()))
    ticked = [one.id for one in _ticked()]
    st.session_state["jury"] = st.session_state["jury_choice"] = ticked
    url.write("ask", ticked)
    st.multiselect(
        "Ask these runs, each at the epoch chosen below, or its last",
        list(by_id),
        format_func=labels.get,
        key="jury_choice",
        on_change=_take,
        args=(tuple(by_id),),
        help="Several good networks that agree against a label are a better witness than one. "
        "A digit's doubt is the probability of its label minus that of the best other digit, on "
        "average over these runs (after Northcutt et al. 2021).",
    )
    return [by_id[one] for one in ticked]


def ranking(asked: list[runs.Run], moment: float = np.inf) -> label_faults.Ranking:
    """Return how likely labels are wrong, by each run at its moment nearest to this one.

    Raises RunsError, which names the run that cannot be asked.
    """
    played = [
        (one, min(one.moments, key=lambda m: (abs(min(moment, one.moments[-1]) - m), m)))
        for one in asked
    ]
    for run, at in played:
        try:
            resources.evaluation(run, at)
        except runs.RunsError as error:
            raise runs.RunsError(f"{frame.run_label(run)} cannot be asked. {error}") from error
    return resources.label_ranking(played)


def doubted(part: Subset) -> np.ndarray:
    """Return which images have a label that none of several runs reads in the end, bool (N,)."""
    found = np.zeros(len(part), bool)
    asked = _ticked()
    if len(asked) < 2 or part.dataset.fingerprint != frame.current_data():
        return found
    try:
        votes = ranking(asked).votes
    except runs.RunsError:
        return found
    found[part.of_test] = votes[part.index[part.of_test]] == len(asked)
    return found


def _candidates() -> list[runs.Run]:
    """Return the runs on the data of the current one."""
    return [
        one
        for one in frame.all_runs()
        if one.moments and one.dataset.get("fingerprint") == frame.current_data()
    ]


def _ticked() -> list[runs.Run]:
    by_id = {one.id: one for one in _candidates()}
    ticked = st.session_state.get("jury")
    if ticked is None:
        ticked = [one for one in st.query_params.get_all("ask") if one in by_id]
        done = [one for one in by_id.values() if one.state not in (*runs.ACTIVE, "diverged")]
        best = sorted(done, key=lambda one: -(one.status.get("test_accuracy") or 0))
        ticked = ticked or [one.id for one in best[:BEST]]
    return [by_id[one] for one in ticked if one in by_id]


def _take(known: tuple[str, ...]) -> None:
    st.session_state["jury"] = [one for one in st.session_state["jury_choice"] if one in known]
