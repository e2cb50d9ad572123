"""What changes from epoch to epoch -> plotly Figure: pure functions in the look of figures.py."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import plotly.graph_objects as go

from mnist_core import wording
from mnist_core.confusion_figures import DIAGONAL, frames
from mnist_core.evaluation import Cell
from mnist_core.figures import (
    BACKGROUND,
    DIGITS,
    PAPER,
    RIGHT,
    VALIDATION,
    WRONG,
    base,
    mark_moment,
)
from mnist_core.weights import mosaic

LEAST = 0.05  # a digit whose probability never reaches this has no line of its own


def confusion_over_time(
    moments: Sequence[float],
    confusions: np.ndarray,
    *,
    cursor: float | None = None,
    chosen: Collection[Cell] = (),
) -> go.Figure:
    """Draw each cell of the confusion matrices int (M, 10, 10) as a small curve over the moments.

    Off the diagonal: how often a digit was taken for another, one scale for all; on it, in gray:
    the share rightly read, from the worst to 100 %. The untrained network, which takes everything
    for anything, is left out once a later moment is there. `cursor` marks a moment with dots.

    After A. Hinterreiter et al. (2020), "ConfusionFlow".
    """
    if not len(moments):
        return base([], "Nothing is recorded")
    moments, confusions = _after_training_began(moments, confusions)
    rows = confusions.sum(axis=2, keepdims=True)
    shares = np.divide(confusions, rows, out=np.full(confusions.shape, np.nan), where=rows > 0)
    errors = np.where(DIAGONAL, 0, confusions)
    top = max(int(errors.max(initial=0)), 1)
    recall = np.nan_to_num(np.diagonal(shares, axis1=1, axis2=2), nan=1.0)
    worst = min(float(recall.min(initial=1.0)), 0.999)  # a perfect recall stands at the top
    height = np.where(DIAGONAL, (shares - worst) / (1 - worst), errors / top)
    begin, end = moments[0], moments[-1]
    across = np.array([0.5 if begin == end else (m - begin) / (end - begin) for m in moments])
    digits = np.arange(10)
    x = np.broadcast_to(digits[None, None, :] - 0.4 + 0.8 * across[:, None, None], height.shape)
    y = digits[None, :, None] + 0.4 - 0.8 * height
    ever = errors.any(axis=0)

    def curves(cells: np.ndarray, color: str) -> list[go.Scatter]:
        gap = np.full((1, int(cells.sum())), np.nan)
        path = [np.vstack([part[:, cells], gap]).T.ravel() for part in (x, y)]
        style = {"mode": "lines", "line": {"color": color, "width": 2}}
        if len(moments) == 1:
            style = {"mode": "markers", "marker": {"color": color, "size": 7}}
        traces = [go.Scatter(x=path[0], y=path[1], hoverinfo="skip", **style)]
        if cursor in moments:
            at = list(moments).index(cursor)
            traces.append(
                go.Scatter(
                    x=x[at][cells], y=y[at][cells], mode="markers", hoverinfo="skip",
                    marker={"color": color, "size": 7},
                )
            )  # fmt: skip
        return traces

    heatmap = go.Heatmap(
        x=DIGITS, y=DIGITS, z=np.where(ever, 1.0, 0.0), zmin=0, zmax=1, xgap=2, ygap=2,
        colorscale=[[0, "var(--st-background-color)"], [1, BACKGROUND]], showscale=False,
        hoverinfo="text", hovertext=_over_time(moments, confusions, shares),
    )  # fmt: skip
    plain = {"showgrid": False, "zeroline": False, "dtick": 1}
    return base(
        [heatmap, *curves(ever, VALIDATION), *curves(DIAGONAL, PAPER)],
        f"Errors by epoch, up to {top} in a cell",
        xaxis=plain | {"title": {"text": "predicted digit"}, "range": [-0.5, 9.5]},
        yaxis=plain | {"title": {"text": "true digit"}, "range": [9.5, -0.5]},
        shapes=frames([cell for cell in chosen if None not in cell]),
    )


def _after_training_began(moments, confusions):
    """Leave out the untrained network where a later moment is there."""
    kept = np.array(moments) > 0
    if not kept.any():
        return list(moments), confusions
    return [m for m, keep in zip(moments, kept, strict=True) if keep], confusions[kept]


def _over_time(moments, confusions, shares) -> list[list[str]]:
    told = range(max(0, len(moments) - 12), len(moments))

    def said(t: int, p: int) -> str:
        lines = [
            f"epoch {wording.epoch(moments[m])}: "
            + (wording.percent(shares[m, t, p]) if t == p else f"{confusions[m, t, p]:,}")
            for m in told
        ]
        what = f"{t} rightly read" if t == p else f"{t} read as {p}"
        earlier = ["…"] if len(told) < len(moments) else []
        return "<br>".join([f"<b>{what}</b>", *earlier, *lines])

    return [[said(t, p) for p in DIGITS] for t in DIGITS]


def first_layer(images: np.ndarray, units: int | None = None) -> go.Figure:
    """Draw the weights into each unit of a layer, float (U, h, w), as images side by side.

    One diverging scale for all, zero in its middle; the strongest half per cent are cut off. With
    `units`, how many the layer has, the picture is a small one of some of them.
    """
    count, height, width = images.shape
    columns = max(1, int(np.sqrt((0.9 if units else 1.6) * count)))
    columns = next((c for c in range(columns, 2 * columns + 1) if count % c == 0), columns)
    limit = float(np.quantile(abs(images), 0.995)) or float(abs(images).max()) or 1.0
    # As whole numbers they are a quarter of the bytes, several times a second while playing.
    steps = np.round(np.clip(mosaic(images, columns) / limit, -1, 1) * 127).astype(np.int8)
    heatmap = go.Heatmap(
        z=steps, hoverinfo="skip", autocolorscale=True, zmin=-127, zmid=0, zmax=127,
        colorbar={"tickvals": [-127, 0, 127], "ticktext": [f"−{limit:.2g}", "0", f"{limit:.2g}"]},
    )  # fmt: skip
    plain = {"showgrid": False, "zeroline": False, "showticklabels": False, "constrain": "domain"}
    down, across = steps.shape
    edge = {"type": "line", "line": {"color": "var(--st-gray-color)", "width": 1}}
    labels = [{"title": {"text": text, "standoff": 4}} if not units else {"ticks": ""}
              for text in ("column (pixel), unit by unit", "row (pixel)")]  # fmt: skip
    some = f"{count} of {units} units" if units and units > count else wording.count(count, "unit")
    title = f"First layer: {some}" if units else f"What {some} of the first layer look for"
    return base(
        [heatmap],
        title,
        margin={"l": 8, "r": 4, "t": 40, "b": 8} if units else {"l": 36, "r": 8, "t": 40, "b": 36},
        xaxis=plain | labels[0] | {"range": [-0.5, across - 0.5]},
        yaxis=plain | labels[1] | {"scaleanchor": "x", "range": [down - 0.5, -0.5]},
        shapes=[
            *(edge | {"x0": x - 0.5, "x1": x - 0.5, "y0": -0.5, "y1": down - 0.5}
              for x in range(width, across, width)),
            *(edge | {"y0": y - 0.5, "y1": y - 0.5, "x0": -0.5, "x1": across - 0.5}
              for y in range(height, down, height)),
        ],
    )  # fmt: skip


def cell_curve(
    moments: Sequence[float], counts: np.ndarray, name: str, cursor: float | None = None
) -> go.Figure:
    """Draw how many images, int (M,), were in the chosen cells at each moment."""
    kept = [i for i, moment in enumerate(moments) if moment > 0] or list(range(len(moments)))
    x, y = np.array(moments)[kept], np.asarray(counts)[kept]
    line = go.Scatter(
        x=x, y=y, mode="lines+markers", line={"color": VALIDATION, "width": 3},
        marker={"size": 9}, hovertemplate="after epoch %{x}: %{y:,} images<extra></extra>",
    )  # fmt: skip
    figure = base(
        [line],
        name,
        xaxis=_epochs(x),
        yaxis={
            "title": {"text": "images"},
            "rangemode": "tozero",
            "zeroline": False,
            "dtick": max(1, -(-int(y.max(initial=0)) // 4)),  # no half images
        },
    )
    return mark_moment(figure, cursor)


def life(
    moments: Sequence[float],
    probabilities: np.ndarray,
    true: int,
    *,
    cursor: float | None = None,
) -> go.Figure:
    """Draw an image's probabilities (M, 10) over the moments: the true digit green and thick.

    Others are red where they were ever read, else gray, and left out below LEAST.
    """
    # The untrained network gives every digit about a tenth.
    counted = probabilities[np.array(moments) > 0] if any(moments) else probabilities
    read = set(counted.argmax(axis=1).tolist())
    traces, ends = [], []
    for digit in sorted(DIGITS, key=lambda digit: digit == true):
        values = probabilities[:, digit] * 100
        if digit != true and counted[:, digit].max(initial=0) < LEAST:
            continue
        color = RIGHT if digit == true else WRONG if digit in read else PAPER
        traces.append(
            go.Scatter(
                x=list(moments), y=values, name=str(digit), mode="lines+markers",
                line={"color": color, "width": 4 if digit == true else 2},
                marker={"size": 8 if digit == true else 6},
                hovertemplate=f"epoch %{{x}}: %{{y:.1f}} % for {digit}<extra></extra>",
            )
        )  # fmt: skip
        if len(values):
            ends.append((float(values[-1]), digit, color))
    figure = base(
        traces,
        "",
        margin={"l": 64, "r": 44, "t": 8, "b": 48},
        xaxis=_epochs(moments),
        yaxis={"title": {"text": "probability (%)"}, "range": [-4, 108],
               "tickvals": [0, 50, 100], "zeroline": False},
        annotations=_line_ends(moments, ends),
    )  # fmt: skip
    return mark_moment(figure, cursor)


def _epochs(moments: Sequence[float]) -> dict:
    """Return an axis from the first to the last moment, with ticks at whole epochs."""
    axis = {"title": {"text": "epoch"}, "zeroline": False, "tick0": 0}
    if len(moments) < 2:
        return axis
    span = moments[-1] - moments[0]
    edge = 0.02 * span
    return axis | {
        "dtick": max(1, int(np.ceil(span / 10))),
        "range": [moments[0] - edge, moments[-1] + edge],
    }


def _line_ends(moments: Sequence[float], ends: list[tuple[float, int, str]]) -> list[dict]:
    """Name the lines at their ends; names that would lie upon each other stand side by side."""
    written: list[dict] = []
    for value, digit, color in sorted(ends):
        taken = {other["xshift"] for other in written if abs(value - other["y"]) < 12}
        free = next(shift for shift in range(8, 140, 12) if shift not in taken)
        written.append(
            {"x": moments[-1], "y": value, "text": f"<b>{digit}</b>", "showarrow": False,
             "xanchor": "left", "xshift": free, "font": {"color": color}}
        )  # fmt: skip
    return written
