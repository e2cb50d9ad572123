"""A run as it lives: status, controls, figures, curves, and the network from inside."""

from __future__ import annotations

import contextlib
import time

import pandas as pd
import streamlit as st

from mnist_core import runs, wording
from mnist_core.ui import curves_view, drive, frame, keep_view, network_view, notices, resources

POLL_SECONDS = 0.5  # status and curves
INSIDE_SECONDS = 1.0  # all else: a glimpse of the network is not written more often
IDLE_SECONDS = 3.0
FRAME_SECONDS = 5.0  # the cursor at the bottom follows new epochs at most so often


def studio(run_id: str, beside) -> None:
    """Draw a run, its twenty digits into `beside`; while it is queued or running, again and again.

    Only these parts of the page are drawn again; all of it when the run's state changes, and now
    and then for the frame's epochs. A training shares the machine with whoever watches it: what is
    seen changes little in half a second is drawn less often.
    """
    try:
        run = runs.read(run_id)
    except runs.RunsError as error:  # deleted since the frame was drawn
        st.error(wording.verbatim(str(error)))
        return
    seen, drawn = (run.state, len(run.moments)), time.monotonic()

    @st.fragment(run_every=POLL_SECONDS if run.active else None)
    def draw() -> None:
        frame.draw_more()
        try:
            now = runs.read(run_id)
        except runs.RunsError as error:
            st.error(str(error))
            return
        grown = len(now.moments) != seen[1] and time.monotonic() - drawn > FRAME_SECONDS
        if now.state != seen[0] or grown:
            st.rerun()
        if now.state == "queued":
            resources.keep_trainer()
        _progress(now)

    draw()
    _inside(run_id, run.active)
    with beside:
        _digits(run_id, run.active)
    if not run.active:
        _listen(run)


def _inside(run_id: str, active: bool) -> None:
    @st.fragment(run_every=INSIDE_SECONDS if active else None)
    def draw() -> None:
        frame.draw_more()
        with contextlib.suppress(runs.RunsError):  # deleted: the curves' part says so
            _details(runs.read(run_id))

    draw()


def _listen(run: runs.Run) -> None:
    """Draw all anew when somebody else drives this run."""

    @st.fragment(run_every=IDLE_SECONDS)
    def look() -> None:
        with contextlib.suppress(runs.RunsError):
            now = runs.read(run.id)
            if (now.state, now.control) != (run.state, run.control):
                st.rerun()

    look()


def _digits(run_id: str, active: bool) -> None:
    @st.fragment(run_every=INSIDE_SECONDS if active else None)
    def draw() -> None:
        if seen := _glance(run_id):
            network_view.watched_digits(seen)

    draw()


def _glance(run_id: str) -> network_view.Glance | None:
    """Return the network as it is, or was at the cursor; says where that cannot be read."""
    try:
        return network_view.glance(runs.read(run_id), frame.current_moment())
    except runs.RunsError as error:
        st.caption(str(error))
        return None


def _progress(run: runs.Run) -> None:
    _status(run)
    with st.container(key="run_notice"):
        _notice(run)
    curves_view.curves(run)


def _details(run: runs.Run) -> None:
    with st.container(horizontal=True, key="below_curves"):
        curves_view.options(run)
        keep_view.keep(run)
    keep_view.from_parent(run)
    if seen := _glance(run.id):
        network_view.inside(seen)


def _status(run: runs.Run) -> None:
    steps = run.metrics[run.metrics["kind"] == "step"]
    epochs = run.epochs
    position = run.metrics["epoch"].iloc[-1] if len(run.metrics) else 0.0
    done = min(1.0, position / run.planned_epochs)
    st.progress(done, text=_sentence(run, position, steps))
    drive.controls(run)
    running = steps.iloc[-1] if len(steps) else pd.Series(dtype=float)
    final = epochs.iloc[-1] if len(epochs) else pd.Series(dtype=float)
    if run.final in epochs.index:
        final = epochs.loc[run.final]
    with st.container(horizontal=True, key="run_numbers"):
        st.metric(
            "Training accuracy",
            wording.percent(running.get("accuracy")),
            help="Mean since the epoch began, as Keras and the paper print it",
            width=155,
        )
        st.metric("Training loss", wording.loss(running.get("loss")), width=115)
        st.metric(
            "Validation accuracy",
            wording.percent(final.get("val_accuracy")),
            help="Of images the network does not learn from, after each epoch",
            width=165,
        )
        st.metric("Validation loss", wording.loss(final.get("val_loss")), width=125)
        st.metric(
            "Images a second",
            wording.speed(steps["images_per_second"].tail(10).median()),
            help="How many images it learns from in a second, waiting in slow motion left out",
            width=135,
        )


def _sentence(run: runs.Run, position: float, steps: pd.DataFrame) -> str:
    title = f"**{wording.verbatim(run.title)}**"
    if run.state == "queued":
        place = [waiting.id for waiting in runs.waiting()]
        before = place.index(run.id) if run.id in place else 0
        busy = any(other.state == "running" for other in runs.list_runs())
        if before or busy:
            return f"{title}: number {before + 1} in the queue"
        return f"{title}: the trainer is starting"
    if run.state != "running":
        seconds = wording.duration(run.status.get("seconds"))
        where = f"{run.state} at {run.place} after {seconds} of training"
        reason = f" {notices.reason_of(run)}" if run.state == "completed" else ""
        if run.moments and run.final != run.moments[-1]:
            reason += (
                f" The weights of epoch {run.final:g} are back; more epochs go on from the last."
            )
        return f"{title}: {where}.{reason}"
    if not len(steps):
        return f"{title}: preparing"
    in_epoch = run.steps_per_epoch
    step = int(steps["step"].iloc[-1])
    epoch, within = divmod(step - 1, in_epoch)
    first, elapsed = steps.iloc[0], steps["seconds"].iloc[-1]
    done = step - first["step"]
    rate = (elapsed - first["seconds"]) / done if done else 0.0
    pace = run.control["pace"]
    until = run.planned_epochs * in_epoch
    if run.control["run_until"]:
        until = min(until, run.control["run_until"])
    left = max(rate, 1 / pace if pace else 0.0) * max(0, until - step)
    return (
        f"{title}: epoch {epoch + 1} of {run.planned_epochs}, step {within + 1:,} of "
        f"{in_epoch:,}, learning rate {steps['learning_rate'].iloc[-1]:.2g}, "
        f"{wording.duration(left)} left"
    )


def _notice(run: runs.Run) -> None:
    """Say loudly when a run did not end as it should."""
    drive.press_problem()
    reason = wording.verbatim(notices.reason_of(run))
    if run.state == "diverged":
        st.error(f"This run diverged: it does not learn. {reason}")
    elif run.state == "failed":
        st.error(f"This run failed. {reason} What was recorded is kept: **Resume** goes on.")
        with st.expander("Technical detail"):
            st.code(run.status.get("error") or "none was recorded", language=None)
    elif run.state == "interrupted":
        st.warning(f"This run was interrupted. {reason} **Resume** goes on from there.")
