"""A canvas of digits to look at, hover over, pick from and select, with mouse, finger or keyboard.

The keys: arrows move, Enter opens; where several can be selected, Space selects, Shift with an
arrow extends, Ctrl+A selects all and Escape none.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

_HTML = """
<div class="grid">
  <div class="sheet" role="grid" tabindex="0" aria-activedescendant="active">
    <canvas aria-hidden="true"></canvas>
    <div class="unseen" role="row"><div role="gridcell" id="active"></div></div>
    <div class="chosen"></div>
    <div class="ring hover" hidden></div>
    <div class="ring selected" hidden></div>
    <div class="ring focus" hidden></div>
    <div class="band" hidden></div>
    <div class="tip" hidden></div>
  </div>
  <div class="unseen live" aria-live="polite"></div>
</div>
"""
MARKS = {"", "right", "wrong", "unclear"}
_HERE = Path(__file__).parent
_GRID = st.components.v2.component(
    "mnist_lab.digit_grid",
    html=_HTML,
    css=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
    js="".join(
        (_HERE / f"{name}.js").read_text("utf-8")
        for name in ("digits", "digit_selecting", "digit_grid")
    ),
)


def digit_grid(
    images: np.ndarray,
    *,
    key: str,
    captions: Sequence[str] | None = None,
    marks: Sequence[str] | None = None,
    selected: int | None = None,
    on_pick: Callable[[int], None] | None = None,
    chosen: Collection[int] | None = None,
    on_choose: Callable[[list[int]], None] | None = None,
    tapping: bool = False,
    groups: Mapping[str, int] | None = None,
    cell: int = 56,
    columns: int | None = None,
    height: int | None = None,
    label: str = "Digits",
) -> int | None:
    """Show digits and return the index of the picked one, or None.

    `images` is uint8 (N, 28, 28), 0 = background; `captions` has N strings, `marks` N of MARKS.
    `selected` is highlighted until another digit is picked: what is returned is a digit just
    picked, else `selected`, else the one picked last among these very images. `on_pick` gets a
    picked index before the rerun that it causes.

    With `chosen`, the indices of several selected digits, people can select more or fewer:
    `on_choose` gets all that are selected now, before the rerun. A click, a Shift-click, a
    Ctrl-click or a drawn rectangle does it; with `tapping` every tap.

    `groups` maps the name of each group of digits to how many it has, in their order; its name and
    number stand before it. `cell` is a digit's side in CSS pixels, `columns` None as many as fit;
    with `height` the grid scrolls inside. Raises ValueError for a wrong shape, dtype, length, mark
    or index.
    """
    n = _checked(images, captions, marks, selected, chosen)
    if groups is not None and sum(groups.values()) != n:
        raise ValueError(f"Expected groups of {n} digits in all. Received: {groups}.")
    raw = np.ascontiguousarray(images).tobytes()
    token = f"{n}-{hashlib.blake2b(raw, digest_size=8).hexdigest()}"
    state = st.session_state.get(key) or {}
    pick, choice = state.get("selected") or {}, state.get("chosen") or {}
    seen = f"{key}.seen"
    news = pick != st.session_state.get(seen)
    # A pick from images that were there before says nothing about these.
    if pick.get("token") == token and pick["index"] in range(n) and (news or selected is None):
        selected = pick["index"]

    def picked() -> None:
        said = st.session_state[key]["selected"]
        if on_pick and said["token"] == token and said["index"] in range(n):
            on_pick(said["index"])

    def chose() -> None:
        said = st.session_state[key]["chosen"]
        if on_choose and said["token"] == token:
            on_choose([int(i) for i in said["indices"] if i in range(n)])

    data = {
        "images": digits_for_browser(raw),
        "count": n,
        "token": token,
        "captions": None if captions is None else list(captions),
        "marks": None if marks is None else list(marks),
        "selected": None if selected is None else int(selected),  # JSON knows no numpy integers
        "chosen": None if chosen is None else [int(i) for i in chosen],
        "tapping": tapping,
        "groups": groups and _tiles(groups),
        "heard": {"selected": pick.get("at"), "chosen": choice.get("at")},
        **{"cell": cell, "columns": columns, "height": height, "label": label},
    }
    _GRID(key=key, data=data, on_selected_change=picked, on_chosen_change=chose)
    st.session_state[seen] = pick
    return data["selected"]


def _tiles(groups: Mapping[str, int]) -> list[dict[str, Any]]:
    starts = [0, *itertools.accumulate(groups.values())]
    return [
        {"start": start, "lines": [name, str(number)]}
        for start, (name, number) in zip(starts, groups.items(), strict=False)
    ]


def digits_for_browser(raw: bytes) -> str:
    """Pack images' bytes as digits.js unpacks them."""
    return base64.b64encode(zlib.compress(raw, 1)).decode()


def _checked(images, captions, marks, selected, chosen) -> int:
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"Expected uint8 (N, 28, 28). Received: {images.dtype} {images.shape}.")
    n = len(images)
    for name, given in {"captions": captions, "marks": marks}.items():
        if given is not None and len(given) != n:
            raise ValueError(f"Expected {n} {name}, one an image. Received: {len(given)}.")
    if marks is not None and not set(marks) <= MARKS:
        raise ValueError(f"Expected marks among {sorted(MARKS)}. Received: {set(marks)}.")
    for index in (selected, *(chosen if chosen is not None else ())):
        if index is not None and not 0 <= index < n:
            raise ValueError(f"Expected indices in 0 … {n - 1}. Received: {index}.")
    return n
