"""Two networks on the same digits: where they disagree, and whether that is more than luck."""

from __future__ import annotations

import streamlit as st

from mnist_core import confusion_figures, wording
from mnist_core.comparison import Comparison
from mnist_core.selection import Subset
from mnist_core.ui import compared, sheet
from mnist_core.ui.chart import chart
from mnist_core.ui.digit_grid import digit_grid
from mnist_core.ui.notices import Played

SHOWN = 120
MCNEMAR = (
    "McNemar's exact test looks only at digits that one network alone reads rightly. If neither "
    "were better, each such digit would go to either as a coin falls. A difference that coins make "
    "in fewer than 5 of 100 tests is called more than luck: the luck of which digits are tested."
)
NAMES = ("this network", "the other")


def two_runs_view(playing: Played) -> None:
    """Draw right and wrong by right and wrong, the verdict in words, and the images of a cell."""
    picture, selection = st.columns([3, 2], gap="medium")
    with selection:
        reference = compared.choose(playing)
    if reference is None:
        return
    both = Comparison(playing.evaluation, reference.evaluation)
    title, epoch = wording.verbatim(playing.run.title), wording.epoch(playing.moment)
    cell = st.session_state.get("agreement_cell", (0, 1))
    with picture:
        st.caption(
            f"**This network**: {title} after epoch {epoch}, "
            f"{wording.percent(both.first.accuracy)}. **The other**: "
            f"{reference.name}, {wording.percent(both.second.accuracy)}."
        )
        chart(
            confusion_figures.agreement(both.table, NAMES, cell),
            key="agreement",
            height=262,
            on_click=_choose_cell,
        )
        st.markdown(_verdict(both), help=MCNEMAR)
        if reference.same_settings:
            st.caption(
                "Both have the same settings but for the seed: a network's random start alone can "
                "make such a difference, and the test does not know of it."
            )
    with selection:
        _images(both, cell, playing.images)


def _choose_cell(point: dict) -> None:
    st.session_state["agreement_cell"] = (int(point["y"]), int(point["x"]))


def _verdict(both: Comparison) -> str:
    first, second = int(both.table[1, 0]), int(both.table[0, 1])
    if not first + second:
        return "Both are right and wrong on the same digits: there is no difference to explain."
    often = wording.percent(both.p_value, 1) if both.p_value >= 0.001 else "less than 0.1 %"
    return (
        f"This network alone is right on {wording.count(first, 'digit')}, the other alone on "
        f"{second:,}. Were both equally good, luck alone would make a difference as large in "
        f"{often} of such tests. **This difference is "
        f"{'' if both.more_than_luck else 'not '}more than luck.**"
    )


def _images(both: Comparison, cell: tuple[int, int], images: Subset) -> None:
    index = both.select(*map(bool, cell))
    one, other = (("wrong", "right")[side] for side in cell)
    st.markdown(f"**{NAMES[0].capitalize()} {one}, {NAMES[1]} {other}: "
                f"{wording.count(len(index), 'image')}**")  # fmt: skip
    part = images[index[:SHOWN]]
    first, second = both.first, both.second
    picked = digit_grid(
        part.images,
        captions=[
            f"{name}, a {first.labels[i]}: read as {first.predicted[i]} "
            f"({wording.percent(first.confidence[i], 0)} sure), by the other as "
            f"{second.predicted[i]} ({wording.percent(second.confidence[i], 0)})"
            for name, i in zip(part.names(), index, strict=False)
        ],
        marks=[one] * len(part),
        label=f"{NAMES[0]} {one}, {NAMES[1]} {other}",
        height=330,
        key="agreement_images",
    )
    sheet.send_picked(part, picked, key="agreement_to_draw")
    if len(index) > SHOWN:
        st.caption(f"The first {SHOWN} are shown.")
