"""From one image to the next with buttons and keys, in the order of the grid it came from."""

from __future__ import annotations

import streamlit as st

from mnist_core.selection import Subset
from mnist_core.ui import chosen

STEPS = ((-1, "Previous", "chevron_left", "P"), (1, "Next", "chevron_right", "N"))


def heading(text: str, one: Subset, found: Subset, page_key: str, page_size: int) -> None:
    """Draw a heading for the opened image, a Subset of one, and the way through `found`.

    `page_key` and `page_size` are those of the grid's pages, which follow.
    """
    state, last = st.session_state, f"{page_key}.last"
    here = found.position(one.ids[0])
    if here is None:  # an image that the grid leaves out: go on from where it was opened
        here = found.position(state.get(last))
    else:
        state[last] = int(one.ids[0])
    state[f"{page_key}.walk"] = found
    with st.container(horizontal=True, key="opened_heading", vertical_alignment="center"):
        st.markdown(f"**{text}**", width="stretch")
        for step, title, icon, key in STEPS:
            to = -1 if here is None else here + step
            possible = 0 <= to < len(found)
            st.button(
                "",
                icon=f":material/{icon}:",
                key=f"open_{title.lower()}",
                shortcut=key,
                disabled=not possible,
                help=f"{title} image ({key})" if possible else "No further image in this view.",
                on_click=_step,
                args=(step, page_key, page_size),
            )


def _step(step: int, page_key: str, page_size: int) -> None:
    """Open the previous or the next image.

    From what is opened at the moment of the press: presses can come faster than pages are drawn.
    """
    found = st.session_state[f"{page_key}.walk"]
    fingerprint = found.dataset.fingerprint
    here = found.position(chosen.opened(fingerprint))
    here = found.position(st.session_state.get(f"{page_key}.last")) if here is None else here
    to = 0 if here is None else here + step
    if 0 <= to < len(found):
        chosen.open_image(found.ids[to], fingerprint)
        st.session_state[page_key] = to // page_size + 1
