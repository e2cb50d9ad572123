"""Model wrong or label wrong? The test digits whose label the networks believe least."""

from __future__ import annotations

import streamlit as st

from mnist_core import label_faults, marks, runs, wording
from mnist_core.evaluation import Evaluation
from mnist_core.selection import Subset, test_ids
from mnist_core.ui import chosen, frame, opened_mistake, paging, resources, verdicts
from mnist_core.ui.digit_grid import digit_grid

LISTED, PAGE_SIZE = 500, 60
TICKED = 3  # runs, before anybody chose


def label_view(run: runs.Run, moment: float, images: Subset, evaluation: Evaluation) -> None:
    """Draw the ranking with people's verdicts, and the opened digit beside it."""
    if not images.of_test.all():
        st.info("Labels are questioned in the test set. Choose “all test images”.")
        return
    grid, opened = st.columns([3, 2], gap="medium")
    with grid:
        played = _tick(run, moment)
        try:
            ranking = resources.label_ranking(played)
        except runs.RunsError as error:
            st.error(f"One of these runs cannot be read. {error}")
            return
        marked = verdicts.of(images.dataset)
        verdicts.problems(marked)
        found = ranking.sort(images.index)[:LISTED]
        positions = paging.page_of(found, PAGE_SIZE, key="labels_page")
        shown = images[positions]
        digit_grid(
            shown.images,
            captions=[
                f"{caption}. {_doubt(ranking, i, len(played))}"
                for caption, i in zip(shown.captions(), shown.index, strict=True)
            ],
            marks=[verdicts.SIGNS.get(marked.verdicts.get(int(i)), "") for i in shown.index],
            selected=shown.position(chosen.opened(images.dataset.fingerprint)),
            on_pick=lambda i: chosen.open_image(shown.ids[i], images.dataset.fingerprint),
            label="Doubtful labels",
            height=290,
            key="labels_grid",
        )
        _summary(run, images, evaluation, marked, ranking)
    with opened, st.container(gap="xsmall"):
        here = opened_mistake.opened_of(images, shown)
        if here is not None:
            opened_mistake.panel(
                run,
                moment,
                images,
                evaluation,
                here,
                images[found],
                "labels_page",
                PAGE_SIZE,
                said=_doubt(ranking, int(images.index[here]), len(played)),
            )


def _tick(run: runs.Run, moment: float) -> list[tuple[runs.Run, float]]:
    """Draw which runs are asked; return them with the moment nearest to the cursor's."""
    same = [
        one
        for one in frame.all_runs()
        if one.moments and one.dataset.get("fingerprint") == run.dataset.get("fingerprint")
    ]
    by_id = {one.id: one for one in same}
    labels = frame.run_labels(same)
    chosen_before = st.session_state.get("label_runs") or st.query_params.get_all("ask")
    ticked = [one for one in chosen_before if one in by_id]
    if not ticked:
        best = sorted(same, key=lambda one: -(one.status.get("test_accuracy") or 0))
        ticked = [one.id for one in best[:TICKED]]
    st.session_state["label_runs_choice"] = st.session_state["label_runs"] = ticked
    st.query_params["ask"] = ticked
    st.multiselect(
        "Ask these runs, each at the cursor's epoch or its last",
        list(by_id),
        format_func=labels.get,
        key="label_runs_choice",
        on_change=_ticked,
        args=(tuple(by_id),),
        help="Several good networks that agree against a label are a better witness than one. "
        "A digit's doubt is the probability of its label minus that of the best other digit, on "
        "average over these runs (after Northcutt et al. 2021).",
    )
    asked = [by_id[one] for one in ticked]
    return [(one, min(one.moments, key=lambda m: (abs(m - moment), m))) for one in asked]


def _ticked(known: tuple[str, ...]) -> None:
    picked = [one for one in st.session_state["label_runs_choice"] if one in known]
    st.session_state["label_runs"] = picked


def _doubt(ranking: label_faults.Ranking, index: int, asked: int) -> str:
    """Return how doubtful the label of a test image is, in words."""
    return (
        f"Number {ranking.place[index] + 1:,} in doubt: {ranking.votes[index]} of "
        f"{wording.count(asked, 'run')} read something else, mostly {ranking.instead[index]}. "
        f"The label gets {wording.percent(ranking.self_confidence[index], 1)}"
    )


def _summary(run, images: Subset, evaluation: Evaluation, marked: marks.Marks, ranking) -> None:
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
                marked, images.dataset.test.labels, ranking.instead, ranking.margin
            ),
            file_name="marks.csv",
            on_click="ignore",
            disabled=not marked.verdicts,
            help=None if marked.verdicts else "Nothing is marked yet.",
            key="download_marks",
        )
