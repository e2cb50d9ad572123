"""One digit's numbers on their way through a network -> plotly Figure: pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mnist_core.draw_figures import GAP, PLAIN
from mnist_core.equations import spoken
from mnist_core.figures import (
    FONT_SIZE,
    PAPER,
    TRAINING,
    VALIDATION,
    WRONG,
    base,
    cell_frame,
)

BAR = 0.85  # of the room of a bar
DARK_TO_LIGHT = [[0, "#000000"], [1, "#ffffff"]]


def products(x: np.ndarray, w: np.ndarray, unit: int) -> go.Figure:
    """Draw what comes in, a unit's weights, and their products, each (28, 28), side by side.

    Weights and products share their colours, each in shares of its own strongest value, which its
    title tells.
    """
    height, width = x.shape
    product = x * w
    places = [slice(i * (width + GAP), i * (width + GAP) + width) for i in range(3)]
    wide = 3 * width + 2 * GAP
    light, signed, true = np.full((3, height, wide), np.nan)
    light[:, places[0]] = x
    for place, values in zip(places[1:], (w, product), strict=True):
        signed[:, place] = values / (float(abs(values).max()) or 1.0)
        true[:, place] = values
    titles = (
        "<b>x</b><br>what comes in",
        f"<b>w</b> of unit {unit}<br>up to ±{spoken(abs(w).max())}",
        f"<b>x · w</b><br>up to ±{spoken(abs(product).max())}",
    )
    traces = [
        go.Heatmap(
            z=light, zmin=0, zmax=1, colorscale=DARK_TO_LIGHT, showscale=False, hoverongaps=False,
            hovertemplate="x = %{z:.3f}<extra></extra>",
        ),
        go.Heatmap(
            z=signed, customdata=true, autocolorscale=True, zmid=0, zmin=-1, zmax=1,
            hoverongaps=False, hovertemplate="%{customdata:+.3g}<extra></extra>",
            colorbar={"tickvals": [-1, 0, 1], "ticktext": ["lowers", "0", "raises"]},
        ),
    ]  # fmt: skip
    return base(
        traces, "", margin={"l": 4, "r": 4, "t": 48, "b": 4},
        annotations=[
            {"x": place.start + width / 2 - 0.5, "y": 1, "yref": "paper", "yanchor": "bottom",
             "text": text, "showarrow": False, "font": {"size": FONT_SIZE - 1}}
            for place, text in zip(places, titles, strict=True)
        ],
        xaxis=PLAIN | {"range": [-0.5, wide - 0.5]},
        yaxis=PLAIN | {"range": [height - 0.5, -0.5], "scaleanchor": "x"},
    )  # fmt: skip


def strip(x: np.ndarray, chosen: int) -> go.Figure:
    """Draw a vector (n,) of values 0–1 as one row, and mark one of them."""
    heatmap = go.Heatmap(
        z=[x], zmin=0, zmax=1, colorscale=DARK_TO_LIGHT, showscale=False,
        hovertemplate="x<sub>%{x}</sub> = %{z:.3f}<extra></extra>",
    )  # fmt: skip
    mark = {
        "x": chosen, "y": 1, "yref": "paper", "text": f"<b>i = {chosen}</b>", "ax": 0, "ay": -22,
        "arrowcolor": TRAINING, "arrowwidth": 3, "font": {"size": FONT_SIZE},
    }  # fmt: skip
    return base(
        [heatmap], "", annotations=[mark], margin={"l": 12, "r": 12, "t": 34, "b": 46},
        xaxis={"title": {"text": "number of the pixel, i"}, "showgrid": False, "zeroline": False,
               "range": [-0.5, len(x) - 0.5]},
        yaxis=PLAIN,
    )  # fmt: skip


def bars(
    values: np.ndarray,
    chosen: int | None,
    *,
    across: str,
    up: str,
    what: str = "unit",
    title: str = "",
    off: np.ndarray | None = None,
    first: int = 0,
) -> go.Figure:
    """Draw a signed value of each unit (n,) as bars, the chosen one dark, those `off` in gray.

    `across` and `up` name the axes, `what` a bar in its hover text; bars are counted from `first`.
    """
    values = np.asarray(values, float)
    off = np.zeros(len(values), bool) if off is None else off
    own = np.arange(len(values)) == chosen
    kinds = {
        VALIDATION: (values >= 0) & ~off & ~own,
        WRONG: (values < 0) & ~off & ~own,
        PAPER: off & ~own,
        TRAINING: own,
    }
    # A trace a colour: a colour a bar would take the server ten times as long.
    drawn = [
        go.Bar(x=np.flatnonzero(which) + first, y=values[which], width=BAR,
               marker={"color": color}, hoverinfo="skip")
        for color, which in kinds.items()
    ]  # fmt: skip
    # Over the bars, as high as the chart: a small bar can be clicked as well as a large one.
    high, low = max(values.max(), 0.0) or 1.0, min(values.min(), 0.0)
    pad = 0.06 * (high - low)
    few = len(values) <= 10
    target = go.Bar(
        x=np.arange(len(values)) + first, y=np.full(len(values), high - low + 2 * pad), width=1,
        base=np.full(len(values), low - pad), marker={"color": "rgba(0, 0, 0, 0)"},
        customdata=values, hovertemplate=f"{what} %{{x}}: %{{customdata:.3g}}<extra></extra>",
    )  # fmt: skip
    return base(
        [*drawn, target], title, barmode="overlay",
        margin={"l": 60, "r": 8, "t": 34 if title else 8, "b": 44},
        xaxis={"title": {"text": across}, "zeroline": False, "showgrid": False,
               "range": [first - 0.6, first + len(values) - 0.4], **({"dtick": 1} if few else {})},
        yaxis={"title": {"text": up}, "range": [low - pad, high + pad], "nticks": 5,
               "exponentformat": "power"},
    )  # fmt: skip


def weight_map(values: np.ndarray, chosen: tuple[int, int] | None, title: str) -> go.Figure:
    """Draw a signed value of each weight, (h, w), with a frame around the chosen one."""
    strongest = float(np.nanmax(abs(values))) or 1.0
    heatmap = go.Heatmap(
        z=values, hoverongaps=False, autocolorscale=True, zmid=0, zmin=-strongest, zmax=strongest,
        hovertemplate="row %{y}, column %{x}: %{z:.3g}<extra></extra>",
        colorbar={"tickvals": [-strongest, 0, strongest],
                  "ticktext": [f"−{spoken(strongest)}", "0", f"+{spoken(strongest)}"]},
    )  # fmt: skip
    height, width = values.shape
    return base(
        [heatmap], title, margin={"l": 4, "r": 4, "t": 36, "b": 4},
        shapes=[] if chosen is None else [cell_frame(*chosen)],
        xaxis=PLAIN | {"range": [-0.5, width - 0.5]},
        yaxis=PLAIN | {"range": [height - 0.5, -0.5], "scaleanchor": "x"},
    )  # fmt: skip


def weight_maps(maps: Sequence[tuple[str, np.ndarray]]) -> go.Figure:
    """Draw a signed value of each weight, K maps (h, w), side by side in one scale of colours.

    Each in shares of its own strongest value, which its title tells.
    """
    height, width = maps[0][1].shape
    gap = max(1, width // 14)
    wide = len(maps) * (width + gap) - gap
    shown, true = np.full((2, height, wide), np.nan)
    titles = []
    for place, (name, values) in enumerate(maps):
        start = place * (width + gap)
        strongest = float(np.nanmax(abs(values)))
        sign = "±" if np.nanmin(values) < 0 else ""
        shown[:, start : start + width] = values / (strongest or 1.0)
        true[:, start : start + width] = values
        titles.append(
            {"x": start + width / 2 - 0.5, "y": 1, "yref": "paper", "yanchor": "bottom",
             "text": f"<b>{name}</b><br>up to {sign}{spoken(strongest)}", "showarrow": False,
             "font": {"size": FONT_SIZE - 1}}
        )  # fmt: skip
    heatmap = go.Heatmap(
        z=shown, customdata=true, autocolorscale=True, zmid=0, zmin=-1, zmax=1, hoverongaps=False,
        colorbar={"tickvals": [-1, 0, 1], "ticktext": ["−", "0", "+"]},
        hovertemplate="%{customdata:+.3g}<extra></extra>",
    )  # fmt: skip
    return base(
        [heatmap], "", annotations=titles, margin={"l": 4, "r": 4, "t": 48, "b": 4},
        xaxis=PLAIN | {"range": [-0.5, wide - 0.5]},
        yaxis=PLAIN | {"range": [height - 0.5, -0.5], "scaleanchor": "x"},
    )  # fmt: skip


def minus_log(p: float, loss: float) -> go.Figure:
    """Draw -log p over p from 0 to 1, and the point where this digit's p of its label stands."""
    curve = np.linspace(0.003, 1, 150)
    top = max(5.0, 1.15 * loss)
    traces = [
        go.Scatter(x=curve, y=-np.log(curve), mode="lines", line={"color": PAPER, "width": 3},
                   hovertemplate="p = %{x:.2f}: loss %{y:.2f}<extra></extra>"),
        go.Scatter(x=[p], y=[loss], mode="markers", marker={"size": 14, "color": TRAINING},
                   hovertemplate="p = %{x:.3g}: loss %{y:.3g}<extra></extra>", cliponaxis=False),
    ]  # fmt: skip
    return base(
        traces, "Small where the label's p is near 1",
        margin={"l": 56, "r": 12, "t": 40, "b": 48},
        xaxis={"title": {"text": "probability of the label, p"}, "range": [0, 1.02],
               "zeroline": False},
        yaxis={"title": {"text": "loss, −log p"}, "range": [-0.03 * top, top], "zeroline": False},
    )  # fmt: skip
