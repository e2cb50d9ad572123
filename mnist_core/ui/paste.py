"""Hears when people paste a picture into the page."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import streamlit as st

_KEY = "paste"
_PASTE = st.components.v2.component(
    "mnist_lab.paste",
    html='<div class="paste"></div>',
    css=f".stElementContainer.st-key-{_KEY} {{ display: none; }}",
    js=(Path(__file__).parent / "paste.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def on_paste(take: Callable[[bytes], None]) -> None:
    """Give the bytes of a pasted picture (PNG) to `take`, before the rerun."""

    def pasted() -> None:
        try:
            content = base64.b64decode(st.session_state[_KEY]["pasted"]["png"])
        except (ValueError, TypeError, KeyError):  # not what paste.js reports
            content = b""
        take(content)

    _PASTE(key=_KEY, data={}, on_pasted_change=pasted)
