"""One digit and what the network says of it: probabilities, its life, its neighbours, and why."""

from __future__ import annotations

import streamlit as st

from mnist_core import evaluation_figures, history, over_time_figures, runs, wording
from mnist_core.selection import Subset
from mnist_core.ui import chosen, explained, resources, sheet, verdicts, walk
from mnist_core.ui.chart import chart
from mnist_core.ui.digit_grid import digit_grid
from mnist_core.ui.nearest_view import nearest
from mnist_core.ui.notices import Played

MAPS = {
    "Saliency": ("saliency", "how much a little more ink at a pixel would speak for it"),
    "Occlusion": ("occlusion", "how much is lost when the 5×5 pixels around a pixel are blanked"),
}
LOSS = (
    "Loss of one image: −ln of the probability given to the true digit. 0 when the network is sure "
    "and right; the larger, the less it believed in the right answer."
)
DETAILS = ("Life", "Nearest", *MAPS)


def panel(
    playing: Played, i: int, found: Subset, page_key: str, page_size: int, said: str = ""
) -> None:
    """Draw image number i of what is played; previous and next lead through `found`.

    `said` is what stands below the picture, instead of how sure this network is.
    """
    run, moment, evaluation = playing.run, playing.moment, playing.evaluation
    one = playing.images[[i]]
    truth, answer = int(evaluation.labels[i]), int(evaluation.predicted[i])
    runner_up = int(evaluation.runner_up[i])
    read = f"a {truth}, read as {answer}"
    walk.heading(f"{one.title}: {read}", one, found, page_key, page_size)
    digit, bars = st.columns([2, 3], vertical_alignment="center")
    with digit:
        digit_grid(one.images, cell=140, key="mistake_large", label=f"{one.title}, a {truth}")
    with bars:
        chart(
            evaluation_figures.probabilities(evaluation.probabilities[i], truth),
            key="mistake_probabilities",
            height=165,
        )
    sure, second = evaluation.confidence[i], evaluation.probabilities[i, runner_up]
    st.caption(
        said
        or f"{wording.percent(sure)} sure; the runner-up is {runner_up} with "
        f"{wording.percent(second)}. Loss {wording.loss(float(evaluation.losses[i]))}",
        help=None if said else LOSS,
    )
    with st.container(horizontal=True, key="mistake_actions", vertical_alignment="center"):
        if one.of_test[0]:
            verdicts.choose(one, verdicts.of(one.dataset))
        sheet.send(one.images[0], truth, key="mistake_to_draw")
        explained.offer(int(one.ids[0]), one.dataset.fingerprint, key="explain_mistake")
    detail = st.segmented_control(
        "Details",
        DETAILS,
        default=DETAILS[0],
        required=True,
        key="detail",
        bind="query-params",
        label_visibility="collapsed",
    )
    other = truth if truth != answer else runner_up
    with st.container(key="mistake_detail"):
        if detail == "Life":
            _life(run, moment, one, truth)
        elif detail == "Nearest":
            own = None if one.of_test[0] else int(one.ids[0])
            keys = ("nearest_other", "nearest_answer")
            nearest(one.dataset, one.images[0], (other, answer), keys, without=own)
        else:
            _why(detail, run, moment, one, truth, answer if truth != answer else runner_up)


def _life(run: runs.Run, moment: float, one: Subset, truth: int) -> None:
    if not one.of_test[0]:
        st.caption("Only test images are recorded after every epoch. This is a training image.")
        return
    moments, probabilities = resources.life_of(run, int(one.index[0]), len(one.dataset.test))
    chart(
        over_time_figures.life(moments, probabilities, truth, cursor=moment),
        key="mistake_life",
        height=190,
    )
    right = probabilities.argmax(axis=1) == truth
    st.caption(history.life_in_words(moments, right))


def _why(name: str, run: runs.Run, moment: float, one: Subset, truth: int, other: int) -> None:
    function, meaning = MAPS[name]
    try:
        values = resources.ask_attribution(function, run, moment, one.images[0], truth, other)
    except runs.RunsError as error:
        st.error(str(error))
        return
    chart(
        evaluation_figures.attribution(values, one.images[0], truth, other),
        key="attribution",
        height=200,
    )
    st.caption(f"Blue speaks for {truth}, the true digit, red for {other}: {meaning}.")


def opened_of(images: Subset, shown: Subset) -> int | None:
    """Return the position among `images` of the opened image, or of the first one shown."""
    here = images.position(chosen.opened(images.dataset.fingerprint))
    if here is None and len(shown):
        here = images.position(int(shown.ids[0]))
    return here
