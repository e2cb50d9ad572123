"""Which digit Explain follows through the network, and the numbers of its way.

The image that is opened anywhere in the app (?image=), one of the mistakes, or what was drawn last.
URL: digit_is= which of these, digit= and meant= the drawing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import streamlit as st

from mnist_core import digit_link, runs, wording
from mnist_core.data import Dataset
from mnist_core.explain import Explanation
from mnist_core.moment import Moment
from mnist_core.ui import chosen, frame, notices, resources, url
from mnist_core.ui.picture import picture

KINDS = ("Image", "Mistake", "Drawing")


@dataclass(frozen=True, eq=False)
class Explained:
    """A digit, uint8 (28, 28), its label, what to call it, and the network at the cursor.

    Of a digit without a label `label` is the network's answer.
    """

    moment: Moment
    image: np.ndarray
    label: int
    name: str
    labelled: bool = True

    @cached_property
    def found(self) -> Explanation:
        """Its numbers, a batch of one."""
        return self.moment.explain(self.image, self.label)

    @property
    def answer(self) -> int:
        return int(self.found.probabilities[0].argmax())


def network() -> Moment:
    """Return the network at the cursor's epoch; else say why not with what helps, and stop."""
    run, epoch = frame.current_run(), frame.current_moment()
    if run is None:
        st.info("There is no trained network yet. Training the paper's takes a few seconds.")
        notices.train_paper_button()
        st.stop()
    if epoch is None:
        if run.active:
            st.info(f"Nothing is recorded of this run yet: it is {run.state}.")
        else:
            st.info("This run ended before anything was recorded.")
        frame.page_link("train", "See it on the Train page")
        st.stop()
    try:
        return resources.moment_of(run, epoch)
    except runs.RunsError as error:
        st.error(f"{wording.verbatim(str(error))} Choose another epoch, or another run, below.")
        st.stop()


def choose() -> Explained:
    """Draw the choice of the digit; return it with its network, or say why not, and stop."""
    at = network()
    try:
        dataset = resources.dataset_of(at.run)
        with st.container(horizontal=True, key="explained", vertical_alignment="center"):
            found = _chosen(at, dataset)
            with st.container(width=80, key="explained_picture"):
                picture(found.image, alt=f"{found.name}: a {found.label}", size=72)
            st.markdown(_said(found), width="content")
    except runs.RunsError as error:
        st.error(wording.verbatim(str(error)))
        st.stop()
    return found


def offer(number: int, fingerprint: str, *, key: str) -> None:
    """Draw the button that follows an image of a dataset, by its id, through the network."""
    if _pressed(key):
        chosen.open_image(number, fingerprint)
        _go(KINDS[0])


def offer_drawing(digit: np.ndarray, meant: int | None, *, key: str) -> None:
    """Draw that button for a drawn digit, uint8 (28, 28)."""
    if _pressed(key, disabled=not digit.any()):
        follow(digit, meant)
        _go(KINDS[2])


def _pressed(key: str, disabled: bool = False) -> bool:
    return st.button(
        "Explain", icon=":material/function:", key=key, disabled=disabled,
        help="Follow this digit through the network, with every number",
    )  # fmt: skip


def _go(kind: str) -> None:
    st.session_state["digit_is"], st.session_state["explain"] = kind, "One digit"
    st.switch_page("pages/explain.py", query_params={})


def follow(digit: np.ndarray, meant: int | None) -> None:
    """Make a drawn digit, uint8 (28, 28), the last one drawn, and maybe the digit one meant."""
    st.session_state["drawn_last"] = np.array(digit, np.uint8), meant


