"""One's digit read by several runs, and by one run over its epochs."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import draw_figures, over_time_figures, runs, wording
from mnist_core.ui import draw_view, frame, resources
from mnist_core.ui.chart import chart
from mnist_core.ui.draw_view import Network
from mnist_core.ui.sheet import Sheet

MOST_RUNS, MOST_MOMENTS = 8, 24


def side_by_side_view(found: Sheet | None, playing: Network | None) -> None:
    """Draw the ticked runs' answers as rows, and the current run's along its epochs."""
    asked = ticked_runs("drawn_runs", "Runs that read it, too", MOST_RUNS - 1) if playing else []
    if not draw_view.has_digit(found, playing):
        return
    left, right = st.columns(2, gap="medium")
    with left:
        names, rows, unread = [], [], []
        for run, moment in [(playing.run, playing.moment), *((one, one.final) for one in asked)]:
            try:
                rows.append(resources.ask_pixels(run, moment, found.scaled[None])[0])
                names.append(run.title)
            except runs.RunsError as error:
                unread.append(f"{run.title}: {error}")
        if rows:
            chart(draw_figures.answers_of_runs(names, np.stack(rows)), key="drawn_by_runs",
                  height=110 + 36 * len(rows))  # fmt: skip
        for problem in unread:
            st.caption(wording.verbatim(problem))
    with right:
        _life(found, playing)


def _life(found: Sheet, playing: Network) -> None:
    moments = playing.run.moments
    if len(moments) > MOST_MOMENTS:
        moments = [moments[i] for i in np.linspace(0, len(moments) - 1, MOST_MOMENTS).astype(int)]
    said = resources.ask_over(playing.run, moments, found.scaled)
    true = int(said[-1].argmax()) if found.meant is None else found.meant
    chart(
        over_time_figures.life(moments, said, true, cursor=playing.moment),
        key="drawn_life",
        height=300,
    )
    st.caption(f"What {wording.verbatim(playing.run.title)} says of it from epoch to epoch.")


def ticked_runs(key: str, label: str, most: int) -> list[runs.Run]:
    """Draw the choice of runs beside the current one, and return them."""
    current = frame.current_run()
    found = {run.id: run for run in frame.all_runs() if run.moments and run.id != current.id}
    if not found:
        st.caption("Once several runs are trained, they can be compared here.")
        return []
    labels = frame.run_labels(list(found.values()))
    before = st.session_state.get(key)
    if before is None:
        st.session_state[key] = list(found)[: min(2, most)]
    else:
        st.session_state[key] = [one for one in before if one in found]
    chosen = st.multiselect(
        label, list(found), key=key, format_func=labels.get, max_selections=most,
        placeholder="Other runs", persist_state="session",
    )  # fmt: skip
    return [found[one] for one in chosen]
