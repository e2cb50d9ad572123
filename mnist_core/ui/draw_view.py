"""The Draw page's parts: at the left what one draws on, at the right what networks make of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from mnist_core import runs, wording
from mnist_core.ui import frame, gallery, notices, resources, sheet
from mnist_core.ui.sheet import Sheet

NOT_SURE = 0.6  # below, the answer is called unsure


@dataclass(frozen=True)
class Network:
    """The current run at the moment under the cursor."""

    run: runs.Run
    moment: float

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Return (N, 10) for float32 pixels (N, 28, 28) as Stage has them; raises RunsError."""
        return resources.ask_pixels(self.run, self.moment, pixels)


def network() -> Network | None:
    """Return the network that is played, or None where nothing is recorded yet."""
    run, moment = frame.current_run(), frame.current_moment()
    return None if run is None or moment is None else Network(run, moment)


@st.fragment
def lab(view, eager: bool) -> None:
    """Draw the sheet, and `view(sheet, network)` beside it; a pen stroke draws only this anew."""
    frame.draw_more()
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
    if playing and (found is None or found.blank):
        resources.wake(playing.run, playing.moment)  # while the first stroke is drawn
    with right:
        try:
            if playing is None:
                _without_network()
            view(found, playing)
            if gallery.kept():
                _gallery(playing)
        except runs.RunsError as error:
            st.error(wording.verbatim(str(error)))
    st.caption(
        "What you draw or upload goes to this app alone, to be read, and nowhere else. Kept "
        "drawings stay in your browser."
    )
    sheet.to_url()


def _reading(found: Sheet | None, playing: Network | None) -> None:
    """Say below the sheet what it is read as, or what is missing or wrong."""
    if found is None or (found.blank and found.kind != "Photo"):
        if st.session_state["sheet_kind"] != "Photo":
            st.markdown("**Draw a digit** with a mouse, a finger or a pen.")
        return
    if found.remark:
        st.warning(found.remark)
    if found.blank or playing is None:
        return
    try:
        said = playing.probabilities(found.pixels[None])[0]
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


def _gallery(playing: Network | None) -> None:
    drawings = gallery.kept()
    with st.expander(wording.count(len(drawings), "kept drawing"), key="gallery_part"):
        pixels = np.stack([digit for digit, _ in drawings]).astype(np.float32) / 255
        read = None if playing is None else playing.probabilities(pixels).argmax(axis=1).tolist()

        def pick(i: int) -> None:
            sheet.edit(*drawings[i])

        gallery.grid(read, pick)
        st.button("Forget all", icon=":material/delete:", key="forget", on_click=gallery.forget)


def reading_or_hint(found: Sheet | None, playing: Network | None) -> np.ndarray | None:
    """Return the probabilities (10,) of what is drawn; else None, and say what to do first."""
    if playing is None:
        return None
    if found is None or found.blank:
        st.info("Draw a digit at the left first.")
        return None
    if not found.stages[-1].on:
        st.caption("Here the pixels are divided by 255, though that is switched off in **Answer**.")
    return playing.probabilities(found.scaled[None])[0]
