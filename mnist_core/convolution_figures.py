"""Filters, windows, feature maps and receptive fields -> plotly Figure: pure functions.

Images are drawn by rows from the top, every pixel square. One diverging scale with zero in its
middle for signed values, a sequential one for what is never negative, black to white for a digit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mnist_core.draw_figures import PLAIN
from mnist_core.figures import FONT_SIZE, PAPER, TRAINING, VALIDATION, base
from mnist_core.weights import mosaic

PAGE = "var(--st-background-color)"
GAP = 2  # pixels between two digits in a row
STEPS = 127  # a mosaic's values are sent as whole numbers: a quarter of the bytes
MOST_TEXTS = 7  # pixels a side, above which no numbers stand in them
DIGIT = [[0, "#000000"], [1, "#ffffff"]]
Frame = tuple[float, float, float, float]  # top, left, bottom, right; the latter two included


def _scale(kind: str, limit: float) -> dict[str, Any]:
    """Return a heatmap's colours: kind "digit", "signed" or "positive"; limit the largest value."""
    if kind == "digit":
        return {"colorscale": DIGIT, "zmin": 0, "zmax": limit or 1}
    if kind == "positive":
        return {"autocolorscale": True, "zmin": 0, "zmax": limit or 1}
    return {"autocolorscale": True, "zmin": -(limit or 1), "zmid": 0, "zmax": limit or 1}


def _framed(frame: Frame, color: str = TRAINING, width: int = 3) -> dict[str, Any]:
    top, left, bottom, right = frame
    return {"type": "rect", "x0": left - 0.5, "x1": right + 0.5, "y0": top - 0.5,
            "y1": bottom + 0.5, "line": {"color": color, "width": width}}  # fmt: skip


def _axes(shape: tuple[int, int], top: float = 0, left: float = 0) -> dict[str, Any]:
    """Return axes that hold an image of `shape` whose first pixel is (top, left)."""
    rows, columns = shape
    room = 0.5 + 0.01 * min(shape)  # half of a frame's line
    return {
        "xaxis": PLAIN | {"range": [left - room, left + columns - 1 + room]},
        "yaxis": PLAIN | {"range": [top + rows - 1 + room, top - room], "scaleanchor": "x"},
    }


def image(
    values: np.ndarray,
    title: str,
    kind: str,
    *,
    limit: float | None = None,
    before: tuple[int, int] = (0, 0),
    inner: tuple[int, int] | None = None,
    frames: Sequence[Frame] = (),
) -> go.Figure:
    """Draw an image, float (h, w), with frames around some pixels.

    Of a padded image `before` rows and columns are zeros in front of the image proper, of size
    `inner`, which gets a dotted edge and begins with row 0, column 0. `limit`: the end of the
    scale; None: the image's largest value.
    """
    top, left = (-margin for margin in before)
    limit = float(abs(values).max()) if limit is None else limit
    heatmap = go.Heatmap(
        z=np.asarray(values, np.float32), x0=left, y0=top, dx=1, dy=1, showscale=False,
        hovertemplate="row %{y}, column %{x}: %{z:.3g}<extra></extra>", **_scale(kind, limit),
    )  # fmt: skip
    shapes = [_framed(frame) for frame in frames]
    if inner and inner != values.shape:
        edge = _framed((0, 0, inner[0] - 1, inner[1] - 1), PAPER, 1)
        edge["line"]["dash"] = "dot"
        shapes.insert(0, edge)
    return base(
        [heatmap], title, margin={"l": 4, "r": 4, "t": 34, "b": 4}, shapes=shapes,
        **_axes(values.shape, top, left),
    )  # fmt: skip


def numbers(
    values: np.ndarray, title: str, kind: str, outside: np.ndarray | None = None
) -> go.Figure:
    """Draw a window, float (k, k), with its numbers in it where there is room.

    `outside`, bool (k, k), are places beyond the image's edge: zeros that padding put there.
    """
    limit = float(abs(values).max())
    figure = image(values, title, kind, limit=limit)
    (heatmap,) = figure.data
    if max(values.shape) <= MOST_TEXTS:
        decimals = min(4, max(0, 1 - math.floor(math.log10(limit)))) if limit else 0
        texts = [[_short(value, decimals) for value in row] for row in values.tolist()]
        heatmap.update(text=texts, texttemplate="%{text}", textfont={"size": FONT_SIZE - 1})
    if outside is not None and outside.any():
        names = np.where(outside, " (padding)", "")
        heatmap.update(
            customdata=names.tolist(),
            hovertemplate="row %{y}, column %{x}: %{z:.3g}%{customdata}<extra></extra>",
        )
    return figure


def _short(value: float, decimals: int) -> str:
    """Return a number as it fits into a cell; what is exactly nothing as 0."""
    text = f"{value:.{decimals}f}"
    return "0" if value == 0 else text.replace("-", "−" if float(text) else "")


