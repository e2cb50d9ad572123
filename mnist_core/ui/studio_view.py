"""The studio: the form at the left, the run that it made, or that is played, at the right."""

from __future__ import annotations

import streamlit as st

from mnist_core import config, runs, wording
from mnist_core.config import TrainConfig
from mnist_core.layers import LayerError
from mnist_core.presets import PRESETS
from mnist_core.ui import drive, estimates, form, form_fields, frame, live, resources

SLOW_STARTS = {"one step": {"run_until": 1}, "slow motion, 2 batches a second": {"pace": 2}}


def studio_view() -> None:
    """Draw the form, and the current run beside it."""
    form.arrive()
    with st.container(key="picture_first"):
        controls, picture = st.columns([1, 3], gap="large")
    with controls:
        digits, said = _form()
    run = frame.current_run()
    with picture:
        if run is None:
            st.info("No run yet. **Start training** and the curves draw themselves here.")
        else:
            live.studio(run.id, digits)
    form.to_url(said)


def _form():
    """Draw the form; return the place for the watched digits in it, and what it says."""
    st.session_state["preset"] = form.preset_name()
    st.selectbox(
        "Start from", list(PRESETS), format_func=lambda name: PRESETS[name].name, key="preset",
        on_change=form.fill_preset, placeholder="Settings of your own",
    )  # fmt: skip
    start, digits = st.container(key="start"), st.container(key="digits_beside")
    said = form.chosen()
    images = said.training_images(len(resources.dataset().train))
    with st.expander(_network_title(said), key="form_network"):
        form_fields.network(said)
    with st.expander("Training", key="form_training"):
        form_fields.training(said, images)
    with st.expander("Data and validation", key="form_data"):
        form_fields.data(said)
    said = form.chosen()
    with start:
        _start(said)
    return digits, said


def _network_title(said: TrainConfig) -> str:
    try:
        return f"Network: {wording.count(said.parameters, 'parameter')}"
    except ValueError:
        return "Network: cannot be built"


def _start(said: TrainConfig) -> None:
    problem = None
    try:
        said.validate()
    except LayerError as error:
        problem = f"The network cannot be built: see layer {error.position + 1} of **Network**."
    except ValueError as error:
        problem = str(error)
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Start training", type="primary", icon=":material/play_arrow:", width="stretch",
            disabled=bool(problem), help=problem, on_click=drive.press, args=(_start_chosen, {}),
        )  # fmt: skip
        st.menu_button(
            "Slowly", list(SLOW_STARTS), key="start_slowly",
            disabled=bool(problem), help=problem or "Start with one step, or in slow motion",
            on_click=_start_slowly,
        )  # fmt: skip
    drive.press_problem()
    for each in form.problems():
        st.warning(wording.verbatim(each))
    if problem:
        st.error(problem)
        return
    estimates.line(said)
    if before := form.parent():
        changes = "; ".join(config.differences(said, before.config)) or "nothing is changed yet"
        st.caption(f"Compared with **{wording.verbatim(before.title)}**: {changes}.")
    if not said.validation_share:
        st.caption(
            "Validates on the test set, as the paper does.",
            help="Who chooses settings by the test set gets a test figure that is a little too "
            "hopeful. **Data and validation** can hold out training images instead.",
        )


def _start_chosen(level: dict) -> runs.Run:
    """Start what the form says at the moment of the press, the last value typed included."""
    before = form.parent()
    return resources.start_training(form.chosen(), parent=before and before.id, **level)


def _start_slowly() -> None:
    if level := SLOW_STARTS.get(st.session_state["start_slowly"]):
        drive.press(_start_chosen, level)
