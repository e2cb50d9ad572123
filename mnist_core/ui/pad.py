"""A pad to draw a digit on, with mouse, finger, pen or keyboard."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

FREE, PIXELS = 280, 28  # pixels of a pad's side: to draw on, and to edit a digit on
_ICONS = {
    "pen": ("Pen", "M4 20l1-5L16 4l4 4L9 19z"),
    "eraser": ("Eraser", "M4 14l9-10 7 6-9 10H8zM12 18h9v2h-9z"),
    "undo": ("Undo (Ctrl+Z)", "M9 4v4h5a6 6 0 0 1 0 12H7v-2h7a4 4 0 0 0 0-8H9v4L3 9z"),
    "redo": ("Redo (Ctrl+Y)", "M15 4v4h-5a6 6 0 0 0 0 12h7v-2h-7a4 4 0 0 1 0-8h5v4l6-5z"),
    "clear": ("Clear (Delete)", "M6 8h12l-1 13H7zM4 5h5l1-2h4l1 2h5v2H4z"),
}
_HTML = f"""<div class="pad">
  <div class="paper"><div class="guide"></div><canvas tabindex="0" role="application"></canvas>
    <div class="cross" hidden></div></div>
  <div class="tools" role="toolbar" aria-label="Drawing tools">{
    "".join(
        f'<button type="button" data-does="{name}" aria-label="{title}" title="{title}">'
        f'<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{path}" /></svg></button>'
        for name, (title, path) in _ICONS.items()
    )
}<label><input type="range" class="thick" step="1" aria-label="Pen width" title="Pen width" />
    </label>
    <label hidden>ink <input type="range" class="ink" min="5" max="100" step="5" value="100"
      aria-label="Ink in per cent" /></label></div>
</div>"""
_HERE = Path(__file__).parent
_PAD = st.components.v2.component(
    "mnist_lab.pad",
    html=_HTML,
    css=(_HERE / "pad.css").read_text(encoding="utf-8"),
    js=(_HERE / "pad.js").read_text(encoding="utf-8"),
)

LARGEST_PNG = 300_000  # base64 letters: a pad full of scribbles has 60,000


@dataclass(frozen=True, eq=False)
class Drawn:
    """What is on the pad: uint8 (side, side), 255 = paper; `at` tells one report from another."""

    picture: np.ndarray
    at: int


def pad(
    *,
    key: str,
    token: str,
    side: int = FREE,
    base: np.ndarray | None = None,
    label: str = "Draw a digit here",
    eager: bool = True,
) -> Drawn | None:
    """Show a pad of FREE or PIXELS pixels a side; return what is on it, None until it reports.

    `token` names the sheet: another one begins with `base`, uint8 (side, side), 0 = paper, or
    empty; the strokes on a sheet stay in the browser's tab. An eager pad also reports while a
    stroke is drawn. Raises ValueError for another shape or dtype.
    """
    if base is not None and (base.dtype != np.uint8 or base.shape != (side, side)):
        raise ValueError(f"Expected uint8 ({side}, {side}). Received: {base.dtype} {base.shape}.")
    said = (st.session_state.get(key) or {}).get("drawing")
    said = said if isinstance(said, dict) else {}
    data = {"eager": eager, "side": side, "token": token, "label": label, "heard": said.get("at")}
    data["base"] = None if base is None else _png(255 - base)
    _PAD(key=key, data=data, on_drawing_change=lambda: None)
    at = said.get("at")
    if said.get("token") != token or not isinstance(at, int):
        return None
    picture = _picture(said.get("png"), side)
    return None if picture is None else Drawn(picture, at)


def _png(shades: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(shades).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _picture(png: str | None, side: int) -> np.ndarray | None:
    """Return what a browser sent, uint8 (side, side); None where it is no such picture."""
    if not isinstance(png, str) or len(png) > LARGEST_PNG:
        return None
    try:
        with Image.open(io.BytesIO(base64.b64decode(png)), formats=["PNG"]) as image:
            if image.size != (side, side):
                return None
            return np.asarray(image.convert("L"))
    except Exception:  # what is no PNG, or a damaged one, raises one of a dozen kinds
        return None
