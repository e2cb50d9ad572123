"""The Draw page's parts: at the left what one draws on, at the right what networks make of it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from mnist_core import runs, wording
from mnist_core.ui import explained, frame, gallery, notices, resources, sheet
from mnist_core.ui.sheet import Sheet

NOT_SURE = 0.6  # below, the answer is called unsure
FOLLOW_SECONDS = 3.0  # between two looks of the whole page at a run that goes on


@dataclass(frozen=True)
class Network:
    """The current run at the moment under the cursor."""

    run: runs.Run
    moment: float
    answers: dict[bytes, np.ndarray] = field(default_factory=dict, compare=False)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Return (N, 10) for float32 pixels (N, 28, 28) as Stage has them; raises RunsError.

        What is asked twice while the page is drawn is answered once.
        """
        key = pixels.tobytes()
        if key not in self.answers:
            self.answers[key] = resources.ask_pixels(self.run, self.moment, pixels)
        return self.answers[key]

    def of_stages(self, found: Sheet) -> np.ndarray:
        """Return what it would read after each of the six stages, (6, 10); raises RunsError."""
        return self.probabilities(np.stack([stage.pixels for stage in found.stages]))


def network() -> Network | None:
    """Return the network that is played, or None where nothing is recorded yet."""
    run, moment = frame.current_run(), frame.current_moment()
    return None if run is None or moment is None else Network(run, moment)


@st.fragment
def lab(view, eager: bool) -> None:
    """Draw the sheet, and `view(sheet, network)` beside it; a pen stroke draws only this anew."""
    frame.draw_more()
    _follow()
    sheet.arrive()
    gallery.remember()
    playing = network()
    left, right = st.columns([3, 8], gap="large")
    with left:
        found = sheet.choose(eager)
        with st.container(key="reading"):
            _reading(found, playing)
        if found:
            with st.container(horizontal=True, key="below_sheet", gap="small"):
                sheet.keep_row(found)
                explained.offer_drawing(found.digit, found.meant, key="explain_drawing")
    if playing and (found is None or found.blank):
        resources.wake(playing.run, playing.moment)  # while the first stroke is drawn
    with right:
        try:
            if playing is None:
                _without_network()
            view(found, playing)
        except runs.RunsError as error:
            st.error(wording.verbatim(str(error)))
        if gallery.kept():
            _gallery(playing)
    st.caption(
        "What you draw or upload goes to this app alone, to be read, and nowhere else. Kept "
        "drawings stay in your browser."
    )
    sheet.to_url()


def _follow() -> None:
    """Draw all anew when the run that is played has gone on or is gone, but not at every stroke."""
    run, state = frame.current_run(), st.session_state
    if run is None:
        return
    try:
        now = runs.read(run.id)
        moved = (now.state, len(now.moments)) != (run.state, len(run.moments))
    except runs.RunsError:  # deleted
        moved = True
    if moved and time.monotonic() - state.get("lab_followed", -FOLLOW_SECONDS) >= FOLLOW_SECONDS:
        state["lab_followed"] = time.monotonic()
        st.rerun(scope="app")


@st.fragment(run_every=1.0)
def _wait_for_a_moment() -> None:
    """Draw all anew once the run that is played has been recorded for the first time."""
    run = frame.current_run()
    with contextlib.suppress(runs.RunsError):
        if run is not None and runs.read(run.id).moments:
            st.rerun(scope="app")


def _reading(found: Sheet | None, playing: Network | None) -> None:
    """Say below the sheet what it is read as, or what is missing or wrong."""
    if found is not None and found.remark:
        st.warning(found.remark)
    elif (found is None or found.blank) and st.session_state["sheet_kind"] != "Photo":
        st.markdown(
            "**Draw a digit** with a mouse, a finger or a pen.",
            help="Or with the keyboard: Tab to the pad; arrows move, Space lowers and lifts the "
            "pen, Ctrl+Z undoes, Delete clears.",
        )
    if found is None or found.blank or playing is None:
        return
    try:
        said = playing.of_stages(found)[-1]
    except runs.RunsError:  # the view beside it says so
        return
    answer = int(said.argmax())
    title = f"Not sure: {answer}" if said[answer] < NOT_SURE else f"Read as {answer}"
    st.subheader(f"{title}, {wording.percent(said[answer], 1)}", anchor=False)


def _without_network() -> None:
    run = frame.current_run()
    if run is None:
        st.info("No network has been trained yet, so nobody reads your digit.")
        notices.train_paper_button()
    else:
        st.info(f"Nothing is recorded of this run yet: it is {run.state}.")
        frame.page_link("train", "See it on the Train page")
        _wait_for_a_moment()


def _gallery(playing: Network | None) -> None:
    drawings = gallery.kept()
    with st.expander(wording.count(len(drawings), "kept drawing"), key="gallery_part"):
        pixels = np.stack([digit for digit, _ in drawings]).astype(np.float32) / 255
        read = None
        if playing is not None:
            with contextlib.suppress(runs.RunsError):  # the view above says so
                read = playing.probabilities(pixels).argmax(axis=1).tolist()

        def pick(i: int) -> None:
            sheet.edit(*drawings[i])

        gallery.grid(read, pick)
        st.button("Forget all", icon=":material/delete:", key="forget", on_click=gallery.forget)


def has_digit(found: Sheet | None, playing: Network | None) -> bool:
    """Tell whether there is a digit and a network; else say what to do first."""
    if playing is None:
        return False
    if found is None or found.blank:
        st.info("Draw a digit at the left first.")
        return False
    if not found.stages[-1].on:
        st.caption("Here the pixels are divided by 255, though that is switched off in **Answer**.")
    return True
