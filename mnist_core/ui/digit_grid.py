"""A canvas of digits to look at, hover over and pick from, with mouse, finger or keyboard."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

_HTML = """
<div class="grid">
  <div class="sheet" role="grid" tabindex="0" aria-activedescendant="active">
    <canvas aria-hidden="true"></canvas>
    <div class="unseen" role="row"><div role="gridcell" id="active"></div></div>
    <div class="ring hover" hidden></div>
    <div class="ring selected" hidden></div>
    <div class="ring focus" hidden></div>
    <div class="tip" hidden></div>
  </div>
  <div class="unseen live" aria-live="polite"></div>
</div>
"""
_GRID = st.components.v2.component(
    "mnist_lab.digit_grid",
    html=_HTML,
    css=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
)


def digit_grid(
    images: np.ndarray,
    *,
    key: str,
    captions: Sequence[str] | None = None,
    marks: Sequence[str] | None = None,
    selected: int | None = None,
    cell: int = 56,
    columns: int | None = None,
    height: int | None = None,
    label: str = "Digits",
) -> int | None:
    """Show digits and return the index of the picked one, or None.

    `images` is uint8 (N, 28, 28), 0 = background; `captions` has N strings; `marks` has N of "",
    "right", "wrong". `selected` is highlighted until another digit is picked: what is returned is
    a digit just picked, else `selected`, else the one picked last among these very images.
    `cell` is a digit's side in CSS pixels, `columns` None as many as fit; with `height` the grid
    scrolls inside. Raises ValueError for a wrong shape, dtype, length, mark or index.
    """
    n = _checked(images, captions, marks, selected)
    raw = np.ascontiguousarray(images).tobytes()
    token = f"{n}-{hashlib.blake2b(raw, digest_size=8).hexdigest()}"
    pick = (st.session_state.get(key) or {}).get("selected") or {}
    seen = f"{key}.seen"
    news = pick != st.session_state.get(seen)
    # A pick from images that were there before says nothing about these.
    if pick.get("token") == token and pick["index"] in range(n) and (news or selected is None):
        selected = pick["index"]
    view = {"cell": cell, "columns": columns, "height": height, "label": label}
    data = {
        "images": base64.b64encode(zlib.compress(raw, 1)).decode(),
        "count": n,
        "token": token,
        "captions": None if captions is None else list(captions),
        "marks": None if marks is None else list(marks),
        "selected": None if selected is None else int(selected),  # JSON knows no numpy integers
        "heard": pick.get("at"),
    }
    _GRID(key=key, data=data | view, on_selected_change=lambda: None)
    st.session_state[seen] = pick
    return data["selected"]


def _checked(images, captions, marks, selected) -> int:
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"Expected uint8 (N, 28, 28). Received: {images.dtype} {images.shape}.")
    n = len(images)
    for name, given in {"captions": captions, "marks": marks}.items():
        if given is not None and len(given) != n:
            raise ValueError(f"Expected {n} {name}, one an image. Received: {len(given)}.")
    if marks is not None and not set(marks) <= {"", "right", "wrong"}:
        raise ValueError(f'Expected marks "", "right" or "wrong". Received: {set(marks)}.')
    if selected is not None and not 0 <= selected < n:
        raise ValueError(f"Expected selected in 0 … {n - 1} or None. Received: {selected}.")
    return n
