"""What the network reads, and how it gets there: the digit's way to 28×28, stage by stage."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core import draw_figures, drawing, runs, wording
from mnist_core.ui import sheet
from mnist_core.ui.chart import chart
from mnist_core.ui.draw_view import NOT_SURE, Network
from mnist_core.ui.picture import picture
from mnist_core.ui.sheet import Sheet

CELL = 100  # CSS pixels of a stage's picture
WHY = {
    "raw": "As it came. Below: what the network would read if it got it like this, squeezed into "
    "28×28.",
    "polarity": "The ground is found and taken away, whether ink is dark on light or light on "
    "dark: MNIST's ground is 0, its ink 255.",
    "crop": "Only the part with ink is kept; specks do not count.",
    "fit": "The longer side becomes 20 pixels, the proportions stay.",
    "center": "Moved by whole pixels until the ink's centre of mass is in the middle of 28×28.",
    "scale": "The network learned from pixels between 0 and 1.",
}


def answer_view(found: Sheet | None, playing: Network | None) -> None:
    """Draw ten probabilities, and the stages with their switches and what would be read there."""
    said, problem = None, ""
    if found is not None and playing is not None and not found.blank:
        try:
            said = playing.of_stages(found)
        except runs.RunsError as error:
            problem = str(error)
    meant = found and found.meant
    final = None if said is None else said[-1]
    chart(draw_figures.answer(final, meant, NOT_SURE), key="drawn_answer", height=210)
    if found is not None:
        _stages(found, said)
    if problem:
        st.error(wording.verbatim(problem))


def _stages(found: Sheet, said: np.ndarray | None) -> None:
    with st.container(horizontal=True, key="stages", gap="small"):
        for number, stage in enumerate(found.stages):
            with st.container(width=CELL + 12, gap="xsmall", key=f"stage_{stage.name}"):
                title = drawing.STAGES.get(stage.name, "Raw")
                st.caption(f"**{title}**", help=WHY[stage.name])
                shape = "×".join(map(str, stage.picture.shape[1::-1]))
                picture(stage.picture, alt=f"{title}: {shape} pixels", size=CELL)
                if said is not None:
                    best = int(said[number].argmax())
                    st.markdown(f"**{best}** {wording.percent(said[number, best], 1)}")
                if stage.name != "raw":
                    key = f"switch_{found.kind}_{stage.name}"
                    st.toggle(
                        f"{title} on", label_visibility="collapsed", key=key,
                        value=sheet.stage_is_on(stage.name, found.kind),
                        on_change=sheet.switch_stage, args=(stage.name, found.kind, key),
                        help=f"{shape} pixels",
                    )  # fmt: skip
    st.button(
        "Edit pixel by pixel", icon=":material/grid_on:", key="edit_pixels",
        disabled=found.blank or found.kind == "Pixels", on_click=sheet.edit,
        args=(found.digit, found.meant),
    )  # fmt: skip
