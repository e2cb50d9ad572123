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
    here = found.position(one.ids[0])
    if here is not None:
        st.session_state[f"{page_key}.last"] = (int(one.ids[0]), here)
    st.session_state[f"{page_key}.walk"] = found
    with st.container(horizontal=True, key="opened_heading", vertical_alignment="center"):
        st.markdown(f"**{text}**", width="stretch")
        for step, title, icon, key in STEPS:
            possible = _next(step, page_key) is not None
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
    to = _next(step, page_key)
    if to is not None:
        found = st.session_state[f"{page_key}.walk"]
        chosen.open_image(found.ids[to], found.dataset.fingerprint)
        st.session_state[page_key] = to // page_size + 1


def _next(step: int, page_key: str) -> int | None:
    """Return the place to go to, or None at an end.

    From an image that the grid leaves out, such as a neighbour, the walk goes on at the last one
    in the grid; where that has left it, as a mistake that is none at this epoch, at its place.
    """
    found = st.session_state[f"{page_key}.walk"]
    opened = chosen.opened(found.dataset.fingerprint)
    here = 0 if opened is None else found.position(opened)
    if here is None:
        last, place = st.session_state.get(f"{page_key}.last", (None, 0))
        here = found.position(last)
        if here is None:
            here = min(place, len(found)) - (step > 0)
    to = here + step
    return to if 0 <= to < len(found) else None
