"""What the chapters of Explain share: headings, equations, and which unit, pixel and digit.

URL: unit= the hidden unit whose numbers are filled in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from mnist_core.blocks import Block
from mnist_core.equations import Equation
from mnist_core.ui import frame, url

WAY = [5, 6]  # columns: words and equations, then the picture


def heading(number: int, title: str) -> None:
    """Draw a chapter's heading; #chapter-3 in the address leads to the third."""
    st.subheader(f"{number}  {title}", anchor=f"chapter-{number}", divider="gray")


def chapter(number: int, title: str, sentence: str):
    """Draw a chapter's heading; return its two columns, for words and for the picture."""
    heading(number, title)
    st.markdown(sentence)
    return st.columns(WAY, gap="medium", vertical_alignment="center")


def equation(found: Equation) -> None:
    """Draw an equation in general, and with its numbers below."""
    st.latex(found.general)
    st.latex(found.filled)


FIRST = "neuron_unit"  # the session's name of the followed unit of a layer on the pixels


def unit_of(title: str, on_pixels: bool) -> str:
    """Return under which name the session holds the followed unit of a layer.

    That of a first layer on the pixels is the neuron bench's, and in the address.
    """
    return FIRST if on_pixels else f"unit of {title}"


def chosen_unit(name: str, strength: np.ndarray) -> int:
    """Return the number of the unit that is followed in a layer; `name` is unit_of()'s.

    Where none was chosen it is the strongest; `strength` (n,) has the units of the layer.
    """
    state = st.session_state
    if FIRST not in state:
        said = st.query_params.get("unit", "")
        known = said.isascii() and said.isdecimal() and len(said) < 6
        state[FIRST] = int(said) if known else None
    unit = state.get(name)
    return int(np.argmax(strength)) if unit is None else min(unit, len(strength) - 1)


def unit_field(name: str, unit: int, count: int, *, what: str = "Unit", first: int = 0) -> None:
    """Draw the number of the followed unit, to type or to step through, counted from `first`."""
    key = f"{name} typed".replace(" ", "_")
    st.session_state[key] = unit + first
    st.number_input(
        what, first, first + count - 1, key=key, width=130, on_change=_unit_typed,
        args=(name, key, first),
    )  # fmt: skip


def _unit_typed(name: str, key: str, first: int) -> None:
    st.session_state[name] = int(st.session_state[key]) - first


def take_unit(name: str, first: int, click: dict) -> None:
    """Follow the unit of a clicked bar."""
    st.session_state[name] = int(click["x"]) - first


def chosen_digit(answer: int) -> int:
    """Return the output that is followed: a clicked one, else the answer."""
    digit = st.session_state.get("explained_digit")
    return answer if digit is None else digit


def take_digit(click: dict) -> None:
    """Follow the output of a clicked bar."""
    st.session_state["explained_digit"] = int(click["x"])


def to_url() -> None:
    unit = st.session_state.get(FIRST)
    url.write("unit", None if unit is None else str(unit))


def choose_layer(found: Sequence[Block], key: str = "explained_layer") -> Block:
    """Draw the choice of a layer where there are several; return it."""
    titles = [block.title for block in found]
    if len(titles) == 1:
        return found[0]
    if st.session_state.get(key) not in titles:
        st.session_state[key] = titles[0]
    title = st.segmented_control(
        "Layer", titles, key=key, required=True, persist_state="session",
        label_visibility="collapsed",
    )  # fmt: skip
    return found[titles.index(title)]


def on(view: str, label: str, sentence: str) -> None:
    """Draw the way on to another view of Explain, so that no chapter is a dead end."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"on_to_{view}"):
        st.button(
            label, icon=":material/arrow_forward:", key=f"on_{view}", on_click=show, args=(view,)
        )
        st.caption(sentence, width="content")


def show(view: str) -> None:
    """Go to another view of Explain; callbacks call it."""
    st.session_state["explain"] = view
    frame.change_more()
