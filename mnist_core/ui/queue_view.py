"""The queue: what trains, what waits for how long, what is paused; one's own are marked."""

from __future__ import annotations

import streamlit as st

from mnist_core import driving, runs, wording
from mnist_core.ui import drive, estimates, frame, resources

POLL_SECONDS = 1.0
IDLE_SECONDS = 3.0  # somebody else may start a run


def queue_view() -> None:
    """Draw a line for each run that trains, waits or is paused."""
    active = any(run.active for run in frame.all_runs())

    @st.fragment(run_every=POLL_SECONDS if active else IDLE_SECONDS)
    def draw() -> None:
        frame.draw_more()
        found = runs.list_runs()
        if active != any(run.active for run in found):
            st.rerun()
        _draw(found)

    draw()


def _draw(found: list[runs.Run]) -> None:
    running = [run for run in found if run.state == "running"]
    paused = [run for run in found if run.state == "paused"]
    waiting = runs.waiting()
    drive.press_problem()
    if not running + waiting + paused:
        st.info(
            "Nothing trains, waits or is paused. **Train** starts a run; more of them queue up."
        )
        return
    starts = estimates.starts(running, waiting, found)
    for run in running:
        rest = wording.duration(estimates.seconds_left(run, found))
        _line(
            run, f"trains now, {run.position:.1f} of {run.planned_epochs} epochs, about {rest} left"
        )
    for place, run in enumerate(waiting):
        begins = f"starts in about {wording.duration(starts[run.id])}" if starts[run.id] else "next"
        _line(run, f"number {place + 1} in the queue, {begins}")
    for run in paused:
        _line(run, f"paused at {run.place}; {run.planned_epochs} epochs are planned")


def _see(run: runs.Run) -> runs.Run:
    st.session_state["train"] = "Studio"
    return run


def _line(run: runs.Run, said: str) -> None:
    own = run.id in resources.own_runs()
    with st.container(key=f"queue_{run.id}", horizontal=True, vertical_alignment="center"):
        mark = frame.STATE_MARKS[run.state]
        st.markdown(f"{mark} **{wording.verbatim(run.title)}**", width=240)
        st.caption(f"{said} · yours" if own else said, width="stretch")
        st.button("See", key=f"see_{run.id}", on_click=drive.press, args=(_see, run))
        if run.state == "paused":
            st.button(
                "Resume", key=f"go_on_{run.id}", on_click=drive.press, args=(driving.resume, run)
            )
        st.button("Cancel", key=f"cancel_{run.id}", on_click=drive.press, args=(driving.stop, run))
