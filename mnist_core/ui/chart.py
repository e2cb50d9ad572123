"""Plotly figures that stay mounted while their data change, and report clicks on any cell."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

_LOADER_KEY = "plotly-loader"
_LOADED = "plotly-loader.loaded"

_HERE = Path(__file__).parent
# plotly.js writes its own styles into the page's head, so charts are not put into a shadow root.
_CHART = st.components.v2.component(
    "mnist_lab.chart",
    html="""<div class="mnist-chart">
    <div class="mnist-chart-plot"></div><p class="mnist-chart-note"></p></div>""",
    css=(_HERE / "chart.css").read_text(encoding="utf-8"),
    js=(_HERE / "chart.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)
_LOADER = st.components.v2.component(
    "mnist_lab.plotly_loader",
    # Out of the page's column, which would give even an empty element its gap.
    css=f".stElementContainer.st-key-{_LOADER_KEY} {{ display: none; }}",
    js=(_HERE / "plotly_loader.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def chart(
    figure: go.Figure,
    *,
    key: str,
    height: int = 420,
    on_click: Callable[[dict[str, Any]], None] | bool | None = None,
    config: dict[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Show a figure on the node that `key` has had since the page was opened.

    The app's theme takes the place of the figure's template; "var(--st-primary-color)" and the
    like work wherever a figure names a colour. Zoom is kept as long as `layout.uirevision` is.
    `height` is in CSS pixels, `config` is plotly.js's. With `on_click` (True, or a function that
    gets the click before the rerun) a click is returned once, in the rerun that it causes:
    {"x", "y", "customdata", "curve"}, with None for what the trace has not; otherwise None.
    """
    spec = figure.to_dict()
    spec.get("layout", {}).pop("template", None)

    def clicked() -> None:
        if callable(on_click):
            on_click(_public(st.session_state[key]["click"]))

    data = {"figure": to_json_plotly(spec), "height": height, "config": config or {}}
    data["clickable"] = bool(on_click)
    click = _CHART(key=key, data=data, height=height, on_click_change=clicked).click
    # A state and not a trigger: a trigger is lost when another rerun interrupts this one.
    seen = f"{key}.seen"
    if not on_click or not isinstance(click, dict) or click == st.session_state.get(seen):
        return None
    st.session_state[seen] = click
    return _public(click)


def _public(click: dict[str, Any]) -> dict[str, Any]:
    return {name: click.get(name) for name in ("x", "y", "customdata", "curve")}


def load_plotly() -> None:
    """Send plotly.js (1.5 MB) to the browser window, once a session; call it at a page's end."""

    def missing() -> None:
        st.session_state[_LOADED] = False

    # The browser answers only if it has no plotly.js after all: a new window on an old session.
    data = None if st.session_state.get(_LOADED) else _plotly()
    st.session_state[_LOADED] = True
    _LOADER(key=_LOADER_KEY, data=data, on_missing_change=missing)


@functools.cache
def _plotly() -> bytes:
    return gzip.compress(get_plotlyjs().encode(), mtime=0)
