"""A run as it lives: status, progress, the two curves, and its controls."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from mnist_core import figures, paper, runs, wording
from mnist_core.ui import frame, notices, resources
from mnist_core.ui.chart import chart
from mnist_core.ui.digit_grid import digit_grid

POLL_SECONDS = 0.5
WATCHED = 20  # test digits whose answers are followed


def panel(run_id: str) -> None:
    """Draw a run; while it is queued or running, draw it again twice a second."""
    run = runs.read(run_id)
    seen = (run.state, len(run.moments))

    @st.fragment(run_every=POLL_SECONDS if run.active else None)
    def draw() -> None:
        try:
            now = runs.read(run_id)
        except runs.RunsError as error:
            st.error(str(error))
            return
        if (now.state, len(now.moments)) != seen:
            st.rerun()  # the frame's cursor and the buttons change with it
        if now.state == "queued":
            resources.keep_trainer()
        _status(now)
        with st.container(key="run_notice"):
            _notice(now)
        _curves(now)

    draw()


def _status(run: runs.Run) -> None:
    last = run.metrics.iloc[-1] if len(run.metrics) else None
    position = last["epoch"] if last is not None else 0.0
    steps = run.metrics[run.metrics["kind"] == "step"]
    with st.container(horizontal=True, vertical_alignment="center", key="run_status"):
        st.progress(min(1.0, position / run.planned_epochs), text=_sentence(run, position, steps))
        _buttons(run)
    epochs = run.epochs
    with st.container(horizontal=True, key="run_numbers"):
        running = steps.iloc[-1] if len(steps) else None
        final = epochs.iloc[-1] if len(epochs) else None
        st.metric(
            "Training accuracy",
            wording.percent(None if running is None else running["accuracy"]),
            help="Mean since the epoch began, as Keras and the paper print it",
            width=160,
        )
        st.metric(
            "Training loss",
            wording.loss(None if running is None else running["loss"]),
            width=120,
        )
        st.metric(
            "Validation accuracy",
            wording.percent(None if final is None else final["val_accuracy"]),
            help="Of images the network does not learn from, after each epoch",
            width=165,
        )
        st.metric(
            "Validation loss",
            wording.loss(None if final is None else final["val_loss"]),
            width=120,
        )


def _sentence(run: runs.Run, position: float, steps: pd.DataFrame) -> str:
    title = f"**{run.config.title}**"
    if run.state == "queued":
        place = [waiting.id for waiting in runs.waiting()]
        before = place.index(run.id) if run.id in place else 0
        busy = any(other.state == "running" for other in runs.list_runs())
        if before or busy:
            return f"{title}: number {before + 1} in the queue"
        return f"{title}: the trainer is starting"
    if run.state != "running":
        seconds = wording.duration(run.status.get("seconds"))
        return f"{title}: {run.state} at epoch {position:.3g} after {seconds}."
    if not len(steps):
        return f"{title}: preparing"
    speed = steps["images_per_second"].tail(10).median()
    in_epoch = run.steps_per_epoch
    step = int(steps["step"].iloc[-1])
    epoch, within = divmod(step - 1, in_epoch)
    elapsed = steps["seconds"].iloc[-1]
    first = steps.iloc[0]
    done = step - first["step"]
    rate = (elapsed - first["seconds"]) / done if done else 0.0
    left = rate * (run.planned_epochs * in_epoch - step)
    return (
        f"{title}: epoch {epoch + 1} of {run.planned_epochs}, step {within + 1:,} of {in_epoch:,}, "
        f"{speed:,.0f} images/s, {wording.duration(left)} left"
    )


def _notice(run: runs.Run) -> None:
    """Say loudly when a run did not end as it should."""
    press_problem()
    reason = wording.verbatim(notices.reason_of(run))
    if run.state == "diverged":
        st.error(f"This run diverged: it does not learn. {reason}")
    elif run.state == "failed":
        st.error(f"This run failed. {reason}")
        with st.expander("Technical detail"):
            st.code(run.status.get("error") or "none was recorded", language=None)
    elif run.state == "interrupted":
        st.warning(f"This run was interrupted. {reason} **Resume** goes on from there.")


def _buttons(run: runs.Run) -> None:
    """Draw what can be done with a run; presses are carried out by press()."""
    if run.active:
        st.button("Stop", icon=":material/stop:", key="stop", on_click=press, args=(runs.stop, run))
        return
    resumable = run.state in runs.RESUMABLE
    if run.state == "completed":
        with st.popover("More epochs", icon=":material/fast_forward:"):
            st.number_input("Epochs to add", 1, 200, 5, key="more_epochs")
            if run.config.schedule == "cosine":
                st.caption("The schedule has ended; added epochs use its final, low rate.")
            st.button("Train on", key="train_on", on_click=press, args=(_add_epochs, run))
    else:
        st.button(
            "Resume",
            icon=":material/play_arrow:",
            key="resume",
            disabled=not resumable,
            help=None if resumable else f"A {run.state} run cannot go on.",
            on_click=press,
            args=(runs.resume, run),
        )


def _add_epochs(run: runs.Run) -> None:
    runs.resume(run, st.session_state["more_epochs"])


def press(action: Callable[..., runs.Run | None], *arguments) -> None:
    """Carry out a button's action; a run it returns becomes the current one.

    A callback, and not a branch of the page: a page that is drawn again at that very moment, as it
    is at every epoch's end, would lose the press.
    """
    st.session_state.pop("press_problem", None)
    wanted = frame.wanted_run()  # before the action: see there
    try:
        run = action(*arguments)
    except (runs.RunsError, ValueError, OSError) as error:
        st.session_state["press_problem"] = str(error)
        return
    if run is not None:
        wanted["run"] = run.id
    resources.keep_trainer()


def press_problem() -> None:
    """Say why the last press could not be carried out."""
    if problem := st.session_state.pop("press_problem", None):
        st.error(wording.verbatim(problem))


def _curves(run: runs.Run) -> None:
    left, right = st.columns(2)
    moment = None if run.active else frame.current_moment()
    name = "validation" if run.config.validation_share else "validation (the test set)"
    for column, quantity in ((left, "accuracy"), (right, "loss")):
        with column:
            chart(
                figures.learning_curves(
                    run.metrics,
                    quantity,
                    run.planned_epochs,
                    with_paper=run.config.as_in_paper,
                    cursor=moment,
                    validation_name=name,
                ),
                key=f"curve_{quantity}",
                height=350,
            )


def watched_digits(run: runs.Run) -> None:
    """Show twenty test digits, green or red at the cursor's epoch."""
    moment = frame.current_moment()
    if moment is None:
        return
    try:
        evaluation = resources.evaluation(run, moment)
        images = resources.dataset_of(run).test.images
    except runs.RunsError as error:
        st.caption(str(error))
        return
    right = evaluation.right[:WATCHED]
    st.caption(
        f"The first {len(right)} test digits after epoch {wording.epoch(moment)}: "
        f"{int(right.sum())} right"
    )
    digit_grid(
        images[: len(right)],
        captions=[
            f"a {label} read as {answer}"
            for label, answer in zip(
                evaluation.labels[:WATCHED], evaluation.predicted[:WATCHED], strict=False
            )
        ],
        marks=["right" if is_right else "wrong" for is_right in right],
        label="Twenty test digits",
        cell=40,
        columns=5,
        key="watched_digits",
    )


def beside_paper(run: runs.Run) -> pd.DataFrame:
    """Return this run's epochs beside the paper's, written as the screens write numbers."""
    ours, theirs = run.epochs, paper.EPOCHS
    names = {
        "accuracy": ("training accuracy", wording.percent),
        "loss": ("training loss", wording.loss),
        "val_accuracy": ("test accuracy", wording.percent),
        "val_loss": ("test loss", wording.loss),
    }
    columns = {}
    for name, (title, words) in names.items():
        columns[title, "this run"] = ours[name].reindex(theirs.index).map(words)
        columns[title, "the paper"] = theirs[name].map(words)
    return pd.DataFrame(columns)
