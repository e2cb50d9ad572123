"""A small picture in place, whatever its size: no file request, and no smoothing."""

from __future__ import annotations

import base64
import html
import io

import numpy as np
import streamlit as st
from PIL import Image

SENT = 280  # pixels of the longer side that are sent


def picture(pixels: np.ndarray, *, alt: str, size: int = 104) -> None:
    """Show a picture, uint8 (h, w) or (h, w, 3), within `size` × `size` CSS pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((SENT, SENT), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "PNG")
    encoded = base64.b64encode(file.getvalue()).decode()
    st.html(
        f'<img src="data:image/png;base64,{encoded}" alt="{html.escape(alt)}" '
        f'style="display: block; width: {size}px; height: {size}px; object-fit: contain; '
        "image-rendering: pixelated; background: var(--st-secondary-background-color); "
        'border-radius: 6px" />'
    )
