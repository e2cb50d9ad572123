"""Model wrong or label wrong? The test digits whose label the networks believe least."""

from __future__ import annotations

import streamlit as st

from mnist_core import label_faults, marks, runs, wording
from mnist_core.selection import test_ids
from mnist_core.ui import chosen, jury, opened_mistake, paging, verdicts
from mnist_core.ui.digit_grid import digit_grid
from mnist_core.ui.notices import Played

PAGE_SIZE = 60


def label_view(playing: Played) -> None:
    """Draw the ranking with people's verdicts, and the opened digit beside it."""
    images = playing.images
    if not images.of_test.all():
        st.info("Labels are questioned in the test set. Choose “all test images” above.")
        return
    grid, opened = st.columns([3, 2], gap="medium")
    with grid:
        asked = jury.choose()
        if not asked:
            st.info("Tick at least one run to ask.")
            return
        try:
            ranking = jury.ranking(asked, playing.moment)
        except runs.RunsError as error:
            st.error(wording.verbatim(str(error)))
            return
        marked = verdicts.of(images.dataset)
        verdicts.problems(marked)
        found = ranking.doubted(images.index)
        if not len(found):
            st.info("These runs read every label: they doubt none.")
        positions = paging.page_of(found, PAGE_SIZE, key="labels_page")
        shown = images[positions]
        digit_grid(
            shown.images,
            captions=[
                f"{caption}. {_doubt(ranking, i, len(asked))}"
                for caption, i in zip(shown.captions(), shown.index, strict=True)
            ],
            marks=[verdicts.SIGNS.get(marked.verdicts.get(int(i)), "") for i in shown.index],
            selected=shown.position(chosen.opened(images.dataset.fingerprint)),
            on_pick=lambda i: chosen.open_image(shown.ids[i], images.dataset.fingerprint),
            label="Doubtful labels",
            height=290,
            key="labels_grid",
        )
        _summary(playing, marked, ranking)
    with opened, st.container(gap="xsmall"):
        here = opened_mistake.opened_of(images, shown)
        if here is not None:
            said = _doubt(ranking, int(images.index[here]), len(asked))
            found = images[found]
            opened_mistake.panel(playing, here, found, "labels_page", PAGE_SIZE, said)


def _doubt(ranking: label_faults.Ranking, index: int, asked: int) -> str:
    """Return how doubtful the label of a test image is, in words."""
    votes, label = ranking.votes[index], wording.percent(ranking.self_confidence[index], 1)
    return (
        f"Number {ranking.place[index] + 1:,} in doubt: {votes} of {wording.count(asked, 'run')} "
        f"read otherwise. Likeliest {ranking.read[index]}; the label gets {label}"
    )


def _summary(playing: Played, marked: marks.Marks, ranking: label_faults.Ranking) -> None:
    images, evaluation = playing.images, playing.evaluation
    faults = images.positions(test_ids(images.dataset, marked.of("label")))
    with st.container(horizontal=True, key="marks_summary", vertical_alignment="center"):
        kinds = ", ".join(
            f"{len(marked.of(verdict))} {words}" for verdict, words in marks.VERDICTS.items()
        )
        accuracy = wording.percent(evaluation.accuracy)
        st.markdown(
            f"Marked: {kinds}. Accuracy of the current run: **{accuracy}**"
            + (
                f", without the {wording.count(len(faults), 'wrong label')} "
                f"**{wording.percent(evaluation.accuracy_without(faults))}**."
                if len(faults)
                else "."
            ),
            width="stretch",
        )
        st.download_button(
            "Marks (CSV)",
            data=lambda: marks.table(
                marked, images.dataset.test.labels, ranking.read, ranking.margin
            ),
            file_name="marks.csv",
            on_click="ignore",
            disabled=not marked.verdicts,
            help=None if marked.verdicts else "Nothing is marked yet.",
            key="download_marks",
        )
