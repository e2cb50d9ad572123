"""A photo with a frame around its digit, which people drag."""

from __future__ import annotations

import base64
import hashlib
import io
import math
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom: shares of the sides, 0 to 1
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
# A corner moves the sides whose numbers in a Box it has.
_HTML = """<div class="photo"><img alt="" draggable="false" />
  <div class="frame" tabindex="0" role="group">
    <i data-corner="0 1"></i><i data-corner="2 1"></i><i data-corner="0 3"></i>
    <i data-corner="2 3"></i></div></div>"""
_HERE = Path(__file__).parent
_CROP = st.components.v2.component(
    "mnist_lab.photo_crop",
    html=_HTML,
    css=(_HERE / "photo_crop.css").read_text(encoding="utf-8"),
    js=(_HERE / "photo_crop.js").read_text(encoding="utf-8"),
)


def photo_crop(picture: np.ndarray, *, key: str, box: Box = WHOLE) -> np.ndarray:
    """Show a picture, uint8 (h, w) or (h, w, 3), and return the part within its frame.

    `box` is where the frame of a new picture stands. At least one pixel is returned.
    """
    token = hashlib.blake2b(picture.tobytes(), digest_size=8).hexdigest()
    said = (st.session_state.get(key) or {}).get("frame")
    kept = f"{key}.box"  # the component forgets while it is not on the page
    if isinstance(said, dict) and said.get("token") == token and _is_box(said.get("box")):
        st.session_state[kept] = token, tuple(said["box"])
    if st.session_state.get(kept, (None,))[0] == token:
        box = st.session_state[kept][1]
    data = {"picture": _jpeg(picture, token), "token": token, "box": list(box)}
    _CROP(key=key, data=data, on_frame_change=lambda: None)
    height, width = picture.shape[:2]
    left, top = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    right, bottom = max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))
    return picture[top:bottom, left:right]


def _is_box(box) -> bool:
    numbers = isinstance(box, list) and len(box) == 4 and all(map(_is_share, box))
    return numbers and box[0] <= box[2] and box[1] <= box[3]


def _is_share(value) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1


@st.cache_data(max_entries=4, show_spinner=False)
def _jpeg(_picture: np.ndarray, token: str) -> str:
    file = io.BytesIO()
    Image.fromarray(_picture).save(file, "JPEG", quality=85)
    return base64.b64encode(file.getvalue()).decode()
