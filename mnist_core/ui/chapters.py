"""What the chapters of Explain share: headings, equations, and which unit, pixel and digit.

URL: unit= the hidden unit whose numbers are filled in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from mnist_core.blocks import Block
from mnist_core.equations import Equation
from mnist_core.ui import url

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


def chosen_unit(strength: np.ndarray) -> int:
    """Return the number of the unit that is followed, the neuron bench's, too.

    Where none was chosen it is the strongest; `strength` (n,) has the units of the layer.
    """
    state = st.session_state
    if "neuron_unit" not in state:
        said = st.query_params.get("unit", "")
        known = said.isascii() and said.isdecimal() and len(said) < 6
        state["neuron_unit"] = int(said) if known else None
    unit = state["neuron_unit"]
    return int(np.argmax(strength)) if unit is None else min(unit, len(strength) - 1)


def unit_field(unit: int, count: int, key: str, what: str = "Unit") -> None:
    """Draw the number of the followed unit, to type or to step through."""
    st.session_state[key] = unit
    st.number_input(what, 0, count - 1, key=key, width=130, on_change=_unit_typed, args=(key,))


def _unit_typed(key: str) -> None:
    st.session_state["neuron_unit"] = int(st.session_state[key])


def take_unit(click: dict) -> None:
    """Follow the unit of a clicked bar."""
    st.session_state["neuron_unit"] = int(click["x"])


def chosen_digit(answer: int) -> int:
    """Return the output that is followed: a clicked one, else the answer."""
    digit = st.session_state.get("explained_digit")
    return answer if digit is None else digit


def take_digit(click: dict) -> None:
    """Follow the output of a clicked bar."""
    st.session_state["explained_digit"] = int(click["x"])


def to_url() -> None:
    unit = st.session_state.get("neuron_unit")
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
            label, icon=":material/arrow_forward:", key=f"on_{view}", on_click=_go, args=(view,)
        )
        st.caption(sentence, width="content")


def _go(view: str) -> None:
    from mnist_core.ui import frame

    st.session_state["explain"] = view
    frame.change_more()
