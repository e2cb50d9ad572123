"""All digits that the network reads wrongly: filtered, grouped, sorted, and one of them opened."""

from __future__ import annotations

from collections import Counter

import numpy as np
import streamlit as st

from mnist_core import export, marks, wording
from mnist_core.evaluation import Evaluation
from mnist_core.selection import Subset
from mnist_core.ui import answers, chosen, jury, notices, opened_mistake, paging, verdicts
from mnist_core.ui.digit_grid import digit_grid
from mnist_core.ui.notices import Played

PAGE_SIZE = 300  # digits: one page for most runs
ANY = "any"
EPOCHS_WRONG = "most epochs wrong"
ORDERS = {
    "most confident": "confidence",
    "largest loss": "loss",
    "closest call": "margin",
    EPOCHS_WRONG: "confidence",  # among equals
    "by index": "index",
}


def mistakes_view(playing: Played) -> None:
    """Draw the grid of mistakes, and the opened one beside it."""
    images, evaluation = playing.images, playing.evaluation
    grid, opened = st.columns([3, 2], gap="medium")
    with grid:
        errors, grouped = _filtered(playing)
        if not len(errors):
            _why_none(images, evaluation)
            return
        marked = verdicts.of(images.dataset)
        verdicts.problems(marked)
        _close_what_filters_leave_out(images, errors)
        positions = paging.page_of(errors, PAGE_SIZE, key="mistakes_page")
        shown = images[positions]
        doubted = jury.doubted(shown)
        digit_grid(
            shown.images,
            captions=_captions(shown, evaluation, positions, marked),
            marks=answers.marks(evaluation.right[positions], doubted),
            groups=_groups(evaluation, positions) if grouped else None,
            selected=shown.position(chosen.opened(images.dataset.fingerprint)),
            on_pick=lambda i: chosen.open_image(shown.ids[i], images.dataset.fingerprint),
            label="Misread digits",
            cell=48,
            height=340,
            key="mistakes_grid",
        )
        _below(playing, errors)
        answers.say_doubts(shown, doubted)
    with opened, st.container(gap="xsmall"):
        here = opened_mistake.opened_of(images, shown)
        opened_mistake.panel(playing, here, images[errors], "mistakes_page", PAGE_SIZE)


def _filtered(playing: Played) -> tuple[np.ndarray, bool]:
    """Draw the filters; return the positions of the mistakes in order, and whether by pair."""
    digits = [ANY, *map(str, range(10))]
    with st.container(horizontal=True, key="filters", vertical_alignment="bottom"):
        true = st.selectbox("True digit", digits, key="true", bind="query-params", width=100)
        read = st.selectbox("Read as", digits, key="read", bind="query-params", width=100)
        order = st.selectbox("First", list(ORDERS), key="first", bind="query-params", width=190)
        grouped = st.toggle("By pair", value=True, key="pairs", bind="query-params",
                            help="The most frequent confusion first")  # fmt: skip
    sides = (None if side == ANY else int(side) for side in (true, read))
    evaluation = playing.evaluation
    errors = evaluation.errors(*sides, ORDERS[order])
    if order == EPOCHS_WRONG:
        epochs_wrong = notices.recorded_history(playing.run, playing.images).epochs_wrong
        errors = errors[np.argsort(-epochs_wrong[errors], kind="stable")]
    if grouped:
        errors = np.concatenate([errors[:0], *evaluation.by_pair(errors).values()])
    return errors, grouped


def _close_what_filters_leave_out(images: Subset, errors: np.ndarray) -> None:
    """After another filter begin at its first digit; a move of the cursor closes nothing."""
    fingerprint = images.dataset.fingerprint
    now = [st.session_state.get(key) for key in ("true", "read", "images")]
    before = st.session_state.get("mistakes_filters", now)
    st.session_state["mistakes_filters"] = now
    if now != before and images[errors].position(chosen.opened(fingerprint)) is None:
        chosen.open_image(None, fingerprint)


def _groups(evaluation: Evaluation, positions: np.ndarray) -> dict[str, int]:
    pairs = zip(evaluation.labels[positions], evaluation.predicted[positions], strict=True)
    return dict(Counter(f"{true}→{read}" for true, read in pairs))


def _why_none(images: Subset, evaluation: Evaluation) -> None:
    everything = "all test images" if images.is_test_set else "all chosen images"
    st.info(
        f"The network reads {everything} rightly at this epoch."
        if evaluation.right.all()
        else "The network makes no such mistake at this epoch."
    )


def _captions(shown: Subset, evaluation, positions, marked: marks.Marks) -> list[str]:
    said = answers.captions(shown, evaluation, positions)
    given = [
        marked.verdicts.get(int(i)) if test else None
        for test, i in zip(shown.of_test, shown.index, strict=True)
    ]
    return [
        f"{line}; marked: {marks.VERDICTS[verdict]}" if verdict else line
        for line, verdict in zip(said, given, strict=True)
    ]


def _below(playing: Played, errors: np.ndarray) -> None:
    images, answers_of = playing.images, playing.evaluation.predicted
    too_many = len(errors) > export.LARGEST_SHEET
    with st.container(horizontal=True, key="mistakes_below", vertical_alignment="center"):
        st.caption(
            f"**{wording.count(len(errors), 'mistake')}** in {wording.count(len(images))} images",
            width="stretch",
        )
        st.download_button(
            "Contact sheet (PNG)",
            data=lambda: export.contact_sheet(images[errors], answers_of[errors]),
            file_name=f"mistakes-{playing.name}.png",
            on_click="ignore",
            disabled=too_many,
            help=f"A sheet holds {export.LARGEST_SHEET:,} digits." if too_many else None,
            key="download_mistakes",
        )
