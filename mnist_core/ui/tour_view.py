"""The walk on one screen: ten steps, what the paper says, and what was found here."""

from __future__ import annotations

import streamlit as st

from mnist_core import tour
from mnist_core.found import Found
from mnist_core.tour import STOPS, Stop
from mnist_core.ui import tour_bar, tour_found


def tour_view() -> None:
    """Draw where to start or go on, and a row for every step."""
    at = st.session_state.get("walk_at") or 1
    with st.container(horizontal=True, vertical_alignment="center", key="tour_start"):
        st.button(
            "Start the walk" if at == 1 else f"Go on at step {at}", type="primary",
            icon=":material/directions_walk:", key="walk_start",
            on_click=tour_bar.walk_to, args=(at,),
        )  # fmt: skip
        if at > 1:
            st.button("From the start", key="walk_first", on_click=tour_bar.walk_to, args=(1,))
        st.caption(
            "Ten screens in the order of the paper, each with one question. A bar at the top "
            "leads from one to the next.",
            width="stretch",
        )
    told = tour_found.gathered(STOPS)
    for step in STOPS:
        with st.container(border=True, gap="xsmall", key=f"tour_step_{step.number}"):
            _row(step, told)


def _row(step: Stop, told: Found) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"tour_head_{step.number}"):
        st.markdown(
            f"**{step.number} · {step.title}** :gray[· the paper: {step.section}]", width="stretch"
        )
        st.button(
            "Open", key=f"walk_to_{step.number}", help=f"Be at step {step.number} of the walk",
            on_click=tour_bar.walk_to, args=(step.number,),
        )  # fmt: skip
    what, claims = st.columns([2, 5], gap="medium")
    what.markdown(f":gray[Look at]  \n{step.look}")
    with claims:
        for index, claim in enumerate(step.claims):
            says, found_here = st.columns([2, 3], gap="medium")
            found = tour_found.finding(claim, told)
            says.markdown(f":gray[The paper says]  \n{claim.says}")
            with found_here:
                st.markdown(f":gray[Found here]  \n{found.text if found else tour.EQUATION}")
                if found and found.go:
                    tour_bar.go_button(*found.go, key=f"tour_go_{step.number}_{index}")