def columns_of(count: int, wide: int = 16) -> int:
    """Return how many images stand side by side in a mosaic: rows of equal length."""
    rows = -(-count // wide)
    return -(-count // rows) if count else 1


def maps(
    values: np.ndarray,
    title: str,
    kind: str,
    *,
    columns: int,
    chosen: int | None = None,
    place: tuple[float, float] | None = None,
) -> go.Figure:
    """Draw images, float (h, w, n), side by side in one scale.

    A frame goes around the chosen one, and around the pixel `place` of it.
    """
    height, width, count = values.shape
    limit = float(abs(values).max()) or 1.0
    steps = np.round(values.transpose(2, 0, 1) / limit * STEPS).astype(np.int8)
    whole = mosaic(steps, columns)
    down, across = whole.shape
    heatmap = go.Heatmap(z=whole, hoverinfo="none", showscale=False, **_scale(kind, STEPS))
    # One shape for all lines between the images: each costs the server and the browser time.
    lines = [f"M{x - 0.5},-0.5V{down - 0.5}" for x in range(width, across, width)]
    lines += [f"M-0.5,{y - 0.5}H{across - 0.5}" for y in range(height, down, height)]
    apart = {"type": "path", "path": "".join(lines), "line": {"color": PAGE, "width": 3}}
    shapes = [apart] if lines else []
    if empty := -count % columns:
        left = (columns - empty) * width
        shapes.append(_framed((down - height, left, down - 1, across - 1), PAGE, 1)
                      | {"fillcolor": PAGE})  # fmt: skip
    if chosen is not None and chosen < count:
        top, left = chosen // columns * height, chosen % columns * width
        shapes.append(_framed((top, left, top + height - 1, left + width - 1)))
        if place is not None:
            row, column = top + place[0], left + place[1]
            shapes.append(_framed((row, column, row, column), width=2))
    figure = base(
        [heatmap], title, margin={"l": 4, "r": 4, "t": 34 if title else 4, "b": 4}, shapes=shapes,
        **_axes(whole.shape),
    )  # fmt: skip
    figure.layout.xaxis.constraintoward = "left"
    figure.layout.yaxis.constraintoward = "top"
    return figure


def clicked_map(
    x: float, y: float, shape: tuple[int, int, int], columns: int
) -> tuple[int, int, int] | None:
    """Return which of maps()'s images was clicked, and row and column in it; None beside them."""
    height, width, count = shape
    (down, row), (across, column) = divmod(round(y), height), divmod(round(x), width)
    found = down * columns + across
    return (found, row, column) if across < columns and 0 <= found < count else None


def shares(added: np.ndarray, chosen: int) -> go.Figure:
    """Draw what each map that comes in adds to a sum, (maps,); the chosen one in orange."""
    count = len(added)
    names = np.arange(1, count + 1)
    bars = go.Bar(
        x=names, y=added, customdata=np.arange(count),
        marker={"color": [TRAINING if n == chosen else VALIDATION for n in range(count)]},
        hovertemplate="map %{x} adds %{y:+.3g}<extra></extra>",
    )  # fmt: skip
    return base(
        [bars], "What each map adds", margin={"l": 52, "r": 8, "t": 34, "b": 44}, bargap=0.15,
        xaxis={"title": {"text": "map that comes in"}, "showgrid": False, "zeroline": False,
               "range": [0.4, count + 0.6]},
        yaxis={"title": {"text": "adds to the sum"}, "nticks": 5},
    )  # fmt: skip


def digits(images: np.ndarray, frames: Sequence[Frame], texts: Sequence[str]) -> go.Figure:
    """Draw digits, uint8 (N, 28, 28), in a row, each with its frame and a text below it."""
    count, height, width = images.shape
    step = width + GAP
    whole = np.zeros((height, count * step - GAP), np.uint8)
    for n, digit in enumerate(images):
        whole[:, n * step : n * step + width] = digit
    heatmap = go.Heatmap(z=whole, hoverinfo="none", showscale=False, **_scale("digit", 255))
    gaps = [f"M{x - 0.5},-0.5H{x + GAP - 0.5}V{height - 0.5}H{x - 0.5}Z"
            for x in range(width, whole.shape[1], step)]  # fmt: skip
    between = {"type": "path", "path": "".join(gaps), "fillcolor": PAGE, "line": {"width": 0}}
    notes = [
        {"x": n * step + width / 2 - 0.5, "y": height - 0.5, "yanchor": "top", "text": text,
         "showarrow": False, "font": {"size": FONT_SIZE - 1}, "captureevents": False}
        for n, text in enumerate(texts)
    ]  # fmt: skip
    shapes = [between] if gaps else []
    shapes += [
        _framed((top, left + n * step, bottom, right + n * step))
        for n, (top, left, bottom, right) in enumerate(frames)
    ]
    figure = base(
        [heatmap], "", margin={"l": 4, "r": 4, "t": 4, "b": 26}, shapes=shapes, annotations=notes,
        **_axes(whole.shape),
    )  # fmt: skip
    figure.layout.yaxis.constraintoward = "top"
    return figure


def clicked_digit(x: float, width: int = 28) -> int:
    """Return which of digits()'s images stands at a click's x."""
    return round(x) // (width + GAP)
