"""The controls of a run: pause, one step, one epoch, more epochs, stop, learning rate, pace."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from mnist_core import driving, runs, wording
from mnist_core.ui import form_fields, frame, resources

PACES = {0: "full speed", 50: "50 batches/s", 10: "10 batches/s", 2: "2 batches/s"}
MORE_EPOCHS = 5


def controls(run: runs.Run) -> None:
    """Draw a run's buttons; one that cannot act says why. Presses are carried out by press()."""
    live, complete = run.active, run.state == "completed"
    goes_on = run.state in runs.RESUMABLE
    dead = f"A {run.state} run cannot go on."
    with st.container(horizontal=True, vertical_alignment="center", key="drive", gap="xsmall"):
        if live:
            _button("Pause", "pause", driving.pause, run, off=None)
        else:
            off = None if goes_on and not complete else "It is complete." if complete else dead
            _button("Resume", "play_arrow", driving.resume, run, off=off)
        busy = "Pause first." if live else None if goes_on else dead
        off = busy or ("It is complete: add epochs." if complete else None)
        _button("One step", "skip_next", _one_step, run, off=off)
        begun = None if run.steps_per_epoch else "It has not begun: resume it first."
        _button("One epoch", "keyboard_double_arrow_right", _one_epoch, run, off=busy or begun)
        off = "It still trains." if live else None if complete else "It is not complete yet."
        _button("+5 epochs", "fast_forward", _more, run, off=off if goes_on or live else dead)
        off = None if live or run.state == "paused" else "It does not train."
        _button("Stop", "stop", driving.stop, run, off=off)
        _rate(run)
        _pace(run)


def _button(label: str, icon: str, action: Callable, run: runs.Run, off: str | None) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        key=label.lower().replace(" ", "_"),
        disabled=off is not None,
        help=off,
        on_click=press,
        args=(action, run),
    )


def _one_step(run: runs.Run) -> None:
    driving.resume(run, until=int(run.status.get("step", 0)) + 1)


def _one_epoch(run: runs.Run) -> None:
    """Train to the end of the epoch the run is in; a complete one gets one more."""
    if run.state == "completed":
        return driving.resume(run, epochs=1)
    steps = run.steps_per_epoch
    driving.resume(run, until=(int(run.status.get("step", 0)) // steps + 1) * steps)


def _more(run: runs.Run) -> None:
    driving.resume(run, epochs=MORE_EPOCHS)


def _rate(run: runs.Run) -> None:
    """Draw the learning rate, which can be changed while the run trains."""
    asked = run.control["learning_rate"] or run.config.learning_rate
    ended = run.state in ("completed", "diverged")
    about = "Learning rate: a change while it trains is marked on the curve"
    peak = "" if run.config.schedule == "constant" else "peak "
    key = f"drive_rate_{run.id}"
    _follow(key, asked)
    st.selectbox(
        "Learning rate", form_fields.ladder(asked), key=key, width=150, disabled=ended,
        format_func=lambda rate: f"{peak}rate {rate:g}", label_visibility="collapsed",
        help=f"This run is {run.state}: it does not learn any more." if ended else about,
        on_change=press, args=(_set_rate, run, key),
    )  # fmt: skip


def _pace(run: runs.Run) -> None:
    """Draw slow motion: so few batches a second that each can be seen."""
    key, level = f"drive_pace_{run.id}", run.control["pace"] or 0
    _follow(key, level if level in PACES else 0)
    st.selectbox(
        "Pace", list(PACES), format_func=PACES.get, key=key, width=150,
        label_visibility="collapsed", on_change=press, args=(_set_pace, run, key),
    )  # fmt: skip


def _follow(key: str, level) -> None:
    """Set a widget when the level changed, perhaps by somebody else, and not while it is drawn
    again with the same: that would take it from the hand that holds it."""
    seen = f"{key}_seen"
    if key not in st.session_state or st.session_state.get(seen) != level:
        st.session_state[key] = level
    st.session_state[seen] = level


def _set_rate(run: runs.Run, key: str) -> None:
    driving.set_control(run, learning_rate=st.session_state[key])


def _set_pace(run: runs.Run, key: str) -> None:
    driving.set_control(run, pace=st.session_state[key])


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
