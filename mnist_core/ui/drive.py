"""The controls of a run: pause, one step, one epoch, more epochs, stop, learning rate, pace."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from mnist_core import driving, runs, wording
from mnist_core.ui import form_fields, frame, resources

PACES = {0: "full speed", 50: "50 batches/s", 10: "10 batches/s", 2: "2 batches/s"}
MORE_EPOCHS = 5
PROBLEM_SECONDS = 15.0
DEAD = "A diverged run cannot go on."


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
    now = run.control["learning_rate"] or run.config.learning_rate
    peak = "" if run.config.schedule == "constant" else "peak "
    about = "Learning rate: a change while it trains is marked on the curve"
    _level(
        f"{peak}rate {now:g}", form_fields.ladder(now), "{:g}".format, "rate", _set_rate, about, run
    )


def _pace(run: runs.Run) -> None:
    """Draw slow motion: so few batches a second that each can be seen."""
    now = run.control["pace"] or 0
    label = PACES.get(now, f"{now:g} batches/s")
    about = "Slow motion: so few batches a second"
    _level(label, list(PACES), PACES.get, "pace", _set_pace, about, run)


def _level(
    label: str, options: list, written: Callable, name: str, action: Callable, about: str,
    run: runs.Run,
) -> None:  # fmt: skip
    """Draw a menu of levels, named by the one that holds.

    Not a selectbox: a browser sends what its boxes show whenever it asks for the page, also what it
    has not heard yet that another viewer changed, and that would count as chosen.
    """
    key, dead = f"drive_{name}_{run.id}", run.state == "diverged"
    st.menu_button(
        label, options, key=key, format_func=written, disabled=dead, help=DEAD if dead else about,
        on_click=press, args=(action, run, key),
    )  # fmt: skip


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
        st.session_state["press_problem"] = str(error), time.monotonic()
        return
    if run is not None:
        wanted["run"] = run.id
    resources.keep_trainer()


def press_problem() -> None:
    """Say for some seconds why the last press could not be carried out."""
    problem, when = st.session_state.get("press_problem", ("", 0.0))
    if problem and time.monotonic() - when < PROBLEM_SECONDS:
        st.error(wording.verbatim(problem))
