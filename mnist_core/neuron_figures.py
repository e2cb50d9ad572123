"""Hidden units on the bench -> plotly Figure: pure functions in the look of figures.py."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import plotly.graph_objects as go

from mnist_core.figures import (
    DIGIT_COLORS,
    DIGITS,
    PAPER,
    TRAINING,
    VALIDATION,
    WRONG,
    base,
    cell_frame,
)
from mnist_core.weights import mosaic

PLAIN = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "",
         "constrain": "domain"}  # fmt: skip
STEPS = 127  # of each sign: as whole numbers they are a quarter of the bytes at every click
SHAPE = 1.7  # width of the mosaic over its height


def units(
    images: np.ndarray,
    numbers: Sequence[int],
    texts: Sequence[str],
    *,
    chosen: int | None = None,
    off: Collection[int] = (),
) -> go.Figure:
    """Draw the weights into units, float (n, h, w), side by side: unit numbers[i] says texts[i].

    One diverging scale for all, zero in its middle; the strongest half per cent are cut off. The
    chosen unit is framed, those that are off are faint and crossed. A click's customdata is the
    unit's number.
    """
    count, height, width = images.shape
    columns = columns_for(count)
    rows = -(-count // columns)
    limit = float(np.quantile(abs(images), 0.995)) or float(abs(images).max()) or 1.0
    steps = np.round(np.clip(mosaic(images, columns) / limit, -1, 1) * STEPS).astype(np.int8)
    pixels = go.Heatmap(
        z=steps, hoverinfo="skip", autocolorscale=True, zmin=-STEPS, zmid=0, zmax=STEPS,
        colorbar={"tickvals": [-STEPS, 0, STEPS], "ticktext": _ends(limit), "thickness": 10},
    )  # fmt: skip
    # Over the pixels, a cell for each unit: it is what is hovered and clicked, and what fades.
    blank = rows * columns - count
    faint = [int(unit in off) for unit in numbers]
    cells = go.Heatmap(
        z=_grid([*faint, *[None] * blank], columns), x0=(width - 1) / 2, dx=width,
        y0=(height - 1) / 2, dy=height, zmin=0, zmax=1, showscale=False, opacity=0.7,
        colorscale=[[0, "rgba(0,0,0,0)"], [1, "var(--st-background-color)"]],
        customdata=_grid([*map(int, numbers), *[None] * blank], columns),
        text=_grid([*texts, *[""] * blank], columns), hoverongaps=False,
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    down, across = steps.shape
    corners = {
        unit: (place % columns * width - 0.5, place // columns * height - 0.5)
        for place, unit in enumerate(numbers)
    }
    lines = [f"M{x},-0.5V{down - 0.5}" for x in _edges(width, columns)]
    lines += [f"M-0.5,{y}H{across - 0.5}" for y in _edges(height, rows)]
    shapes = [{"type": "path", "path": "".join(lines), "line": {"color": PAPER, "width": 1}}]
    if crosses := [
        f"M{x},{y}L{x + width},{y + height}M{x},{y + height}L{x + width},{y}"
        for x, y in (corners[unit] for unit in numbers if unit in off)
    ]:
        line = {"color": "var(--st-text-color)", "width": 1}
        shapes.append({"type": "path", "path": "".join(crosses), "line": line})
    if chosen in corners:
        x, y = corners[chosen]
        shapes.append({"type": "rect", "x0": x, "x1": x + width, "y0": y, "y1": y + height,
                       "line": {"color": TRAINING, "width": 4}})  # fmt: skip
    return base(
        [pixels, cells], "", margin={"l": 2, "r": 4, "t": 4, "b": 4},
        shapes=[{"layer": "above"} | shape for shape in shapes],
        xaxis=PLAIN | {"range": [-0.5, across - 0.5]},
        yaxis=PLAIN | {"range": [down - 0.5, -0.5], "scaleanchor": "x"},
    )  # fmt: skip


def columns_for(count: int) -> int:
    """Return how many units stand side by side, so that rows are full where that is near."""
    about = max(1, round(np.sqrt(SHAPE * count)))
    return next((c for c in range(about, about + about // 3 + 1) if count % c == 0), about)


def _grid(values: list, columns: int) -> list[list]:
    return [values[start : start + columns] for start in range(0, len(values), columns)]


def _edges(side: int, count: int) -> list[float]:
    return [side * i - 0.5 for i in range(1, count)]


def _ends(limit: float) -> list[str]:
    return [f"−{limit:.2g}", "0", f"{limit:.2g}"]


def one_unit(weights: np.ndarray, limit: float, pixel: int | None = None) -> go.Figure:
    """Draw the weights into one unit, float (28, 28), on a scale to `limit` on both sides.

    `pixel`, 0 to 783, is framed.
    """
    limit = limit or 1.0
    heatmap = go.Heatmap(
        z=np.round(weights, 5), autocolorscale=True, zmin=-limit, zmid=0, zmax=limit,
        colorbar={"tickvals": [-limit, 0, limit], "ticktext": _ends(limit), "thickness": 10},
        hovertemplate="row %{y}, column %{x}: %{z:+.3f}<extra></extra>",
    )  # fmt: skip
    return base(
        [heatmap], "", margin={"l": 2, "r": 4, "t": 4, "b": 4},
        shapes=[] if pixel is None else [cell_frame(*divmod(pixel, 28))],
        xaxis=PLAIN | {"range": [-0.5, 27.5]},
        yaxis=PLAIN | {"range": [27.5, -0.5], "scaleanchor": "x"},
    )  # fmt: skip


def bars(
    means: np.ndarray, outgoing: np.ndarray | None = None, chosen: int | None = None
) -> go.Figure:
    """Draw a unit's mean output for each digit (10,), and below its weights to the digits (10,).

    Without `outgoing`, as where more layers follow, only the former. `chosen` is the digit whose
    weight is framed; the weights are curve 1.
    """
    traces = [
        go.Bar(
            x=DIGITS, y=np.round(means, 4), marker={"color": DIGIT_COLORS},
            hovertemplate="mean output for a %{x}: %{y:.2f}<extra></extra>",
        )
    ]  # fmt: skip
    plain = {"showgrid": False, "nticks": 4, "automargin": True, "tickfont": {"size": 13}}
    small = {"size": 14}
    axes = {"xaxis": {"dtick": 1, "showgrid": False, "zeroline": False, "range": [-0.6, 9.6],
                      "anchor": "y" if outgoing is None else "y2"},
            "yaxis": plain | {"rangemode": "tozero"}}  # fmt: skip
    titles = [_title("Mean output for each digit", 1.0, small)]
    if outgoing is not None:
        edges = [3 if digit == chosen else 0 for digit in DIGITS]
        traces.append(
            go.Bar(
                x=DIGITS, y=np.round(outgoing, 4), yaxis="y2",
                marker={"color": [VALIDATION if w > 0 else WRONG for w in outgoing],
                        "line": {"color": TRAINING, "width": edges}},
                hovertemplate="weight to digit %{x}: %{y:+.3f}<extra></extra>",
            )
        )  # fmt: skip
        axes["yaxis"]["domain"] = [0.6, 0.93]
        axes["yaxis2"] = plain | {"domain": [0.0, 0.4], "zeroline": True}
        titles.append(_title("Weight to each digit", 0.42, small))
    else:
        axes["yaxis"]["domain"] = [0.0, 0.9]
    return base(traces, "", margin={"l": 36, "r": 4, "t": 8, "b": 26}, bargap=0.25,
                annotations=titles, **axes)  # fmt: skip


def _title(text: str, y: float, font: dict) -> dict:
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": y, "yref": "paper"}
    anchor = "middle" if y == 1.0 else "bottom"
    return place | {"text": text, "yanchor": anchor, "showarrow": False, "font": font}
