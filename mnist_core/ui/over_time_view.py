"""What changes while the network learns: the cells of the matrix, and the first layer's weights."""

from __future__ import annotations

from functools import partial

import streamlit as st

from mnist_core import over_time_figures, runs, weights, wording
from mnist_core.ui import cells, notices
from mnist_core.ui.chart import chart
from mnist_core.ui.notices import Played

HEIGHT = 400  # CSS pixels: above the bar of a projector's 720


def over_time_view(playing: Played) -> None:
    """Draw every cell of the matrix over the epochs, and the chosen ones large."""
    past = notices.recorded_history(playing.run, playing.images)
    chosen = cells.current(playing)
    picture, selection = st.columns([3, 2], gap="medium")
    with picture:
        chart(
            over_time_figures.confusion_over_time(
                past.moments, past.confusions, cursor=playing.moment, chosen=chosen
            ),
            key="over_time",
            height=HEIGHT,
            on_click=partial(cells.clicked, chosen),
            save_as=f"confusion-over-time-{playing.run.id}",
        )
        st.caption(
            "Gray: the share rightly read, up to 100 %. The untrained network is left out.",
            help="The gray curves reach from the worst digit's share to 100 %. Before training a "
            "network takes anything for anything, which no scale would hold.",
        )
    with selection:
        chart(
            over_time_figures.cell_curve(
                past.moments,
                past.in_cells(chosen),
                cells.in_words(chosen, errors_only=True),
                playing.moment,
            ),
            key="cell_curve",
            height=190,
        )
        cells.images(playing, chosen, errors_only=True, height=180)


def weights_view(playing: Played) -> None:
    """Draw what each unit of the first layer looks for, at the cursor's epoch."""
    try:
        images = weights.first_layer(playing.run, playing.moment)
    except runs.RunsError as error:
        st.error(f"The weights of this epoch cannot be shown. {error}")
        return
    shown = images[: weights.MOST]
    chart(
        over_time_figures.first_layer(shown),
        key="weights",
        height=HEIGHT,
        save_as=f"weights-{playing.name}",
    )
    count, of = wording.count(len(images), "unit"), "" if len(shown) == len(images) else "128 of "
    st.caption(
        f"{of.capitalize()}{count} of the first layer, each as the image of its weights: ink on "
        "blue raises the unit's sum, ink on red lowers it. Before training they are noise."
    )