def _chosen(at: Moment, dataset: Dataset) -> Explained:
    _arrive()
    kind = st.segmented_control(
        "Digit", KINDS, default=KINDS[0], required=True, key="digit_is", bind="query-params",
        persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    _to_url(kind)
    chosen.to_url()
    if kind == "Drawing":
        return _drawing(at)
    if kind == "Mistake":
        return _mistake(at, dataset)
    return _image(at, dataset)


def _said(found: Explained) -> str:
    sure = wording.percent(found.found.probabilities[0, found.answer])
    if not found.labelled:
        return (
            f"**Your drawing** read as **{found.answer}**, {sure} sure. You did not say which "
            "digit you mean: the answer counts as its label."
        )
    mark = "✓" if found.answer == found.label else "✗"
    return (
        f"**{found.name[:1].upper()}{found.name[1:]}, a {found.label}** "
        f"read as **{found.answer}** {mark}, {sure} sure"
    )


def _image(at: Moment, dataset: Dataset) -> Explained:
    """Draw the number of an image; the opened one may be a training image."""
    tests_from = len(dataset.train)
    opened = chosen.opened(dataset.fingerprint)
    opened = tests_from if opened is None else opened
    of_test = opened >= tests_from
    split, first = (dataset.test, tests_from) if of_test else (dataset.train, 0)
    kind = "test" if of_test else "training"
    _number(
        f"{kind.capitalize()} image", opened - first, 0, len(split) - 1,
        lambda number: chosen.open_image(first + number, dataset.fingerprint),
    )  # fmt: skip
    if not of_test:
        st.button(
            "Test images", key="to_test_images", on_click=chosen.open_image,
            args=(tests_from, dataset.fingerprint),
        )  # fmt: skip
    index = opened - first
    return Explained(at, split.images[index], int(split.labels[index]), f"{kind} image {index:,}")


def _mistake(at: Moment, dataset: Dataset) -> Explained:
    """Draw the number of a mistake, the one the network is surest of first.

    One that was picked stays when the epoch changes, though it may be no mistake there.
    """
    errors = resources.evaluation(at.run, at.epoch).errors()
    first, state = len(dataset.train), st.session_state
    opened = chosen.opened(dataset.fingerprint)
    places = np.flatnonzero(errors == (-1 if opened is None else opened - first))
    place = int(places[0]) if len(places) else None
    if place is None and (opened is None or opened != state.get("explained_mistake")):
        if not len(errors):
            st.info("At this epoch no test image is misread. Choose a test image.")
            st.stop()
        place, opened = 0, first + int(errors[0])
        chosen.open_image(opened, dataset.fingerprint)
        chosen.to_url()
    state["explained_mistake"] = opened
    if place is not None:
        state["explained_place"] = place
    if len(errors):
        shown = min(state.get("explained_place", 0), len(errors) - 1)
        _number(
            f"Mistake, of {len(errors):,}", shown + 1, 1, len(errors),
            lambda number: chosen.open_image(first + int(errors[number - 1]), dataset.fingerprint),
        )  # fmt: skip
    index = opened - first
    label = int(dataset.test.labels[index])
    return Explained(at, dataset.test.images[index], label, f"test image {index:,}")


def _number(label: str, value: int, low: int, high: int, take) -> None:
    """Draw a number to type or to step through; `take` gets a new one before the rerun."""
    st.session_state["explained_number"] = value
    st.number_input(
        label, low, high, key="explained_number", width=170,
        on_change=partial(_taken, take),
    )  # fmt: skip


def _taken(take) -> None:
    take(int(st.session_state["explained_number"]))


def _drawing(at: Moment) -> Explained:
    drawn = st.session_state.get("drawn_last")
    if drawn is None:
        st.info("Nothing is drawn yet. A digit drawn on the Draw page can be followed here.")
        frame.page_link("draw", "Draw a digit", icon=":material/draw:")
        st.stop()
    digit, meant = drawn
    if meant is not None:
        return Explained(at, digit, meant, "your drawing")
    answer = int(at.explain(digit, 0).probabilities[0].argmax())
    return Explained(at, digit, answer, "your drawing", labelled=False)


def _arrive() -> None:
    """Take the drawing of the link when a session starts, or the one an address still holds."""
    state, said = st.session_state, st.query_params
    if "drawn_last" in state or "explained_arrived" in state:
        return
    state["explained_arrived"] = True
    if packed := said.get("digit"):
        if "digit_is" not in said:  # a choice made by a button is not in the address
            state["digit_is"] = KINDS[2]
        meant = said.get("meant")
        meant = int(meant) if meant in map(str, range(10)) else None
        try:
            follow(digit_link.unpacked(packed), meant)
        except ValueError:
            st.warning("The digit of this link cannot be read: it was cut short.")


def _to_url(kind: str) -> None:
    drawn = st.session_state.get("drawn_last") if kind == "Drawing" else None
    url.write("digit", None if drawn is None else digit_link.packed(drawn[0]))
    url.write("meant", None if drawn is None or drawn[1] is None else str(drawn[1]))
