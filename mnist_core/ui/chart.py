"""Plotly figures that stay mounted while their data change, and report clicks on any cell."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

from mnist_core.ui.digit_grid import digits_for_browser

_LOADER_KEY, _STORE_KEY = "plotly-loader", "digit-store"
_LOADED = "plotly-loader.loaded"

_HERE = Path(__file__).parent
# plotly.js writes its own styles into the page's head, so charts are not put into a shadow root.
_CHART = st.components.v2.component(
    "mnist_lab.chart",
    html="""<div class="mnist-chart">
    <div class="mnist-chart-plot"></div><p class="mnist-chart-note"></p>
    <div class="mnist-chart-save" hidden>
      <button type="button" data-format="png" title="Save as PNG">PNG</button>
      <button type="button" data-format="svg" title="Save as SVG">SVG</button>
    </div>
    <div class="mnist-chart-tip" hidden><canvas width="28" height="28"></canvas><span></span></div>
    </div>""",
    css=(_HERE / "chart.css").read_text(encoding="utf-8"),
    js="".join(
        (_HERE / name).read_text("utf-8") for name in ("digits.js", "points.js", "chart.js")
    ),
    isolate_styles=False,
)
_DIGITS = st.components.v2.component(
    "mnist_lab.digit_store",
    css=f".stElementContainer.st-key-{_STORE_KEY} {{ display: none; }}",
    js="".join((_HERE / name).read_text("utf-8") for name in ("digits.js", "digit_store.js")),
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
    on_select: Callable[[list[int], bool], None] | None = None,
    digits: StoredDigits | None = None,
    label: str = "",
    save_as: str = "",
    config: dict[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Show a figure on the node that `key` has had since the page was opened.

    The app's theme takes the place of the figure's template; "var(--st-primary-color)" and the
    like work wherever a figure names a colour. Zoom is kept as long as `layout.uirevision` is.
    `height` is in CSS pixels, `config` is plotly.js's. With `on_click` (True, or a function that
    gets the click before the rerun) a click is returned once, in the rerun that it causes:
    {"x", "y", "customdata", "curve", "add"}, with None for what the trace has not; otherwise None.
    "add" tells that Shift or Ctrl was held. With `save_as`, a file's name, two buttons below the
    chart save it as PNG and SVG.

    `on_select` gets the customdata of the points in a drawn box or lasso, and whether they are
    added to what is selected (Shift was held), before the rerun. Such a chart, named by `label`,
    can be walked through with the arrow keys. With `digits` the one whose place among them
    customdata is appears beside the pointer.
    """
    spec = figure.to_dict()
    spec.get("layout", {}).pop("template", None)

    def clicked() -> None:
        if callable(on_click):
            on_click(_public(st.session_state[key]["click"]))

    def selected() -> None:
        said = st.session_state[key]["select"]
        if on_select:
            on_select([int(point) for point in said["points"]], bool(said["add"]))

    data = {"figure": to_json_plotly(spec), "height": height, "config": config or {}}
    data |= {"clickable": bool(on_click), "selectable": bool(on_select)}
    data |= {"digits": digits and digits.token, "label": label, "save": save_as}
    state = _CHART(
        key=key, data=data, height=height, on_click_change=clicked, on_select_change=selected
    )
    if digits:
        digits.send()  # after the chart, which need not wait for them
    # A state and not a trigger: a trigger is lost when another rerun interrupts this one.
    click, seen = state.click, f"{key}.seen"
    if not on_click or not isinstance(click, dict) or click == st.session_state.get(seen):
        return None
    st.session_state[seen] = click
    return _public(click)


@dataclass(frozen=True, eq=False)
class StoredDigits:
    """Digits, uint8 (N, 28, 28), and N captions that are sent to the browser once."""

    images: np.ndarray
    captions: list[str]

    @cached_property
    def token(self) -> str:
        raw = np.ascontiguousarray(self.images)
        return hashlib.blake2b(raw, digest_size=8).hexdigest()

    @cached_property
    def _data(self) -> dict[str, Any]:
        packed = digits_for_browser(np.ascontiguousarray(self.images).tobytes())
        return {"token": self.token, "images": packed, "captions": self.captions}

    def send(self) -> None:
        """Send them to the browser, in an element of their own, which Streamlit sends once.

        In a chart, which changes, they would be sent again with each change.
        """
        _DIGITS(key=_STORE_KEY, data=self._data)


def _public(click: dict[str, Any]) -> dict[str, Any]:
    return {name: click.get(name) for name in ("x", "y", "customdata", "curve", "add")}


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
