"""One's own drawings with the digit one meant, kept in one's browser."""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np
import streamlit as st

from mnist_core import digit_link, wording
from mnist_core.ui.digit_grid import digit_grid

MOST = 40
_STORE = st.components.v2.component(
    "mnist_lab.browser_store",
    html='<div class="store"></div>',
    css=".stElementContainer.st-key-gallery_store { display: none; }",
    js=(Path(__file__).parent / "browser_store.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def kept() -> list[tuple[np.ndarray, int | None]]:
    """Return the drawings, uint8 (28, 28), and the digits they are meant to be; newest first."""
    return st.session_state.get("gallery") or []


def keep(digit: np.ndarray, meant: int | None) -> None:
    st.session_state["gallery"] = [(digit, meant), *kept()][:MOST]
    _ask({"digit": digit_link.packed(digit), "meant": meant})


def forget() -> None:
    st.session_state["gallery"] = []
    _ask(None)


def _ask(keep: dict | None) -> None:
    """Have the browser add a drawing to those it keeps, of all tabs; None: forget them."""
    st.session_state["gallery_asked"] = {"id": secrets.token_hex(8), "keep": keep}


def remember() -> None:
    """Take the drawings from the browser, which has them, and ask it for the last change."""
    state = st.session_state
    session = state.setdefault("gallery_session", secrets.token_hex(8))
    data = {"session": session, "asked": state.get("gallery_asked"), "most": MOST}
    _STORE(key="gallery_store", data=data, on_found_change=_found)


def _found() -> None:
    said = st.session_state["gallery_store"]["found"]["value"]
    entries = map(_entry, said if isinstance(said, list) else [])
    st.session_state["gallery"] = [each for each in entries if each is not None][:MOST]


def _entry(said) -> tuple[np.ndarray, int | None] | None:
    try:
        meant = said["meant"]
        known = type(meant) is int and meant in range(10)  # True is no digit, nor is 1.0
        return digit_link.unpacked(said["digit"]), meant if known else None
    except (ValueError, TypeError, KeyError):
        return None  # written by another program, or by hand


def grid(read_as: list[int] | None, on_pick) -> None:
    """Draw them; `read_as` is what the network says of each, None without one."""
    drawings = kept()
    meant = [digit for _, digit in drawings]
    marks, captions = None, ["a drawing" if digit is None else f"a {digit}" for digit in meant]
    if read_as is not None:
        captions = [f"{text}, read as {read}" for text, read in zip(captions, read_as, strict=True)]
        marks = [
            "" if digit is None else "right" if digit == read else "wrong"
            for digit, read in zip(meant, read_as, strict=True)
        ]
        told = [mark for mark in marks if mark]
        if told:
            of = wording.count(len(told), "kept drawing")
            st.caption(
                f"Read rightly: {told.count('right')} of {of} with a known digit. They stay in "
                "this browser."
            )
    digit_grid(
        np.stack([digit for digit, _ in drawings]),
        captions=captions,
        marks=marks,
        on_pick=on_pick,
        cell=44,
        label="Kept drawings",
        key="gallery_grid",
    )
