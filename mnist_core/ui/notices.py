"""Empty and special states: a sentence that says why, and one button that helps."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from mnist_core import runs, wording
from mnist_core.evaluation import Evaluation
from mnist_core.history import History
from mnist_core.presets import preset
from mnist_core.selection import Subset, ids_of
from mnist_core.ui import chosen, frame, resources


def train_paper_button(label: str = "Train the paper's network") -> None:
    """Offer the button that queues the paper's preset and opens the Train page."""
    if st.button(label, type="primary", icon=":material/play_arrow:", key="train_paper"):
        try:
            run = resources.start_training(preset("paper"))
        except (runs.RunsError, ValueError) as error:
            st.error(str(error))
            return
        frame.run_changed(run.id)
        st.switch_page("pages/train.py", query_params={})


@dataclass(frozen=True, eq=False)
class Played:
    """The current run at the moment under the cursor: images, and what the network says of them.

    `images` are the run's test set, or those that all screens are restricted to.
    """

    run: runs.Run
    moment: float
    images: Subset
    evaluation: Evaluation

    @property
    def name(self) -> str:
        """For files: the run and the epoch."""
        return f"{self.run.id}-epoch-{wording.epoch(self.moment)}"


def played() -> Played:
    """Return what the screens play; else say why not with the button that helps, and stop."""
    run, moment = frame.current_run(), frame.current_moment()
    chosen.show_problems(st.container(key="link_notices"))
    if run is None:
        st.info("There is no trained network yet. Training the paper's takes a few seconds.")
        train_paper_button()
        st.stop()
    if moment is None:
        st.info(f"Nothing is recorded of this run yet: it is {run.state}. {reason_of(run)}")
        frame.page_link("train", "See it on the Train page")
        st.stop()
    try:
        dataset = resources.dataset_of(run)
        images = chosen.subset(dataset) or Subset(dataset, ids_of(dataset, "test"))
        return Played(run, moment, images, resources.evaluation_of(run, moment, images))
    except runs.RunsError as error:
        st.error(f"This moment of the run cannot be shown. {error} Choose another epoch below.")
        st.stop()


def recorded_history(run: runs.Run, images: Subset) -> History:
    """Return what the run answered over its epochs to these images; else say why not, and stop."""
    if not images.of_test.all():
        st.info(
            "After every epoch only the test set's answers are recorded, and some of the chosen "
            "images are training images. Choose all test images above."
        )
        st.stop()
    try:
        past = resources.history_of(run)
    except runs.RunsError as error:
        st.error(f"This run's epochs cannot be shown. {error}")
        st.stop()
    if past.unreadable:
        epochs = ", ".join(map(wording.epoch, past.unreadable))
        st.warning(f"Left out, as its predictions cannot be read: epoch {epochs}.")
    return past.among(images.index)


def reason_of(run: runs.Run) -> str:
    return run.status.get("reason") or ""


def moment_line(playing: Played) -> str:
    """Return which network, at which epoch, measured on what, in one line."""
    moment, images, config = playing.moment, playing.images, playing.run.config
    when = "before any training" if moment == 0 else f"after epoch {wording.epoch(moment)}"
    some = wording.count(len(images), "chosen image")
    which = "the test set" if images.is_test_set else some
    data = wording.verbatim(str(playing.run.dataset.get("name", "unknown data")))
    title = wording.verbatim(playing.run.title)
    return f"{title} ({config.architecture}), {when}, on {which} of {data}"
